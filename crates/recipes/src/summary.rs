//! What a run says of itself in JSON.

use crate::energy::{Energy, figures, parts_object};
use crate::folder::RunFolder;
use crate::precision::effective_precision;
use crate::run::Kept;
use serde_json::{Map, Value, json};
use warploom_tensor::Device;
use warploom_train::{EpochReport, Error, History, Outcome, RunPlan, Scores};

/// Numbers by name; one that is not finite becomes null.
fn object(scores: impl IntoIterator<Item = (String, f64)>) -> Value {
    Value::Object(scores.into_iter().map(|(name, value)| (name, json!(value))).collect::<Map<_, _>>())
}

/// Scores as a JSON object.
pub fn scores_object(scores: &Scores) -> Value {
    object(scores.iter().map(|(name, value)| (name.to_owned(), value)))
}

pub(crate) fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (number * scale).round() / scale
}

/// A line of `metrics.jsonl`; epochs count from 1.
pub(crate) fn epoch_line(report: &EpochReport<'_>, energy: [(&str, Value); 2]) -> Value {
    let mut line = json!({ "epoch": report.epoch });
    for (name, value) in report.scores.iter() {
        line[name] = json!(value);
    }
    line["seconds"] = json!(rounded(report.seconds, 4));
    line["samples_per_second"] = json!(report.samples_per_second.round());
    for (name, value) in energy {
        line[name] = value;
    }
    if report.skipped_steps > 0 {
        line["skipped_steps"] = json!(report.skipped_steps);
    }
    line
}

/// What a memory limit costs a training step, null where nothing is computed again.
pub fn recomputed(plan: &RunPlan) -> Value {
    plan.recomputation.map_or(Value::Null, |cost| {
        json!({
            "values": cost.values,
            "kernels": cost.steps,
            "bytes_saved": cost.arena_before.saturating_sub(cost.arena),
            "more_operations_percent": rounded(100.0 * cost.operations, 2),
        })
    })
}

/// What `run.json` keeps of a run's memory.
pub(crate) fn memory(plan: &RunPlan, peak_bytes: u64) -> Value {
    json!({
        "batch": plan.batch,
        "limit": plan.memory_limit,
        "planned_bytes": plan.planned_bytes(),
        "peak_bytes": peak_bytes,
        "recomputed": recomputed(plan),
    })
}

/// The scores of the epoch whose weights were kept: the last, where no other was.
pub(crate) fn scores_kept(history: &History, kept: Option<&Kept>) -> Scores {
    let epochs = history.epochs();
    kept.map_or(epochs.last(), |kept| epochs.get(kept.epoch - 1)).cloned().unwrap_or_default()
}

/// What `summary.json` keeps of a run that failed.
pub(crate) fn failed(folder: &RunFolder, device: &Device, error: &Error) -> Value {
    json!({
        "run": folder.path().display().to_string(),
        "device": device.id(),
        "status": "failed",
        "reason": error.to_string(),
    })
}

/// What `--json` prints and `summary.json` keeps.
pub(crate) fn summary(
    folder: &RunFolder,
    device: &Device,
    history: &History,
    kept: Option<&Kept>,
    peak_bytes: u64,
    (energy, learned): (&Energy, usize),
) -> Value {
    let [(_, joules), (_, samples_per_joule)] = figures(energy, learned);
    let last = scores_kept(history, kept);
    let watched = |name: &str| name.strip_prefix("val_").map(str::to_owned);
    let train = object(last.iter().filter(|(n, _)| watched(n).is_none()).map(|(n, v)| (n.to_owned(), v)));
    let validation = object(last.iter().filter_map(|(n, v)| Some((watched(n)?, v))));
    let test = history.test().map_or_else(|| json!({}), scores_object);
    let mut summary = json!({
        "run": folder.path().display().to_string(),
        "device": device.id(),
        "seconds": rounded(history.seconds(), 4),
        "epochs": history.epochs().len(),
        "metrics": { "train": train, "validation": validation, "test": test },
        "planned_bytes": history.plan().planned_bytes(),
        "peak_bytes": peak_bytes,
        "launches_per_step": rounded(history.launches_per_step(), 6),
        "joules": joules,
        "samples_per_second": history.samples_per_second().round(),
        "samples_per_joule": samples_per_joule,
        "energy": parts_object(energy),
    });
    summary["batch"] = json!(history.plan().batch);
    let (asked, ran) = (device.precision(), effective_precision(device));
    summary["precision"] = json!(ran.name());
    if asked != ran {
        summary["precision_asked"] = json!(asked.name());
    }
    if history.overflowed_steps() > 0 {
        summary["overflowed_steps"] = json!(history.overflowed_steps());
    }
    if let Some(limit) = history.plan().memory_limit {
        summary["memory_limit"] = json!(limit);
        summary["recomputed"] = recomputed(history.plan());
    }
    if let Some(kept) = kept {
        summary["best_epoch"] = json!(kept.epoch);
    }
    if history.skipped_steps() > 0 {
        summary["skipped_steps"] = json!(history.skipped_steps());
    }
    match history.outcome() {
        Outcome::Interrupted => summary["interrupted"] = json!(true),
        Outcome::Stopped => summary["stopped_early"] = json!(true),
        Outcome::Finished => {}
    }
    summary
}
