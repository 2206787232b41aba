//! The library's functions and answers.

use std::ffi::{CStr, c_char, c_uint, c_void};
use std::path::PathBuf;

use libloading::Symbol;

/// What a function answers; 0 is success.
pub(super) type Code = c_uint;
/// The library's name for a GPU.
pub(super) type Handle = *mut c_void;

const NOT_SUPPORTED: Code = 3;
const NO_PERMISSION: Code = 4;
const NOT_FOUND: Code = 6;
const DRIVER_NOT_LOADED: Code = 9;
const GPU_IS_LOST: Code = 15;
const VERSION_MISMATCH: Code = 18;

/// The loaded file.
#[derive(Debug)]
pub(super) struct Library {
    pub path: PathBuf,
    pub file: libloading::Library,
}

impl Library {
    /// Asks a function for `what`, which completes "refused".
    ///
    /// # Safety
    /// `F` is the type that `nvml.h` gives a function of this name, and `call` hands over what the function asks for.
    pub unsafe fn ask<F>(
        &self,
        name: &str,
        what: &str,
        call: impl FnOnce(Symbol<'_, F>) -> Code,
    ) -> Result<(), String> {
        // SAFETY: the caller's promise.
        let function = unsafe { self.file.get(name) }.map_err(|_| {
            let path = self.path.display();
            format!("NVIDIA's management library {path} has no function {name}: update the driver")
        })?;
        let code = call(function);
        if code == 0 {
            return Ok(());
        }
        let advice = match code {
            NOT_SUPPORTED => "it does not tell that of this GPU",
            NO_PERMISSION => "only root may ask for it here",
            NOT_FOUND => "it knows no such GPU; in a container, pass this GPU through",
            DRIVER_NOT_LOADED => "load the driver's kernel module; a container is started with `--gpus all`",
            GPU_IS_LOST => "restart the system, and see its log for what happened to the GPU",
            VERSION_MISMATCH => "the driver was updated since the system started: restart it",
            _ => "see the system's log",
        };
        Err(format!("NVIDIA's management library refused {what}: {} ({code}); {advice}", self.text(code)))
    }

    /// The library's own words for an answer.
    fn text(&self, code: Code) -> String {
        // SAFETY: of this type in `nvml.h`.
        let describe =
            unsafe { self.file.get::<unsafe extern "C" fn(Code) -> *const c_char>("nvmlErrorString") };
        // SAFETY: it takes any number.
        let text = describe.map_or(std::ptr::null(), |describe| unsafe { describe(code) });
        if text.is_null() {
            return "an error".into();
        }
        // SAFETY: not null, and lives as long as the library.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}
