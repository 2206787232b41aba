//! The network: a named one, or layers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// The network: either `name` or `layers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// A known network; its last layer has as many units as there are classes.
    pub name: Option<Named>,
    /// Layers, one after another. A dense layer without `units` has as many as there are classes or numbers to predict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    #[serde(skip)]
    pub(crate) lines: Lines,
}

/// Where keys of the network stand in the file that the recipe was read from, as `small.toml:14`. A recipe is the same
/// wherever it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(pub Arc<HashMap<String, String>>);

impl PartialEq for Lines {
    fn eq(&self, _: &Lines) -> bool {
        true
    }
}

/// Known networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Named {
    /// LeNet-5 (LeCun et al. 1998) with rectifiers and maximum pooling: two convolutions, three dense layers.
    #[serde(rename = "lenet")]
    LeNet,
    /// ResNet-18 (He et al. 2016) for pictures of about 32 × 32; 11 million parameters.
    #[serde(rename = "resnet18")]
    ResNet18,
}

/// One number for every axis, or one for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Extent {
    /// For every axis.
    Every(#[schemars(range(min = 1))] usize),
    /// One for each axis: `[height, width]`.
    Each(#[schemars(inner(range(min = 1)))] Vec<usize>),
}

/// How far the input is widened with zeros.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Padding {
    /// `"same"`: so that with stride 1 the extents stay; `"valid"`: not at all.
    Named(NamedPadding),
    /// By so much on both sides of every axis.
    Every(usize),
    /// By so much on both sides, for each axis: `[height, width]`.
    Each(Vec<usize>),
}

/// Paddings by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedPadding {
    /// So that with stride 1 the extents stay.
    Same,
    /// None.
    Valid,
}

