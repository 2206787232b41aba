//! A recipe trained, evaluated, planned.

use crate::energy::{Energy, Watch, figures, meter};
use crate::failure::{diverged, salvaged};
use crate::fitting::{Callbacks, prepared};
use crate::folder::RunFolder;
use crate::memory::{Planned, memory_limit, memory_line, planned, scored};
use crate::model::{build, compile};
use crate::over::{Over, check_epochs, check_kept};
use crate::place::placed;
use crate::precision::{device, effective_precision, numbers_line};
use crate::report::{Stages, report};
use crate::schema::Recipe;
use crate::source::{Splits, labelled};
use crate::summary::{epoch_line, failed, memory, scores_kept, summary};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime};
use warploom_device::Verification;
use warploom_nn::{Model, Parameters};
use warploom_tensor::Precision;
use warploom_trace::{self as trace, Track};
use warploom_train::checkpoint::inspect;
use warploom_train::weights::write_atomically;
use warploom_train::{EpochReport, Error, History, Result, RunPlan, Scores, Training};

/// What a run is told beside its recipe.
#[derive(Default)]
pub struct Options<'a> {
    /// The run folder; `runs/<name>` if not said.
    pub out: Option<PathBuf>,
    /// Prints nothing.
    pub quiet: bool,
    /// Stops between two launches once this is true; what was learned is saved.
    pub stop: Option<&'a AtomicBool>,
    /// Goes on from the newest checkpoint in the folder, if there is one.
    pub resume: bool,
    /// Checks every kernel against a reference the first time it runs.
    pub verify: bool,
    /// Writes a timeline of the run here, in the Trace Event Format.
    pub trace: Option<PathBuf>,
    /// The command that repeats the whole run, for its report: for one that is gone on with, see [`RunFolder::command`].
    pub command: Option<String>,
}

/// How [`train`] ended.
pub enum Trained {
    /// It trained.
    Now(Box<Outcome>),
    /// There was nothing left to do, and nothing was changed.
    Before(Box<Over>),
}

/// The epoch whose weights were kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// From 1.
    pub epoch: usize,
    /// By which score it is the best: `val_loss`.
    pub by: String,
}

/// What a run came to.
pub struct Outcome {
    /// The folder.
    pub folder: RunFolder,
    /// Epoch by epoch.
    pub history: History,
    /// The epoch whose weights were kept and tested, where the recipe asks for the best; else they are the last's.
    pub kept: Option<Kept>,
    /// What `--json` prints and the folder keeps.
    pub summary: Value,
    /// What it used, in this process: fit, validation and test, without the loading of data and the report.
    pub energy: Energy,
    /// Examples learned from with a joule, in this process; `None` where joules are not known.
    pub samples_per_joule: Option<f64>,
    /// What was verified, where that was asked for.
    pub verification: Option<Verification>,
    /// Whether `test` are the examples learned from, because the data has no others.
    pub test_is_train: bool,
    /// The page that shows the run; `None` after an interruption.
    pub report: Option<PathBuf>,
}

impl Outcome {
    /// The scores of the epoch whose weights were kept.
    pub fn scores(&self) -> Scores {
        scores_kept(&self.history, self.kept.as_ref())
    }
}

/// Trains a recipe and writes its run folder.
///
/// # Errors
/// What is wrong with data, shapes, folder or device. A refused resume leaves the folder as it was.
pub fn train(recipe: &Recipe, options: &Options<'_>) -> Result<Trained> {
    let Some(path) = &options.trace else { return run(recipe, options) };
    check_timeline(path, &run_folder(recipe, options))?;
    trace::begin();
    let trained = run(recipe, options);
    let timeline = trace::end();
    if timeline.events.is_empty() {
        return trained;
    }
    let mut bytes = Vec::new();
    timeline.write(&mut bytes).map_err(Error::io("write", path))?;
    let written = write_atomically(path, &bytes);
    // What is wrong with the run is said first.
    trained.and_then(|trained| written.map(|()| trained))
}

