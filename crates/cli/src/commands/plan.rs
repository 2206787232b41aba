//! `warploom plan`.

use super::{Ended, with_device};
use crate::args::Plan;
use crate::interrupt::end_at_once;
use crate::output::{bytes, line, table};
use serde_json::{Map, json};
use std::process::ExitCode;
use warploom::device::Program;
use warploom::recipes::{self, Planned};

pub fn plan(given: &Plan) -> Ended {
    end_at_once();
    let overrides = with_device(&given.overrides, "--device", given.device.as_deref())?;
    let recipe = recipes::find(&given.recipe, &overrides)?;
    let Planned { notes, plan, step: recorded, .. } = recipes::plan(&recipe)?;
    let kinds = plan.by_kind();
    let step = plan.step.as_deref();
    let kernels = step.map_or(0, Program::kernel_count);
    // To count what a GPU starts, its kernels are written: nobody else asks for it.
    let started = step.map_or(Ok(0), |step| recorded.device().executor().target().started(step))?;
    if given.json {
        let by_kind: Map<_, _> =
            kinds.iter().map(|(kind, count)| ((*kind).to_owned(), json!(count))).collect();
        line(json!({
            "planned_bytes": plan.planned_bytes(),
            "parameters": plan.parameters,
            "by_kind": by_kind,
            "compile_ms": (plan.compile_ms * 1e3).round() / 1e3,
            "kernels": kernels,
            "kernels_started": started,
            "device": recorded.device().id(),
            "host_ring_bytes": plan.host_ring,
            "batch": plan.batch,
            "precision": recipes::effective_precision(recorded.device()).name(),
            "memory_limit": plan.memory_limit,
            "recomputed": recipes::recomputed(&plan),
            "decisions": notes,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let [train, validation, test] = plan.examples;
    line(format_args!("{} on {}: {} parameters", recipe.name, recorded.device().id(), plan.parameters));
    line(format_args!(
        "{train} examples to learn from, {validation} to watch, {test} to test; {} steps an epoch, batches of {}",
        plan.steps, plan.batch
    ));
    notes.iter().for_each(line);
    let shared = match started == kernels {
        true => String::new(),
        false => format!(", which {} starts as {}", recorded.device().id(), started),
    };
    line(format_args!(
        "{} kernels a step{shared}; all programs compiled in {:.1} ms",
        kernels, plan.compile_ms
    ));
    let about = [
        "weights, optimizer, metrics",
        "between kernels",
        "batches in, results out, loader",
        "copies for speed",
    ];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for ((kind, count), about) in kinds.iter().zip(about) {
        rows.push(vec![format!("{kind:<8} {about}"), bytes(*count)]);
    }
    rows.push(vec!["planned".into(), bytes(plan.planned_bytes())]);
    if let Some(limit) = plan.memory_limit {
        rows.push(vec!["limit".into(), bytes(limit)]);
    }
    table(&rows);
    recorded.program().notes.iter().for_each(line);
    Ok(ExitCode::SUCCESS)
}
