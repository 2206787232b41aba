//! What training and evaluation report.

use crate::confusion::ConfusionMatrix;
use crate::diagnose::NotFinite;
use crate::plan::RunPlan;
use std::fmt;
use std::ops::Index;
use warploom_tensor::Precision;

/// Values by name, such as `loss` and `accuracy`, in the order of their computation.
#[derive(Clone, PartialEq, Default)]
pub struct Scores {
    pub(crate) values: Vec<(String, f64)>,
    pub(crate) confusion: Option<ConfusionMatrix>,
}

impl Scores {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Sets the value of a name, at the end where it is new.
    pub fn set(&mut self, name: &str, value: f64) {
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name.to_owned(), value)),
        }
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Which classes were taken for which, where a metric counts that: of the validation data if there is any, else of
    /// the examples learned from.
    pub fn confusion_matrix(&self) -> Option<&ConfusionMatrix> {
        self.confusion.as_ref()
    }
}

/// # Panics
/// For a name that is not there; [`Scores::get`] answers without.
impl Index<&str> for Scores {
    type Output = f64;
    fn index(&self, name: &str) -> &f64 {
        let found = self.values.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no `{name}` among {self:?}")).1
    }
}

impl fmt::Debug for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.iter().enumerate() {
            let gap = if position == 0 { "" } else { "  " };
            // Shares and losses alike are read at four digits; small losses need others.
            if value.abs() < 1e-3 && value != 0.0 {
                write!(f, "{gap}{name} {value:.3e}")?;
            } else {
                write!(f, "{gap}{name} {value:.4}")?;
            }
        }
        Ok(())
    }
}

/// How a fit ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Outcome {
    /// After its last epoch.
    #[default]
    Finished,
    /// A callback stopped it, as early stopping does.
    Stopped,
    /// The flag given to [`crate::Fit::stop`] was set. Where checkpoints are kept, one was written.
    Interrupted,
}

/// What a fit has seen: a list for each of `loss`, the metrics, and `val_loss`, `val_…` where there is validation, one
/// value an epoch.
#[derive(Clone, Default)]
pub struct History {
    pub(crate) epochs: Vec<Scores>,
    pub(crate) series: Vec<(String, Vec<f64>)>,
    pub(crate) test: Option<Scores>,
    pub(crate) seconds: f64,
    pub(crate) earlier_seconds: f64,
    pub(crate) samples_per_second: f64,
    pub(crate) skipped: u64,
    pub(crate) overflowed: u64,
    pub(crate) outcome: Outcome,
    pub(crate) not_finite: Option<NotFinite>,
    pub(crate) plan: RunPlan,
    pub(crate) launches_per_step: f64,
}

impl History {
    pub(crate) fn push(&mut self, scores: Scores) {
        for (name, value) in scores.iter() {
            match self.series.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => values.push(value),
                None => self.series.push((name.to_owned(), vec![value])),
            }
        }
        self.epochs.push(scores);
    }

    /// The values of a name, one an epoch.
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        self.series.iter().find(|(known, _)| known == name).map(|(_, values)| values.as_slice())
    }

    /// All names with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.series.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Finished epochs, with all values of each.
    pub fn epochs(&self) -> &[Scores] {
        &self.epochs
    }

    /// The scores of the test data that the fit was given, after its last epoch.
    pub fn test(&self) -> Option<&Scores> {
        self.test.as_ref()
    }

    /// Seconds from the first batch to the end. Of a training that was gone on with, those of all its processes, each up to
    /// the checkpoint from which the next went on.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Those of [`History::seconds`] that earlier processes took.
    pub fn earlier_seconds(&self) -> f64 {
        self.earlier_seconds
    }

    /// Training examples a second, validation's time not counted.
    pub fn samples_per_second(&self) -> f64 {
        self.samples_per_second
    }

    /// Updates that did not happen because the loss or a gradient was not finite.
    pub fn skipped_steps(&self) -> u64 {
        self.skipped
    }

    /// Updates left out because a gradient of the scaled loss was beyond f16, after which the scale was made smaller.
    pub fn overflowed_steps(&self) -> u64 {
        self.overflowed
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether a request from outside ended it before its last epoch.
    pub fn interrupted(&self) -> bool {
        self.outcome == Outcome::Interrupted
    }

    /// Where the first number that was not finite began, if there was one: in a step that was held back, or, where only the
    /// last loss is not finite, in the last batch with the weights after its update.
    pub fn not_finite(&self) -> Option<&NotFinite> {
        self.not_finite.as_ref()
    }

    /// What helps where the training diverged in this precision, and where its numbers stopped being finite, for people.
    pub fn remedy(&self, precision: Precision) -> String {
        let origin = self.not_finite.as_ref().map_or(String::new(), |origin| format!(" ({origin})"));
        format!("{}{origin}", advice(precision))
    }

    /// The bytes the fit had planned.
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// Launches by training steps: 1, or less where a launch holds several steps.
    pub fn launches_per_step(&self) -> f64 {
        self.launches_per_step
    }
}

/// What helps a training that diverges in this precision, for people.
pub(crate) fn advice(precision: Precision) -> &'static str {
    match precision {
        Precision::F16 => "compute in bf16, for numbers of f16 end at 65504, or lower the learning rate",
        Precision::F32 | Precision::Tf32 | Precision::Bf16 => "lower the learning rate",
    }
}

/// # Panics
/// For a name that is not there; [`History::get`] answers without.
impl Index<&str> for History {
    type Output = [f64];
    fn index(&self, name: &str) -> &[f64] {
        self.get(name).unwrap_or_else(|| panic!("no `{name}` in this history"))
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