/// Where a run is kept.
fn run_folder(recipe: &Recipe, options: &Options<'_>) -> PathBuf {
    options.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&recipe.name))
}

/// Whether a file at `path` may be made in its folder: tried, since permissions do not say it all.
fn check_writable(path: &Path, folder: &Path) -> Result<()> {
    let beside = folder.join(format!(".warploom.{}", std::process::id()));
    let tried = fs::File::create(&beside).and_then(|_| fs::remove_file(&beside));
    tried.map_err(Error::io("write the timeline to", path))
}

/// Whether a timeline may be written here, before there is one: nothing but an older timeline is replaced.
fn check_timeline(path: &Path, run: &Path) -> Result<()> {
    let refuse =
        |why: &str| Err(Error::invalid(format!("could not write the timeline to {}: {why}", path.display())));
    let Ok(found) = fs::metadata(path) else {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return match folder.is_dir() {
            true => check_writable(path, folder),
            false if folder == run => Ok(()),
            false => refuse("there is no such folder; make it, or name another"),
        };
    };
    if !found.is_file() {
        return refuse("it is no regular file; name one");
    }
    let mut beginning = [0; trace::BEGINNING.len()];
    let file = fs::File::open(path).map_err(Error::io("read", path))?;
    let is_timeline =
        { &file }.read_exact(&mut beginning).is_ok() && beginning == trace::BEGINNING.as_bytes();
    if found.len() > 0 && !is_timeline {
        return refuse("it is no timeline and would be lost; give another name");
    }
    Ok(())
}

fn run(recipe: &Recipe, options: &Options<'_>) -> Result<Trained> {
    let (began, started) = (SystemTime::now(), Instant::now());
    let mut recipe = settled(recipe);
    let path = run_folder(&recipe, options);
    let automatic = recipe.train.batch.examples().is_none();
    if automatic && options.resume && path.join("recipe.toml").is_file() {
        // The number that the run was begun with.
        recipe.train.batch = RunFolder::open(&path, &[])?.1.train.batch;
    }
    let recipe = &recipe;
    let over = if options.resume { Over::read(&path)? } else { None };
    let over = match over {
        Some(over) if over.did(recipe) => return Ok(Trained::Before(Box::new(over))),
        other => other,
    };
    let device = device(recipe)?;
    let device = if options.verify { device.verified() } else { device };
    let load = trace::span(Track::Host, || "load the data");
    let splits = Splits::new(recipe)?;
    drop(load);
    let loading = started.elapsed().as_secs_f64();
    let Planned { recipe, plan, .. } = planned(&splits.decided(recipe), &splits, &device)?;
    let (recipe, signature) = (&recipe, splits.signature());
    match over {
        Some(over) if over.did(recipe) => return Ok(Trained::Before(Box::new(over))),
        Some(over) => over.check(recipe)?,
        None => {}
    }
    if options.resume && path.join("recipe.toml").is_file() {
        check_kept(&RunFolder::open(&path, &[])?.1, recipe)?;
    }
    let mut model = build(recipe, &signature, &device)?;
    compile(recipe, &signature, splits.steps(recipe), &mut model)?;
    let (folder, _lock) = RunFolder::create(&path)?;
    let mut callbacks = Callbacks::new(recipe, &folder);
    let watch = Watch::new(&device, &plan);
    let run = Run { recipe, splits: &splits, folder: &folder, plan: &plan, automatic };
    let fitted = fitted(&run, &mut model, (&mut callbacks, &watch), options);
    let fault = match &fitted {
        Err(Error::Diverged(why)) => Some(why.clone()),
        Ok(history) if !history.interrupted() => diverged(history, &model, &recipe.model)?,
        Ok(_) | Err(_) => None,
    };
    if let Some(why) = fault {
        let error = salvaged(&why, recipe, &folder, &model, &signature, &callbacks)?;
        folder.save_summary(&failed(&folder, &device, &error))?;
        return Err(error);
    }
    let history = fitted?;
    let trained = started.elapsed().as_secs_f64();
    let (energy, learned) = watch.run();
    drop(watch);
    folder.save_weights(&model, recipe, &signature)?;
    let peak_bytes = device.statistics().peak_bytes as u64 + history.plan().host_ring;
    let kept = callbacks.kept().filter(|_| !history.interrupted());
    let summary = summary(&folder, &device, &history, kept.as_ref(), peak_bytes, (&energy, learned));
    folder.save_memory(&memory(history.plan(), peak_bytes))?;
    folder.save_summary(&summary)?;
    let test_is_train = splits.test_is_train;
    let verification = device.verification();
    let samples_per_joule = energy.per_joule(learned);
    let mut outcome = Outcome {
        folder,
        history,
        kept,
        summary,
        energy,
        samples_per_joule,
        verification,
        test_is_train,
        report: None,
    };
    if !outcome.history.interrupted() {
        let _span = trace::span(Track::Host, || "report");
        let stages = Stages { began, loading, trained, peak_bytes, started };
        outcome.report = Some(report(recipe, &splits, &model, &outcome, &stages, options)?);
    }
    Ok(Trained::Now(Box::new(outcome)))
}

