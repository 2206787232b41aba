//! NVIDIA's libraries that compute, and what they share: which file is taken, and what the environment asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use warploom_device::DeviceError;
use warploom_gpu::{ImageConvolution, Libraries, MatrixProduct};

use crate::convolutions::{self, Convolutions};
use crate::driver::{Device, dotted};
use crate::matrices::{self, Matrices};
use crate::search::{Library, Search};

/// Most scratch memory of one call, in bytes: what PyTorch gives cuBLAS on the GPUs that want most.
pub(crate) const MOST_SCRATCH: usize = 32 << 20;

/// The oldest CUDA whose libraries are used.
const OLDEST: usize = 12_000;

/// A library's file, and its versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Version {
    pub path: PathBuf,
    /// As the library numbers itself.
    pub own: usize,
    /// Of the CUDA that it was built for, where it tells: 13000 is 13.0.
    pub cuda: Option<usize>,
}

/// Those of one device.
pub(crate) struct Vendor {
    pub matrices: Matrices,
    pub convolutions: Convolutions,
}

impl Vendor {
    pub(crate) fn new(search: &Search, device: &Arc<Device>) -> Result<Vendor, DeviceError> {
        Ok(Vendor {
            matrices: Matrices::new(search, device, matrices::VARIABLE)?,
            convolutions: Convolutions::new(search, device, convolutions::VARIABLE)?,
        })
    }
}

impl Libraries for Vendor {
    fn product(&self, product: &MatrixProduct, is_whole: bool) -> Option<usize> {
        self.matrices.takes(product, is_whole)
    }

    fn convolution(&self, convolution: &ImageConvolution) -> Option<usize> {
        self.convolutions.takes(convolution)
    }
}

/// Whether a library computes what it can.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Asked {
    ByRule,
    Always,
    Never,
}

impl Asked {
    pub(crate) fn of_environment(variable: &str) -> Result<Asked, DeviceError> {
        match std::env::var(variable).as_deref() {
            Err(_) | Ok("") => Ok(Asked::ByRule),
            Ok("always") => Ok(Asked::Always),
            Ok("never") => Ok(Asked::Never),
            Ok(other) => Err(DeviceError::Unsupported(format!(
                "{variable} is {other:?}; it takes \"always\" and \"never\", and nothing to choose by shape"
            ))),
        }
    }
}

/// The first file of a library that loads and that a driver of this version of CUDA runs.
///
/// # Errors
/// What was found, where, and why it is not taken.
pub(crate) fn first_that_fits<T>(
    search: &Search,
    library: Library,
    driver: i32,
    load: impl Fn(&Path) -> Result<(T, Version), String>,
) -> Result<(T, Version), String> {
    let found = search.find(library);
    let mut refused = Vec::new();
    for path in &found.files {
        let (loaded, version) = match load(path) {
            Ok(loaded) => loaded,
            Err(why) => {
                refused.push(format!("{} does not load: {why}", path.display()));
                continue;
            }
        };
        let Some(cuda) = version.cuda else { return Ok((loaded, version)) };
        let of = format!("{} is of CUDA {}", path.display(), dotted(cuda as i32));
        if cuda < OLDEST {
            refused.push(format!("{of}; {} or newer is needed", dotted(OLDEST as i32)));
        } else if cuda / 1000 > driver as usize / 1000 {
            refused.push(format!("{of}, which the driver of CUDA {} is too old for", dotted(driver)));
        } else {
            return Ok((loaded, version));
        }
    }
    Err(if refused.is_empty() { found.why_missing(library) } else { refused.join("; ") })
}
