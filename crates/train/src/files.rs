//! Files that are whole or not there.

use crate::crc32c::Crc32c;
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes `bytes` so that the file is either the old or the new one, whatever happens: to a file beside it first, which
/// is then renamed. What is no file, a pipe or a device, is written to; of a link the target is replaced.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let target = match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            let mut file = File::options().write(true).open(path).map_err(Error::io("write", path))?;
            return file.write_all(bytes).map_err(Error::io("write", path));
        }
        Ok(_) if path.is_symlink() => fs::canonicalize(path).map_err(Error::io("write", path))?,
        _ => path.to_path_buf(),
    };
    replace(&target, |file| file.write(bytes))
}

/// [`write_atomically`] of what `write` writes.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut Summed) -> Result<()>) -> Result<()> {
    let name = path.file_name().map_or_else(|| "file".into(), |name| name.to_string_lossy().into_owned());
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = Summed::create(&beside)?;
        write(&mut file)?;
        file.finish()?;
        fs::rename(&beside, path).map_err(Error::io("write", path))?;
        sync_folder(path.parent())
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    // Of the file that was asked for, not of the one beside it.
    written.map_err(|error| match error {
        Error::Io { doing, source, .. } => Error::Io { doing, path: path.to_path_buf(), source },
        other => other,
    })
}

/// Makes what happened to a folder's entries last over a loss of power.
pub(crate) fn sync_folder(folder: Option<&Path>) -> Result<()> {
    if cfg!(not(unix)) {
        // Elsewhere folders cannot be opened; a rename is journalled there.
        return Ok(());
    }
    let folder = folder.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("write", folder))
}

/// A file being written, with its length and checksum so far.
pub(crate) struct Summed {
    file: File,
    path: PathBuf,
    bytes: u64,
    sum: Crc32c,
}

impl Summed {
    pub fn create(path: &Path) -> Result<Summed> {
        let file = File::create(path).map_err(Error::io("write", path))?;
        Ok(Summed { file, path: path.to_path_buf(), bytes: 0, sum: Crc32c::new() })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))?;
        self.bytes += bytes.len() as u64;
        self.sum.add(bytes);
        Ok(())
    }

    /// Waits until it is on the disk; gives length and CRC-32C.
    pub fn finish(self) -> Result<(u64, u32)> {
        self.file.sync_all().map_err(Error::io("write", &self.path))?;
        Ok((self.bytes, self.sum.value()))
    }
}