/// What a run is fitted from.
struct Run<'a> {
    recipe: &'a Recipe,
    splits: &'a Splits,
    folder: &'a RunFolder,
    plan: &'a RunPlan,
    /// Whether the batch size was chosen by itself.
    automatic: bool,
}

/// The fit of a run, into its folder.
fn fitted(
    run: &Run<'_>,
    model: &mut Model,
    (callbacks, watch): (&mut Callbacks, &Watch),
    options: &Options<'_>,
) -> Result<History> {
    let Run { recipe, splits, folder, plan, .. } = *run;
    let note = |text: &str| {
        if !options.quiet {
            eprintln!("{text}");
        }
    };
    let (kept, before) = match options.resume {
        true => (resumed(recipe, folder, &note)?, Some(folder.description()?)),
        false => {
            folder.clear(&mut |text| note(&text))?;
            (0, None)
        }
    };
    folder.begin(recipe, splits.transform.as_ref(), options.command.as_deref())?;
    let mut record = folder.metrics(kept)?;
    announce(run, model, &note)?;
    let fit = prepared(recipe, splits, plan.memory_limit).checkpoints(Callbacks::checkpoints(
        recipe,
        folder,
        options.resume,
    ));
    let fit = if options.quiet { fit.quiet() } else { fit };
    let fit = if let Some(stop) = options.stop { fit.stop(stop) } else { fit };
    let fit = callbacks.add(fit).callback(watch).on_epoch(|report: &EpochReport<'_>| {
        let (energy, learned) = watch.epoch();
        record.add(&epoch_line(report, figures(&energy, learned)))
    });
    model.fit_data(&splits.train, fit).map_err(|error| {
        // A refused resume leaves the folder as it was; what went wrong first is what is told.
        let _ = before.map(|before| folder.restore(&before));
        placed(error, &recipe.model)
    })
}

/// How many epochs the newest whole checkpoint has behind it.
fn resumed(recipe: &Recipe, folder: &RunFolder, note: &dyn Fn(&str)) -> Result<usize> {
    let checkpoints = folder.file("checkpoints");
    let found = if checkpoints.is_dir() { inspect(&checkpoints)? } else { Vec::new() };
    // The fit itself says where it goes on.
    match found.iter().find_map(|state| state.place.as_ref().ok()) {
        Some((epoch, batch)) => {
            check_epochs(recipe, folder.path(), *epoch, *batch > 0)?;
            Ok(*epoch)
        }
        None if folder.file("weights.safetensors").exists() => Err(Error::invalid(format!(
            "{} holds a run's weights but no whole checkpoint, from which alone it could be gone on with; begin anew without \
             --resume, which keeps what is there in `previous`, or with --out another folder",
            folder.path().display()
        ))),
        None => {
            note(&format!("{} holds no whole checkpoint; beginning anew", folder.path().display()));
            Ok(0)
        }
    }
}

