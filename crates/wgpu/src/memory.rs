//! Device memory: zeroed, aligned, counted.

use std::any::Any;
use std::sync::Arc;

use warploom_device::counters::Held;
use warploom_device::{DeviceError, Memory, RawMemory};

use crate::context::Context;

/// Memory of one device, a buffer of its own.
pub struct GpuMemory {
    /// Distinct from that of every other memory of the device, also of those that are gone.
    pub(crate) id: u64,
    pub(crate) buffer: wgpu::Buffer,
    /// Released after the buffer.
    held: Held,
    context: Arc<Context>,
}

impl GpuMemory {
    /// Zeroed memory, unless the driver refuses or `limit` would be exceeded.
    pub(crate) fn new(
        context: &Arc<Context>,
        bytes: usize,
        limit: Option<usize>,
    ) -> Result<GpuMemory, DeviceError> {
        let counters = &context.counters;
        let most = context.adapter.buffer_bytes;
        if u64::try_from(bytes).is_ok_and(|bytes| bytes > most / 4 * 4) {
            let reason = format!("{} gives at most {most} bytes in one piece", context.adapter.name);
            return Err(counters.refused(bytes, reason));
        }
        let (buffer, held) = counters
            .hold(bytes, limit, || context.scoped("memory", bytes, || buffer(&context.device, bytes)))?;
        Ok(GpuMemory { id: context.next_memory(), buffer, held, context: context.clone() })
    }

    /// The memory behind a handle, if this device made it.
    pub(crate) fn of<'a>(memory: &'a Memory, context: &Arc<Context>) -> Result<&'a GpuMemory, DeviceError> {
        let found = memory.as_any().downcast_ref::<GpuMemory>();
        let found = found.filter(|memory| Arc::ptr_eq(&memory.context, context));
        found.ok_or_else(|| {
            DeviceError::Binding(format!(
                "the memory belongs to another device than {}",
                context.adapter.id()
            ))
        })
    }

    /// Whether these bytes are within it.
    pub(crate) fn check(&self, offset: usize, bytes: usize) -> Result<(), DeviceError> {
        if offset.checked_add(bytes).is_some_and(|end| end <= self.bytes()) {
            return Ok(());
        }
        Err(DeviceError::Binding(format!("{bytes} bytes at {offset} of memory that has {}", self.bytes())))
    }
}

/// A zeroed buffer of at least so many bytes that kernels and copies use.
pub(crate) fn buffer(device: &wgpu::Device, bytes: usize) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: (bytes as u64).next_multiple_of(4).max(4),
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

impl RawMemory for GpuMemory {
    fn bytes(&self) -> usize {
        self.held.bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for GpuMemory {
    /// Gives the memory back when the work that uses it is done, whatever bind groups still name it. Takes a lock of wgpu
    /// that another thread's wait holds until its work is done.
    fn drop(&mut self) {
        self.buffer.destroy();
    }
}
