//! Watching one score.

use crate::callbacks::Context;
use crate::history::Scores;

/// Whether a score is better when it is smaller or when it is larger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Larger for accuracies, precision, recall and F1; smaller for all else.
    #[default]
    Auto,
    /// Smaller is better.
    Min,
    /// Larger is better.
    Max,
}

/// A watched score.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub name: String,
    pub mode: Mode,
    warned: bool,
}

impl Monitor {
    pub fn new(name: &str) -> Monitor {
        Monitor { name: name.to_owned(), mode: Mode::Auto, warned: false }
    }

    fn larger(&self) -> bool {
        match self.mode {
            Mode::Min => false,
            Mode::Max => true,
            Mode::Auto => {
                ["acc", "precision", "recall", "f1", "auc"].iter().any(|part| self.name.contains(part))
            }
        }
    }

    /// Whether `value` is better than `best` by more than `least`. Nothing is better than a NaN, nor a NaN than anything.
    pub fn improves(&self, value: f64, best: f64, least: f64) -> bool {
        if self.larger() { value - least > best } else { value + least < best }
    }

    /// What any number improves on.
    pub fn worst(&self) -> f64 {
        if self.larger() { f64::NEG_INFINITY } else { f64::INFINITY }
    }

    /// The watched value; that there is none is said once.
    pub fn read(&mut self, callback: &str, scores: &Scores, now: &mut Context<'_>) -> Option<f64> {
        let found = scores.get(&self.name);
        if found.is_none() && !std::mem::replace(&mut self.warned, true) {
            let there: Vec<&str> = scores.iter().map(|(name, _)| name).collect();
            let hint =
                if self.name.starts_with("val_") { "; give validation data, or monitor another" } else { "" };
            now.say(format!(
                "{callback} monitors `{}`, but there are only {}{hint}",
                self.name,
                there.join(", ")
            ));
        }
        found
    }
}
