//! What a report shows: plain data, all of it optional but the name.
//!
//! Numbers may be anything: what is not finite is shown as such and left out of charts. JSON knows no such numbers;
//! they are written as null and read back as NaN.

use crate::results::{Classification, Regression};
use serde::{Deserialize, Deserializer, Serialize};

/// A run, as its page shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The recipe's name: the page's title.
    pub name: String,
    /// One line for people: what this run is.
    pub description: Option<String>,
    /// What is learned: `classification`, `regression`, …
    pub task: Option<String>,
    /// What learned it, in a few words: `LeNet, 44,426 parameters`.
    pub model: Option<String>,
    /// What it learned from.
    pub data: Option<Data>,
    /// What it ran on.
    pub device: Option<Device>,
    /// When it began, in seconds since 1970-01-01 00:00 UTC.
    pub started: Option<u64>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// Why it ended before its last epoch.
    pub stopped: Option<String>,
    /// The one result that counts, shown large.
    pub headline: Option<Score>,
    /// Other results, shown beside it.
    pub scores: Vec<Score>,
    /// The command that repeats the run.
    pub command: Option<String>,
    /// What a reader must know before trusting the result.
    pub warnings: Vec<String>,
    /// What was decided about the data, and how often.
    pub decisions: Vec<Decision>,
    /// Loss and metrics by epoch: a chart each.
    pub curves: Vec<Curve>,
    /// The learning rate of each epoch; empty if not known.
    #[serde(deserialize_with = "number::list")]
    pub learning_rate: Vec<f64>,
    /// The epoch whose weights were kept.
    pub best_epoch: Option<BestEpoch>,
    /// How classes were told apart.
    pub classification: Option<Classification>,
    /// How numbers were predicted: one entry a target.
    pub regressions: Vec<Regression>,
    /// Memory, planned and measured.
    pub memory: Option<Memory>,
    /// Where the time went, in the order of the run. Stages do not overlap.
    pub stages: Vec<Stage>,
    /// Training examples a second.
    pub samples_per_second: Option<f64>,
    /// What the run used, or why that is not known.
    pub energy: Option<Energy>,
    /// The same by parts of the machine, each counted as a whole with everything that ran on it.
    pub energy_parts: Vec<EnergyPart>,
    /// Training examples a joule.
    pub samples_per_joule: Option<f64>,
    /// The resolved recipe, as TOML.
    pub recipe: Option<String>,
    /// The network, in the order of computation.
    pub layers: Vec<Layer>,
    /// Versions and machine: name and value.
    pub environment: Vec<(String, String)>,
}

/// The data of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Data {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub path: Option<String>,
    /// Examples learned from.
    pub training: usize,
    /// Examples watched while learning.
    pub validation: usize,
    /// Examples tested on at the end.
    pub test: usize,
    /// What is predicted: `10 classes`, `median_house_value`.
    pub target: Option<String>,
    /// What an example is: `28 × 28 grey`, `8 numbers`.
    pub example: Option<String>,
}

/// The device of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// As a recipe names it: `cpu`.
    pub id: String,
    /// Its product name.
    pub name: Option<String>,
    /// Threads that compute.
    pub threads: Option<usize>,
}

/// How a number is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// As it is.
    #[default]
    None,
    /// A share of 1, shown in percent.
    Share,
    /// A number of something, whose name follows it: `€`, `mm`.
    Of(String),
}

/// A result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Score {
    /// What was measured, and on what: `test accuracy`.
    pub name: String,
    /// Its value.
    #[serde(deserialize_with = "number::single")]
    pub value: f64,
    /// How to read it.
    pub unit: Unit,
}

/// A decision about the data that was made more than once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decision {
    /// What was decided, and why: `pictures skipped: they cannot be read`.
    pub what: String,
    /// How often.
    pub count: u64,
    /// Which: file names, rows; not necessarily all.
    pub which: Vec<String>,
}

/// A value followed through the epochs. A list may be shorter than the run, or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Curve {
    /// `loss`, `accuracy`, …
    pub name: String,
    /// How to read its values.
    pub unit: Unit,
    /// On what was learned from, one value an epoch.
    #[serde(deserialize_with = "number::list")]
    pub training: Vec<f64>,
    /// On what was watched, one value an epoch.
    #[serde(deserialize_with = "number::list")]
    pub validation: Vec<f64>,
}

/// The epoch that was best.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BestEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// By which value: `val_loss`.
    pub by: String,
}

/// Memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Planned before the first batch, by kind: state, arena, rings, derived.
    pub planned: Vec<(String, u64)>,
    /// What the plan was to keep to, if a limit was set.
    pub limit: Option<u64>,
    /// What keeping to it costs: `12 values computed again, 8.5 % more operations`.
    pub cost: Option<String>,
    /// The most that was allocated of what the plan counts.
    pub measured_peak: Option<u64>,
    /// The most that the whole process occupied: program, libraries and loaded data included.
    pub process_peak: Option<u64>,
}

/// A part of the run's time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// `loading`, `compiling`, `training`, …
    pub name: String,
    /// How long it took, in seconds.
    #[serde(deserialize_with = "number::single")]
    pub seconds: f64,
}

/// What a run used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Energy {
    /// Measured.
    Joules(#[serde(deserialize_with = "number::single")] f64),
    /// Why it is not known.
    NotMeasured(String),
}

/// What a part of the machine used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyPart {
    /// Its name: `processor`.
    pub name: String,
    /// What it used.
    pub energy: Energy,
}

/// A layer of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layer {
    /// Its place in the module tree and its kind: `features.0 · conv2d`.
    pub name: String,
    /// Its result for one batch: `[64, 6, 28, 28]`.
    pub output: String,
    /// Numbers that training changes.
    pub parameters: u64,
}

/// Numbers that JSON may hold as null.
pub(crate) mod number {
    use super::{Deserialize, Deserializer};

    type Pair = (Option<f64>, Option<f64>);

    fn or_nan(value: Option<f64>) -> f64 {
        value.unwrap_or(f64::NAN)
    }

    pub fn single<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
        Option::deserialize(from).map(or_nan)
    }

    pub fn list<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Option<f64>>::deserialize(from)?.into_iter().map(or_nan).collect())
    }

    pub fn pairs<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<(f64, f64)>, D::Error> {
        let pairs = Vec::<Pair>::deserialize(from)?;
        Ok(pairs.into_iter().map(|(first, second)| (or_nan(first), or_nan(second))).collect())
    }
}