/// What a run's weights were found to be worth.
pub struct Evaluated {
    /// The scores.
    pub scores: Scores,
    /// On so many examples.
    pub examples: usize,
    /// Whether these were learned from, because the data has no others.
    pub learned_from: bool,
    /// What computing them used.
    pub energy: Energy,
    /// The id of the device that computed them.
    pub device: String,
    /// What products ran in.
    pub precision: Precision,
    /// What follows for people where that is not f32 as asked: `, in bf16`.
    pub numbers: String,
}

/// Scores of a run's weights on its test data, or on all examples of other `data`, which go through the stored transforms.
/// Programs keep to the recipe's memory limit, in smaller batches where that is what it takes.
///
/// # Errors
/// A run folder or data that cannot be read, a class that training never saw; a memory limit too small for one example; what
/// the device reports.
pub fn evaluate(folder: &RunFolder, recipe: &Recipe, data: Option<&Path>) -> Result<Evaluated> {
    let device = device(recipe)?;
    if let (Some(path), true) = (data, recipe.clone().data.paths().is_empty()) {
        return Err(Error::invalid(format!(
            "the data of {} is built in, so that {} cannot take its place; leave out --data, or predict the files",
            recipe.name,
            path.display()
        )));
    }
    let own = |recipe: &Recipe| Splits::new(recipe).map(|splits| (splits.test, splits.test_is_train));
    let (test, learned_from) = match (data, folder.transform()?) {
        (Some(path), Some(transform)) => match labelled(recipe, &transform, path)? {
            Some(examples) => (examples, false),
            None => own(&recipe.with_path(path))?,
        },
        (Some(path), None) => own(&recipe.with_path(path))?,
        (None, _) => own(recipe)?,
    };
    let learned_from = learned_from && data.is_none();
    let signature = folder.signature()?;
    let mut model = build(recipe, &signature, &device)?;
    compile(recipe, &signature, 1, &mut model)?;
    folder.load_weights(&model)?;
    let limit = memory_limit(recipe, &device)?;
    let meter = meter(&device);
    let scores = scored(&model, &test, limit)?;
    Ok(Evaluated {
        scores,
        examples: test.len(),
        learned_from,
        energy: meter.read(),
        device: device.id().to_owned(),
        precision: effective_precision(&device),
        numbers: numbers_line(&device)?,
    })
}

/// The memory that training the recipe takes, and its training step. No memory of the device is used.
///
/// # Errors
/// As [`train`].
pub fn plan(recipe: &Recipe) -> Result<Planned> {
    let device = device(recipe)?;
    let splits = Splits::new(recipe)?;
    planned(&splits.decided(recipe), &splits, &device)
}

/// The recipe with its paths made absolute, so that the run can be evaluated from anywhere.
fn settled(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    for path in recipe.data.paths() {
        if let Ok(absolute) = std::path::absolute(&*path) {
            *path = absolute.to_string_lossy().into_owned();
        }
    }
    recipe
}

fn announce(run: &Run<'_>, model: &Model, note: &dyn Fn(&str)) -> Result<()> {
    let Run { recipe, splits, plan, .. } = *run;
    splits.notes.iter().for_each(|text| note(text));
    let capabilities = model.device().capabilities();
    let held = splits.validation.as_ref().map_or(0, |data| data.len());
    let tested = if splits.test_is_train { 0 } else { splits.test.len() };
    note(&format!(
        "{} on {} ({}, {} threads){}",
        recipe.name,
        capabilities.id,
        capabilities.name,
        capabilities.threads,
        numbers_line(model.device())?
    ));
    note(&format!(
        "{} parameters; {} examples to learn from, {held} to watch, {tested} to test; batches of {}",
        model.parameter_count()?,
        splits.train.len(),
        plan.batch
    ));
    if run.automatic || plan.memory_limit.is_some() {
        note(&memory_line(plan));
    }
    Ok(())
}
