//! A file that grows, and that a resumed training cuts back to where its checkpoint was.

use crate::callbacks::State;
use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl LogFile {
    /// A new file, or the end of one that is there.
    pub fn open(path: &Path, append: bool) -> Result<LogFile> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let open = OpenOptions::new().create(true).write(true).truncate(!append).open(path);
        let mut file = open.map_err(Error::io("write", path))?;
        let bytes = file.seek(SeekFrom::End(0)).map_err(Error::io("write", path))?;
        Ok(LogFile { path: path.to_path_buf(), file, bytes })
    }

    /// The file of a checkpoint, without what was written after it. `None` where less is there than the checkpoint knew.
    pub fn resume(state: &State, key: &str) -> Result<Option<LogFile>> {
        let (Some(path), Some(bytes)) = (state.text(key), state.number(&format!("{key}_bytes"))) else {
            return Ok(None);
        };
        let (path, bytes) = (Path::new(path), bytes as u64);
        if fs::metadata(path).map_or(0, |about| about.len()) < bytes {
            return Ok(None);
        }
        let mut file = LogFile::open(path, true)?;
        file.file.set_len(bytes).map_err(Error::io("write", path))?;
        file.file.seek(SeekFrom::Start(bytes)).map_err(Error::io("write", path))?;
        file.bytes = bytes;
        Ok(Some(file))
    }

    /// What [`LogFile::resume`] needs; what was written is on the disk then.
    pub fn save(&self, state: State, key: &str) -> Result<State> {
        self.file.sync_all().map_err(Error::io("write", &self.path))?;
        let path = self.path.to_string_lossy();
        Ok(state.with_text(key, &path).with(&format!("{key}_bytes"), self.bytes as f64))
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}
