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
    let (folder, recipe) = RunFolder::open(&given.run, &given.overrides)?;
    let scores = recipes::evaluate(&folder, &recipe, given.data.as_deref())?;
    match given.json {
        true => line(json!({ "metrics": { "test": scores_object(&scores) } })),
        false => line(format_args!("test: {scores}")),
    }
    Ok(ExitCode::SUCCESS)
}
