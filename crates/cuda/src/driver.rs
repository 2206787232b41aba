//! NVIDIA's driver: found, loaded, asked for its GPUs. What it gives out is freed when it is dropped.

mod api;
mod error;
mod gpus;
mod handles;
mod peers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cudarc::driver::sys::{CUcontext, CUdevice, CUmemPool_attribute, CUmemoryPool};
use warploom_device::DeviceError;

use crate::health::Health;
use crate::search::{Library, Search};
pub(crate) use api::{Api, Code, functions};
pub use gpus::Gpu;
pub(crate) use handles::{Event, Graph, Module, Pinned, Stream, Usage};

/// The oldest driver that has every function used: that of CUDA 12.0, as `cuDriverGetVersion` numbers it.
const OLDEST: i32 = 12_000;

/// Bytes of freed memory that the driver keeps for the next allocation instead of giving it back at every wait: evaluating
/// tensors allocates its results each time.
const KEPT_BYTES: u64 = 256 << 20;

/// The loaded driver.
pub(crate) struct Driver {
    pub api: Api,
    pub path: PathBuf,
    /// As CUDA numbers versions: 12040 is 12.4.
    pub version: i32,
}

/// `12.4` of 12040.
pub(crate) fn dotted(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

impl Driver {
    /// Finds, loads and starts the driver.
    ///
    /// # Errors
    /// [`DeviceError::Missing`] with what is missing and what to do.
    pub(crate) fn open(search: &Search) -> Result<Arc<Driver>, DeviceError> {
        let found = search.find(Library::Driver);
        let mut refused = None;
        for path in &found.files {
            match Driver::load(path) {
                Ok(driver) => return Ok(driver),
                // The first that was found is the one to mend.
                Err(error) => drop(refused.get_or_insert(error)),
            }
        }
        let why = || format!("no NVIDIA driver: {}", found.why_missing(Library::Driver));
        Err(refused.unwrap_or_else(|| DeviceError::Missing(why())))
    }

    fn load(path: &Path) -> Result<Arc<Driver>, DeviceError> {
        let missing =
            |what: String| DeviceError::Missing(format!("NVIDIA's driver {}: {what}", path.display()));
        let needed = format!("CUDA {} or newer is needed (driver 525): update the driver", dotted(OLDEST));
        let api = Api::load(path).map_err(|error| missing(format!("it does not load: {error}; {needed}")))?;
        let mut driver = Driver { api, path: path.to_owned(), version: 0 };
        // SAFETY: no context is needed; `version` is written to.
        let answer = unsafe { (driver.api.version)(&raw mut driver.version) };
        driver.missing_unless(answer, "to tell its version")?;
        if driver.version < OLDEST {
            return Err(missing(format!("it is of CUDA {}; {needed}", dotted(driver.version))));
        }
        // SAFETY: the first call of the process, or one more, which changes nothing.
        let answer = unsafe { (driver.api.init)(0) };
        driver.missing_unless(answer, "to start")?;
        Ok(Arc::new(driver))
    }

    fn missing_unless(&self, answer: Code, what: &str) -> Result<(), DeviceError> {
        if answer == 0 {
            return Ok(());
        }
        let (text, advice) = (error::describe(&self.api, answer), error::advice(answer));
        Err(DeviceError::Missing(format!(
            "NVIDIA's driver {} refused {what}: {text}; {advice}",
            self.path.display()
        )))
    }
}

/// One GPU with the context that all of this process shares.
pub(crate) struct Device {
    pub driver: Arc<Driver>,
    pub gpu: Gpu,
    pub health: Health,
    raw: CUdevice,
    context: CUcontext,
    /// GPUs whose memory this one was let at, or cannot reach.
    peers: Mutex<BTreeSet<CUdevice>>,
}

// SAFETY: the driver's handles may be used from any thread, several at once (CUDA programming guide, driver API).
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// Opens a GPU.
    pub(crate) fn open(driver: &Arc<Driver>, gpu: Gpu) -> Result<Arc<Device>, DeviceError> {
        let raw = driver.handle(gpu.index)?;
        let mut context = std::ptr::null_mut();
        // SAFETY: `raw` is a device of the driver's; `context` is written to.
        let answer = unsafe { (driver.api.context_retain)(&raw mut context, raw) };
        if answer != 0 {
            return Err(DeviceError::Failed(refusal(driver, &gpu, "to open it", answer)));
        }
        let (health, peers) = Default::default();
        let device = Device { driver: driver.clone(), gpu, health, raw, context, peers };
        device.keep_memory()?;
        Ok(Arc::new(device))
    }

    /// Where all of its memory is allocated.
    fn pool(&self) -> Result<CUmemoryPool, DeviceError> {
        let api = self.enter()?;
        let mut pool = std::ptr::null_mut();
        // SAFETY: `pool` is written to.
        self.done("its memory pool", unsafe { (api.device_pool)(&raw mut pool, self.raw) })?;
        Ok(pool)
    }

    fn keep_memory(&self) -> Result<(), DeviceError> {
        let (pool, mut bytes) = (self.pool()?, KEPT_BYTES);
        let api = &self.driver.api;
        let threshold = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD as u32;
        // SAFETY: the attribute's value is 64 bits, read during the call.
        self.done("its memory pool", unsafe { (api.pool_set)(pool, threshold, (&raw mut bytes).cast()) })
    }

    /// Makes the context that of this thread, for the calls that follow.
    pub(crate) fn enter(&self) -> Result<&Api, DeviceError> {
        self.health.check()?;
        // SAFETY: the context lives as long as `self`.
        self.done("a thread's use", unsafe { (self.driver.api.context_set)(self.context) })?;
        Ok(&self.driver.api)
    }

    /// The same to give something back, which is tried whatever state the device is in.
    pub(crate) fn free(&self, call: impl FnOnce(&Api) -> Code) {
        let api = &self.driver.api;
        // SAFETY: the context lives as long as `self`.
        unsafe { (api.context_set)(self.context) };
        // A device that refuses to take something back is told by the next call that is no drop.
        call(api);
    }

    /// An answer as a result; `what` completes "the driver of … refused …".
    pub(crate) fn done(&self, what: &str, answer: Code) -> Result<(), DeviceError> {
        if answer == 0 {
            return Ok(());
        }
        let text = refusal(&self.driver, &self.gpu, what, answer);
        if answer == error::OUT_OF_MEMORY {
            return Err(DeviceError::OutOfMemory { asked: 0, held: 0, reason: text });
        }
        if error::is_fatal(answer) {
            self.health.lose(&text);
            return self.health.check();
        }
        Err(DeviceError::Failed(text))
    }
}

fn refusal(driver: &Driver, gpu: &Gpu, what: &str, answer: Code) -> String {
    let (text, advice) = (error::describe(&driver.api, answer), error::advice(answer));
    format!("the driver of {} ({}) refused {what}: {text}; {advice}", gpu.id(), gpu.name)
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: retained once by `open`; nothing of the context is left, since all of it holds the device.
        unsafe { (self.driver.api.context_release)(self.raw) };
    }
}
