//! The page as a file.

use crate::data::Report;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

impl Report {
    /// Writes the page to `path`, which has either the old or the new one, whatever happens.
    ///
    /// # Errors
    /// When the folder cannot be written; the message names the file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write(path, &self.to_html())
    }
}

/// Writes a page beside `path` first, and then renames it.
pub fn write(path: &Path, page: &str) -> io::Result<()> {
    let name = path.file_name().map_or_else(|| "report".into(), |name| name.to_string_lossy().into_owned());
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(page.as_bytes()).and_then(|()| file.sync_all()));
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    renamed.map_err(|cause| {
        io::Error::new(cause.kind(), format!("cannot write the report {}: {cause}", path.display()))
    })
}
