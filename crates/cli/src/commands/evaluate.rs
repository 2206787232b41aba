//! `warploom evaluate`.

use super::{Ended, one_answer};
use crate::args::Evaluate;
use crate::interrupt::end_at_once;
use crate::output::{line, note};
use serde_json::json;
use std::process::ExitCode;
use warploom::recipes::energy::{figures, parts_object};
use warploom::recipes::{self, Evaluated, RunFolder, scores_object};
use warploom::{Error, Result};

pub fn evaluate(given: &Evaluate) -> Ended {
    end_at_once();
    if let Some(path) = &given.data {
        one_answer(&given.overrides, "data.path", ("--data", &path.to_string_lossy()))?;
    }
    given.overrides.iter().try_for_each(|setting| refuse_other(setting))?;
    let (folder, recipe) = RunFolder::open(&given.run, &given.overrides)?;
    let evaluated = recipes::evaluate(&folder, &recipe, given.data.as_deref())?;
    let Evaluated { scores, examples, learned_from, energy, device, precision, numbers } = evaluated;
    if let Some(text) = folder.unfinished(&recipe) {
        note(text);
    }
    let plural = if examples == 1 { "" } else { "s" };
    let which = if learned_from { ", those learned from" } else { "" };
    if given.json {
        let mut object = json!({
            "metrics": { "test": scores_object(&scores) }, "examples": examples, "device": device,
            "precision": precision.name(),
        });
        for (name, value) in figures(&energy, examples) {
            object[name] = value;
        }
        object["energy"] = parts_object(&energy);
        line(object);
    } else {
        line(format_args!("test: {scores}  ({examples} example{plural}{which}{numbers})"));
        if let Some(known) = energy.known() {
            note(format_args!("energy: {known} (everything that ran there included)"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Another split would test on what was learned from, and what belongs to training alone would be passed over.
fn refuse_other(setting: &str) -> Result<()> {
    let key = setting.split_once('=').map_or(setting, |(key, _)| key).trim();
    let of_a_test = ["device", "memory_limit", "train.batch", "train.precision"];
    if of_a_test.contains(&key) || key.starts_with("data.") {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "evaluate takes no `{key}`: what a run learned from and how stands fixed; other data goes with --data, and \
         device, memory_limit, train.batch, train.precision and data.… may be another"
    )))
}
