//! What must be there before a GPU computes, for those who ask what is missing.

use warploom_device::{Check, DeviceError};

use crate::driver::{Driver, Gpu, dotted};
use crate::nvrtc::Compiler;
use crate::search::{Library, Search};
use crate::vendor::Version;
use crate::{collectives, convolutions, matrices};

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

/// Every GPU that NVIDIA's driver lists and the libraries that computing on them calls, or what is amiss; nothing where there
/// is no driver.
pub fn check_gpus(search: &Search) -> Vec<Check> {
    if search.find(Library::Driver).files.is_empty() {
        return Vec::new();
    }
    match list(search) {
        Ok((driver, gpus)) => {
            let libraries = [
                check_compiler(search, driver),
                check_products(search, driver),
                check_convolutions(search, driver),
                check_collectives(search, driver),
            ];
            gpus.iter().map(describe).chain(libraries).collect()
        }
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
    list(&Search::here()).map(|(_, gpus)| gpus)
}

/// The version of CUDA that the driver is of, and its GPUs.
fn list(search: &Search) -> Result<(i32, Vec<Gpu>), DeviceError> {
    let driver = Driver::open(search)?;
    let gpus = (0..driver.count()?).map(|index| driver.gpu(index));
    Ok((driver.version, gpus.collect::<Result<_, _>>()?))
}

fn check_compiler(search: &Search, driver: i32) -> Check {
    const NAME: &str = "NVRTC";
    match Compiler::open(search, Some(driver)) {
        Ok(compiler) => {
            let ((major, minor), path) = (compiler.version(), compiler.path().display());
            let driver = dotted(driver);
            Check::ok(NAME, format!("{path} of CUDA {major}.{minor}, with a driver of CUDA {driver}"))
        }
        Err(error) => Check::problem(true, NAME, error.to_string(), Library::Nvrtc.advice()),
    }
}

fn check_products(search: &Search, driver: i32) -> Check {
    // 130401 is 13.4.1.
    let own = |own: usize| format!("{}.{}.{}", own / 10_000, own / 100 % 100, own % 100);
    let found = matrices::find(search, driver);
    check_vendor("cuBLASLt", "matrix products", Library::CublasLt, driver, own, found)
}

fn check_convolutions(search: &Search, driver: i32) -> Check {
    // 92600 is 9.26.0; until version 9, 8902 was 8.9.2.
    let own = |own: usize| match own {
        ..10_000 => format!("{}.{}.{}", own / 1000, own / 100 % 10, own % 100),
        _ => format!("{}.{}.{}", own / 10_000, own / 100 % 100, own % 100),
    };
    let found = convolutions::find(search, driver);
    check_vendor("cuDNN", "convolutions", Library::Cudnn, driver, own, found)
}

/// A library that computes what kernels can do without it.
fn check_vendor(
    name: &str,
    what: &str,
    library: Library,
    driver: i32,
    own: impl Fn(usize) -> String,
    found: Result<Version, String>,
) -> Check {
    match found {
        Ok(Version { path, own: number, cuda }) => {
            let of = cuda.map_or_else(String::new, |cuda| format!(" of CUDA {}", dotted(cuda as i32)));
            let (driver, path) = (dotted(driver), path.display());
            Check::ok(name, format!("{path}, {}{of}, with a driver of CUDA {driver}", own(number)))
        }
        Err(why) => {
            let found = format!("{what} run as Warploom's own kernels, which are slower: {why}");
            Check::problem(false, name, found, library.advice())
        }
    }
}

fn check_collectives(search: &Search, driver: i32) -> Check {
    const NAME: &str = "NCCL";
    const NEED: &str = "nothing computes on several GPUs yet";
    match collectives::find(search, driver) {
        Ok(Version { path, own, .. }) => {
            Check::ok(NAME, format!("{}, {}; {NEED}", path.display(), collectives::dotted(own)))
        }
        Err(why) if search.find(Library::Nccl).files.is_empty() => Check::ok(NAME, format!("{NEED}: {why}")),
        Err(why) => {
            Check::problem(false, NAME, format!("{NEED}, and none would: {why}"), Library::Nccl.advice())
        }
    }
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