/// A layer. Names and first values of variables are PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// All axes of an example become one.
    Flatten,
    /// Fully connected.
    Dense {
        /// Number of units; if not said, as many as there are classes or numbers to predict.
        #[schemars(range(min = 1))]
        units: Option<usize>,
        /// What follows; nothing if not said.
        activation: Option<Activation>,
        /// How weights begin; `fan_in` if not said.
        weight: Option<Initial>,
        /// How the bias begins, or `"none"`.
        bias: Option<Initial>,
    },
    /// Convolution along one axis of `[channels, length]`.
    Conv1d {
        /// Channels it gives.
        #[schemars(range(min = 1))]
        filters: usize,
        /// Extent of the window.
        #[schemars(range(min = 1))]
        kernel: usize,
        /// How far the window moves.
        #[serde(default = "one")]
        #[schemars(range(min = 1))]
        stride: usize,
        /// How far the input is widened with zeros; `"same"`, `"valid"` or a number.
        #[serde(default = "valid")]
        padding: Padding,
        /// Distance of the window's elements.
        #[serde(default = "one")]
        #[schemars(range(min = 1))]
        dilation: usize,
        /// Channels are dealt with in so many separate groups.
        #[serde(default = "one")]
        #[schemars(range(min = 1))]
        groups: usize,
        /// Whether there is a bias.
        #[serde(default = "yes")]
        bias: bool,
        /// What follows; nothing if not said.
        activation: Option<Activation>,
    },
    /// Convolution of pictures, `[channels, height, width]`.
    Conv2d {
        /// Channels it gives.
        #[schemars(range(min = 1))]
        filters: usize,
        /// Extents of the window.
        kernel: Extent,
        /// How far the window moves.
        #[serde(default = "every_one")]
        stride: Extent,
        /// How far the input is widened with zeros; `"same"`, `"valid"`, or numbers.
        #[serde(default = "valid")]
        padding: Padding,
        /// Distance of the window's elements.
        #[serde(default = "every_one")]
        dilation: Extent,
        /// Channels are dealt with in so many separate groups.
        #[serde(default = "one")]
        #[schemars(range(min = 1))]
        groups: usize,
        /// Whether there is a bias.
        #[serde(default = "yes")]
        bias: bool,
        /// What follows; nothing if not said.
        activation: Option<Activation>,
    },
    /// Transposed convolution of pictures: it enlarges where a convolution with the same stride shrinks.
    ConvTranspose2d {
        /// Channels it gives.
        #[schemars(range(min = 1))]
        filters: usize,
        /// Extents of the window.
        kernel: Extent,
        /// How far outputs of neighbouring inputs are apart.
        #[serde(default = "every_one")]
        stride: Extent,
        /// By so much the output is cut on both sides.
        #[serde(default = "valid")]
        padding: Padding,
        /// Whether there is a bias.
        #[serde(default = "yes")]
        bias: bool,
        /// What follows; nothing if not said.
        activation: Option<Activation>,
    },
    /// The largest number of each window.
    MaxPool {
        /// Extents of the window.
        #[serde(default = "every_two")]
        size: Extent,
        /// How far it moves; the window's extents, if not said.
        stride: Option<Extent>,
        /// How far the input is widened.
        #[serde(default = "valid")]
        padding: Padding,
    },
    /// The mean of each window.
    AveragePool {
        /// Extents of the window.
        #[serde(default = "every_two")]
        size: Extent,
        /// How far it moves; the window's extents, if not said.
        stride: Option<Extent>,
        /// How far the input is widened with zeros.
        #[serde(default = "valid")]
        padding: Padding,
    },
    /// The mean of each channel: `[channels, …]` becomes `[channels]`.
    GlobalAveragePool,
    /// The largest number of each channel: `[channels, …]` becomes `[channels]`.
    GlobalMaxPool,
    /// Mean 0 and variance 1 of each channel over the batch, then scaled and shifted.
    BatchNorm,
    /// Mean 0 and variance 1 along the last axis, then scaled and shifted.
    LayerNorm,
    /// Mean 0 and variance 1 over groups of channels, then scaled and shifted.
    GroupNorm {
        /// How many groups.
        #[schemars(range(min = 1))]
        groups: usize,
    },
    /// A vector for each whole number, such as columns of text with transform.categories=code.
    Embedding {
        /// How many different numbers there are, from 0; of text one more than there are texts, for those never seen.
        #[schemars(range(min = 1))]
        count: usize,
        /// Numbers in each vector.
        #[schemars(range(min = 1))]
        features: usize,
    },
    /// The numbers of an example in another shape, such as `[1, 13]` for a convolution along 13 columns.
    Reshape {
        /// Without the batch axis.
        #[schemars(inner(range(min = 1)))]
        shape: Vec<usize>,
    },
    /// An activation as a layer.
    Activation {
        /// Which activation.
        function: Activation,
    },
    /// Sets a random share of numbers to 0 while training and scales up the others.
    Dropout {
        /// The share.
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        rate: f64,
    },
    /// Layers whose output is added to their input.
    Residual {
        /// The layers.
        layers: Vec<Layer>,
        /// Layers on the way around them, where the shape changes; none if not said.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shortcut: Vec<Layer>,
    },
    /// Several ways from one input, joined again.
    Branches {
        /// The layers of each way; none at all passes the input on.
        branches: Vec<Vec<Layer>>,
        /// How outputs become one.
        #[serde(default)]
        join: Join,
    },
}

fn one() -> usize {
    1
}

fn every_one() -> Extent {
    Extent::Every(1)
}

fn every_two() -> Extent {
    Extent::Every(2)
}

fn valid() -> Padding {
    Padding::Named(NamedPadding::Valid)
}

fn yes() -> bool {
    true
}

/// How the outputs of branches become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// One after the other along the first axis of an example: its channels.
    #[default]
    Concat,
    /// Added.
    Add,
}

/// Activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x above 0, 0.01 x below.
    LeakyRelu,
    /// x above 0, exp(x) - 1 below.
    Elu,
    /// ELU scaled to keep mean 0 and variance 1.
    Selu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x Φ(x).
    Gelu,
    /// x σ(x).
    Silu,
    /// x tanh(log(1 + exp(x))).
    Mish,
    /// log(1 + exp(x)).
    Softplus,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Probabilities along the last axis.
    Softmax,
}

/// How weights begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
