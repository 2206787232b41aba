//! What a model takes and gives: enough to build it and to name what it says, without the data it learned from.

use serde::{Deserialize, Serialize};
use warploom_data::{Dataset, Targets, Values};

/// The shape of one example, and what is predicted for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// Without the batch axis.
    pub example: Vec<usize>,
    /// Whether it learned from bytes, which are scaled to 0 to 1, or from numbers as they are.
    pub bytes: bool,
    /// What is predicted.
    pub outputs: Outputs,
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

impl Signature {
    /// That of a data set.
    pub fn of(data: &Dataset) -> Signature {
        let outputs = match data.targets() {
            Targets::Classes { names, .. } => Outputs::Classes(names.clone()),
            Targets::Values { width, .. } => Outputs::Numbers(*width),
        };
        let bytes = matches!(data.features().values(), Values::U8(_));
        Signature { example: data.example_shape().to_vec(), bytes, outputs }
    }

    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn from_text(text: &str) -> Option<Signature> {
        serde_json::from_str(text).ok()
    }
}
