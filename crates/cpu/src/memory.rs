//! Host memory as device memory: zeroed, aligned, counted.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

use warploom_device::counters::{Counters, Held};
use warploom_device::{DeviceError, Memory, RawMemory};

/// Alignment of every allocation, in bytes: a cache line, and the widest vector.
pub(crate) const ALIGNMENT: usize = 64;

/// Memory of the CPU executor. Who may touch it when is the launches' contract, not this type's.
pub struct CpuMemory {
    data: NonNull<u8>,
    /// Released after the memory itself.
    held: Held,
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
        let (data, held) = counters.hold(bytes, limit, || {
            // SAFETY: the layout's size is not zero.
            let data = layout(bytes).and_then(|layout| NonNull::new(unsafe { alloc_zeroed(layout) }));
            data.ok_or_else(|| counters.refused(bytes, "the system has no more"))
        })?;
        Ok(CpuMemory { data, held })
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
            Some(end) if end <= self.bytes() => Ok(self.data().wrapping_add(offset)),
            _ => Err(DeviceError::Binding(format!(
                "{bytes} bytes at {offset} of memory that has {}",
                self.bytes()
            ))),
        }
    }
}

impl RawMemory for CpuMemory {
    fn bytes(&self) -> usize {
        self.held.bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for CpuMemory {
    fn drop(&mut self) {
        if let Some(layout) = layout(self.bytes()) {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.data(), layout) };
        }
    }
}
