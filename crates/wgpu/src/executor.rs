//! A GPU as a device.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use warploom_device::{
    Capabilities, DeviceError, EnergyCounter, Executable, Executor, Memory, Program, Statistics, Step,
    Target, Token, WrittenKernel,
};
use warploom_gpu::{Limits, Plan};
use warploom_graph::{DType, Graph, Source};
use warploom_trace::{Track, copy, span};

use crate::adapters::{Adapter, choose};
use crate::context::Context;
use crate::executable::Ready;
use crate::memory::GpuMemory;
use crate::pipelines::Pipelines;
use crate::profile::{Timestamps, Timing};
use crate::system::System;
use crate::transfer::Transfer;
use crate::wgsl::Wgsl;

/// The executor of one GPU.
pub struct Wgpu {
    capabilities: Capabilities,
    context: Arc<Context>,
    pipelines: Pipelines,
    transfer: Transfer,
    limit: Option<usize>,
    limits: Limits,
}

impl Wgpu {
    /// Opens the adapter with this number of [`crate::adapters`], or the first that is hardware: a software adapter is used
    /// only when it is named.
    ///
    /// # Errors
    /// [`DeviceError::Missing`] with the reason when there is none, [`DeviceError::Failed`] when the driver does not open it.
    pub fn open(index: Option<usize>) -> Result<Wgpu, DeviceError> {
        let (adapter, driver) = choose(index)?;
        let capabilities = Capabilities {
            id: adapter.id(),
            name: adapter.name.clone(),
            // WGSL has no 64-bit floats.
            dtypes: DType::ALL.iter().copied().filter(|dtype| *dtype != DType::F64).collect(),
            tf32: false,
            slab_bytes: adapter.limits.argument_bytes,
            alignment: adapter.limits.alignment,
            in_place: true,
            threads: 1,
            memory_bytes: System::here().capacity(&adapter),
        };
        let limits = adapter.limits;
        let context = Arc::new(Context::open(adapter, &driver)?);
        let (pipelines, transfer) = (Pipelines::new(context.clone()), Transfer::new(context.clone()));
        Ok(Wgpu { capabilities, context, pipelines, transfer, limit: None, limits })
    }

    /// The same, refusing to hold more than `bytes` of device memory at once.
    pub fn with_memory_limit(self, bytes: usize) -> Wgpu {
        let capabilities = Capabilities { memory_bytes: Some(bytes), ..self.capabilities };
        Wgpu { limit: Some(bytes), capabilities, ..self }
    }

    /// The same, with kernels written for other limits than the adapter's own, which must allow them: a software adapter can
    /// so be made to run the kernels of hardware, to test them.
    pub fn with_limits(self, limits: Limits) -> Wgpu {
        Wgpu { limits, ..self }
    }

    /// What it runs on.
    pub fn adapter(&self) -> &Adapter {
        &self.context.adapter
    }

    /// Submissions to the driver so far: one for each launch, and those of copies.
    pub fn submissions(&self) -> u64 {
        self.context.submission_count()
    }

    /// As [`Executor::prepare`], with dispatches that somebody else made.
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`] that names the kernel when its source is rejected or exceeds the device's limits.
    pub fn prepare_plan(
        &self,
        program: Arc<Program>,
        plan: &Plan,
    ) -> Result<Arc<dyn Executable>, DeviceError> {
        self.context.health.check()?;
        Ok(Arc::new(Ready::new(self.context.clone(), &self.pipelines, program, plan)?))
    }

    /// Does some work, in which each launch waits for its kernels, and tells how long each dispatch took, in order. Threads
    /// that launch meanwhile are timed too.
    ///
    /// # Errors
    /// Those of the work; [`DeviceError::Unsupported`] where the device has no timestamps.
    pub fn profile<T>(
        &self,
        work: impl FnOnce() -> Result<T, DeviceError>,
    ) -> Result<(T, Vec<Timing>), DeviceError> {
        if !Timestamps::exist(&self.context) {
            return Err(DeviceError::Unsupported(format!("{} has no timestamps", self.adapter().name)));
        }
        let profile = &self.context.profile;
        profile.is_on.store(true, Ordering::Relaxed);
        let value = work();
        profile.is_on.store(false, Ordering::Relaxed);
        let timings = std::mem::take(&mut *profile.timings.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((value?, timings))
    }

    /// Loses the device, as drivers do that reset it: to test what follows.
    pub fn lose(&self) {
        self.context.device.destroy();
        self.context.health.lose("destroyed on request");
    }
}

impl Target for Wgpu {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn workspace_bytes(&self, step: &Step) -> usize {
        warploom_gpu::workspace_bytes(step, &self.limits)
    }

    fn claims(&self, _: &str, _: &Graph, sources: &[Source]) -> bool {
        warploom_gpu::source(sources, &Wgsl).is_some()
    }

    fn started(&self, program: &Program) -> Result<usize, DeviceError> {
        Ok(warploom_gpu::plan(program, &self.limits, &Wgsl)?.each().len())
    }

    fn written(&self, program: &Program) -> Result<Vec<WrittenKernel>, DeviceError> {
        Ok(warploom_gpu::plan(program, &self.limits, &Wgsl)?.written())
    }
}

impl Executor for Wgpu {
    fn target(&self) -> &dyn Target {
        self
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError> {
        self.context.health.check()?;
        Ok(Arc::new(GpuMemory::new(&self.context, bytes, self.limit)?))
    }

    fn upload(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        let _span = copy("to the device", bytes.len());
        self.transfer.upload(GpuMemory::of(memory, &self.context)?, offset, bytes)
    }

    fn download(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let _span = copy("to the host", bytes.len());
        self.transfer.download(GpuMemory::of(memory, &self.context)?, offset, bytes)
    }

    fn copy(&self, source: &Memory, destination: &Memory, bytes: usize) -> Result<Token, DeviceError> {
        let source = GpuMemory::of(source, &self.context)?;
        let _span = copy("on the device", bytes);
        self.transfer.copy(source, GpuMemory::of(destination, &self.context)?, bytes)
    }

    fn prepare(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        let plan = warploom_gpu::plan(&program, &self.limits, &Wgsl)?;
        self.prepare_plan(program, &plan)
    }

    fn wait(&self, token: Token) -> Result<(), DeviceError> {
        let _span = span(Track::Host, || "wait");
        self.context.wait(token)
    }

    fn statistics(&self) -> Statistics {
        self.context.counters.read()
    }

    fn energy_counter(&self) -> EnergyCounter {
        self.adapter().energy_counter()
    }
}
