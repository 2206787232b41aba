//! Device memory: zeroed, aligned, counted.

use std::any::Any;
use std::sync::Arc;

use warploom_device::counters::Held;
use warploom_device::{DeviceError, Memory, RawMemory};

use crate::context::{Context, Touched};

/// Zeroed memory of the stream-ordered allocator, given back when all that was queued for it is done.
pub(crate) struct Block {
    pub context: Arc<Context>,
    pub pointer: u64,
    /// Bytes that kernels may touch: whole words.
    pub bytes: usize,
    pub touched: Touched,
}

impl Block {
    pub(crate) fn new(context: &Arc<Context>, bytes: usize) -> Result<Block, DeviceError> {
        let bytes = bytes.checked_next_multiple_of(4).unwrap_or(usize::MAX).max(4);
        let (touched, mut pointer) = (Touched::default(), 0);
        let device = &context.device;
        let made = context.compute([&touched], |api, stream| {
            // SAFETY: `pointer` is written to; the stream lives.
            device.done("memory", unsafe { (api.memory_allocate)(&raw mut pointer, bytes, stream) })?;
            // SAFETY: as many bytes were allocated, before this on the same stream.
            device.done("to clear memory", unsafe { (api.fill_bytes)(pointer, 0, bytes, stream) })
        });
        if let Err(error) = made {
            if pointer != 0 {
                context.release(&touched, pointer);
            }
            return Err(error);
        }
        Ok(Block { context: context.clone(), pointer, bytes, touched })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.context.release(&self.touched, self.pointer);
    }
}

/// Memory that an executor gave out.
pub(crate) struct GpuMemory {
    /// Distinct from that of every other memory of the device, also of those that are gone.
    pub id: u64,
    pub block: Block,
    /// Released after the block.
    held: Held,
}

impl GpuMemory {
    /// Zeroed memory, unless the driver refuses or `limit` would be exceeded.
    pub(crate) fn new(
        context: &Arc<Context>,
        bytes: usize,
        limit: Option<usize>,
    ) -> Result<GpuMemory, DeviceError> {
        let (block, held) = context.counters.hold(bytes, limit, || Block::new(context, bytes))?;
        Ok(GpuMemory { id: context.next_memory(), block, held })
    }

    /// The memory behind a handle, if this device made it.
    pub(crate) fn of<'a>(memory: &'a Memory, context: &Arc<Context>) -> Result<&'a GpuMemory, DeviceError> {
        let found = memory.as_any().downcast_ref::<GpuMemory>();
        let found = found.filter(|memory| Arc::ptr_eq(&memory.block.context, context));
        found.ok_or_else(|| {
            let id = context.device.gpu.id();
            DeviceError::Binding(format!("the memory belongs to another device than {id}"))
        })
    }

    /// The address of these bytes of it.
    pub(crate) fn at(&self, offset: usize, bytes: usize) -> Result<u64, DeviceError> {
        if offset.checked_add(bytes).is_some_and(|end| end <= self.bytes()) {
            return Ok(self.block.pointer + offset as u64);
        }
        Err(DeviceError::Binding(format!("{bytes} bytes at {offset} of memory that has {}", self.bytes())))
    }
}

impl RawMemory for GpuMemory {
    fn bytes(&self) -> usize {
        self.held.bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
