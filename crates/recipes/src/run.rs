//! A recipe trained, evaluated, planned.

use crate::energy::Meter;
use crate::folder::RunFolder;
use crate::model::build;
use crate::schema::Recipe;
use crate::signature::Signature;
use crate::source::Splits;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use warploom_nn::{Model, Parameters};
use warploom_tensor::{Device, Recorded};
use warploom_train::{EpochReport, Fit, History, Result, RunPlan, Scores, Training, dry_device};

/// What a run is told beside its recipe.
#[derive(Default)]
pub struct Options<'a> {
    /// The run folder; `runs/<name>` if not said.
    pub out: Option<PathBuf>,
    /// Prints nothing.
    pub quiet: bool,
    /// Stops between two launches once this is true; what was learned is saved.
    pub stop: Option<&'a AtomicBool>,
}

/// What a run came to.
pub struct Outcome {
    /// The folder.
    pub folder: RunFolder,
    /// Epoch by epoch.
    pub history: History,
    /// What `--json` prints and the folder keeps.
    pub summary: Value,
    /// Joules, or why they are not known.
    pub joules: std::result::Result<f64, String>,
    /// Whether `test` are the examples learned from, because the data has no others.
    pub test_is_train: bool,
}

/// Trains a recipe and writes its run folder.
///
/// # Errors
/// What is wrong with data, shapes, folder or device. Weights of an earlier run in the folder stay then.
pub fn train(recipe: &Recipe, options: &Options<'_>) -> Result<Outcome> {
    let recipe = &settled(recipe);
    let device = Device::named(&recipe.device)?;
    let path = options.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&recipe.name));
    let splits = Splits::new(recipe)?;
    let mut model = build(recipe, &Signature::of(&splits.train), splits.train.len(), &device)?;
    let folder = RunFolder::create(&path, recipe)?;
    let mut record = folder.metrics()?;
    if !options.quiet {
        announce(&device, &model, &splits, recipe)?;
    }
    let meter = Meter::start();
    let note = |report: &EpochReport<'_>| -> Result<()> {
        let mut line = json!({ "epoch": report.epoch });
        extend(&mut line, report.scores);
        line["seconds"] = json!(rounded(report.seconds, 4));
        line["samples_per_second"] = json!(report.samples_per_second.round());
        if report.skipped_steps > 0 {
            line["skipped_steps"] = json!(report.skipped_steps);
        }
        record.add(&line)
    };
    let fit = prepared(recipe, &splits);
    let fit = if options.quiet { fit.quiet() } else { fit };
    let fit = if let Some(stop) = options.stop { fit.stop(stop) } else { fit };
    let history = model.fit_data(&splits.train, fit.on_epoch(note))?;
    let joules = meter.and_then(|meter| meter.joules().ok_or_else(|| "the counter disappeared".into()));
    folder.save_weights(&model, recipe, &Signature::of(&splits.train))?;
    let peak_bytes = device.statistics().peak_bytes as u64 + history.plan().host_ring;
    let summary = summary(&folder, &device, &history, peak_bytes, joules.as_ref().ok().copied());
    folder.save_summary(&summary)?;
    Ok(Outcome { folder, history, summary, joules, test_is_train: splits.test_is_train })
}

/// Scores of a run's weights on its test data.
///
/// # Errors
/// A run folder or data that cannot be read; what the device reports.
pub fn evaluate(folder: &RunFolder, recipe: &Recipe) -> Result<Scores> {
    let device = Device::named(&recipe.device)?;
    let splits = Splits::new(recipe)?;
    let model = build(recipe, &Signature::of(&splits.train), splits.train.len(), &device)?;
    folder.load_weights(&model)?;
    model.evaluate_data(&splits.test)
}

/// The memory that training the recipe takes, and its training step. No memory of the device is used.
///
/// # Errors
/// As [`train`].
pub fn plan(recipe: &Recipe) -> Result<(RunPlan, Recorded)> {
    let device = Device::named(&recipe.device)?;
    let splits = Splits::new(recipe)?;
    let mut model = build(recipe, &Signature::of(&splits.train), splits.train.len(), &dry_device(&device))?;
    model.plan_data(&splits.train, &prepared(recipe, &splits))
}

/// The recipe with its folder as an absolute path, so that the run can be evaluated from anywhere.
fn settled(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    if let Some(path) = &recipe.data.path
        && let Ok(absolute) = std::path::absolute(path)
    {
        recipe.data.path = Some(absolute.to_string_lossy().into_owned());
    }
    recipe
}

fn prepared<'a>(recipe: &Recipe, splits: &'a Splits) -> Fit<'a> {
    let train = &recipe.train;
    let fit = Fit::epochs(train.epochs).batch(train.batch).shuffle(train.shuffle).seed(train.seed);
    let fit = fit.test_data(&splits.test);
    match &splits.validation {
        Some(validation) => fit.validation_data(validation),
        None => fit,
    }
}

fn announce(device: &Device, model: &Model, splits: &Splits, recipe: &Recipe) -> Result<()> {
    let capabilities = device.capabilities();
    let held = splits.validation.as_ref().map_or(0, |data| data.len());
    eprintln!(
        "{} on {} ({}, {} threads)",
        recipe.name, capabilities.id, capabilities.name, capabilities.threads
    );
    eprintln!(
        "{} parameters; {} examples to learn from, {held} to watch, {} to test; batches of {}",
        model.parameter_count()?,
        splits.train.len(),
        splits.test.len(),
        recipe.train.batch
    );
    Ok(())
}

/// Numbers by name; one that is not finite becomes null.
fn object(scores: impl IntoIterator<Item = (String, f64)>) -> Value {
    Value::Object(scores.into_iter().map(|(name, value)| (name, json!(value))).collect::<Map<_, _>>())
}

/// Scores as a JSON object.
pub fn scores_object(scores: &Scores) -> Value {
    object(scores.iter().map(|(name, value)| (name.to_owned(), value)))
}

fn extend(line: &mut Value, scores: &Scores) {
    for (name, value) in scores.iter() {
        line[name] = json!(value);
    }
}

fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (number * scale).round() / scale
}

fn summary(
    folder: &RunFolder,
    device: &Device,
    history: &History,
    peak_bytes: u64,
    joules: Option<f64>,
) -> Value {
    let last = history.epochs().last().cloned().unwrap_or_default();
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
    });
    if history.skipped_steps() > 0 {
        summary["skipped_steps"] = json!(history.skipped_steps());
    }
    if history.interrupted() {
        summary["interrupted"] = json!(true);
    }
    summary
}
