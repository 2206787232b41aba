//! The keys of a recipe. Doc comments are the documentation that users read: the JSON Schema, `docs/recipes.md` and error
//! messages are made from these types, and so are the checks of keys, types and ranges.

mod data;
mod memory;
mod model;
mod train;

pub use data::{
    Augment, Broken, Categories, Data, Header, Missing, Numbers, Pixels, Side, Split, SplitRule, Transform,
};
pub(crate) use memory::Amount;
pub use memory::{Auto, Batch, MemoryLimit};
pub(crate) use model::Lines;
pub use model::{Activation, Extent, Initial, Join, Layer, Named, NamedPadding, Network, Padding};
pub use train::{
    Balanced, Checkpoints, ClassWeights, Clip, EarlyStopping, Loss, Metric, Optimizer, Plateau, Precision,
    Schedule, Train,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A recipe: data, network and training in one TOML file.
///
/// Wherever a table with a `kind` is wanted and its other keys have defaults, the kind alone may stand for it:
/// `schedule = "cosine"` is `schedule = { kind = "cosine" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Names the run folder: letters, digits, `-`, `_`, `.` and spaces.
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What is learned. It decides loss and metrics where the recipe does not.
    #[serde(default)]
    pub task: Task,
    /// Where it is computed: `best`, `cpu`, `gpu`, `cuda:0`, …
    #[serde(default = "best")]
    pub device: String,
    /// How much memory the run may take in all, on the device and for the loader: bytes, `"64MiB"`, or a share of the device's
    /// memory, `"50%"`. Where it would take more, values are computed again in the training step instead of being kept, with
    /// the same results; `plan` says what that costs. A run that cannot keep to it does not begin.
    pub memory_limit: Option<MemoryLimit>,
    /// Where examples come from.
    pub data: Data,
    /// Which examples are learned from, watched and tested on.
    #[serde(default)]
    pub split: Split,
    /// How raw values become what the network takes: fitted on the training examples, stored with the model.
    #[serde(default)]
    pub transform: Transform,
    /// Random changes of pictures while training, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub augment: Vec<Augment>,
    /// The network.
    pub model: Network,
    /// How it learns.
    pub train: Train,
}

fn best() -> String {
    "best".into()
}

/// What is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The target decides: text, and at most 20 different whole numbers each of which comes twice or more on average, are
    /// classes; other numbers are numbers.
    #[default]
    Auto,
    /// One of several classes: cross-entropy, accuracy.
    Classification,
    /// Yes or no from one number, of the data `logistic` alone: binary cross-entropy with logits, binary accuracy.
    BinaryClassification,
    /// Numbers: mean squared error of the scaled target; root mean squared and mean absolute error in its own unit.
    Regression,
}

impl Task {
    /// As recipes spell it.
    pub fn name(self) -> &'static str {
        match self {
            Task::Auto => "auto",
            Task::Classification => "classification",
            Task::BinaryClassification => "binary_classification",
            Task::Regression => "regression",
        }
    }
}

impl Recipe {
    /// The loss, said or the task's.
    pub fn loss(&self) -> Loss {
        self.train.loss.unwrap_or(match self.task {
            Task::Auto | Task::Classification => Loss::CrossEntropy { smoothing: 0.0 },
            Task::BinaryClassification => Loss::BinaryCrossEntropyWithLogits,
            Task::Regression => Loss::MeanSquaredError,
        })
    }

    /// The metrics, said or the task's.
    pub fn metrics(&self) -> Vec<Metric> {
        self.train.metrics.clone().unwrap_or_else(|| match self.task {
            Task::Auto | Task::Classification => vec![Metric::Accuracy],
            Task::BinaryClassification => vec![Metric::BinaryAccuracy],
            Task::Regression => vec![Metric::RootMeanSquaredError, Metric::MeanAbsoluteError],
        })
    }

    /// The recipe with all of the data that lie somewhere else.
    pub fn with_path(&self, path: &std::path::Path) -> Recipe {
        let mut recipe = self.clone();
        if let Data::Idx { train, test, .. } = &mut recipe.data {
            (*train, *test) = (None, None);
        }
        if let Some(first) = recipe.data.paths().into_iter().next() {
            *first = path.to_string_lossy().into_owned();
        }
        recipe
    }

    /// The recipe as TOML, with every default written out that is a number or a word.
    pub fn to_toml(&self) -> String {
        // A recipe has nothing that TOML lacks.
        toml::to_string(self).unwrap_or_default()
    }
}
