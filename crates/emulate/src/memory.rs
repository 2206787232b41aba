//! Memory of the host that stands for a device's.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::any::Any;
use std::ptr::NonNull;
use warploom_device::counters::Held;
use warploom_device::{DeviceError, Memory, RawMemory};

/// Alignment of every memory.
const ALIGNMENT: usize = 256;

/// Zeroed memory of whole words.
pub(crate) struct HostMemory {
    start: NonNull<u8>,
    bytes: usize,
    layout: Layout,
    _held: Held,
}

// SAFETY: the memory belongs to this value alone, and is touched only under the lock of the executor that made it.
unsafe impl Send for HostMemory {}
// SAFETY: as above.
unsafe impl Sync for HostMemory {}

impl HostMemory {
    pub(crate) fn new(bytes: usize, held: Held) -> Result<HostMemory, DeviceError> {
        let layout = Layout::from_size_align(bytes.next_multiple_of(4).max(4), ALIGNMENT)
            .map_err(|e| DeviceError::Unsupported(format!("{bytes} bytes in one piece: {e}")))?;
        // SAFETY: the layout has at least four bytes.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        let start = start.unwrap_or_else(|| handle_alloc_error(layout));
        Ok(HostMemory { start, bytes, layout, _held: held })
    }

    pub(crate) fn of(memory: &Memory) -> Result<&HostMemory, DeviceError> {
        let of_another = || DeviceError::Binding("memory of another device".into());
        memory.as_any().downcast_ref().ok_or_else(of_another)
    }

    /// Its first byte.
    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The address of `bytes` bytes from `offset` on, whole words counted.
    pub(crate) fn part(&self, offset: usize, bytes: usize) -> Result<*mut u8, DeviceError> {
        if offset.checked_add(bytes).is_none_or(|end| end > self.layout.size()) {
            let size = self.bytes;
            return Err(DeviceError::Binding(format!("{bytes} bytes at {offset} of a memory of {size}")));
        }
        // SAFETY: the offset lies within the allocation or at its end.
        Ok(unsafe { self.start().add(offset) })
    }
}

impl Drop for HostMemory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and nobody else frees it.
        unsafe { dealloc(self.start(), self.layout) }
    }
}

impl RawMemory for HostMemory {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
