//! NVIDIA's management library: the energy counter of a GPU, and how the GPU is doing.
//!
//! It comes with the driver and is loaded when it is asked for. Functions are looked up one by one, so that an older library
//! lacks only what it lacks. Source: <https://docs.nvidia.com/deploy/nvml-api>.
#![allow(
    unsafe_code,
    reason = "every call of the library is one of foreign code; nothing else here is unsafe"
)]

mod gpu;
mod library;

use std::ffi::{CStr, CString, OsStr, c_char, c_uint};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Uncounted;
pub use gpu::Gpu;
use library::{Code, Handle, Library};

/// Names folders in which alone NVIDIA's libraries are searched, separated as in `PATH`.
pub const FOLDERS_VARIABLE: &str = "WARPLOOM_CUDA_PATH";

const FILE: &str = if cfg!(windows) { "nvml.dll" } else { "libnvidia-ml.so.1" };

/// Where drivers put it and the system's loader may not look: on WSL, in containers, on NixOS.
const FOLDERS: [&str; 3] = ["/usr/lib/wsl/lib", "/usr/local/nvidia/lib64", "/run/opengl-driver/lib"];

const ADVICE: &str = "install NVIDIA's driver for this system; in a container, start it with the GPU passed through \
                      (`docker run --gpus all`)";

/// Texts are shorter: the longest that is asked for is the driver's version, 80 bytes.
const TEXT_BYTES: usize = 96;

/// The library, started.
#[derive(Debug)]
pub struct Nvml {
    library: Library,
}

/// Files of the library in the order in which they are tried. A bare name is for the system's loader.
fn files(folders: Option<&OsStr>) -> Vec<PathBuf> {
    match folders.filter(|folders| !folders.is_empty()) {
        Some(folders) => std::env::split_paths(folders).map(|folder| folder.join(FILE)).collect(),
        None => {
            let others = FOLDERS.iter().map(|folder| Path::new(folder).join(FILE));
            std::iter::once(PathBuf::from(FILE)).chain(others).collect()
        }
    }
}

impl Nvml {
    /// Loads and starts the library of this system.
    ///
    /// # Errors
    /// What is missing or refused, and what to do.
    pub fn open() -> Result<Arc<Nvml>, Uncounted> {
        Nvml::open_first(&files(std::env::var_os(FOLDERS_VARIABLE).as_deref()))
    }

    /// The same with the first of these files that is there.
    ///
    /// # Errors
    /// As [`Nvml::open`].
    pub fn open_first(files: &[PathBuf]) -> Result<Arc<Nvml>, Uncounted> {
        for path in files {
            // SAFETY: the file has the name of a library of NVIDIA's, whose initialisers may run in any program.
            match unsafe { libloading::Library::new(path) } {
                Ok(file) => return Nvml::start(Library { path: path.clone(), file }).map_err(Uncounted::new),
                Err(error) if path.exists() => {
                    let why =
                        format!("NVIDIA's management library {} does not load: {error}", path.display());
                    return Err(Uncounted::advised(why, ADVICE));
                }
                Err(_) => {}
            }
        }
        let tried: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let why = format!("NVIDIA's management library was not found, tried {}", tried.join(", "));
        Err(Uncounted::advised(why, ADVICE))
    }

    fn start(library: Library) -> Result<Arc<Nvml>, String> {
        // SAFETY: of this type in `nvml.h`; it may be called any number of times.
        unsafe { library.ask::<unsafe extern "C" fn() -> Code>("nvmlInit_v2", "to start", |init| init())? };
        Ok(Arc::new(Nvml { library }))
    }

    /// The file it was loaded from, or its name where the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.library.path
    }

    /// The driver's own version, such as `580.65.06`.
    ///
    /// # Errors
    /// What the library says.
    pub fn driver_version(&self) -> Result<String, String> {
        let mut text: [c_char; TEXT_BYTES] = [0; TEXT_BYTES];
        let (name, what) = ("nvmlSystemGetDriverVersion", "the driver's version");
        // SAFETY: of this type in `nvml.h`; the length handed over is the array's.
        unsafe {
            self.library.ask::<unsafe extern "C" fn(*mut c_char, c_uint) -> Code>(name, what, |version| {
                version(text.as_mut_ptr(), TEXT_BYTES as c_uint)
            })?;
        }
        let bytes = text.map(|letter| letter as u8);
        Ok(CStr::from_bytes_until_nul(&bytes).map_or_else(|_| "".into(), CStr::to_string_lossy).into_owned())
    }

    /// A GPU by its UUID without the prefix, as `b2f5f1b6-0c9d-4d1c-8f4e-4a1f6e0f7a11`, or by its place on the bus, as
    /// `0000:65:00.0`.
    ///
    /// # Errors
    /// What the library says.
    pub fn gpu(self: &Arc<Nvml>, id: &str) -> Result<Gpu, String> {
        if id.contains(':') {
            return Ok(Gpu::new(self, self.handle("nvmlDeviceGetHandleByPciBusId_v2", id)?, false));
        }
        // A slice of a GPU has a UUID of its own, which nothing but its prefix tells from a whole one's.
        let named = |prefix: &str| self.handle("nvmlDeviceGetHandleByUUID", &format!("{prefix}-{id}"));
        match named("GPU") {
            Ok(handle) => Ok(Gpu::new(self, handle, false)),
            Err(why) => named("MIG").map(|handle| Gpu::new(self, handle, true)).map_err(|_| why),
        }
    }

    fn handle(&self, function: &str, id: &str) -> Result<Handle, String> {
        let text = CString::new(id).map_err(|_| format!("no GPU has the id {id:?}"))?;
        let mut handle: Handle = std::ptr::null_mut();
        // SAFETY: both functions are of this type in `nvml.h`; the text ends with a zero, `handle` is written to.
        unsafe {
            self.library.ask::<unsafe extern "C" fn(*const c_char, *mut Handle) -> Code>(
                function,
                &format!("the GPU {id}"),
                |find| find(text.as_ptr(), &raw mut handle),
            )?;
        }
        Ok(handle)
    }
}

impl Drop for Nvml {
    fn drop(&mut self) {
        // SAFETY: of this type in `nvml.h`; it was started, and nothing that holds a handle is left.
        let _ = unsafe {
            self.library.ask::<unsafe extern "C" fn() -> Code>("nvmlShutdown", "to end", |end| end())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_are_named_are_searched_alone() {
        let usual = files(None);
        assert_eq!(usual, files(Some(OsStr::new(""))));
        assert_eq!(usual[..2], [PathBuf::from(FILE), Path::new("/usr/lib/wsl/lib").join(FILE)]);
        let named = std::env::join_paths(["/a", "/b"]).unwrap();
        assert_eq!(files(Some(&named)), ["/a", "/b"].map(|folder| Path::new(folder).join(FILE)));
    }
}
