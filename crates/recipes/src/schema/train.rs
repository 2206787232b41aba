//! How a network learns.

use super::memory::Batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How it learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the training examples.
    #[schemars(range(min = 1))]
    pub epochs: usize,
    /// Examples in a batch; all that are learned from, where they are fewer. `"auto"`: as many as keep to `memory_limit`
    /// without computing values again, or to four fifths of the device's memory where no limit is set.
    #[serde(default = "thirty_two")]
    pub batch: Batch,
    /// The learning rate: the highest that the schedule reaches.
    #[serde(default = "thousandth")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// The optimizer.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// Weight decay; 0.01 for adamw if not said, else 0.
    #[schemars(range(min = 0.0))]
    pub weight_decay: Option<f64>,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// The loss, if not the task's.
    pub loss: Option<Loss>,
    /// The metrics, if not the task's.
    pub metrics: Option<Vec<Metric>>,
    /// How much the examples of each class weigh: `"balanced"`, or a number for each class by name.
    pub class_weights: Option<ClassWeights>,
    /// In which numbers products and convolutions multiply; weights, sums and updates stay f32.
    #[serde(default)]
    pub precision: Precision,
    /// How gradients are kept small.
    pub clip: Option<Clip>,
    /// So many batches make one update.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub accumulate: u32,
    /// Fixes first weights, orders of examples, dropout and augmentation.
    #[serde(default)]
    pub seed: u64,
    /// Whether each epoch has an order of its own.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Stops when nothing improves.
    pub early_stopping: Option<EarlyStopping>,
    /// Lowers the learning rate when nothing improves.
    pub plateau: Option<Plateau>,
    /// When what is needed to go on is written.
    #[serde(default)]
    pub checkpoints: Checkpoints,
    /// The weights of the best epoch by this number are those that are kept and tested: `val_loss`, `val_accuracy`, …
    pub best: Option<String>,
    /// Whether `history.csv` is written: a line for each epoch, numbered from 0 as Keras' `CSVLogger` does. In
    /// `metrics.jsonl`, in the report and on the terminal epochs count from 1.
    #[serde(default = "yes")]
    pub csv_log: bool,
    /// Whether TensorBoard's event files are written. Their steps are epochs, from 0 as in Keras.
    #[serde(default = "yes")]
    pub tensorboard: bool,
}

fn thirty_two() -> Batch {
    Batch::Examples(32)
}

fn thousandth() -> f64 {
    1e-3
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// Optimizers. Names and defaults of numbers are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Gradient descent.
    Sgd {
        /// The share of the last step that is kept.
        #[serde(default)]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        momentum: f64,
        /// Whether the gradient is that after the momentum's step.
        #[serde(default)]
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015).
    Adam {
        /// Decay of the mean of gradients.
        #[serde(default = "beta1")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta1: f64,
        /// Decay of the mean of their squares.
        #[serde(default = "beta2")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta2: f64,
        /// Beside the root, against division by 0.
        #[serde(default = "epsilon")]
        #[schemars(range(min = 0.0))]
        epsilon: f64,
    },
    /// Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019).
    #[serde(rename = "adamw")]
    AdamW {
        /// Decay of the mean of gradients.
        #[serde(default = "beta1")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta1: f64,
        /// Decay of the mean of their squares.
        #[serde(default = "beta2")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta2: f64,
        /// Beside the root, against division by 0.
        #[serde(default = "epsilon")]
        #[schemars(range(min = 0.0))]
        epsilon: f64,
    },
    /// Gradients over the root of the mean of their squares (Hinton 2012).
    #[serde(rename = "rmsprop")]
    RmsProp {
        /// Decay of the mean of squares.
        #[serde(default = "smoothing")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        smoothing: f64,
        /// The share of the last step that is kept.
        #[serde(default)]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        momentum: f64,
        /// Whether the mean of gradients is subtracted.
        #[serde(default)]
        centred: bool,
        /// Beside the root, against division by 0.
        #[serde(default = "epsilon")]
        #[schemars(range(min = 0.0))]
        epsilon: f64,
    },
}

impl Default for Optimizer {
    fn default() -> Optimizer {
        Optimizer::AdamW { beta1: beta1(), beta2: beta2(), epsilon: epsilon() }
    }
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
}

fn smoothing() -> f64 {
    0.99
}

/// Numbers of factors. `warploom explain` prints which op runs in what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 24 bits of mantissa.
    #[default]
    F32,
    /// f32 rounded to 11 bits of mantissa as it is multiplied, where the device can; elsewhere f32.
    Tf32,
    /// The range of f32 with 8 bits of mantissa, values between products in half the memory.
    Bf16,
    /// 11 bits of mantissa, at most 65504, values between products in half the memory; the loss is scaled.
    F16,
}

