//! Bind groups: made once for each set of memories that is bound, and kept for the next launches.

use std::collections::VecDeque;
use std::sync::Arc;

use warploom_device::DeviceError;
use warploom_gpu::Argument;

use crate::context::Context;
use crate::pipelines::Pipeline;

/// Sets of memories remembered for each kernel: rings have two or three slots for inputs and as many for outputs.
const REMEMBERED: usize = 8;

/// A memory that a launch binds.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    /// Distinct from that of every other memory of the device.
    pub id: u64,
    pub buffer: &'a wgpu::Buffer,
}

/// The arguments of one kernel and what was bound to them lately.
pub(crate) struct Binder {
    pipeline: Arc<Pipeline>,
    arguments: Vec<Argument>,
    /// Last used first.
    recent: VecDeque<(Vec<u64>, wgpu::BindGroup)>,
}

impl Binder {
    pub(crate) fn new(pipeline: Arc<Pipeline>, arguments: Vec<Argument>) -> Binder {
        Binder { pipeline, arguments, recent: VecDeque::with_capacity(REMEMBERED) }
    }

    pub(crate) fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// The group that binds these memories, one for each argument.
    pub(crate) fn group(
        &mut self,
        context: &Context,
        memories: &[Bound<'_>],
    ) -> Result<wgpu::BindGroup, DeviceError> {
        let same = |ids: &[u64]| ids.iter().eq(memories.iter().map(|memory| &memory.id));
        let known = self.recent.iter().position(|(ids, _)| same(ids));
        let entry = match known.and_then(|position| self.recent.remove(position)) {
            Some(entry) => entry,
            None => (memories.iter().map(|memory| memory.id).collect(), self.bind(context, memories)?),
        };
        let group = entry.1.clone();
        self.recent.truncate(REMEMBERED - 1);
        self.recent.push_front(entry);
        Ok(group)
    }

    fn bind(&self, context: &Context, memories: &[Bound<'_>]) -> Result<wgpu::BindGroup, DeviceError> {
        let mut resources = Vec::with_capacity(memories.len());
        for (argument, memory) in self.arguments.iter().zip(memories) {
            let (offset, bytes) = (argument.offset as u64, argument.bytes as u64);
            if offset.checked_add(bytes).is_none_or(|end| end > memory.buffer.size()) {
                return Err(DeviceError::Binding(format!(
                    "{bytes} bytes at {offset} of {:?}, which has {}",
                    argument.root,
                    memory.buffer.size()
                )));
            }
            resources.push(wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: memory.buffer,
                offset,
                size: wgpu::BufferSize::new(bytes),
            }));
        }
        context.scoped("a kernel's arguments", 0, || self.pipeline.bind(&context.device, resources))
    }
}
