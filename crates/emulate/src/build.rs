//! Kernels compiled by the system's C++ compiler.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, panic, process, thread};

use warploom_gpu::ENTRY;

/// A compiled kernel: addresses of its arguments, blocks along three axes, threads of a block, the seed of their order; gives
/// what is wrong with the kernel, or null.
pub(crate) type Launch = unsafe extern "C" fn(*const *mut c_void, *const u32, u32, u64) -> *const c_char;

/// Kernels of one file: to begin a file takes as long as some kernels, and files are compiled side by side.
const KERNELS: usize = 48;

/// What every compilation is given: one rounding for each operation, as kernels expect.
const FLAGS: [&str; 7] = [
    "-std=c++17",
    "-O1",
    "-march=native",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    // It takes jumps between stacks for mistakes.
    "-U_FORTIFY_SOURCE",
    "-w",
];

/// The header with which kernels are ordinary C++: threads as fibers, warps, barriers, copies.
pub const EMULATION: &str = concat!(include_str!("emulation.hpp"), "\n", include_str!("warp.hpp"));

/// What stands in sources whose threads wait for each other.
const WAITS: [&str; 3] = ["__sync", "_sync(", "emulation::"];

/// Whether there is a C++ compiler. Without, tests pass and say that they were skipped, unless `WARPLOOM_REQUIRE_CPP` is 1.
///
/// # Panics
/// Where one is required and there is none.
pub fn is_available() -> bool {
    let found = Command::new("g++").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        let required = env::var("WARPLOOM_REQUIRE_CPP").is_ok_and(|value| value == "1");
        assert!(!required, "g++ is required and not found: install it (Debian: apt install g++)");
        println!("skipped: no g++");
    }
    found
}

/// Kernels by their sources.
pub(crate) fn build(sources: &[&str]) -> Result<HashMap<String, Launch>, String> {
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get());
    let each = sources.len().div_ceil(threads).clamp(1, KERNELS);
    let files: Vec<&[&str]> = sources.chunks(each).collect();
    let mut kernels = HashMap::new();
    for side_by_side in files.chunks(threads) {
        let built: Vec<_> = thread::scope(|scope| {
            let started: Vec<_> = side_by_side.iter().map(|file| scope.spawn(|| build_file(file))).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
            };
            started.into_iter().map(join).collect()
        });
        for (file, launches) in side_by_side.iter().zip(built) {
            kernels.extend(file.iter().map(|source| (*source).to_owned()).zip(launches?));
        }
    }
    Ok(kernels)
}

fn build_file(sources: &[&str]) -> Result<Vec<Launch>, String> {
    let folder = Folder::new()?;
    let library = folder.path("kernels.so");
    compile(&folder, &text(sources, Shared::Together), &["-shared", "-fPIC"], &library)?;
    let path = CString::new(library.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: the library was just made of a text that runs nothing when it is loaded.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(format!("the compiled kernels cannot be loaded: {}", loader_error()));
    }
    (0..sources.len()).map(|i| launch(handle, i)).collect()
}

/// The function that launches kernel `i`. Libraries stay loaded as long as the process lives.
fn launch(handle: *mut c_void, i: usize) -> Result<Launch, String> {
    let name = CString::new(format!("launch{i}")).map_err(|e| e.to_string())?;
    // SAFETY: the handle is that of a loaded library.
    let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
    if address.is_null() {
        return Err(loader_error());
    }
    // SAFETY: functions of this name have this type, see `text`.
    Ok(unsafe { std::mem::transmute::<*mut c_void, Launch>(address) })
}

fn loader_error() -> String {
    // SAFETY: gives null or a text that lives until the next call of the loader on this thread.
    let message = unsafe { libc::dlerror() };
    if message.is_null() {
        return "the loader does not say why".into();
    }
    // SAFETY: not null, see above.
    unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned()
}

/// Where the variables lie that a block shares.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shared {
    /// In a section for each kernel, which is overwritten before each block.
    Together,
    /// Where the compiler puts them: sanitizers keep only such variables apart.
    Apart,
}

/// One file of all kernels, each in a namespace of its own, with a function that launches it.
pub(crate) fn text(sources: &[&str], shared: Shared) -> String {
    let mut text = EMULATION.to_owned();
    for (i, source) in sources.iter().enumerate() {
        let section = match shared {
            Shared::Together => format!(" __attribute__((section(\"shared{i}\")))"),
            Shared::Apart => String::new(),
        };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "#define __shared__ static{section}\n\
             #define {ENTRY} kernel{i}\n\
             namespace kernel_of_{i} {{\n{source}\n}}\n\
             #undef {ENTRY}\n\
             #undef __shared__\n\
             #line 1 \"launch\"\n\
             extern \"C\" {{\n\
             extern char __start_shared{i}[] __attribute__((weak, visibility(\"hidden\")));\n\
             extern char __stop_shared{i}[] __attribute__((weak, visibility(\"hidden\")));\n\
             const char *launch{i}(void *const *arguments, const unsigned *groups, unsigned threads, \
             unsigned long long seed) {{\n\
             return emulation::run({{emulation::Kernel<kernel_of_{i}::warploom::kernel{i}>::call, arguments, \
             {{groups[0], groups[1], groups[2]}}, threads, {waits}, __start_shared{i}, \
             size_t(__stop_shared{i} - __start_shared{i}), seed}});\n}}\n}}\n",
            waits = WAITS.iter().any(|wait| source.contains(wait)),
        );
    }
    text
}

/// Compiles a text.
pub(crate) fn compile(folder: &Folder, text: &str, flags: &[&str], output: &Path) -> Result<(), String> {
    let file = folder.path("kernels.cpp");
    fs::write(&file, text).map_err(|e| format!("{} cannot be written: {e}", file.display()))?;
    let output = Command::new("g++").args(FLAGS).args(flags).arg(&file).arg("-o").arg(output).output();
    let output = output.map_err(|e| format!("g++ cannot be started: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first: Vec<&str> = said.lines().take(20).collect();
    Err(format!("g++ rejects the kernels:\n{}", first.join("\n")))
}

/// A folder for a compilation, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Folder, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("warploom-emulate-{}-{number}", process::id()));
        fs::create_dir_all(&path).map_err(|e| format!("{} cannot be made: {e}", path.display()))?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's folder for what is temporary.
        let _ = fs::remove_dir_all(&self.0);
    }
}
