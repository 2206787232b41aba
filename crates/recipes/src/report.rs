//! The page of a run, filled.

use crate::energy::Joules;
use crate::judge::{judged, pictures};
use crate::memory::cost_line;
use crate::model::learning_rates;
use crate::network::layers;
use crate::precision::numbers_line;
use crate::run::{Kept, Options, Outcome};
use crate::schema::{Data as Source, Metric, Named, Recipe, Task};
use crate::source::Splits;
use crate::tables::cells;
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use warploom_nn::{Model, Parameters};
use warploom_report::{
    BestEpoch, Classification, Curve, Data, Decision, Deviation, Device, Energy, EnergyPart, Example, Memory,
    Mistake, Regression, Report, Score, Stage, Unit,
};
use warploom_train::Result;
use warploom_train::weights::write_atomically;

/// Wrong answers that are shown.
const MISTAKES: usize = 24;
/// Pairs of truth and prediction that are drawn.
const PAIRS: usize = 20_000;
/// More classes than this make no readable matrix.
const MATRIX: usize = 200;

/// Where the time went.
pub(crate) struct Stages {
    pub began: SystemTime,
    pub started: Instant,
    /// Seconds until the data was there.
    pub loading: f64,
    /// Seconds until the training was over.
    pub trained: f64,
    pub peak_bytes: u64,
}

