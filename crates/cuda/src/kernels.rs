//! Kernels compiled and loaded: one module for each source, shared by all programs that use it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::{panic::resume_unwind, thread};

use warploom_device::DeviceError;
use warploom_gpu::Dispatch;

use crate::cache::Cache;
use crate::driver::{Device, Module};
use crate::nvrtc::Compiler;

/// The kernels of one device.
pub(crate) struct Kernels {
    compiler: Compiler,
    architecture: u32,
    cache: Option<Cache>,
    /// Modules live as long as a program that uses them.
    known: Mutex<HashMap<String, Weak<Module>>>,
    // Last: modules are the device's.
    device: Arc<Device>,
}

impl Kernels {
    pub(crate) fn new(
        device: &Arc<Device>,
        compiler: Compiler,
        cache: Option<Cache>,
    ) -> Result<Kernels, DeviceError> {
        let architecture = compiler.architecture(device.gpu.capability)?;
        Ok(Kernels { compiler, architecture, cache, known: Mutex::default(), device: device.clone() })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Weak<Module>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The module of each kernel. Those that are not there are compiled, several at once.
    ///
    /// # Errors
    /// Of the first kernel, in order, that is rejected.
    pub(crate) fn get(&self, kernels: &[&Dispatch]) -> Result<Vec<Arc<Module>>, DeviceError> {
        let mut found: HashMap<&str, Arc<Module>> = HashMap::new();
        let mut missing: Vec<&Dispatch> = Vec::new();
        for kernel in kernels {
            match self.known().get(&kernel.source).and_then(Weak::upgrade) {
                Some(module) => drop(found.insert(&kernel.source, module)),
                None if missing.iter().any(|other| other.source == kernel.source) => {}
                None => missing.push(kernel),
            }
        }
        for (kernel, cubin) in missing.iter().zip(self.compile_all(&missing)) {
            let module = Arc::new(Module::load(&self.device, &kernel.name, &cubin?)?);
            self.remember(&kernel.source, &module);
            found.insert(&kernel.source, module);
        }
        Ok(kernels.iter().map(|kernel| found[kernel.source.as_str()].clone()).collect())
    }

    fn remember(&self, source: &str, module: &Arc<Module>) {
        let mut known = self.known();
        if known.len() == known.capacity() {
            known.retain(|_, module| module.strong_count() > 0);
        }
        known.insert(source.to_owned(), Arc::downgrade(module));
    }

    /// The cubins of kernels, by as many threads as there are cores: the compiler takes 30 to 100 ms for each.
    fn compile_all(&self, kernels: &[&Dispatch]) -> Vec<Result<Vec<u8>, DeviceError>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut made = Vec::new();
            loop {
                let i = next.fetch_add(1, Relaxed);
                let Some(kernel) = kernels.get(i) else { return made };
                made.push((i, self.compile(kernel)));
            }
        };
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get()).min(kernels.len());
        let mut made = if threads < 2 {
            work()
        } else {
            thread::scope(|scope| {
                let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                let finished = started.into_iter().map(|thread| thread.join());
                finished.flat_map(|made| made.unwrap_or_else(|panic| resume_unwind(panic))).collect()
            })
        };
        made.sort_by_key(|(i, _)| *i);
        made.into_iter().map(|(_, made)| made).collect()
    }

    fn compile(&self, kernel: &Dispatch) -> Result<Vec<u8>, DeviceError> {
        let compile = || self.compiler.compile(&kernel.name, &kernel.source, self.architecture);
        let Some(cache) = &self.cache else { return compile() };
        let key = self.compiler.key(&kernel.source, self.architecture);
        if let Some(cubin) = cache.get(&key) {
            return Ok(cubin);
        }
        let cubin = compile()?;
        cache.put(&key, &cubin);
        cache.prune();
        Ok(cubin)
    }
}