/// How the learning rate changes over the updates of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// Half a cosine down, after a linear rise.
    Cosine {
        /// Updates of the rise.
        #[serde(default)]
        warmup: u32,
        /// The last learning rate.
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        minimum: f64,
    },
    /// Up by half a cosine, then down almost to 0 (Smith and Topin 2019).
    OneCycle {
        /// The share of the updates in which it rises.
        #[serde(default = "rise")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        rise: f64,
    },
    /// Times a factor after every so many epochs.
    Step {
        /// Epochs with one rate.
        #[schemars(range(min = 1))]
        every: u32,
        /// The factor.
        #[serde(default = "tenth")]
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        factor: f64,
    },
    /// Times a factor after each of some epochs.
    MultiStep {
        /// The epochs.
        milestones: Vec<u32>,
        /// The factor.
        #[serde(default = "tenth")]
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        factor: f64,
    },
    /// Times a factor at every epoch, little by little.
    Exponential {
        /// The factor of an epoch.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        factor: f64,
    },
    /// Down to a minimum as a power of what is left.
    Polynomial {
        /// 1 for a straight line.
        #[serde(default = "one_power")]
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        power: f64,
        /// The last learning rate.
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        minimum: f64,
    },
}

fn rise() -> f64 {
    0.3
}

fn tenth() -> f64 {
    0.1
}

fn one_power() -> f64 {
    1.0
}

/// Losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// For classes: of logits.
    CrossEntropy {
        /// The share of certainty that is spread over all classes.
        #[serde(default)]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        smoothing: f64,
    },
    /// For yes or no: of one logit.
    BinaryCrossEntropyWithLogits,
    /// For numbers.
    MeanSquaredError,
    /// For numbers.
    MeanAbsoluteError,
    /// For numbers: squared near 0, straight beyond.
    Huber {
        /// Where it becomes straight, in units of the scaled target.
        #[serde(default = "one_power")]
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        delta: f64,
    },
}

/// Metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// For classes: the share that is right.
    Accuracy,
    /// For classes: the share whose class is among the five most likely.
    #[serde(rename = "top_5_accuracy")]
    Top5Accuracy,
    /// For classes: the mean over classes of what is right of what is said.
    Precision,
    /// For classes: the mean over classes of what is found of what is there.
    Recall,
    /// For classes: the mean over classes of the harmonic mean of both.
    F1,
    /// For yes or no: the share that is right.
    BinaryAccuracy,
    /// For numbers, in the target's own unit, squared.
    MeanSquaredError,
    /// For numbers, in the target's own unit.
    RootMeanSquaredError,
    /// For numbers, in the target's own unit.
    MeanAbsoluteError,
}

/// What each class weighs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClassWeights {
    /// `"balanced"`: every class weighs the same in all.
    Balanced(Balanced),
    /// A number for each class by name; 1 for those not named.
    ByName(BTreeMap<String, f32>),
}

/// The one word for class weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balanced {
    /// Every class weighs the same in all.
    Balanced,
}

/// How gradients are kept small.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Clip {
    /// All together, as one vector, have at most this length.
    Norm {
        /// The length.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        bound: f64,
    },
    /// Each number stays within ± this.
    Value {
        /// The number.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        bound: f64,
    },
}

/// Stops when nothing improves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// What is looked at: `val_loss`, `val_accuracy`, … Losses and errors are better small, all else large.
    #[serde(default = "watched")]
    pub monitor: String,
    /// Epochs without improvement before it stops.
    #[serde(default = "ten_epochs")]
    #[schemars(range(min = 1))]
    pub patience: usize,
    /// Less is no improvement.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub min_delta: f64,
    /// Whether the weights of the best epoch are put back.
    #[serde(default = "yes")]
    pub restore_best: bool,
}

fn watched() -> String {
    "val_loss".into()
}

fn ten_epochs() -> usize {
    10
}

/// Lowers the learning rate when nothing improves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// What is looked at.
    #[serde(default = "watched")]
    pub monitor: String,
    /// By what the rate is multiplied.
    #[serde(default = "tenth")]
    #[schemars(extend("exclusiveMinimum" = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub factor: f64,
    /// Epochs without improvement before it does.
    #[serde(default = "ten_epochs")]
    #[schemars(range(min = 1))]
    pub patience: usize,
    /// The rate stays at least this.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub minimum: f64,
}

/// When what is needed to go on with `--resume` is written. An interruption and the end always write it, and without `epochs`
/// so does the end of the first epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// After so many seconds, where `epochs` does not say otherwise.
    #[serde(default = "thirty_seconds")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub seconds: f64,
    /// At the end of every so many epochs.
    #[schemars(range(min = 1))]
    pub epochs: Option<usize>,
}

fn thirty_seconds() -> f64 {
    30.0
}

impl Default for Checkpoints {
    fn default() -> Checkpoints {
        Checkpoints { seconds: thirty_seconds(), epochs: None }
    }
}
