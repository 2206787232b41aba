//! Pictures that are brought to one size, one by one or all at once.

use super::decode::read;
use super::layout::{ENDINGS, entries};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use warploom_transform::ImageTransform;

/// Pictures in files, read when they are needed.
#[derive(Debug)]
pub(crate) struct PictureFiles {
    paths: Vec<PathBuf>,
    transform: ImageTransform,
}

impl PictureFiles {
    pub(super) fn new(paths: Vec<PathBuf>, transform: ImageTransform) -> PictureFiles {
        PictureFiles { paths, transform }
    }

    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }

    pub(crate) fn transform(&self) -> &ImageTransform {
        &self.transform
    }

    /// Appends the bytes of picture `index`, `[channels, height, width]`, to `to`.
    pub(crate) fn read(&self, index: usize, to: &mut Vec<u8>) -> Result<()> {
        self.transform.resize(&read(&self.paths[index])?, to);
        Ok(())
    }
}

/// The pictures to predict at `path`: the file itself, or the pictures that lie in the folder, in natural order.
///
/// # Errors
/// [`Error::Io`] when it cannot be opened, [`Error::Invalid`] for a folder without pictures.
pub fn list(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    if !path.is_dir() {
        std::fs::metadata(path).map_err(|source| Error::Io {
            doing: "open",
            path: path.to_path_buf(),
            source,
        })?;
        return Ok(vec![path.to_path_buf()]);
    }
    let pictures = entries(path)?.pictures;
    if pictures.is_empty() {
        return Err(Error::invalid(
            format!("{} holds no pictures ({})", path.display(), ENDINGS.join(", ")),
            "Give a picture, or a folder in which pictures lie",
        ));
    }
    Ok(pictures)
}

/// Reads every picture and brings it to size, in `threads` threads (at least one): `[channels, height, width]` bytes each,
/// with the height and width that it had, or why not, in the order of `paths`.
pub fn read_all<P: AsRef<Path> + Sync>(
    paths: &[P],
    transform: &ImageTransform,
    threads: usize,
) -> Vec<Result<(Vec<u8>, [usize; 2])>> {
    each(paths, threads, |path| {
        let mut bytes = Vec::with_capacity(transform.len());
        let picture = read(path)?;
        transform.resize(&picture, &mut bytes);
        let [height, width, _] = picture.extents();
        Ok((bytes, [height, width]))
    })
}

/// What `work` says to each path, in their order.
pub(super) fn each<P: AsRef<Path> + Sync, T: Send>(
    paths: &[P],
    threads: usize,
    work: impl Fn(&Path) -> T + Sync,
) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(paths.len())));
    let run = || {
        let mut own = Vec::new();
        while let Some((index, path)) = paths.get(next.load(Ordering::Relaxed)).and_then(|_| {
            let index = next.fetch_add(1, Ordering::Relaxed);
            paths.get(index).map(|path| (index, path))
        }) {
            own.push((index, work(path.as_ref())));
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(paths.len()) {
            scope.spawn(run);
        }
        run();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
