//! Checkpoints in their folder.

use crate::checkpoint::Manifest;
use crate::crc32c::Crc32c;
use crate::error::{Error, Result};
use crate::files::{Summed, sync_folder};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

const PREFIX: &str = "checkpoint-";
const MANIFEST: &str = "manifest.json";

/// A file of a checkpoint: its name, and what writes it.
pub(crate) type Part<'a> = (String, Box<dyn Fn(&mut Summed) -> Result<()> + 'a>);

/// A folder of checkpoints.
pub(crate) struct Store {
    folder: PathBuf,
    /// The last that is whole; it stays until the next is.
    previous: Option<PathBuf>,
}

impl Store {
    pub fn new(folder: &Path) -> Store {
        Store { folder: folder.to_path_buf(), previous: None }
    }

    /// The newest checkpoint that is whole, and what is to be said of newer ones that are not.
    pub fn newest(&mut self) -> Result<(Option<(PathBuf, Manifest)>, Vec<String>)> {
        let mut damaged = Vec::new();
        for path in self.checkpoints()? {
            match self.read(&path)? {
                Ok(manifest) => {
                    self.previous = Some(path.clone());
                    return Ok((Some((path, manifest)), damaged));
                }
                Err(why) => damaged.push(format!("{} cannot be used ({why})", path.display())),
            }
        }
        Ok((None, damaged))
    }

    /// All that are there under their final names, newest first.
    pub fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        let mut found: Vec<(u64, PathBuf)> = Vec::new();
        for entry in self.entries()? {
            if let Some(number) = number(&entry) {
                found.push((number, entry));
            }
        }
        found.sort();
        Ok(found.into_iter().rev().map(|(_, path)| path).collect())
    }

    fn entries(&self) -> Result<Vec<PathBuf>> {
        let listing = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(Error::io("read", &self.folder))?,
        };
        let paths = listing.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<std::io::Result<_>>().map_err(Error::io("read", &self.folder))
    }

    /// Reads every file of a checkpoint; gives its manifest, or why it cannot be used.
    ///
    /// # Errors
    /// A newer version.
    pub fn read(&self, path: &Path) -> Result<std::result::Result<Manifest, String>> {
        let Ok(text) = fs::read_to_string(path.join(MANIFEST)) else {
            return Ok(Err("it has no manifest that can be read".into()));
        };
        let manifest = match Manifest::from_text(&text, path)? {
            Ok(manifest) => manifest,
            Err(why) => return Ok(Err(why)),
        };
        for (name, bytes, sum) in &manifest.files {
            match measure(&path.join(name)) {
                Err(error) => return Ok(Err(format!("{name} cannot be read: {error}"))),
                Ok((found, _)) if found != *bytes => {
                    return Ok(Err(format!("{name} has {found} bytes instead of {bytes}")));
                }
                Ok((_, found)) if found != *sum => {
                    return Ok(Err(format!(
                        "{name} has changed since it was written: the checksum is another"
                    )));
                }
                Ok(_) => {}
            }
        }
        Ok(Ok(manifest))
    }

    /// Writes a checkpoint: its parts, then the manifest that names them. On an error the earlier ones are as they were.
    pub fn write(&mut self, mut manifest: Manifest, parts: &[Part<'_>]) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        let next = self.checkpoints()?.first().and_then(|path| number(path)).map_or(1, |last| last + 1);
        let path = self.folder.join(format!("{PREFIX}{next:06}"));
        let beside = self.folder.join(format!(".{PREFIX}{next:06}"));
        let written = (|| {
            let _ = fs::remove_dir_all(&beside);
            fs::create_dir(&beside).map_err(Error::io("create", &beside))?;
            for (name, write) in parts {
                let mut file = Summed::create(&beside.join(name))?;
                write(&mut file)?;
                let (bytes, sum) = file.finish()?;
                manifest.files.push((name.clone(), bytes, sum));
            }
            let mut file = Summed::create(&beside.join(MANIFEST))?;
            file.write(manifest.to_text().as_bytes())?;
            file.finish()?;
            sync_folder(Some(&beside))?;
            fs::rename(&beside, &path).map_err(Error::io("write", &path))?;
            sync_folder(Some(&self.folder))
        })();
        if let Err(error) = written {
            let _ = fs::remove_dir_all(&beside);
            return Err(error);
        }
        self.discard(&path)?;
        self.previous = Some(path.clone());
        Ok(path)
    }

    /// Removes what neither `newest` nor the one before it is: older ones, damaged ones, what a killed process left.
    fn discard(&self, newest: &Path) -> Result<()> {
        for path in self.entries()? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let known = path == newest || self.previous.as_ref() == Some(&path);
            // What cannot be removed now is tried again after the next.
            if name.starts_with(&format!(".{PREFIX}")) {
                let _ = fs::remove_dir_all(&path);
            } else if number(&path).is_some() && !known {
                // Under another name first: a removal that is cut off leaves no half checkpoint.
                let aside = path.with_file_name(format!(".{name}"));
                let _ = fs::rename(&path, &aside).and_then(|()| fs::remove_dir_all(&aside));
            }
        }
        Ok(())
    }
}

/// Of a folder's name.
fn number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok()
}

/// Length and CRC-32C of a file.
fn measure(path: &Path) -> std::io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let (mut bytes, mut sum) = (0u64, Crc32c::new());
    let mut part = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok((bytes, sum.value()));
        }
        bytes += read as u64;
        sum.add(&part[..read]);
    }
}
