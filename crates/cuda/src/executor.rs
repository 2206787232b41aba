//! One of NVIDIA's GPUs as a device.

use std::sync::Arc;

use warploom_device::{
    Capabilities, DeviceError, EnergyCounter, Executable, Executor, Memory, Program, Resources, Statistics,
    Step, Target, Token, WrittenKernel,
};
use warploom_gpu::{Dispatch, Limits, Plan};
use warploom_graph::{DType, Graph, Source};
use warploom_trace::{Track, copy, span};

use crate::cache::Cache;
use crate::context::Context;
use crate::cpp::CudaCpp;
use crate::driver::{Device, Driver, Gpu, Usage};
use crate::executable::Ready;
use crate::kernels::Kernels;
use crate::memory::GpuMemory;
use crate::nvrtc::Compiler;
use crate::peers;
use crate::search::Search;
use crate::transfer::Transfer;
use crate::vendor::Vendor;

/// The executor of one GPU.
pub struct Cuda {
    capabilities: Capabilities,
    kernels: Kernels,
    vendor: Vendor,
    transfer: Transfer,
    limit: Option<usize>,
    limits: Limits,
    // Last: everything above is the device's.
    context: Arc<Context>,
}

impl Cuda {
    /// Opens the GPU with this number, or the first.
    ///
    /// # Errors
    /// [`DeviceError::Missing`] with what is missing and what to do, [`DeviceError::Failed`] when the driver does not open it.
    pub fn open(index: Option<usize>) -> Result<Cuda, DeviceError> {
        let search = Search::here();
        let driver = Driver::open(&search)?;
        let gpu = driver.gpu(index.unwrap_or(0))?;
        let compiler = Compiler::open(&search, Some(driver.version))?;
        let capabilities = Capabilities {
            id: gpu.id(),
            name: gpu.name.clone(),
            dtypes: DType::ALL.to_vec(),
            tf32: gpu.limits.matrix_units.tf32,
            slab_bytes: gpu.limits.argument_bytes,
            alignment: gpu.limits.alignment,
            in_place: true,
            threads: 1,
            memory_bytes: Some(gpu.memory_bytes),
        };
        let limits = gpu.limits;
        let device = Device::open(&driver, gpu)?;
        let kernels = Kernels::new(&device, compiler, Cache::of_user())?;
        let vendor = Vendor::new(&search, &device)?;
        let context = Arc::new(Context::new(device)?);
        let transfer = Transfer::new(context.clone());
        Ok(Cuda { capabilities, kernels, vendor, transfer, limit: None, limits, context })
    }

    /// The same, refusing to hold more than `bytes` of device memory at once.
    pub fn with_memory_limit(self, bytes: usize) -> Cuda {
        let capabilities = Capabilities { memory_bytes: Some(bytes), ..self.capabilities };
        Cuda { limit: Some(bytes), capabilities, ..self }
    }

    /// What it runs on.
    pub fn gpu(&self) -> &Gpu {
        &self.context.device.gpu
    }

    fn resources(&self, usage: &Usage, workgroup: u32) -> Resources {
        let gpu = &self.context.device.gpu;
        let most = gpu.limits.parallel / gpu.multiprocessors.max(1);
        Resources {
            registers: usage.registers,
            spilled_bytes: usage.local_bytes,
            shared_bytes: usage.shared_bytes,
            occupancy: f64::from(usage.resident_blocks * workgroup) / f64::from(most.max(1)),
        }
    }

    fn plan(&self, program: &Program) -> Result<Plan, DeviceError> {
        warploom_gpu::plan_with(program, &self.limits, &CudaCpp, &self.vendor)
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
        self.context.device.health.check()?;
        Ok(Arc::new(Ready::new(self.context.clone(), &self.kernels, &self.vendor, program, plan)?))
    }
}

impl Target for Cuda {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn workspace_bytes(&self, step: &Step) -> usize {
        warploom_gpu::workspace_bytes_with(step, &self.limits, &self.vendor)
    }

    fn claims(&self, _: &str, _: &Graph, sources: &[Source]) -> bool {
        warploom_gpu::source(sources, &CudaCpp).is_some()
    }

    fn started(&self, program: &Program) -> Result<usize, DeviceError> {
        Ok(self.plan(program)?.each().len())
    }

    fn written(&self, program: &Program) -> Result<Vec<WrittenKernel>, DeviceError> {
        let plan = self.plan(program)?;
        let dispatches: Vec<&Dispatch> = plan.each().into_iter().filter(|kernel| kernel.has_work()).collect();
        let mut usages = dispatches.iter().zip(self.kernels.get(&dispatches)?);
        let mut written = plan.written();
        for kernel in written.iter_mut().filter(|kernel| !kernel.groups.contains(&0)) {
            if let Some((dispatch, module)) = usages.next() {
                kernel.resources =
                    Some(self.resources(&module.usage(dispatch.workgroup)?, dispatch.workgroup));
            }
        }
        Ok(written)
    }
}

impl Executor for Cuda {
    fn target(&self) -> &dyn Target {
        self
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError> {
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

    fn receive(
        &self,
        source: &Memory,
        destination: &Memory,
        bytes: usize,
    ) -> Result<Option<Token>, DeviceError> {
        let destination = GpuMemory::of(destination, &self.context)?;
        let Some(source) = source.as_any().downcast_ref::<GpuMemory>() else { return Ok(None) };
        if Arc::ptr_eq(&source.block.context, &self.context) {
            let _span = copy("on the device", bytes);
            return self.transfer.copy(source, destination, bytes).map(Some);
        }
        let _span = copy("from another GPU", bytes);
        peers::receive(source, destination, bytes)
    }

    fn prepare(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        let plan = self.plan(&program)?;
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
        EnergyCounter::Nvidia(self.gpu().uuid.clone())
    }
}
