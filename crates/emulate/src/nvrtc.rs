//! NVIDIA's compiler, loaded at run time. It makes machine code for any GPU on a machine that has none.

use crate::build::loader_error;
use std::ffi::{CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{env, fs, mem, ptr};

use warploom_gpu::ENTRY;

/// The compiler.
pub struct Nvrtc {
    create: unsafe extern "C" fn(*mut Handle, *const c_char, *const c_char, c_int, Texts, Texts) -> c_int,
    compile: unsafe extern "C" fn(Handle, c_int, Texts) -> c_int,
    cubin_size: unsafe extern "C" fn(Handle, *mut usize) -> c_int,
    log_size: unsafe extern "C" fn(Handle, *mut usize) -> c_int,
    log: unsafe extern "C" fn(Handle, *mut c_char) -> c_int,
    destroy: unsafe extern "C" fn(*mut Handle) -> c_int,
}

type Handle = *mut c_void;
type Texts = *const *const c_char;

/// What the compiler made of a kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Built {
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of a thread's own memory, for arrays that are indexed by what is not known beforehand.
    pub stack: u32,
    /// Bytes that are stored to memory and loaded again for want of registers.
    pub spilled: u32,
}

impl Nvrtc {
    /// The library that `WARPLOOM_NVRTC` names, that of a Python environment which `VIRTUAL_ENV` names, or the system's.
    /// Without, tests pass and say that they were skipped, unless `WARPLOOM_REQUIRE_NVRTC` is 1.
    ///
    /// # Panics
    /// Where one is required and there is none.
    pub fn find() -> Option<Nvrtc> {
        let found = open();
        if let Err(why) = &found {
            let required = env::var("WARPLOOM_REQUIRE_NVRTC").is_ok_and(|value| value == "1");
            assert!(
                !required,
                "NVRTC is required: {why}; set WARPLOOM_NVRTC to the path of libnvrtc.so, or VIRTUAL_ENV to an \
                 environment with the Python package nvidia-cuda-nvrtc"
            );
            println!("skipped: no NVRTC ({why})");
        }
        found.ok()
    }

    /// Compiles kernels to machine code of an architecture such as `sm_90`, in one go: to begin takes as long as some kernels.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn compile(&self, sources: &[&str], architecture: &str) -> Result<Vec<Built>, String> {
        let apart = |(i, source): (usize, &&str)| {
            format!("#define {ENTRY} kernel{i}\nnamespace kernel_of_{i} {{\n{source}\n}}\n#undef {ENTRY}\n")
        };
        let log =
            self.machine_code(&sources.iter().enumerate().map(apart).collect::<String>(), architecture)?;
        let built = |i: usize| {
            let (_, after) = log.split_once(&format!("entry function 'kernel{i}'"))?;
            let own = after.split("entry function '").next()?;
            Some(Built {
                registers: number_before(own, " registers")?,
                stack: number_before(own, " bytes stack frame")?,
                spilled: number_before(own, " bytes spill stores")?,
            })
        };
        let untold = |i| format!("NVRTC does not tell what kernel {i} needs:\n{log}");
        (0..sources.len()).map(|i| built(i).ok_or_else(|| untold(i))).collect()
    }

    /// Compiles a text; gives what the assembler says.
    fn machine_code(&self, source: &str, architecture: &str) -> Result<String, String> {
        let text = |text: &str| CString::new(text).map_err(|e| e.to_string());
        let (source, name) = (text(source)?, text("kernel.cu")?);
        let architecture = text(&format!("--gpu-architecture={architecture}"))?;
        let (exact, verbose) = (text("--fmad=false")?, text("--ptxas-options=-v")?);
        let options = [architecture.as_ptr(), exact.as_ptr(), verbose.as_ptr()];
        let mut program = ptr::null_mut();
        // SAFETY: all texts live until the end of this function; there are no headers.
        let made = unsafe {
            (self.create)(&mut program, source.as_ptr(), name.as_ptr(), 0, ptr::null(), ptr::null())
        };
        if made != 0 {
            return Err(format!("nvrtcCreateProgram fails with {made}"));
        }
        // SAFETY: the program was made above, the options are as many.
        let compiled = unsafe { (self.compile)(program, options.len() as c_int, options.as_ptr()) };
        let log = self.log(program);
        let mut bytes = 0;
        // SAFETY: the program was made above and is not used again.
        let sized = unsafe {
            let sized = if compiled == 0 { (self.cubin_size)(program, &mut bytes) } else { 0 };
            (self.destroy)(&mut program);
            sized
        };
        if compiled != 0 || sized != 0 || bytes == 0 {
            return Err(format!("NVRTC fails with {compiled}:\n{log}"));
        }
        Ok(log)
    }

    fn log(&self, program: Handle) -> String {
        let mut size = 0;
        // SAFETY: the program is one of this library's.
        if unsafe { (self.log_size)(program, &mut size) } != 0 {
            return String::new();
        }
        let mut text = vec![0u8; size];
        // SAFETY: the text has as many bytes as the library asked for.
        unsafe { (self.log)(program, text.as_mut_ptr().cast()) };
        String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned()
    }
}

