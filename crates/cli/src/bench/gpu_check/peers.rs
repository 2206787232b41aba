//! How the scripts of other frameworks are called for the same work.

use std::path::{Path, PathBuf};
use std::process::Command;
use warploom::cuda::gpus;
use warploom::tensor::Device;
use warploom::{Error, Result};

/// A framework in one of its modes.
pub struct Peer {
    /// Such as `torch compile`.
    pub name: &'static str,
    script: PathBuf,
    python: PathBuf,
    mode: &'static str,
    device: &'static str,
    /// All, if there are none.
    workloads: &'static [&'static str],
}

/// Name, script, mode, and the workloads that have the mode.
const MODES: [(&str, &str, &str, &[&str]); 4] = [
    ("torch eager", "bench_torch.py", "eager_fused", &[]),
    ("torch compile", "bench_torch.py", "compile", &[]),
    ("jax", "bench_jax.py", "jit", &[]),
    ("jax scan", "bench_jax.py", "jit_scan", &["W1", "W2"]),
];

/// The name of whoever printed a row.
pub fn name(framework: &str, mode: &str) -> String {
    let of = |(_, script, known, _): &&(&str, &str, &str, &[&str])| {
        script.trim_start_matches("bench_").trim_end_matches(".py") == framework && *known == mode
    };
    MODES.iter().find(of).map_or_else(|| format!("{framework} {mode}"), |row| row.0.to_owned())
}

/// The peers of a folder, on a GPU of CUDA where there is one and ours is not the CPU.
///
/// # Errors
/// The folder has none of the scripts.
pub fn find(folder: &Path, python: &Path, device: &Device) -> Result<Vec<Peer>> {
    let has_cuda = device.id() != "cpu" && gpus().is_ok_and(|gpus| !gpus.is_empty());
    let found = MODES.into_iter().filter_map(|(name, script, mode, workloads)| {
        let script = folder.join(script);
        let device = if has_cuda { "cuda" } else { "cpu" };
        let python = python.into();
        script.is_file().then_some(Peer { name, script, python, mode, device, workloads })
    });
    let found: Vec<Peer> = found.collect();
    if found.is_empty() {
        let path = folder.display();
        return Err(Error::invalid(format!("--peers {path} has no bench_torch.py and no bench_jax.py")));
    }
    Ok(found)
}

impl Peer {
    /// Whether the mode is one for this workload.
    pub fn has(&self, workload: &str) -> bool {
        self.workloads.is_empty() || self.workloads.contains(&workload)
    }

    /// The call for a workload.
    pub fn command(&self, workload: &str, budget: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(["--workload", workload, "--mode", self.mode]);
        command.args(["--device", self.device, "--budget", budget]);
        command
    }
}
