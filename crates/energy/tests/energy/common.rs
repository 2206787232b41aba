//! Counters that a test moves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that is gone at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("warploom-energy-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file whole: whoever reads meanwhile sees what was there before.
    pub fn write(&self, name: &str, content: impl ToString) {
        let (path, part) = (self.0.join(name), self.0.join("part"));
        fs::write(&part, format!("{}\n", content.to_string())).unwrap();
        fs::rename(part, path).unwrap();
    }

    /// A zone of the powercap tree.
    pub fn zone(&self, zone: &str, name: &str, range: u64, microjoules: u64) {
        fs::create_dir_all(self.0.join(zone)).unwrap();
        self.write(&format!("{zone}/name"), name);
        self.write(&format!("{zone}/max_energy_range_uj"), range);
        self.write(&format!("{zone}/energy_uj"), microjoules);
    }

    /// The management library in this folder, or nothing without a C compiler: tests then pass and say that they were skipped,
    /// unless `WARPLOOM_REQUIRE_CPP` is 1.
    pub fn library(&self, flags: &[&str]) -> Option<PathBuf> {
        let library = self.0.join("libnvidia-ml.so.1");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library);
        compiler.arg(format!("-DFOLDER=\"{}\"", self.0.display())).args(flags);
        compiler.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake/nvml.c"));
        match compiler.status() {
            Ok(status) => assert!(status.success(), "the library does not compile"),
            Err(error) => {
                let required = std::env::var("WARPLOOM_REQUIRE_CPP").is_ok_and(|value| value == "1");
                assert!(
                    !required,
                    "a C compiler is required and not found (Debian: apt install gcc): {error}"
                );
                println!("skipped: no C compiler: {error}");
                return None;
            }
        }
        Some(library)
    }

    /// Calls of the library so far.
    pub fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.0.join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
