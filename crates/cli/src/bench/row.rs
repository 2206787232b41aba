//! Measurements as JSON rows and as rows for people.

use super::measure::Samples;
use super::workloads::Workload;
use crate::output::line;
use serde_json::{Map, Value, json};
use warploom::tensor::{Device, Precision};

/// What was measured.
pub struct Row<'a> {
    /// Such as `W3_mlp`.
    pub workload: &'a str,
    /// `recorded`: replayed; `plain`: recorded again each round; `fit`: through fit.
    pub mode: &'a str,
    /// `train` or `infer`.
    pub phase: &'a str,
    /// Samples in one measured unit.
    pub batch: Option<usize>,
    /// From the recording to the program ready to run.
    pub compile_ms: f64,
}

/// A number with so many digits behind the point.
pub fn rounded(number: f64, digits: i32) -> Value {
    let scale = 10f64.powi(digits);
    json!((number * scale).round() / scale)
}

/// Prints a row, with `extra` keys at its end.
pub fn emit(row: &Row<'_>, device: &Device, samples: &Samples, extra: Map<String, Value>) {
    let (median, least) = (samples.median(), samples.quantile(0.0));
    let first = samples.first_ms + row.compile_ms;
    let mut value = json!({
        "framework": "warploom",
        "version": env!("CARGO_PKG_VERSION"),
        "mode": row.mode,
        "device": device.id(),
        "threads": device.capabilities().threads,
        "precision": device.precision().name(),
        "amp": if device.precision() == Precision::F32 { "none" } else { device.precision().name() },
        "workload": row.workload,
        "phase": row.phase,
        "batch": row.batch,
        "ms_median": rounded(median, 5),
        "ms_min": rounded(least, 5),
        "samples_per_s": row.batch.map(|batch| rounded(batch as f64 / median * 1e3, 1)),
        "peak_rss_mb": peak_rss_mb(),
        "compile_s": rounded((first - median).max(0.0) / 1e3, 4),
        "n": samples.ms.len(),
        "quiet": samples.quiet,
        "n_dirty": samples.dirty,
        "other_cpu_pct": rounded(100.0 * samples.other, 1),
        "ms_p90": rounded(samples.quantile(0.9), 5),
    });
    if let Some(object) = value.as_object_mut() {
        object.extend(extra);
    }
    line(value);
}

/// A row for what is not built yet.
pub fn not_built(workload: &Workload) -> Value {
    json!({
        "framework": "warploom",
        "version": env!("CARGO_PKG_VERSION"),
        "workload": format!("{}_{}", workload.id, workload.name),
        "status": "not built yet",
    })
}

/// Columns of [`readable`].
pub const HEADINGS: [&str; 9] =
    ["workload", "device", "precision", "phase", "mode", "batch", "median ms", "least ms", "samples/s"];

/// The row for people.
pub fn readable(value: &Value) -> Vec<String> {
    let text = |key: &str| match &value[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if value.get("status").is_some() {
        return vec![text("workload"), text("status")];
    }
    let keys =
        ["workload", "device", "precision", "phase", "mode", "batch", "ms_median", "ms_min", "samples_per_s"];
    let mut row: Vec<String> = keys.iter().map(|key| text(key)).collect();
    for (key, unit) in
        [("final_loss", "final loss"), ("gflops", "GFLOP/s"), ("gbps", "GB/s"), ("kernels", "kernels a step")]
    {
        if value.get(key).is_some() {
            row.push(format!("{} {unit}", text(key)));
        }
    }
    row
}

/// Most resident memory of this process so far; `None` where the system does not say.
pub fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let text = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = text.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kibibytes / 1024.0 * 10.0).round() / 10.0)
}
