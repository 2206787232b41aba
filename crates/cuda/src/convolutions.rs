//! Convolutions by cuDNN, loaded when the first convolution wants it. Where it is missing, too old, or refuses a convolution,
//! kernels compute it.

mod api;
mod descriptors;

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::CUstream;
use warploom_device::DeviceError;
use warploom_gpu::ImageConvolution;

use crate::driver::Device;
use crate::on_device::{OnDevice, Opens};
use crate::search::{Library, Search};
use crate::vendor::{Asked, MOST_SCRATCH, Version, first_that_fits};
use api::{Api, Handle};
use descriptors::{Algorithm, Descriptors};

/// `always` gives cuDNN every convolution that it takes and `never` none, to measure one against the other.
pub const VARIABLE: &str = "WARPLOOM_CUDNN";

/// The oldest that is used: 8.0, whose numbers of versions have four digits.
const OLDEST: usize = 8000;

/// Multiplications from which on the library is asked: below, a launch takes longer than the convolution, whoever computes it.
/// By arithmetic for an H100, not measured.
const LEAST_WORK: usize = 1 << 22;

/// The convolutions of one device.
pub(crate) type Convolutions = OnDevice<Opened>;

/// The library at work on one device.
pub(crate) struct Opened {
    api: Api,
    /// Locked while its queue is set and used.
    handle: Mutex<Handle>,
    // Last: the handle is the device's.
    device: Arc<Device>,
}

// SAFETY: a handle may be used from several threads one after another (cuDNN documentation, thread safety).
unsafe impl Send for Opened {}
// SAFETY: as above, by its lock.
unsafe impl Sync for Opened {}

/// A convolution with the algorithm that computes it.
pub(crate) struct Ready {
    convolution: ImageConvolution,
    algorithm: Algorithm,
    descriptors: Descriptors,
    // Last: descriptors are the library's.
    opened: Arc<Opened>,
}

impl Convolutions {
    /// The scratch bytes with which the library computes a convolution, where it should and does.
    pub(crate) fn takes(&self, convolution: &ImageConvolution) -> Option<usize> {
        let is_wanted = match self.asked {
            Asked::Never => false,
            Asked::Always => true,
            Asked::ByRule => convolution.work() >= LEAST_WORK,
        };
        is_wanted.then(|| self.get(convolution))?.map(|ready| ready.algorithm.scratch)
    }
}

/// Finds and loads the first cuDNN that a driver of this version of CUDA runs.
fn load(search: &Search, driver: i32) -> Result<(Api, Version), String> {
    first_that_fits(search, Library::Cudnn, driver, |path| {
        let api = Api::load(path)?;
        // SAFETY: both only give a number.
        let (own, cuda) = unsafe { ((api.version)(), Some((api.cuda_version)())) };
        if own < OLDEST {
            return Err(format!("it is of version {own}; cuDNN 8 or newer is needed"));
        }
        Ok((api, Version { path: path.to_owned(), own, cuda }))
    })
}

/// The cuDNN that would be used with a driver of this version of CUDA.
///
/// # Errors
/// What was found, where, and why it is not taken.
pub(crate) fn find(search: &Search, driver: i32) -> Result<Version, String> {
    load(search, driver).map(|(_, version)| version)
}

impl Opens for Opened {
    type Shape = ImageConvolution;
    type Ready = Ready;

    fn open(search: &Search, device: &Arc<Device>) -> Result<Opened, String> {
        let (api, _) = load(search, device.driver.version)?;
        device.enter().map_err(|error| error.to_string())?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: `handle` is written to; this thread has entered the device's context.
        let answer = unsafe { (api.create)(&raw mut handle) };
        api.done("to start", answer)?;
        Ok(Opened { api, handle: Mutex::new(handle), device: device.clone() })
    }

    fn ready(self: &Arc<Opened>, convolution: &ImageConvolution) -> Result<Ready, String> {
        Ready::new(self, convolution)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let handle = *self.handle.get_mut().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: made by `open`; nothing made with it is left, since all of that holds it.
        self.device.free(|_| unsafe { (self.api.destroy)(handle) });
    }
}

impl Ready {
    fn new(opened: &Arc<Opened>, convolution: &ImageConvolution) -> Result<Ready, String> {
        opened.device.enter().map_err(|error| error.to_string())?;
        let descriptors = Descriptors::new(&opened.api, convolution)?;
        let handle = opened.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let algorithm = descriptors.choose(&opened.api, *handle, MOST_SCRATCH)?;
        Ok(Ready { convolution: convolution.clone(), algorithm, descriptors, opened: opened.clone() })
    }

    /// Queues the convolution. `at`: addresses of the operands as the step has them, of the result and of scratch memory.
    ///
    /// # Safety
    /// Every address must be that of as much memory of the device's as the convolution describes, until the queue has passed.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] with what the library says and how to do without it.
    pub(crate) unsafe fn queue(&self, at: [u64; 4], stream: CUstream) -> Result<(), DeviceError> {
        let Opened { api, handle, .. } = &*self.opened;
        let failed = |why: String| {
            let what = &self.convolution;
            DeviceError::Failed(format!("{what}: {why}; {VARIABLE}=never computes it without cuDNN"))
        };
        let handle = handle.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: both live.
        api.done("a queue", unsafe { (api.set_stream)(*handle, stream) }).map_err(failed)?;
        // SAFETY: the caller answers for the addresses.
        unsafe { self.descriptors.run(api, *handle, self.algorithm, at) }.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warploom_gpu::{ImageAxis, Role};
    use warploom_graph::DType;

    /// Descriptors of all three roles and dtypes, taken by the library of this machine where there is one: they need no GPU. It
    /// says the extents of outputs itself.
    #[test]
    fn cudnn_takes_the_descriptors() {
        let required = std::env::var_os("WARPLOOM_REQUIRE_CUDNN").is_some_and(|value| value == "1");
        let (api, version) = match load(&Search::here(), i32::MAX) {
            Ok(found) => found,
            Err(why) if required => panic!("{why}"),
            Err(why) => return println!("skipped: {why}"),
        };
        println!("cuDNN {} of {}", version.own, version.path.display());
        for role in [Role::Output, Role::InputGradient, Role::KernelGradient] {
            for (dtype, tf32) in
                [(DType::F32, false), (DType::F32, true), (DType::F16, false), (DType::BF16, false)]
            {
                let rows = ImageAxis { input: 9, kernel: 3, output: 5, padding: 1, stride: 2, dilation: 1 };
                let columns =
                    ImageAxis { input: 8, kernel: 2, output: 10, padding: 2, stride: 1, dilation: 2 };
                let axes = [rows, columns];
                let mut convolution = ImageConvolution {
                    role,
                    dtype,
                    tf32,
                    batch: 2,
                    groups: 2,
                    channels: 3,
                    outputs: 5,
                    axes,
                };
                Descriptors::new(&api, &convolution).unwrap();
                convolution.axes[0].output = 6;
                let refused = Descriptors::new(&api, &convolution).err().unwrap();
                assert!(refused.contains("its output is [2, 10, 5, 10], not [2, 10, 6, 10]"), "{refused}");
            }
        }
        let refused = api.done("it", 3000).unwrap_err();
        assert!(refused.starts_with("cuDNN refused it: CUDNN_STATUS_NOT_SUPPORTED (3000)"), "{refused}");
    }
}
