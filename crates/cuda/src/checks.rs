//! What must be there before a GPU computes, for those who ask what is missing.

use warploom_device::{Check, DeviceError};

use crate::driver::{Driver, Gpu};
use crate::search::{Library, Search};

const NAME: &str = "CUDA";

/// Looks for NVIDIA's libraries, without calling any.
pub fn check_libraries(search: &Search) -> Check {
    let driver = search.find(Library::Driver);
    let Some(file) = driver.files.first() else {
        return Check::skipped(NAME, format!("no NVIDIA driver: {}", driver.why_missing(Library::Driver)));
    };
    let compiler = search.find(Library::Nvrtc);
    match compiler.files.first() {
        Some(found) => Check::ok(NAME, format!("driver {}, compiler {}", file.display(), found.display())),
        None => {
            let found = format!(
                "driver {}, but no compiler of kernels: {}",
                file.display(),
                compiler.why_missing(Library::Nvrtc)
            );
            Check::problem(false, NAME, found, Library::Nvrtc.advice())
        }
    }
}

/// Every GPU that NVIDIA's driver lists, or what is amiss with it; nothing where there is no driver.
pub fn check_gpus(search: &Search) -> Vec<Check> {
    if search.find(Library::Driver).files.is_empty() {
        return Vec::new();
    }
    match list(search) {
        Ok(gpus) => gpus.iter().map(describe).collect(),
        Err(error) => {
            vec![Check::problem(true, "NVIDIA's GPUs", error.to_string(), Library::Driver.advice())]
        }
    }
}

/// Every GPU that NVIDIA's driver lists.
///
/// # Errors
/// [`DeviceError::Missing`] with what is missing and what to do.
pub fn gpus() -> Result<Vec<Gpu>, DeviceError> {
    list(&Search::here())
}

fn list(search: &Search) -> Result<Vec<Gpu>, DeviceError> {
    let driver = Driver::open(search)?;
    (0..driver.count()?).map(|index| driver.gpu(index)).collect()
}

fn describe(gpu: &Gpu) -> Check {
    let (major, minor) = gpu.capability;
    let gibibytes = gpu.memory_bytes as f64 / f64::from(1 << 30);
    Check::ok(
        gpu.id(),
        format!(
            "{}, {gibibytes:.1} GiB, compute capability {major}.{minor}, {} multiprocessors, driver for CUDA {}",
            gpu.name, gpu.multiprocessors, gpu.driver
        ),
    )
}
