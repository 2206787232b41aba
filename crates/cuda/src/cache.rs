//! Compiled kernels on disk, so that the next start need not compile them again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

/// Names the folder of caches; empty turns them off.
const FOLDER_VARIABLE: &str = "WARPLOOM_CACHE";

/// Bytes of all entries, at most. A kernel takes some 10 KiB.
const MOST_BYTES: u64 = 256 << 20;

/// Begins every entry; another number is another format.
const MAGIC: &[u8; 8] = b"wlcubin1";

const EXTENSION: &str = "cubin";

/// A folder of compiled kernels, one file for each.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    most_bytes: u64,
}

impl Cache {
    /// The user's, by the platform's convention or as `WARPLOOM_CACHE` names it; nothing where that is empty.
    pub fn of_user() -> Option<Cache> {
        let set = |name| std::env::var_os(name).map(PathBuf::from);
        let folder = match set(FOLDER_VARIABLE) {
            Some(folder) if folder.as_os_str().is_empty() => return None,
            Some(folder) => folder,
            None => {
                let caches = if cfg!(windows) {
                    set("LOCALAPPDATA")
                } else {
                    set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
                };
                caches.filter(|folder| folder.is_absolute())?.join("warploom")
            }
        };
        Some(Cache::at(&folder.join("cuda"), MOST_BYTES))
    }

    /// A folder that holds at most so many bytes.
    pub fn at(folder: &Path, most_bytes: u64) -> Cache {
        Cache { folder: folder.to_owned(), most_bytes }
    }

    /// The compiled kernel of a key, which says everything that it was made of. An entry that is not whole is as none.
    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let content = fs::read(self.path(key)).ok()?;
        let rest = content.strip_prefix(MAGIC)?;
        let (sum, rest) = rest.split_first_chunk()?;
        if hash(rest, BASIS) != u64::from_le_bytes(*sum) {
            return None;
        }
        let (length, rest) = rest.split_first_chunk()?;
        // The name is a hash, which two keys may share.
        let (found, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        (found == key).then(|| data.to_vec())
    }

    /// Keeps a compiled kernel. What cannot be written costs time at the next start, and nothing else.
    pub fn put(&self, key: &[u8], data: &[u8]) {
        let length = (key.len() as u64).to_le_bytes();
        let content = [&length[..], key, data].concat();
        let sum = hash(&content, BASIS).to_le_bytes();
        let _ = write(&self.path(key), &[MAGIC, &sum[..], &content].concat());
    }

    /// Removes the oldest entries until the rest is within the bound, with some room to grow.
    pub fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let (path, about) = entry.ok().map(|entry| (entry.path(), entry.metadata()))?;
                let about = about.ok()?;
                let is_entry = path.extension().is_some_and(|extension| extension == EXTENSION);
                is_entry.then_some((about.modified().ok()?, about.len(), path))
            })
            .collect();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        if bytes <= self.most_bytes {
            return;
        }
        files.sort();
        for (_, size, path) in files {
            if bytes <= self.most_bytes / 4 * 3 {
                break;
            }
            if fs::remove_file(path).is_ok() {
                bytes -= size;
            }
        }
    }

    /// The file of a key.
    pub fn path(&self, key: &[u8]) -> PathBuf {
        let name = format!("{:016x}{:016x}", hash(key, BASIS), hash(key, SECOND_BASIS));
        self.folder.join(name).with_extension(EXTENSION)
    }
}

/// The offset basis of FNV-1a over 64 bits, and another start for a second hash.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const SECOND_BASIS: u64 = 0x9e37_79b9_7f4a_7c15;

/// FNV-1a (Fowler, Noll, Vo; draft-eastlake-fnv).
fn hash(data: &[u8], basis: u64) -> u64 {
    data.iter().fold(basis, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    static PARTS: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let part = format!("{}-{}.part", std::process::id(), PARTS.fetch_add(1, Relaxed));
    let temporary = path.with_extension(part);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&temporary, path));
    if moved.is_err() {
        // The error that counts is the one that led here.
        let _ = fs::remove_file(&temporary);
    }
    moved
}
