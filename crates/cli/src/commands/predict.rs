//! `warploom predict`.

use super::Ended;
use crate::args::Predict;
use crate::interrupt::end_at_once;
use crate::output::{line, note};
use std::path::Path;
use std::process::ExitCode;
use warploom::recipes::{Prediction, Predictor, RunFolder};
use warploom::train::weights::write_atomically;

pub fn predict(given: &Predict) -> Ended {
    end_at_once();
    let (folder, recipe) = RunFolder::open(&given.run, &[])?;
    let predictor = Predictor::open(&folder, &recipe)?;
    let mut all = Vec::new();
    for input in &given.inputs {
        let predictions = predictor.predict_file(input)?;
        if given.json {
            predictions.iter().for_each(|prediction| line(prediction.json()));
        } else if given.out.is_none() {
            predictions.iter().for_each(|prediction| line(readable(prediction)));
        }
        all.extend(predictions);
    }
    if let Some(file) = &given.out {
        write_atomically(file, written(file, &all).as_bytes())?;
        note(format_args!("{} predictions written to {}", all.len(), file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn readable(prediction: &Prediction) -> String {
    let Prediction { input, index, class, values } = prediction;
    match class {
        Some((class, probability)) => format!("{input}[{index}]: {class} ({:.1} %)", probability * 100.0),
        None => format!("{input}[{index}]: {values:?}"),
    }
}

fn written(file: &Path, all: &[Prediction]) -> String {
    let is_json = file.extension().is_some_and(|ending| ending == "json" || ending == "jsonl");
    if is_json {
        return all.iter().map(|prediction| format!("{}\n", prediction.json())).collect();
    }
    let mut text = String::from("input,index,class,probability,values\n");
    for Prediction { input, index, class, values } in all {
        let quoted = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
        let class = class.as_ref().map_or(",".to_owned(), |(name, p)| format!("{},{p}", quoted(name)));
        let values: Vec<String> = values.iter().map(f32::to_string).collect();
        text.push_str(&format!("{},{index},{class},{}\n", quoted(input), values.join(" ")));
    }
    text
}
