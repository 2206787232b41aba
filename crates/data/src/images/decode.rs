//! One picture from a file that is not trusted.

#[cfg(feature = "pictures")]
use super::codec;
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use warploom_transform::Picture;

/// The most pixels a picture may have.
pub const MAX_PIXELS: u64 = 100_000_000;
/// The most bytes a file may have.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// Reads a picture and turns it as its EXIF orientation says. Sixteen bits become eight; transparency is dropped.
///
/// # Errors
/// [`Error::Io`] and [`Error::NotAFile`] when it cannot be opened, else as [`decode`].
pub fn read(path: impl AsRef<Path>) -> Result<Picture> {
    let path = path.as_ref();
    decode(&bytes(path)?, path)
}

/// [`read`] from `bytes`, which messages call `path`.
///
/// # Errors
/// [`Error::Picture`] for bytes that are no JPEG, PNG or PNM, are damaged or cut short, have more than [`MAX_PIXELS`] or
/// none, promise more pixels than they can hold, or are CMYK: without the printer's profile its colours would be guesses.
pub fn decode(bytes: &[u8], path: impl AsRef<Path>) -> Result<Picture> {
    codec::decode(bytes, path.as_ref())
}

/// Checks what can be known without decoding: everything that [`decode`] refuses but damage within the pixels.
pub(super) fn check(path: &Path) -> Result<()> {
    codec::check(&bytes(path)?, path)
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |doing| move |source| Error::Io { doing, path: path.to_path_buf(), source };
    let metadata = fs::metadata(path).map_err(failed("open"))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "no regular file" };
        return Err(Error::NotAFile { path: path.to_path_buf(), found });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed("open"))?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed("read"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refuse(path, format!("it has more than {MAX_FILE_BYTES} bytes"), "Make it smaller"));
    }
    Ok(bytes)
}

pub(super) fn refuse(path: &Path, problem: impl Into<String>, advice: &'static str) -> Error {
    Error::Picture { path: path.to_path_buf(), problem: problem.into(), advice }
}

/// What stands for the decoders in a build without them.
#[cfg(not(feature = "pictures"))]
mod codec {
    use super::{Picture, Result, refuse};
    use std::path::Path;

    pub(super) fn decode(_: &[u8], path: &Path) -> Result<Picture> {
        Err(refuse(path, "this build reads no pictures", "Build with the feature `pictures`"))
    }

    pub(super) fn check(bytes: &[u8], path: &Path) -> Result<()> {
        decode(bytes, path).map(|_| ())
    }
}
