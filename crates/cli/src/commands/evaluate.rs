//! `warploom evaluate`.

use super::Ended;
use crate::args::Evaluate;
use crate::interrupt::end_at_once;
use crate::output::line;
use serde_json::json;
use std::process::ExitCode;
use warploom::recipes::{self, RunFolder, scores_object};

pub fn evaluate(given: &Evaluate) -> Ended {
    end_at_once();
    let mut overrides = given.overrides.clone();
    if let Some(data) = &given.data {
        overrides.push(format!("data.path={}", data.display()));
    }
    let (folder, recipe) = RunFolder::open(&given.run, &overrides)?;
    let scores = recipes::evaluate(&folder, &recipe)?;
    match given.json {
        true => line(json!({ "metrics": { "test": scores_object(&scores) } })),
        false => line(format_args!("test: {scores}")),
    }
    Ok(ExitCode::SUCCESS)
}
