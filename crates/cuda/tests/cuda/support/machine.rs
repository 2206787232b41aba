//! A machine with NVIDIA's libraries but no GPU: a driver and a compiler that only say what they were asked, and this test
//! binary run again with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that is gone at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("warploom-cuda-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The libraries of a machine, compiled from the sources beside this file. Nothing where there is no C compiler.
pub fn build(folder: &Path, libraries: &[(&str, &str)]) -> Option<()> {
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../cuda/tests/fake"));
    for (source, library) in libraries {
        let part = folder.join(format!("part-{}-{library}", std::process::id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&part).arg(sources.join(source));
        // Libraries of a machine find each other by name.
        compiler.arg(format!("-Wl,-soname,{library}")).args(["-lm", "-ldl"]);
        match compiler.status() {
            Ok(status) => assert!(status.success(), "{source} does not compile"),
            Err(error) => {
                println!("skipped: no C compiler: {error}");
                return None;
            }
        }
        // Whole at once: other processes of these tests may load it.
        fs::rename(part, folder.join(library)).unwrap();
    }
    Some(())
}

/// Driver and compiler, built once in a process.
pub fn machine() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine");
        fs::create_dir_all(&folder).unwrap();
        build(&folder, &[("driver.c", "libcuda.so.1"), ("nvrtc.c", "libnvrtc.so.13")])?;
        Some(folder)
    });
    built.as_deref()
}

/// What a process did.
pub struct Outcome {
    /// What it printed.
    pub printed: String,
    /// The calls of the driver, in order.
    pub log: Vec<String>,
    pub succeeded: bool,
}

impl Outcome {
    /// How many calls begin so.
    pub fn count(&self, prefix: &str) -> usize {
        self.log.iter().filter(|line| line.starts_with(prefix)).count()
    }

    /// The line behind `error: ` of what was printed.
    pub fn error(&self) -> &str {
        self.printed.split("error: ").nth(1).unwrap_or("").lines().next().unwrap_or("")
    }

    /// Nothing was left behind at the end.
    pub fn assert_clean(&self) {
        let left = self.log.iter().find(|line| line.starts_with("left "));
        let nothing =
            "left memories=0 pinned=0 modules=0 graphs=0 executables=0 events=0 streams=0 contexts=0";
        assert_eq!(left.map(String::as_str), Some(nothing), "{}\n{}", self.printed, self.log.join("\n"));
        let libraries = self.log.iter().filter(|line| line.starts_with("unreturned "));
        for left in libraries {
            assert_eq!(left, "unreturned handles=0 descriptors=0", "{}", self.printed);
        }
    }
}

/// Runs the ignored test `scenario` of this binary in a process whose libraries lie in a folder alone.
pub fn again(scenario: &str, libraries: &Path, environment: &[(&str, &str)]) -> Outcome {
    let folder = Folder::new();
    let log = folder.path().join("log");
    let output = Command::new(std::env::current_exe().unwrap())
        .args([scenario, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("WARPLOOM_CUDA_PATH", libraries)
        .env("WARPLOOM_CACHE", "")
        .env("FAKE_LOG", &log)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let log = fs::read_to_string(log).unwrap_or_default();
    Outcome {
        printed: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into(),
        log: log.lines().map(|line| line.trim_end().to_owned()).collect(),
        succeeded: output.status.success(),
    }
}
