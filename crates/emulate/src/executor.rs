//! The executor.

use crate::build::{Launch, build};
use crate::executable::Ready;
use crate::memory::HostMemory;
use std::collections::HashMap;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warploom_device::counters::Counters;
use warploom_device::{
    Capabilities, DeviceError, Executable, Executor, Memory, Program, Statistics, Step, Target, Token,
    WrittenKernel,
};
use warploom_gpu::{Dialect, Dispatch, Limits, MatrixUnits, Plan};
use warploom_graph::{DType, Graph, Source};

/// Those of NVIDIA's GPUs since the year 2020.
pub const LIMITS: Limits = Limits {
    workgroup: 1024,
    groups: 65535,
    shared_bytes: 48 << 10,
    arguments: 64,
    argument_bytes: 1 << 40,
    alignment: 256,
    parallel: 1 << 18,
    vector_bytes: 16,
    warp: 32,
    matrix_units: MatrixUnits::ALL,
};

/// A device whose kernels are compiled as C++ and run by the processor, one thread after another.
///
/// Every dispatch runs three times from the same memory: with threads and blocks in their order, and in two others. Unless all
/// leave the same bits, the launch fails with a message that names the kernel.
pub struct Emulated {
    capabilities: Capabilities,
    limits: Limits,
    dialect: &'static dyn Dialect,
    counters: Arc<Counters>,
    kernels: Arc<Kernels>,
}

/// Compiled kernels by source; locked while one runs, since a kernel's threads share what is static.
pub(crate) type Kernels = Mutex<HashMap<String, Launch>>;

impl Emulated {
    /// A device of a dialect that C++ can be made to read, with these limits.
    pub fn new(dialect: &'static dyn Dialect, limits: Limits) -> Emulated {
        let capabilities = Capabilities {
            id: format!("emulated-{}", dialect.name()),
            name: format!("kernels in {} on the processor", dialect.name()),
            dtypes: DType::ALL
                .into_iter()
                .filter(|dtype| *dtype != DType::F64 || dialect.has_f64())
                .collect(),
            tf32: limits.matrix_units.tf32,
            slab_bytes: limits.argument_bytes,
            alignment: limits.alignment,
            in_place: true,
            threads: 1,
            memory_bytes: None,
        };
        Emulated { capabilities, limits, dialect, counters: Arc::default(), kernels: Arc::default() }
    }

    /// The same with other limits; what it compiled, it keeps.
    pub fn with_limits(self, limits: Limits) -> Emulated {
        Emulated { limits, ..self }
    }

    /// The dispatches of a program.
    ///
    /// # Errors
    /// Those of [`warploom_gpu::plan`].
    pub fn plan(&self, program: &Program) -> Result<Plan, DeviceError> {
        warploom_gpu::plan(program, &self.limits, self.dialect)
    }

    /// Compiles the kernels of many programs at once, which takes less time than one after another.
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`] with what the compiler says.
    pub fn preload<'a>(&self, programs: impl IntoIterator<Item = &'a Program>) -> Result<(), DeviceError> {
        let plans = programs.into_iter().map(|program| self.plan(program)).collect::<Result<Vec<_>, _>>()?;
        self.compile(plans.iter().flat_map(Plan::each))
    }

    /// As [`Executor::prepare`], with dispatches that somebody else made.
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`] with what the compiler says.
    pub fn prepare_plan(
        &self,
        program: Arc<Program>,
        plan: Plan,
    ) -> Result<Arc<dyn Executable>, DeviceError> {
        self.compile(plan.each())?;
        Ok(Arc::new(Ready::new(program, plan, self.kernels.clone(), self.counters.clone())))
    }

    fn compile<'a>(&self, dispatches: impl IntoIterator<Item = &'a Dispatch>) -> Result<(), DeviceError> {
        let mut kernels = lock(&self.kernels);
        let mut missing: Vec<&str> =
            dispatches.into_iter().map(|dispatch| dispatch.source.as_str()).collect();
        missing.retain(|source| !kernels.contains_key(*source));
        missing.sort_unstable();
        missing.dedup();
        kernels.extend(build(&missing).map_err(DeviceError::Unsupported)?);
        Ok(())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Target for Emulated {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn workspace_bytes(&self, step: &Step) -> usize {
        warploom_gpu::workspace_bytes(step, &self.limits)
    }

    fn claims(&self, _: &str, _: &Graph, sources: &[Source]) -> bool {
        warploom_gpu::source(sources, self.dialect).is_some()
    }

    fn started(&self, program: &Program) -> Result<usize, DeviceError> {
        Ok(self.plan(program)?.each().len())
    }

    fn written(&self, program: &Program) -> Result<Vec<WrittenKernel>, DeviceError> {
        Ok(self.plan(program)?.written())
    }
}

impl Executor for Emulated {
    fn target(&self) -> &dyn Target {
        self
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError> {
        let ((), held) = self.counters.hold(bytes, None, || Ok(()))?;
        Ok(Arc::new(HostMemory::new(bytes, held)?))
    }

    fn upload(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        let to = HostMemory::of(memory)?.part(offset, bytes.len())?;
        let _running = lock(&self.kernels);
        // SAFETY: as many bytes are there, and nobody else touches them while the lock is held.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        self.counters.uploaded(bytes.len());
        Ok(Token(0))
    }

    fn download(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let from = HostMemory::of(memory)?.part(offset, bytes.len())?;
        let _running = lock(&self.kernels);
        // SAFETY: as many bytes are there, and nobody else touches them while the lock is held.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
        self.counters.downloaded(bytes.len());
        Ok(())
    }

    fn copy(&self, source: &Memory, destination: &Memory, bytes: usize) -> Result<Token, DeviceError> {
        let from = HostMemory::of(source)?.part(0, bytes)?;
        let to = HostMemory::of(destination)?.part(0, bytes)?;
        let _running = lock(&self.kernels);
        // SAFETY: as many bytes are in both, which may be one memory; nobody else touches them while the lock is held.
        unsafe { ptr::copy(from, to, bytes) };
        Ok(Token(0))
    }

    fn prepare(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        let plan = self.plan(&program)?;
        self.prepare_plan(program, plan)
    }

    fn wait(&self, _: Token) -> Result<(), DeviceError> {
        Ok(())
    }

    fn statistics(&self) -> Statistics {
        self.counters.read()
    }
}
