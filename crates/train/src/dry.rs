//! A device with another's rules and no memory: programs are compiled and counted for it, and nothing runs.

use std::sync::Arc;
use warploom_device::null::Null;
use warploom_device::{
    Capabilities, DeviceError, Executable, Executor, Memory, Program, Statistics, Step, Target, Token,
    WrittenKernel,
};
use warploom_graph::{Graph, Source};
use warploom_tensor::Device;

/// Plans as `device` would, without its memory.
pub fn dry_device(device: &Device) -> Device {
    let capabilities = Capabilities { memory_bytes: None, ..device.capabilities().clone() };
    Device::from_executor(Arc::new(Dry { like: device.executor().clone(), null: Null::new(capabilities) }))
}

struct Dry {
    like: Arc<dyn Executor>,
    null: Null,
}

impl Target for Dry {
    fn capabilities(&self) -> &Capabilities {
        self.like.target().capabilities()
    }

    fn workspace_bytes(&self, step: &Step) -> usize {
        self.like.target().workspace_bytes(step)
    }

    fn claims(&self, name: &str, body: &Graph, sources: &[Source]) -> bool {
        self.like.target().claims(name, body, sources)
    }

    fn written(&self, program: &Program) -> Result<Vec<WrittenKernel>, DeviceError> {
        self.like.target().written(program)
    }
}

impl Executor for Dry {
    fn target(&self) -> &dyn Target {
        self
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError> {
        self.null.allocate(bytes)
    }

    fn upload(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        self.null.upload(memory, offset, bytes)
    }

    fn download(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.null.download(memory, offset, bytes)
    }

    fn copy(&self, source: &Memory, destination: &Memory, bytes: usize) -> Result<Token, DeviceError> {
        self.null.copy(source, destination, bytes)
    }

    fn prepare(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        self.null.prepare(program)
    }

    fn wait(&self, token: Token) -> Result<(), DeviceError> {
        self.null.wait(token)
    }

    fn statistics(&self) -> Statistics {
        self.null.statistics()
    }
}
