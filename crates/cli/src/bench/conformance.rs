//! A device against the reference, in this process: every op, products, random programs. A line of JSON for each part.

use super::Setting;
use crate::commands::Ended;
use crate::output::line;
use serde_json::json;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use warploom_conformance::suite::{Outcome, ops, products_and_rows, run_all, run_random};

/// What it is called where it runs.
pub const NAME: &str = "conformance";

/// What its rows are called, in order.
pub const PARTS: [&str; 3] = ["ops and casts", "products and rows", "random programs"];

/// As many as the suite's longest runs.
const PROGRAMS: u64 = 10_000;

/// Runs the parts until the budget is spent.
pub fn run(setting: &Setting) -> Ended {
    let device = setting.device.executor().as_ref();
    let deadline = Instant::now() + Duration::from_secs_f64(setting.budget.min(1e6));
    let [singles, products, random] = PARTS;
    part(singles, || run_all(ops(device), device, deadline));
    part(products, || run_all(products_and_rows(device), device, deadline));
    part(random, || run_random(PROGRAMS, device, deadline));
    Ok(ExitCode::SUCCESS)
}

fn part(name: &str, body: impl FnOnce() -> Outcome) {
    let began = Instant::now();
    let outcome = body();
    let seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    line(json!({ "part": name, "ran": outcome.ran, "wrong": outcome.wrong, "seconds": seconds }));
}
