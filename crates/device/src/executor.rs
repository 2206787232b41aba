//! Who compiles for and runs on a device.

use crate::error::DeviceError;
use crate::program::{Program, Step};
use crate::written::WrittenKernel;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use warploom_graph::{DType, Graph, Source};

/// What the compiler asks a device.
#[derive(Clone, PartialEq, Debug)]
pub struct Capabilities {
    /// The device's id, such as `cpu` or `wgpu:0`.
    pub id: String,
    /// The device's name for people.
    pub name: String,
    /// Dtypes it computes with.
    pub dtypes: Vec<DType>,
    /// Whether it multiplies f32 operands rounded to TF32 where a product asks for it; other devices refuse such a step.
    pub tf32: bool,
    /// Largest slab of the arena, in bytes.
    pub slab_bytes: usize,
    /// Alignment of every buffer, in bytes; a power of two.
    pub alignment: usize,
    /// Whether a kernel may write the buffer it reads, element by element.
    pub in_place: bool,
    /// Threads that share a launch's work; part of the cache key.
    pub threads: usize,
    /// Memory the device has, in bytes, where known.
    pub memory_bytes: Option<usize>,
}

/// The compiler's view of a device: its capabilities and what its kernels need.
pub trait Target {
    /// What it can do.
    fn capabilities(&self) -> &Capabilities;
    /// Scratch bytes a step needs while it runs.
    fn workspace_bytes(&self, step: &Step) -> usize;
    /// Whether it has a better kernel for a call of this name and body than the body itself, of its own or among the
    /// sources that came with the call.
    fn claims(&self, name: &str, body: &Graph, sources: &[Source]) -> bool;
    /// Kernels that one launch of a program would start, those in loops counted once. Steps may share one.
    fn started(&self, program: &Program) -> Result<usize, DeviceError> {
        Ok(program.kernel_count())
    }
    /// The kernels of a program as it would run them, each once; none where the kernel form is run as it is.
    fn written(&self, program: &Program) -> Result<Vec<WrittenKernel>, DeviceError> {
        let _ = program;
        Ok(Vec::new())
    }
}

/// Memory on a device. Freed when the last holder drops it.
pub trait RawMemory: Send + Sync + Any {
    /// Its size.
    fn bytes(&self) -> usize;
    /// For the executor that made it.
    fn as_any(&self) -> &dyn Any;
}

/// Shared ownership of device memory.
pub type Memory = Arc<dyn RawMemory>;

/// The completion of work that was launched. Work of one executor completes in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Token(pub u64);

/// Memory for one launch. State that the program writes must not be in use by another launch.
#[derive(Clone, Copy)]
pub struct Bindings<'a> {
    /// One for each state slot.
    pub states: &'a [Memory],
    /// One for each input.
    pub inputs: &'a [Memory],
    /// One for each output.
    pub outputs: &'a [Memory],
    /// One for each arena slab, at least as large.
    pub arena: &'a [Memory],
    /// One for each derived buffer.
    pub derived: &'a [Memory],
}

/// A program made ready by an executor.
pub trait Executable: Send + Sync {
    /// What it runs.
    fn program(&self) -> &Program;
    /// Kernels that one launch starts, those in loops counted once. Steps may share one.
    fn kernels(&self) -> usize {
        self.program().kernel_count()
    }
    /// Starts a run and returns at once where the device can; everything bound must stay until the token completes,
    /// which the memory's reference counts see to.
    fn launch(&self, bindings: Bindings<'_>) -> Result<Token, DeviceError>;
}

/// Counters since the executor was made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Statistics {
    /// Programs launched.
    pub launches: u64,
    /// Device bytes held now.
    pub live_bytes: usize,
    /// Most device bytes ever held at once.
    pub peak_bytes: usize,
    /// Bytes copied from host to device.
    pub uploaded_bytes: u64,
    /// Bytes copied from device to host.
    pub downloaded_bytes: u64,
}

/// A device that runs programs.
pub trait Executor: Send + Sync {
    /// The compiler's view.
    fn target(&self) -> &dyn Target;
    /// Zeroed memory.
    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError>;
    /// Host to device, `offset` bytes into `memory`, ordered after what was launched before.
    fn upload(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError>;
    /// Device to host, after what was launched before has completed.
    fn download(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError>;
    /// Device to device, the first `bytes` bytes.
    fn copy(&self, source: &Memory, destination: &Memory, bytes: usize) -> Result<Token, DeviceError>;
    /// From memory that another executor made to memory of this one, the first `bytes` bytes, after what was launched for either
    /// before; both may be used and dropped as soon as this returns, and the token is this executor's. Nothing is done and none
    /// is given where the two devices do not reach each other: then the bytes go through the host.
    fn receive(
        &self,
        source: &Memory,
        destination: &Memory,
        bytes: usize,
    ) -> Result<Option<Token>, DeviceError> {
        let _ = (source, destination, bytes);
        Ok(None)
    }
    /// Makes a program ready to run.
    fn prepare(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError>;
    /// Returns when the token's work is done, with what failed in it.
    fn wait(&self, token: Token) -> Result<(), DeviceError>;
    /// Counters.
    fn statistics(&self) -> Statistics;
    /// What counts the energy of its work.
    fn energy_counter(&self) -> EnergyCounter {
        EnergyCounter::Processor
    }
}

/// Whose counter sees the energy that a device uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EnergyCounter {
    /// The processor's, of which the device is a part.
    Processor,
    /// That of one of NVIDIA's GPUs, known to NVIDIA's management library by this UUID without its prefix, or by this place
    /// on the bus.
    Nvidia(String),
    /// None; the reason, for people.
    Missing(String),
}

impl fmt::Debug for dyn RawMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory of {} bytes", self.bytes())
    }
}