/// Writes `report.html`; returns where.
pub(crate) fn report(
    recipe: &Recipe,
    splits: &Splits,
    model: &Model,
    outcome: &Outcome,
    stages: &Stages,
    options: &Options<'_>,
) -> Result<PathBuf> {
    let history = &outcome.history;
    let plan = history.plan();
    let mut page = Report {
        name: recipe.name.clone(),
        description: Some(recipe.description.clone()).filter(|text| !text.is_empty()),
        task: Some(recipe.task.name().replace('_', " ")),
        model: Some(model_line(recipe, model)?),
        data: Some(data(recipe, splits)),
        device: Some(device(model)?),
        started: stages.began.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
        seconds: Some(history.earlier_seconds() + stages.started.elapsed().as_secs_f64()),
        command: options.command.clone(),
        curves: curves(recipe, outcome),
        learning_rate: learning_rates(recipe, splits.steps(recipe), history, model)?,
        layers: layers(model, plan.batch)?,
        samples_per_second: Some(history.samples_per_second()),
        recipe: Some(recipe.to_toml()),
        memory: Some(Memory {
            planned: plan.by_kind().iter().map(|(kind, bytes)| ((*kind).to_owned(), *bytes)).collect(),
            limit: plan.memory_limit,
            cost: plan.recomputation.map(|cost| cost_line(&cost)),
            measured_peak: Some(stages.peak_bytes),
            process_peak: process_peak(),
        }),
        stages: vec![
            stage("loading data", stages.loading),
            stage("compiling", plan.compile_ms / 1e3),
            stage(
                "training and testing",
                history.earlier_seconds() + stages.trained - stages.loading - plan.compile_ms / 1e3,
            ),
        ],
        energy: Some(energy(outcome.energy.joules().map_err(str::to_owned))),
        energy_parts: outcome
            .energy
            .parts()
            .map(|(name, joules)| EnergyPart { name: name.into(), energy: energy(joules.clone()) })
            .collect(),
        samples_per_joule: outcome.samples_per_joule,
        decisions: splits
            .notes
            .iter()
            .map(|note| Decision { what: note.clone(), count: 1, which: Vec::new() })
            .collect(),
        environment: vec![
            ("Warploom".into(), env!("CARGO_PKG_VERSION").into()),
            ("system".into(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ],
        ..Report::default()
    };
    if splits.test_is_train {
        page.warnings.push(
            "There are no test examples: the test scores are those of the examples learned from.".into(),
        );
    }
    if let Some(what) = history.not_finite() {
        let skipped = history.skipped_steps().max(1);
        let many = if skipped == 1 { "An update".to_owned() } else { format!("{skipped} updates") };
        page.warnings.push(format!("{many} did not happen: {what}"));
    }
    if history.overflowed_steps() > 0 {
        page.warnings.push(format!(
            "Left out while a scale for the loss was found: {} updates, whose gradients times the scale were beyond f16.",
            history.overflowed_steps()
        ));
    }
    if history.outcome() == warploom_train::Outcome::Stopped {
        page.stopped = Some(format!(
            "early stopping after {} of {} epochs",
            history.epochs().len(),
            recipe.train.epochs
        ));
    }
    page.best_epoch = outcome.kept.clone().map(|Kept { epoch, by }| BestEpoch { epoch, by });
    scores(recipe, outcome, &mut page);
    results(recipe, splits, model, &mut page)?;
    let path = outcome.folder.file("report.html");
    write_atomically(&path, page.to_html().as_bytes())?;
    Ok(path)
}

fn energy(joules: Joules) -> Energy {
    joules.map_or_else(Energy::NotMeasured, Energy::Joules)
}

fn stage(name: &str, seconds: f64) -> Stage {
    Stage { name: name.into(), seconds: seconds.max(0.0) }
}

fn model_line(recipe: &Recipe, model: &Model) -> Result<String> {
    let name = match recipe.model.name {
        Some(Named::LeNet) => "LeNet".to_owned(),
        Some(Named::ResNet18) => "ResNet-18".to_owned(),
        None => format!("{} layers", recipe.model.layers.len()),
    };
    Ok(format!("{name}, {} parameters", grouped(model.parameter_count()?)))
}

/// `1234567` as `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit]))
        .collect()
}

fn data(recipe: &Recipe, splits: &Splits) -> Data {
    let (name, path) = match &recipe.data {
        Source::Digits { .. } => ("drawn digits", None),
        Source::Idx { path, .. } => ("IDX files", Some(path)),
        Source::ImageFolder { path, .. } => ("folder of pictures", Some(path)),
        Source::Csv { path, .. } => ("table", Some(path)),
        Source::Logistic => ("100 fixed rows", None),
    };
    let target = match splits.train.targets().class_names() {
        Some(names) => Some(format!("{} classes", names.len())),
        None => match &splits.transform {
            Some(transform) => match &transform.input {
                warploom_data::transform::Input::Table(table) => table.format.target.clone(),
                warploom_data::transform::Input::Image(_) => None,
            },
            None => None,
        },
    };
    let example = match splits.train.example_shape() {
        [1, height, width] => format!("{height} × {width} grey"),
        [3, height, width] => format!("{height} × {width} colour"),
        shape => format!("{} numbers", shape.iter().product::<usize>()),
    };
    Data {
        name: name.into(),
        path: path.cloned(),
        training: splits.train.len(),
        validation: splits.validation.as_ref().map_or(0, |data| data.len()),
        test: if splits.test_is_train { 0 } else { splits.test.len() },
        target,
        example: Some(example),
    }
}

fn device(model: &Model) -> Result<Device> {
    let capabilities = model.device().capabilities();
    let (name, threads) = (&capabilities.name, capabilities.threads);
    let name = Some(format!("{name}{}", numbers_line(model.device())?));
    Ok(Device { id: model.device().id().to_string(), name, threads: Some(threads) })
}

fn unit(name: &str) -> Unit {
    let shares = ["accuracy", "precision", "recall", "f1"];
    if shares.iter().any(|share| name.contains(share)) { Unit::Share } else { Unit::None }
}

fn curves(recipe: &Recipe, outcome: &Outcome) -> Vec<Curve> {
    let history = &outcome.history;
    let list = |name: &str| history.get(name).map(<[f64]>::to_vec).unwrap_or_default();
    let metrics = recipe.metrics().into_iter().map(Metric::name);
    let one = |name: &str| Curve {
        name: name.replace('_', " "),
        unit: unit(name),
        training: list(name),
        validation: list(&format!("val_{name}")),
    };
    std::iter::once("loss").chain(metrics).map(one).collect()
}

fn scores(recipe: &Recipe, outcome: &Outcome, page: &mut Report) {
    let Some(test) = outcome.history.test() else { return };
    let set = if outcome.test_is_train { "training" } else { "test" };
    let first = recipe.metrics().first().map(|metric| metric.name());
    for (name, value) in test.iter() {
        let score = Score { name: format!("{set} {}", name.replace('_', " ")), value, unit: unit(name) };
        match Some(name) == first {
            true => page.headline = Some(score),
            false => page.scores.push(score),
        }
    }
}

fn results(recipe: &Recipe, splits: &Splits, model: &Model, page: &mut Report) -> Result<()> {
    let batch = recipe.train.batch.examples().unwrap_or(1);
    let judged = judged(model, &splits.test, splits.transform.as_ref(), batch)?;
    let raw = splits.test_cells.as_ref().filter(|table| table.rows() == splits.test.len());
    let example = |index: usize| Example {
        source: splits.test_places.get(index).cloned(),
        cells: raw.map(|table| cells(table, index)).unwrap_or_default(),
        ..Example::default()
    };
    let columns: Vec<String> =
        raw.iter().flat_map(|table| table.columns()).map(|column| column.name.clone()).collect();
    match (splits.test.targets().class_names(), recipe.task) {
        (Some(names), _) if names.len() <= MATRIX => {
            let mut confusion = vec![vec![0; names.len()]; names.len()];
            judged.classes.iter().for_each(|one| confusion[one.truth][one.said] += 1);
            let mut wrong: Vec<usize> = (0..judged.classes.len())
                .filter(|at| judged.classes[*at].truth != judged.classes[*at].said)
                .collect();
            let sure = |at: &usize| judged.classes[*at].probability;
            wrong.sort_by(|a, b| sure(b).total_cmp(&sure(a)));
            wrong.truncate(MISTAKES);
            let drawn = pictures(&splits.test, &wrong)?;
            let mistake = |(place, index): (usize, &usize)| {
                let one = &judged.classes[*index];
                let picture = drawn.get(place).cloned();
                Mistake {
                    example: Example { picture, ..example(*index) },
                    truth: names[one.truth].clone(),
                    predicted: names[one.said].clone(),
                    confidence: Some(one.probability),
                }
            };
            page.classification = Some(Classification {
                classes: names.to_vec(),
                confusion,
                mistakes: wrong.iter().enumerate().map(mistake).collect(),
                columns,
            });
        }
        (None, Task::Regression) => {
            let mut worst: Vec<usize> = (0..judged.numbers.len()).collect();
            let off = |at: &usize| (judged.numbers[*at].0 - judged.numbers[*at].1).abs();
            worst.sort_by(|a, b| off(b).total_cmp(&off(a)));
            let step = judged.numbers.len().div_ceil(PAIRS).max(1);
            let deviation = |index: &usize| {
                let (truth, predicted) = judged.numbers[*index];
                Deviation { example: example(*index), truth, predicted }
            };
            page.regressions = vec![Regression {
                target: data(recipe, splits).target.unwrap_or_else(|| "target".into()),
                unit: Unit::None,
                pairs: judged.numbers.iter().step_by(step).copied().collect(),
                worst: worst.iter().take(MISTAKES).map(deviation).collect(),
                columns,
            }];
        }
        _ => {}
    }
    Ok(())
}

/// The most that the process occupied, where Linux says it.
fn process_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}
