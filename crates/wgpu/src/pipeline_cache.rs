//! Compiled pipelines on disk, where the driver gives them out, so that the next start need not compile them again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::context::Context;

/// Names the folder of the cache; empty turns it off.
const FOLDER_VARIABLE: &str = "WARPLOOM_CACHE";

/// Compiling time that is worth a write: writing takes a few milliseconds.
const WORTH_SAVING: Duration = Duration::from_millis(100);

/// A larger file is not read, so that the cache starts anew instead of growing for years.
const MOST_BYTES: u64 = 128 << 20;

/// The driver's cache and its file.
pub(crate) struct PipelineCache {
    cache: wgpu::PipelineCache,
    path: PathBuf,
    /// Time spent compiling what the file lacks.
    unsaved: Mutex<Duration>,
}

impl PipelineCache {
    /// The cache of a device, with what the file holds; nothing where the driver has none or no folder is known.
    pub(crate) fn open(context: &Context) -> Option<PipelineCache> {
        if !context.device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let path = folder()?.join(wgpu::util::pipeline_cache_key(&context.device.adapter_info())?);
        let data = read(&path);
        let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: data.as_deref(), fallback: true };
        #[allow(unsafe_code, reason = "drivers trust what they are given")]
        // SAFETY: the bytes are what `get_data` gave: the file's checksum says that they are whole, its name that they are
        // of this adapter; wgpu and the driver compare the driver's version, and start empty where it differs.
        let create = || unsafe { context.device.create_pipeline_cache(&descriptor) };
        let cache = context.scoped("a pipeline cache", 0, create).ok()?;
        // Without a whole file, the first kernel is worth a write.
        let unsaved = if data.is_some() { Duration::ZERO } else { WORTH_SAVING };
        Some(PipelineCache { cache, path, unsaved: Mutex::new(unsaved) })
    }

    pub(crate) fn handle(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Notes that a kernel was compiled in this time, and writes the file when that is worth it.
    pub(crate) fn compiled(&self, time: Duration) {
        let mut unsaved = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        *unsaved += time;
        if *unsaved >= WORTH_SAVING {
            *unsaved = Duration::ZERO;
            if let Some(data) = self.cache.get_data() {
                // A cache that cannot be written costs time at the next start, and nothing else.
                let _ = write(&self.path, &data);
            }
        }
    }
}

/// The user's folder for caches by the platform's convention, or the one that the environment names.
fn folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    if let Some(folder) = set(FOLDER_VARIABLE) {
        return Some(folder).filter(|folder| !folder.as_os_str().is_empty());
    }
    let caches = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Caches"))
    } else {
        set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
    };
    Some(caches.filter(|folder| folder.is_absolute())?.join("warploom"))
}

/// What a whole file holds: the driver's bytes after their checksum.
fn read(path: &Path) -> Option<Vec<u8>> {
    if fs::metadata(path).ok()?.len() > MOST_BYTES {
        return None;
    }
    let content = fs::read(path).ok()?;
    let (sum, data) = content.split_first_chunk()?;
    (checksum(data) == u64::from_le_bytes(*sum)).then(|| data.to_vec())
}

fn write(path: &Path, data: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension(format!("{}.part", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(&checksum(data).to_le_bytes())?;
        file.write_all(data)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&temporary, path));
    if moved.is_err() {
        // The error that counts is the one that led here.
        let _ = fs::remove_file(&temporary);
    }
    moved
}

/// FNV-1a over 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv).
fn checksum(data: &[u8]) -> u64 {
    data.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
