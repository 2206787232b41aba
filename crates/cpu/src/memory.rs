//! Host memory as device memory: zeroed, aligned, counted.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use warploom_device::{DeviceError, Memory, RawMemory, Statistics};

/// Alignment of every allocation, in bytes: a cache line, and the widest vector.
pub(crate) const ALIGNMENT: usize = 64;

/// What an executor counts.
#[derive(Default, Debug)]
pub(crate) struct Counters {
    pub launches: AtomicU64,
    live: AtomicUsize,
    peak: AtomicUsize,
    pub uploaded: AtomicU64,
    pub downloaded: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Statistics {
        Statistics {
            launches: self.launches.load(Ordering::Relaxed),
            live_bytes: self.live.load(Ordering::Relaxed),
            peak_bytes: self.peak.load(Ordering::Relaxed),
            uploaded_bytes: self.uploaded.load(Ordering::Relaxed),
            downloaded_bytes: self.downloaded.load(Ordering::Relaxed),
        }
    }
}

/// Memory of the CPU executor. Who may touch it when is the launches' contract, not this type's.
pub struct CpuMemory {
    data: NonNull<u8>,
    bytes: usize,
    counters: Arc<Counters>,
}

// SAFETY: the memory belongs to this value alone; it is reached only through unsafe code that keeps launches apart.
unsafe impl Send for CpuMemory {}
// SAFETY: as above.
unsafe impl Sync for CpuMemory {}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()
}

impl CpuMemory {
    /// Zeroed memory, unless the system refuses or `limit` would be exceeded.
    pub(crate) fn new(
        bytes: usize,
        limit: Option<usize>,
        counters: &Arc<Counters>,
    ) -> Result<CpuMemory, DeviceError> {
        let refused = |reason: String| {
            let held = counters.live.load(Ordering::Relaxed);
            DeviceError::OutOfMemory { asked: bytes, held, reason }
        };
        let within =
            |live: usize| live.checked_add(bytes).filter(|sum| limit.is_none_or(|limit| *sum <= limit));
        let live = counters
            .live
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
            .map_err(|_| refused(format!("the limit is {} bytes", limit.unwrap_or(usize::MAX))))?
            + bytes;
        // SAFETY: the layout's size is not zero.
        let data = layout(bytes).and_then(|layout| NonNull::new(unsafe { alloc_zeroed(layout) }));
        let Some(data) = data else {
            counters.live.fetch_sub(bytes, Ordering::Relaxed);
            return Err(refused("the system has no more".into()));
        };
        counters.peak.fetch_max(live, Ordering::Relaxed);
        Ok(CpuMemory { data, bytes, counters: counters.clone() })
    }

    /// The first byte.
    pub(crate) fn data(&self) -> *mut u8 {
        self.data.as_ptr()
    }

    /// The memory behind a handle, if this executor's kind made it.
    pub(crate) fn of(memory: &Memory) -> Result<&CpuMemory, DeviceError> {
        let found = memory.as_any().downcast_ref();
        found.ok_or_else(|| DeviceError::Binding("the memory belongs to another device".into()))
    }

    /// The address of `bytes` bytes at `offset`.
    pub(crate) fn range(&self, offset: usize, bytes: usize) -> Result<*mut u8, DeviceError> {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.bytes => Ok(self.data().wrapping_add(offset)),
            _ => Err(DeviceError::Binding(format!(
                "{bytes} bytes at {offset} of memory that has {}",
                self.bytes
            ))),
        }
    }
}

impl RawMemory for CpuMemory {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for CpuMemory {
    fn drop(&mut self) {
        if let Some(layout) = layout(self.bytes) {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.data(), layout) };
        }
        self.counters.live.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
