//! NVIDIA's compiler of CUDA C++, loaded when it is there.

use std::ffi::{CStr, CString, c_char, c_int, c_uint};
use std::path::{Path, PathBuf};

use cudarc::nvrtc::sys::nvrtcProgram;
use warploom_device::DeviceError;

use crate::driver::functions;
use crate::search::{FOLDERS_VARIABLE, Library, Search};

functions! {
    /// The compiler's functions that are used.
    Api:
    version = "nvrtcVersion" (*mut c_int, *mut c_int) -> c_uint;
    architecture_count = "nvrtcGetNumSupportedArchs" (*mut c_int) -> c_uint;
    architectures = "nvrtcGetSupportedArchs" (*mut c_int) -> c_uint;
    error_text = "nvrtcGetErrorString" (c_uint) -> *const c_char;
    create = "nvrtcCreateProgram"
        (*mut nvrtcProgram, *const c_char, *const c_char, c_int, *const *const c_char, *const *const c_char) -> c_uint;
    destroy = "nvrtcDestroyProgram" (*mut nvrtcProgram) -> c_uint;
    compile = "nvrtcCompileProgram" (nvrtcProgram, c_int, *const *const c_char) -> c_uint;
    log_size = "nvrtcGetProgramLogSize" (nvrtcProgram, *mut usize) -> c_uint;
    log = "nvrtcGetProgramLog" (nvrtcProgram, *mut c_char) -> c_uint;
    cubin_size = "nvrtcGetCUBINSize" (nvrtcProgram, *mut usize) -> c_uint;
    cubin = "nvrtcGetCUBIN" (nvrtcProgram, *mut c_char) -> c_uint;
}

/// What every kernel is compiled with beside its architecture. A product and a sum are merged where the kernel says so,
/// never by the compiler.
pub const OPTIONS: [&str; 2] = ["--fmad=false", "--std=c++17"];

/// `NVRTC_ERROR_COMPILATION`: the log says what is wrong.
const REJECTED: c_uint = 6;

/// The compiler.
pub struct Compiler {
    api: Api,
    path: PathBuf,
    version: (u32, u32),
    /// Compute capabilities it makes code for, ascending: 90 is 9.0.
    architectures: Vec<u32>,
}

impl Compiler {
    /// Finds and loads the first compiler whose code a driver takes that is of this version of CUDA: 13000 is 13.0. Any is
    /// taken where no driver is named.
    ///
    /// # Errors
    /// [`DeviceError::Missing`] with what was found, where, and what to do.
    pub fn open(search: &Search, driver: Option<i32>) -> Result<Compiler, DeviceError> {
        let found = search.find(Library::Nvrtc);
        let mut refused = Vec::new();
        for path in &found.files {
            match Compiler::load(path) {
                // Code of a newer CUDA within the same major version is taken (CUDA compatibility, minor versions).
                Ok(compiler) if driver.is_none_or(|driver| compiler.version.0 as i32 <= driver / 1000) => {
                    return Ok(compiler);
                }
                Ok(Compiler { version: (major, minor), .. }) => refused.push(format!(
                    "{} is of CUDA {major}.{minor}, which the driver is too old for",
                    path.display()
                )),
                Err(why) => refused.push(format!("{} does not load: {why}", path.display())),
            }
        }
        let why = match (refused.is_empty(), driver) {
            (true, _) => found.why_missing(Library::Nvrtc),
            (false, None) => refused.join("; "),
            (false, Some(driver)) => {
                let major = driver / 1000;
                format!(
                    "{}; update NVIDIA's driver, or install a compiler of CUDA {major} with `pip install \
                     'nvidia-cuda-nvrtc-cu{major}'`; one that lies elsewhere is found by {FOLDERS_VARIABLE}",
                    refused.join("; ")
                )
            }
        };
        Err(DeviceError::Missing(format!("kernels cannot be compiled: {why}")))
    }

    fn load(path: &Path) -> Result<Compiler, String> {
        let api = Api::load(path)?;
        let (mut major, mut minor, mut count) = (0, 0, 0);
        let said = |answer| if answer == 0 { Ok(()) } else { Err(format!("it answers with code {answer}")) };
        // SAFETY: both are written to.
        said(unsafe { (api.version)(&raw mut major, &raw mut minor) })?;
        // SAFETY: `count` is written to.
        said(unsafe { (api.architecture_count)(&raw mut count) })?;
        let mut architectures = vec![0; usize::try_from(count).unwrap_or(0)];
        // SAFETY: as many numbers are written as were announced.
        said(unsafe { (api.architectures)(architectures.as_mut_ptr()) })?;
        let mut architectures: Vec<u32> = architectures.into_iter().map(|number| number as u32).collect();
        architectures.sort_unstable();
        Ok(Compiler { api, path: path.to_owned(), version: (major as u32, minor as u32), architectures })
    }

    /// Its version, that of the CUDA it belongs to.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The architecture to compile for so that a GPU of this compute capability runs the code: the newest of the same major
    /// number that it has.
    ///
    /// # Errors
    /// [`DeviceError::Missing`] where the compiler makes no code for the GPU.
    pub fn architecture(&self, (major, minor): (u32, u32)) -> Result<u32, DeviceError> {
        let fits = |number: &&u32| **number / 10 == major && **number % 10 <= minor;
        self.architectures.iter().rev().find(fits).copied().ok_or_else(|| {
            let is_old = self.architectures.first().is_some_and(|first| first / 10 > major);
            let advice = if is_old { "an older CUDA" } else { "a newer CUDA" };
            DeviceError::Missing(format!(
                "{} of CUDA {}.{} makes no code for compute capability {major}.{minor}: install the compiler of {advice}, \
                 `nvidia-cuda-nvrtc`",
                self.path.display(),
                self.version.0,
                self.version.1
            ))
        })
    }

