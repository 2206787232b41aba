//! How the scripts of other frameworks are called for the same work.

use crate::child;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use warploom::cuda::gpus;
use warploom::tensor::{Device, Precision};
use warploom::{Error, Result};

/// A framework in one of its modes.
#[derive(Debug)]
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

/// How long Python may take to tell its version: on a busy machine with a cold disk it needs seconds.
const ANSWER: Duration = Duration::from_secs(30);

const TORCH: &str = "bench_torch.py";

/// Name, script, mode, and the workloads that have the mode.
const MODES: [(&str, &str, &str, &[&str]); 4] = [
    ("torch eager", TORCH, "eager_fused", &[]),
    ("torch compile", TORCH, "compile", &[]),
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
/// The folder has none of the scripts; Python does not start or does not answer.
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
    answers(python, ANSWER)?;
    Ok(found)
}

/// Asks Python for its version.
///
/// # Errors
/// It does not start, or has no answer in time.
fn answers(python: &Path, limit: Duration) -> Result<()> {
    let ended = child::run(Command::new(python).arg("--version"), Instant::now() + limit);
    match ended.map_err(Error::io("start", python))?.status {
        Some(_) => Ok(()),
        None => Err(Error::invalid(format!(
            "`{} --version` did not answer within {} s; name a Python that works with --python",
            python.display(),
            limit.as_secs()
        ))),
    }
}

impl Peer {
    /// Whether the mode is one for this workload, and the script has the precision.
    pub fn has(&self, workload: &str, precision: Precision) -> bool {
        let is_torch = self.script.ends_with(TORCH);
        let in_precision = match precision {
            Precision::F32 | Precision::Tf32 => true,
            Precision::Bf16 => is_torch,
            Precision::F16 => false,
        };
        in_precision && (self.workloads.is_empty() || self.workloads.contains(&workload))
    }

    /// The call for a workload.
    pub fn command(&self, workload: &str, precision: Precision, budget: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(["--workload", workload, "--mode", self.mode]);
        command.args(["--device", self.device, "--budget", budget]);
        // Unless it is told, JAX multiplies f32 in TF32 on a GPU.
        let of_jax = if precision == Precision::F32 { "float32" } else { "tensorfloat32" };
        command.env("JAX_DEFAULT_MATMUL_PRECISION", of_jax);
        if self.script.ends_with(TORCH) {
            match precision {
                Precision::F32 | Precision::F16 => {}
                Precision::Tf32 => drop(command.arg("--tf32")),
                Precision::Bf16 => drop(command.args(["--amp", "bf16"])),
            }
        }
        command
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_interpreter_that_hangs_is_refused() {
        let folder = std::env::temp_dir().join(format!("warploom-python-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let script = |name: &str, body: &str| {
            let path = folder.join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let (long, began) = (Duration::from_secs(30), Instant::now());
        answers(&script("answering", "echo 3"), long).unwrap();
        let error =
            answers(&script("hanging", "exec sleep 60"), Duration::from_secs(1)).unwrap_err().to_string();
        assert!(error.contains("hanging --version` did not answer within 1 s"), "{error}");
        let error = answers(&folder.join("none"), long).unwrap_err().to_string();
        assert!(error.contains("could not start"), "{error}");
        assert!(began.elapsed() < long);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
