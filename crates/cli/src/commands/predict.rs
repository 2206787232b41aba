//! `warploom predict`.

use super::Ended;
use crate::args::Predict;
use crate::interrupt::end_at_once;
use crate::output::{line, note};
use std::path::Path;
use std::process::ExitCode;
use warploom::recipes::{Prediction, Predictor, RunFolder, Said};
use warploom::train::weights::write_atomically;
use warploom::{Error, Result};

/// Classes that are shown for one example.
const SHOWN: usize = 3;

pub fn predict(given: &Predict) -> Ended {
    end_at_once();
    given.inputs.iter().try_for_each(|input| refuse_setting(input))?;
    if let Some(out) = &given.out {
        given.inputs.iter().try_for_each(|input| refuse_overwriting(input, out))?;
    }
    let device: Vec<String> = given.device.iter().map(|id| format!("device={id}")).collect();
    let (folder, recipe) = RunFolder::open(&given.run, &device)?;
    let predictor = Predictor::open(&folder, &recipe)?;
    if let Some(text) = folder.unfinished(&recipe) {
        note(text);
    }
    let mut all = Vec::new();
    for input in &given.inputs {
        let predictions = predictor.predict_file(input, &mut |text| note(text))?;
        if given.json {
            predictions.iter().for_each(|prediction| line(prediction.json()));
        } else if given.out.is_none() {
            predictions.iter().for_each(|prediction| line(readable(prediction)));
        }
        all.extend(predictions);
    }
    if let Some(file) = &given.out {
        write_atomically(file, written(file, predictor.class_names(), &all).as_bytes())?;
        note(format_args!("{} predictions written to {}", all.len(), file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A file may have `=` in its name; what is none and looks like key=value was meant as that.
fn refuse_setting(input: &Path) -> Result<()> {
    let Some((key, value)) = input.to_str().and_then(|text| text.split_once('=')) else { return Ok(()) };
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c));
    if !is_key || input.exists() {
        return Ok(());
    }
    let instead = match key {
        "device" => format!("another device goes with --device {value}"),
        _ => "all settings are those of the run".to_owned(),
    };
    Err(Error::invalid(format!("`{key}={value}` is no file, and predict takes no key=value: {instead}")))
}

/// Predictions must not take the place of what they are made from.
fn refuse_overwriting(input: &Path, out: &Path) -> Result<()> {
    match (input.canonicalize(), out.canonicalize()) {
        (Ok(from), Ok(to)) if from == to => Err(Error::invalid(format!(
            "--out {} is what is predicted from, and would be lost; give another file",
            out.display()
        ))),
        _ => Ok(()),
    }
}

fn readable(prediction: &Prediction) -> String {
    let Prediction { input, index, said } = prediction;
    let said = match said {
        Said::Classes(classes) => {
            let shown: Vec<String> =
                classes.iter().take(SHOWN).map(|(name, p)| format!("{name} ({:.1} %)", p * 100.0)).collect();
            shown.join("  ")
        }
        Said::Numbers(values) => values.iter().map(|value| number(*value)).collect::<Vec<_>>().join("  "),
    };
    format!("{input}[{index}]: {said}")
}

/// Seven digits: what single precision holds.
fn number(value: f64) -> String {
    let digits = 6 - value.abs().max(1e-300).log10().floor() as i32;
    format!("{value:.*}", digits.clamp(0, 12) as usize)
}

fn written(file: &Path, classes: Option<&[String]>, all: &[Prediction]) -> String {
    let is_json = file.extension().is_some_and(|ending| ending == "json" || ending == "jsonl");
    if is_json {
        return all.iter().map(|prediction| format!("{}\n", prediction.json())).collect();
    }
    let quoted = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
    let numbers = all.iter().find_map(|prediction| match &prediction.said {
        Said::Numbers(values) => Some(values.len()),
        Said::Classes(_) => None,
    });
    let binary = ["0".to_owned(), "1".to_owned()];
    let mut text = String::from("input,index");
    match numbers {
        Some(1) => text.push_str(",prediction"),
        Some(count) => (1..=count).for_each(|at| text.push_str(&format!(",prediction_{at}"))),
        None => {
            text.push_str(",class,probability");
            let names = classes.unwrap_or(&binary).iter();
            names.for_each(|name| text.push_str(&format!(",{}", quoted(&format!("probability of {name}")))));
        }
    }
    text.push('\n');
    for Prediction { input, index, said } in all {
        text.push_str(&format!("{},{index}", quoted(input)));
        match said {
            Said::Numbers(values) => values.iter().for_each(|value| text.push_str(&format!(",{value}"))),
            Said::Classes(said) => {
                let (class, probability) = said.first().cloned().unwrap_or_default();
                text.push_str(&format!(",{},{probability}", quoted(&class)));
                for name in classes.unwrap_or(&binary) {
                    let of = said.iter().find(|(said, _)| said == name).map_or(0.0, |(_, p)| *p);
                    text.push_str(&format!(",{of}"));
                }
            }
        }
        text.push('\n');
    }
    text
}