    /// What the result of [`Compiler::compile`] depends on, as one text.
    pub fn key(&self, source: &str, architecture: u32) -> Vec<u8> {
        let (major, minor) = self.version;
        let options = OPTIONS.join(" ");
        format!("nvrtc {major}.{minor} sm_{architecture} {options}\n{source}").into_bytes()
    }

    /// The cubin of a source. Several threads may compile at once.
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`] with the kernel, the line and what the compiler says.
    pub fn compile(&self, name: &str, source: &str, architecture: u32) -> Result<Vec<u8>, DeviceError> {
        let program = self.program(name, source, architecture, &[])?;
        program
            .cubin()
            .map_err(|answer| unsupported(name, format!("gives no code: {}", self.explain(answer))))
    }

    /// What the assembler says of each kernel of a source: its registers, its stack, what it spills.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn assembled(&self, name: &str, source: &str, architecture: u32) -> Result<String, DeviceError> {
        Ok(self.program(name, source, architecture, &["--ptxas-options=-v"])?.log())
    }

    fn program(
        &self,
        name: &str,
        source: &str,
        architecture: u32,
        more: &[&str],
    ) -> Result<Program<'_>, DeviceError> {
        let unsupported = |why| unsupported(name, why);
        let text = CString::new(source).map_err(|_| unsupported("has a source with a zero in it".into()))?;
        let program = Program::new(&self.api, &text).map_err(|answer| {
            unsupported(format!("is not taken by its compiler: {}", self.explain(answer)))
        })?;
        let architecture = format!("--gpu-architecture=sm_{architecture}");
        let options = [architecture.as_str()].into_iter().chain(OPTIONS).chain(more.iter().copied());
        let options: Vec<CString> = options.map(|option| CString::new(option).unwrap_or_default()).collect();
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        // SAFETY: the program lives; as many options as are announced, each ending in 0, live through the call.
        let answer = unsafe { (self.api.compile)(program.raw, pointers.len() as c_int, pointers.as_ptr()) };
        match answer {
            0 => Ok(program),
            REJECTED => Err(unsupported(rejection(source, &program.log()))),
            other => {
                let (why, log) = (self.explain(other), program.log());
                Err(unsupported(format!("does not compile: {why}; {}", log.trim())))
            }
        }
    }

    fn explain(&self, answer: c_uint) -> String {
        // SAFETY: gives a string of the library's own for every number.
        let text = unsafe { (self.api.error_text)(answer) };
        if text.is_null() {
            return format!("code {answer}");
        }
        // SAFETY: as above.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

fn unsupported(name: &str, why: String) -> DeviceError {
    DeviceError::Unsupported(format!("kernel {name} {why}"))
}

/// A source given to the compiler.
struct Program<'a> {
    api: &'a Api,
    raw: nvrtcProgram,
}

impl Program<'_> {
    fn new<'a>(api: &'a Api, text: &CStr) -> Result<Program<'a>, c_uint> {
        let (mut raw, none) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY: `raw` is written to; the strings end in 0; there are no headers.
        match unsafe { (api.create)(&raw mut raw, text.as_ptr(), c"kernel".as_ptr(), 0, none, none) } {
            0 => Ok(Program { api, raw }),
            answer => Err(answer),
        }
    }

    fn log(&self) -> String {
        let mut size = 0;
        // SAFETY: the program lives; `size` is written to.
        let answer = unsafe { (self.api.log_size)(self.raw, &raw mut size) };
        let mut log = vec![0_u8; size.max(1)];
        // SAFETY: as many bytes are written as were announced.
        if answer != 0 || unsafe { (self.api.log)(self.raw, log.as_mut_ptr().cast()) } != 0 {
            return String::new();
        }
        String::from_utf8_lossy(&log).trim_end_matches('\0').into()
    }

    fn cubin(&self) -> Result<Vec<u8>, c_uint> {
        let mut size = 0;
        // SAFETY: the program lives; `size` is written to.
        let answer = unsafe { (self.api.cubin_size)(self.raw, &raw mut size) };
        if answer != 0 {
            return Err(answer);
        }
        let mut cubin = vec![0; size];
        // SAFETY: as many bytes are written as were announced.
        match unsafe { (self.api.cubin)(self.raw, cubin.as_mut_ptr().cast()) } {
            0 => Ok(cubin),
            answer => Err(answer),
        }
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `new`, used by nothing after this.
        unsafe { (self.api.destroy)(&raw mut self.raw) };
    }
}

/// Lines shown around the place that a message points at.
const AROUND: usize = 3;

/// The first error of a log, whose lines are `kernel(12): error: text`, with the source around it.
fn rejection(source: &str, log: &str) -> String {
    let error = log.lines().find(|line| line.contains("error"));
    let place = error.and_then(|line| {
        let (number, text) = line.strip_prefix("kernel(")?.split_once("): ")?;
        Some((number.parse::<usize>().ok()?, text))
    });
    let Some((line, text)) = place else {
        return format!("is rejected by its compiler: {}", error.unwrap_or(log).trim());
    };
    let mut report = format!("is rejected by its compiler at line {line}: {text}");
    let first = line.saturating_sub(AROUND + 1);
    for (number, content) in (1..).zip(source.lines()).skip(first).take(2 * AROUND + 1) {
        let mark = if number == line { '>' } else { ' ' };
        report.push_str(&format!("\n{mark}{number:5} | {content}"));
    }
    report
}