/// The number that stands before a unit at its first mention.
fn number_before(log: &str, unit: &str) -> Option<u32> {
    let (before, _) = log.split_once(unit)?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn open() -> Result<Nvrtc, String> {
    let path = place();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // The library looks for its other half by name alone, which finds what is loaded already.
        for part in libraries(folder, "libnvrtc-builtins.so") {
            load(&part)?;
        }
    }
    let library = load(&path)?;
    // SAFETY: the types are those of nvrtc.h.
    unsafe {
        Ok(Nvrtc {
            create: function(library, c"nvrtcCreateProgram")?,
            compile: function(library, c"nvrtcCompileProgram")?,
            cubin_size: function(library, c"nvrtcGetCUBINSize")?,
            log_size: function(library, c"nvrtcGetProgramLogSize")?,
            log: function(library, c"nvrtcGetProgramLog")?,
            destroy: function(library, c"nvrtcDestroyProgram")?,
        })
    }
}

/// Where the library is; a name alone for the system's.
fn place() -> PathBuf {
    if let Some(path) = env::var_os("WARPLOOM_NVRTC") {
        return path.into();
    }
    let packages = env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let pythons = packages.iter().flat_map(|environment| entries(&environment.join("lib")));
    let kits = pythons.flat_map(|python| entries(&python.join("site-packages/nvidia")));
    let mut found = kits.flat_map(|kit| libraries(&kit.join("lib"), "libnvrtc.so"));
    found.next().unwrap_or_else(|| "libnvrtc.so".into())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

fn libraries(folder: &Path, name: &str) -> Vec<PathBuf> {
    let is_named = |path: &PathBuf| {
        path.file_name().and_then(|file| file.to_str()).is_some_and(|file| file.starts_with(name))
    };
    entries(folder).into_iter().filter(is_named).collect()
}

fn load(path: &Path) -> Result<Handle, String> {
    let text = CString::new(path.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: the library is NVIDIA's, or what the user named as such.
    let handle = unsafe { libc::dlopen(text.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if handle.is_null() { Err(loader_error()) } else { Ok(handle) }
}

/// A function of a library.
///
/// # Safety
/// `F` must be the function's type.
unsafe fn function<F: Copy>(library: Handle, name: &std::ffi::CStr) -> Result<F, String> {
    // SAFETY: the handle is that of a loaded library.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    if address.is_null() {
        return Err(loader_error());
    }
    assert_eq!(mem::size_of::<F>(), mem::size_of::<Handle>());
    // SAFETY: both are addresses, and the caller says what is there.
    Ok(unsafe { mem::transmute_copy(&address) })
}
