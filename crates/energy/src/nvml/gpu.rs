//! One GPU as the library sees it.

use std::ffi::{c_int, c_uint, c_ulonglong};
use std::sync::Arc;

use super::Nvml;
use super::library::{Code, Handle};

/// A GPU, or a slice of one.
#[derive(Debug)]
pub struct Gpu {
    nvml: Arc<Nvml>,
    handle: Handle,
    is_slice: bool,
}

// SAFETY: all functions of the library may be called from any thread, several at once (its reference, "Thread Safety").
unsafe impl Send for Gpu {}
// SAFETY: as above.
unsafe impl Sync for Gpu {}

impl Gpu {
    pub(super) fn new(nvml: &Arc<Nvml>, handle: Handle, is_slice: bool) -> Gpu {
        Gpu { nvml: nvml.clone(), handle, is_slice }
    }

    /// The GPU of this system with that id, see [`Nvml::gpu`].
    ///
    /// # Errors
    /// What is missing or refused, and what to do.
    pub fn find(id: &str) -> Result<Gpu, String> {
        Nvml::open().map_err(|why| why.to_string())?.gpu(id)
    }

    /// What it used since its driver was loaded, in millijoules. GPUs since Volta count it.
    ///
    /// # Errors
    /// What the library says: older GPUs and slices of one do not count.
    pub fn millijoules(&self) -> Result<u64, String> {
        let used = self.number::<c_ulonglong>("nvmlDeviceGetTotalEnergyConsumption", "the GPU's energy");
        match self.is_slice {
            true => used
                .map_err(|why| format!("this is a slice of a GPU (MIG), and only whole ones count: {why}")),
            false => used,
        }
    }

    /// What it draws now, in milliwatts.
    ///
    /// # Errors
    /// What the library says; so for all that follow.
    pub fn milliwatts(&self) -> Result<u32, String> {
        self.number::<c_uint>("nvmlDeviceGetPowerUsage", "the GPU's power")
    }

    /// What it may draw, in milliwatts.
    ///
    /// # Errors
    /// What the library says.
    pub fn limit_milliwatts(&self) -> Result<u32, String> {
        self.number::<c_uint>("nvmlDeviceGetEnforcedPowerLimit", "the GPU's power limit")
    }

    /// Degrees Celsius.
    ///
    /// # Errors
    /// What the library says.
    pub fn temperature(&self) -> Result<u32, String> {
        /// `NVML_TEMPERATURE_GPU`.
        const OWN_SENSOR: c_uint = 0;
        type Ask = unsafe extern "C" fn(Handle, c_uint, *mut c_uint) -> Code;
        let (name, what, mut degrees) = ("nvmlDeviceGetTemperature", "the GPU's temperature", 0);
        // SAFETY: of this type in `nvml.h`; `degrees` is written to.
        unsafe {
            self.nvml.library.ask::<Ask>(name, what, |ask| ask(self.handle, OWN_SENSOR, &raw mut degrees))?;
        }
        Ok(degrees)
    }

    /// Whether errors of its memory are corrected.
    ///
    /// # Errors
    /// What the library says: most GPUs for screens cannot.
    pub fn corrects_memory(&self) -> Result<bool, String> {
        type Ask = unsafe extern "C" fn(Handle, *mut c_int, *mut c_int) -> Code;
        let (name, what) = ("nvmlDeviceGetEccMode", "whether the GPU corrects its memory");
        let (mut now, mut after_restart) = (0, 0);
        // SAFETY: of this type in `nvml.h`; both values are written to.
        unsafe {
            self.nvml
                .library
                .ask::<Ask>(name, what, |ask| ask(self.handle, &raw mut now, &raw mut after_restart))?;
        }
        Ok(now != 0)
    }

    /// Errors of its memory that could not be corrected, since its driver was loaded.
    ///
    /// # Errors
    /// What the library says.
    pub fn memory_errors(&self) -> Result<u64, String> {
        /// `NVML_MEMORY_ERROR_TYPE_UNCORRECTED`.
        const UNCORRECTED: c_uint = 1;
        /// `NVML_VOLATILE_ECC`.
        const SINCE_LOADED: c_uint = 0;
        type Ask = unsafe extern "C" fn(Handle, c_uint, c_uint, *mut c_ulonglong) -> Code;
        let (name, what, mut count) = ("nvmlDeviceGetTotalEccErrors", "its count of memory errors", 0);
        // SAFETY: of this type in `nvml.h`; `count` is written to.
        unsafe {
            self.nvml
                .library
                .ask::<Ask>(name, what, |ask| ask(self.handle, UNCORRECTED, SINCE_LOADED, &raw mut count))?;
        }
        Ok(count)
    }

    /// What holds its clocks back now, for people; empty where nothing does but settings and want of work.
    ///
    /// # Errors
    /// What the library says.
    pub fn held_back(&self) -> Result<Vec<&'static str>, String> {
        /// `nvmlClocksEventReason…` of `nvml.h`.
        const REASONS: [(u64, &str); 5] = [
            (0x04, "its power limit"),
            (0x08, "the hardware, to half or less"),
            (0x20, "its temperature, by the driver"),
            (0x40, "its temperature, by the hardware"),
            (0x80, "the power supply"),
        ];
        let what = "what holds the GPU's clocks back";
        let bits = self
            .number::<c_ulonglong>("nvmlDeviceGetCurrentClocksEventReasons", what)
            // Its name until driver 535.
            .or_else(|_| self.number::<c_ulonglong>("nvmlDeviceGetCurrentClocksThrottleReasons", what))?;
        Ok(REASONS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, text)| *text).collect())
    }

    /// What a function gives that writes one number; the callers above name the type that each writes.
    fn number<T: Default>(&self, name: &str, what: &str) -> Result<T, String> {
        let mut value = T::default();
        // SAFETY: of this type in `nvml.h`; `value` is written to.
        unsafe {
            self.nvml.library.ask::<unsafe extern "C" fn(Handle, *mut T) -> Code>(name, what, |ask| {
                ask(self.handle, &raw mut value)
            })?;
        }
        Ok(value)
    }
}
