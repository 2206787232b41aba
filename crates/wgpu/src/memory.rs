//! Device memory: zeroed, aligned, counted.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use warploom_device::{DeviceError, Memory, RawMemory, Statistics};

use crate::context::Context;

/// What an executor counts.
#[derive(Default, Debug)]
pub(crate) struct Counters {
    pub launches: AtomicU64,
    live: AtomicUsize,
    peak: AtomicUsize,
    pub uploaded: AtomicU64,
    pub downloaded: AtomicU64,
    memories: AtomicU64,
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

/// Memory of one device, a buffer of its own.
pub struct GpuMemory {
    /// Distinct from that of every other memory of the device, also of those that are gone.
    pub(crate) id: u64,
    pub(crate) buffer: wgpu::Buffer,
    bytes: usize,
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
        let refused = |reason: String| {
            let held = counters.live.load(Ordering::Relaxed);
            DeviceError::OutOfMemory { asked: bytes, held, reason }
        };
        let most = context.adapter.buffer_bytes;
        if u64::try_from(bytes).is_ok_and(|bytes| bytes > most / 4 * 4) {
            return Err(refused(format!("{} gives at most {most} bytes in one piece", context.adapter.name)));
        }
        let within =
            |live: usize| live.checked_add(bytes).filter(|sum| limit.is_none_or(|limit| *sum <= limit));
        let live = counters
            .live
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
            .map_err(|_| refused(format!("the limit is {} bytes", limit.unwrap_or(usize::MAX))))?
            + bytes;
        let made = context.scoped("memory", bytes, || buffer(&context.device, bytes));
        let buffer = made.map_err(|error| {
            counters.live.fetch_sub(bytes, Ordering::Relaxed);
            match error {
                DeviceError::OutOfMemory { reason, .. } => refused(reason),
                other => other,
            }
        })?;
        counters.peak.fetch_max(live, Ordering::Relaxed);
        let id = counters.memories.fetch_add(1, Ordering::Relaxed);
        Ok(GpuMemory { id, buffer, bytes, context: context.clone() })
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
        if offset.checked_add(bytes).is_some_and(|end| end <= self.bytes) {
            return Ok(());
        }
        Err(DeviceError::Binding(format!("{bytes} bytes at {offset} of memory that has {}", self.bytes)))
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
        self.bytes
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
        self.context.counters.live.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
