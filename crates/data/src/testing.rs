//! What several tests need.

use crate::random::{Purpose, Random};
use std::fs;
use std::path::PathBuf;

/// A folder of its own for one test, removed at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("warploom-data-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, and the folders it lies in.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Hands `count` damaged versions of `bytes` to `read`: cut short, bits flipped, pieces overwritten or repeated.
pub(crate) fn damaged(bytes: &[u8], count: u64, mut read: impl FnMut(&[u8])) {
    for round in 0..count {
        let mut random = Random::new(round, Purpose::Split, bytes.len() as u64);
        let mut copy = bytes.to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(copy.len() as u64) as usize;
            match random.below(5) {
                0 => copy.truncate(at),
                1 => copy[at] ^= 1 << random.below(8),
                2 => copy[at] = random.bits() as u8,
                3 => copy[at] = [0, 255, b'\n', b'"', b',', b'9'][random.below(6) as usize],
                _ => {
                    let end = (at + 1 + random.below(16) as usize).min(copy.len());
                    copy.extend_from_within(at..end);
                }
            }
            if copy.is_empty() {
                break;
            }
        }
        read(&copy);
    }
}
