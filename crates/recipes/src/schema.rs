//! The keys of a recipe, with their defaults.

use serde::{Deserialize, Serialize};

/// A recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Names the run folder.
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What is learned.
    pub task: Task,
    /// `best`, `cpu`, `gpu`, `cuda:0`, …
    #[serde(default = "best")]
    pub device: String,
    /// Where examples come from.
    pub data: Data,
    /// The network.
    pub model: ModelRecipe,
    /// How it learns.
    pub train: Train,
}

fn best() -> String {
    "best".into()
}

/// What is learned; it decides the loss and the metrics where the recipe does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of several classes: cross-entropy, accuracy.
    Classification,
    /// Yes or no: binary cross-entropy with logits, binary accuracy.
    BinaryClassification,
    /// Numbers: mean squared error, mean absolute error.
    Regression,
}

/// Where examples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The kind of source.
    pub kind: DataKind,
    /// `idx`: the folder of the four files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `idx`: number of classes, 10 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// `digits`: pictures to learn from, validation included; 10,000 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// `digits`: pictures to test on, 2,000 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<usize>,
    /// `digits`: which pictures are drawn.
    #[serde(default)]
    pub seed: u64,
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataKind {
    /// Digits that Warploom draws.
    Digits,
    /// A folder of IDX files as MNIST is published.
    Idx,
    /// The 100 fixed rows of the benchmarks W1 and W2.
    Logistic,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// One after another.
    pub layers: Vec<Layer>,
}

/// A layer. Which keys belong to which kind is checked with the values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The kind of layer.
    pub kind: LayerKind,
    /// `dense`: number of units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<usize>,
    /// `dense`: what follows; nothing if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<ActivationKind>,
    /// `dense`: how weights begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Initial>,
    /// `dense`: how the bias begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<Initial>,
    /// `dropout`: the share of numbers that are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// The kinds of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// All axes of an example become one.
    Flatten,
    /// Fully connected.
    Dense,
    /// Drops numbers while training.
    Dropout,
}

/// Activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationKind {
    /// max(x, 0).
    Relu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// x Φ(x).
    Gelu,
    /// Probabilities along the last axis.
    Softmax,
}

/// How weights begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initial {
    /// Uniform within ±1/√inputs: PyTorch's default.
    FanIn,
    /// Glorot's uniform: Keras' default.
    Glorot,
    /// He's normal.
    He,
    /// LeCun's normal.
    Lecun,
    /// 0.
    Zeros,
    /// No bias at all; for `bias` alone.
    None,
}

/// How it learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the data.
    pub epochs: usize,
    /// Examples in a batch.
    pub batch: usize,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// Its learning rate, where a schedule starts.
    pub learning_rate: f64,
    /// `sgd`: momentum, 0 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Weight decay; for adamw 0.01 if not said, else 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: ScheduleKind,
    /// Steps over which the learning rate rises at first, for `cosine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<u32>,
    /// The loss, if not the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// The metrics, if not the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Vec<Metric>>,
    /// Fixes first weights, orders of examples, dropout and what is held out.
    #[serde(default)]
    pub seed: u64,
    /// Whether each epoch has an order of its own.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// The share of the training examples that is held out to watch the training, from 0 to below 1.
    #[serde(default)]
    pub validation: f64,
}

fn yes() -> bool {
    true
}

/// Optimizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Gradient descent, with momentum if said.
    Sgd,
    /// Adam, epsilon 1e-8 as in PyTorch.
    Adam,
    /// Adam with weight decay apart from the gradient.
    #[serde(rename = "adamw")]
    AdamW,
}

/// Schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// The same rate at every step.
    #[default]
    Constant,
    /// Half a cosine down to 0 at the last step.
    Cosine,
}

/// Losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// For classes.
    CrossEntropy,
    /// For yes or no.
    BinaryCrossEntropyWithLogits,
    /// For numbers.
    MeanSquaredError,
    /// For numbers.
    MeanAbsoluteError,
}

/// Metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// For classes.
    Accuracy,
    /// For yes or no.
    BinaryAccuracy,
    /// For numbers.
    MeanSquaredError,
    /// For numbers.
    MeanAbsoluteError,
}

impl Recipe {
    /// The loss, said or the task's.
    pub fn loss(&self) -> Loss {
        self.train.loss.unwrap_or(match self.task {
            Task::Classification => Loss::CrossEntropy,
            Task::BinaryClassification => Loss::BinaryCrossEntropyWithLogits,
            Task::Regression => Loss::MeanSquaredError,
        })
    }

    /// The metrics, said or the task's.
    pub fn metrics(&self) -> Vec<Metric> {
        self.train.metrics.clone().unwrap_or_else(|| match self.task {
            Task::Classification => vec![Metric::Accuracy],
            Task::BinaryClassification => vec![Metric::BinaryAccuracy],
            Task::Regression => vec![Metric::MeanAbsoluteError],
        })
    }

    /// The recipe as TOML, every default written out that is a number or a word.
    pub fn to_toml(&self) -> String {
        // A recipe has nothing that TOML lacks.
        toml::to_string(self).unwrap_or_default()
    }
}

impl Task {
    /// As recipes spell it.
    pub fn name(self) -> &'static str {
        match self {
            Task::Classification => "classification",
            Task::BinaryClassification => "binary_classification",
            Task::Regression => "regression",
        }
    }
}
