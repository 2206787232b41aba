//! What a model takes and gives: enough to build it and to name what it says, without the data it learned from.

use serde::{Deserialize, Serialize};
use warploom_data::transform::{TargetTransform, Transform};
use warploom_data::{Dataset, Targets};

/// The shape of one example, and what is predicted for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// Without the batch axis.
    pub example: Vec<usize>,
    /// Whether it learned from bytes, which are scaled to 0 to 1, or from numbers as they are.
    pub bytes: bool,
    /// What is predicted.
    pub outputs: Outputs,
    /// What one of a predicted number is in the target's own unit.
    #[serde(default = "one")]
    pub unit: f64,
}

fn one() -> f64 {
    1.0
}

/// What is predicted for an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outputs {
    /// One of several classes, by name.
    Classes(Vec<String>),
    /// So many numbers.
    Numbers(usize),
}

impl Outputs {
    /// Numbers that the last layer gives.
    pub fn width(&self) -> usize {
        match self {
            Outputs::Classes(names) => names.len(),
            Outputs::Numbers(width) => *width,
        }
    }
}

impl Signature {
    /// That of a data set and what was fitted for it.
    pub fn of(data: &Dataset, transform: Option<&Transform>) -> Signature {
        let outputs = match data.targets() {
            Targets::Classes { names, .. } => Outputs::Classes(names.clone()),
            Targets::Values { width, .. } => Outputs::Numbers(*width),
        };
        let unit = match transform.map(|transform| &transform.target) {
            Some(TargetTransform::Numbers { scale }) => scale.restore(1.0) - scale.restore(0.0),
            Some(TargetTransform::Classes { .. }) | None => 1.0,
        };
        Signature { example: data.example_shape().to_vec(), bytes: data.is_bytes(), outputs, unit }
    }

    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn from_text(text: &str) -> Option<Signature> {
        serde_json::from_str(text).ok()
    }
}
