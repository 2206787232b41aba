//! The CPU as a device.

use std::sync::Arc;

use warploom_device::counters::Counters;
use warploom_device::{
    Capabilities, DeviceError, Executable, Executor, Memory, Statistics, Step, Target, Token,
};
use warploom_graph::{DType, Graph, Source};
use warploom_trace::copy;

use crate::contraction;
use crate::convolve;
use crate::executable::Ready;
use crate::memory::{ALIGNMENT, CpuMemory};
use warploom_cpu_kernels::isa::Isa;
use warploom_cpu_kernels::pool::Pool;

/// The most threads that [`Cpu::open`] starts: more than the cores of the largest machines, and fewer than systems refuse.
pub const MOST_THREADS: usize = 1024;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS))
}

/// The CPU executor: runs programs on this machine's cores.
pub struct Cpu {
    capabilities: Capabilities,
    isa: Isa,
    pool: Arc<Pool>,
    counters: Arc<Counters>,
    limit: Option<usize>,
}

impl Cpu {
    /// An executor with this many threads, or as many as the machine has cores, and the instruction set of
    /// [`Isa::current`].
    pub fn new(threads: Option<usize>) -> Cpu {
        Cpu::with_isa(Isa::current(), threads)
    }

    /// As [`Cpu::new`], with a given instruction set.
    ///
    /// # Panics
    /// When the machine lacks the instruction set.
    pub fn with_isa(isa: Isa, threads: Option<usize>) -> Cpu {
        assert!(isa.is_available(), "this machine has no {}", isa.name());
        Cpu::of(isa, Pool::new(threads.unwrap_or_else(cores)))
    }

    /// As [`Cpu::new`] for those who take what people ask for.
    ///
    /// # Errors
    /// `WARPLOOM_ISA` asks for what is not here; no threads, or more than [`MOST_THREADS`]; what the system says where it
    /// refuses a thread.
    pub fn open(threads: Option<usize>) -> Result<Cpu, DeviceError> {
        Isa::asked().map_err(DeviceError::Unsupported)?;
        let threads = threads.unwrap_or_else(cores);
        if threads == 0 || threads > MOST_THREADS {
            return Err(DeviceError::Unsupported(format!(
                "it computes with 1 to {MOST_THREADS} threads, not with {threads}"
            )));
        }
        let refused =
            |error| DeviceError::Failed(format!("the system refused one of {threads} threads: {error}"));
        Ok(Cpu::of(Isa::current(), Pool::start(threads).map_err(refused)?))
    }

    fn of(isa: Isa, pool: Pool) -> Cpu {
        let capabilities = Capabilities {
            id: "cpu".into(),
            name: read_field("/proc/cpuinfo", "model name").unwrap_or_else(|| "CPU".into()),
            dtypes: DType::ALL.to_vec(),
            tf32: false,
            slab_bytes: usize::MAX,
            alignment: ALIGNMENT,
            in_place: true,
            threads: pool.threads(),
            memory_bytes: read_field("/proc/meminfo", "MemTotal").and_then(|total| kibibytes(&total)),
        };
        Cpu { capabilities, isa, pool: Arc::new(pool), counters: Arc::default(), limit: None }
    }

    /// The same, refusing to hold more than `bytes` of device memory at once.
    pub fn with_memory_limit(self, bytes: usize) -> Cpu {
        let capabilities = Capabilities { memory_bytes: Some(bytes), ..self.capabilities };
        Cpu { limit: Some(bytes), capabilities, ..self }
    }
}

/// The value of the first line `name : value` of a file of such lines.
fn read_field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kibibytes(text: &str) -> Option<usize> {
    text.strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

impl Target for Cpu {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn workspace_bytes(&self, step: &Step) -> usize {
        match step {
            Step::Contraction(step) => contraction::workspace_bytes(step, self.isa, self.pool.threads()),
            Step::Convolution(step) => convolve::workspace_bytes(step, self.isa, self.pool.threads()),
            Step::Kernel(_) | Step::Scatter(_) | Step::Copy { .. } | Step::Loop(_) | Step::Claimed { .. } => {
                0
            }
        }
    }

    fn claims(&self, _: &str, _: &Graph, _: &[Source]) -> bool {
        false
    }
}

impl Executor for Cpu {
    fn target(&self) -> &dyn Target {
        self
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError> {
        Ok(Arc::new(CpuMemory::new(bytes, self.limit, &self.counters)?))
    }

    fn upload(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        let to = CpuMemory::of(memory)?.range(offset, bytes.len())?;
        let _span = copy("to the device", bytes.len());
        // SAFETY: the range was checked; that no launch uses it meanwhile is the trait's contract.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        self.counters.uploaded(bytes.len());
        Ok(self.done())
    }

    fn download(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let from = CpuMemory::of(memory)?.range(offset, bytes.len())?;
        let _span = copy("to the host", bytes.len());
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
        self.counters.downloaded(bytes.len());
        Ok(())
    }

    fn copy(&self, source: &Memory, destination: &Memory, bytes: usize) -> Result<Token, DeviceError> {
        let from = CpuMemory::of(source)?.range(0, bytes)?;
        let to = CpuMemory::of(destination)?.range(0, bytes)?;
        let _span = copy("on the device", bytes);
        // SAFETY: as above; both may be the same memory.
        unsafe { std::ptr::copy(from, to, bytes) };
        Ok(self.done())
    }

    fn prepare(&self, program: Arc<warploom_device::Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        program.steps.iter().try_for_each(Step::refuse_tf32)?;
        Ok(Arc::new(Ready::new(program, self.isa, self.pool.clone(), self.counters.clone())?))
    }

    /// Returns at once: work is done when `launch` returns, with its error.
    fn wait(&self, _: Token) -> Result<(), DeviceError> {
        Ok(())
    }

    fn statistics(&self) -> Statistics {
        self.counters.read()
    }
}

impl Cpu {
    fn done(&self) -> Token {
        Token(self.counters.read().launches)
    }
}
