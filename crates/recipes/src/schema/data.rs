//! Where examples come from, how they are split, scaled and augmented.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where examples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Data {
    /// Digits that Warploom draws itself: grey pictures of 28 × 28 pixels in ten classes. Nothing is read.
    Digits {
        /// Pictures to learn from, those to watch included.
        #[serde(default = "ten_thousand")]
        #[schemars(range(min = 1))]
        train: usize,
        /// Pictures to test on.
        #[serde(default = "two_thousand")]
        #[schemars(range(min = 1))]
        test: usize,
        /// Which pictures are drawn.
        #[serde(default)]
        seed: u64,
    },
    /// A folder of four IDX files as MNIST is published, plain or gzip.
    Idx {
        /// The folder of train-images-idx3-ubyte and its kin.
        #[schemars(extend("x-value" = "DIR"))]
        path: String,
        /// How many classes there are.
        #[serde(default = "ten")]
        #[schemars(range(min = 2))]
        classes: usize,
        /// Pictures to learn from, the first so many, those to watch included; all, if not said.
        #[schemars(range(min = 1))]
        train: Option<usize>,
        /// Pictures to test on, the first so many; all, if not said.
        #[schemars(range(min = 1))]
        test: Option<usize>,
    },
    /// A folder of pictures (JPEG, PNG, PGM, PPM), a folder for each class in it. Where it holds folders `train` and `test`
    /// instead (and `val` or `validation`), with the classes in these, that is the split.
    ImageFolder {
        /// The folder that holds a folder for each class.
        #[schemars(extend("x-value" = "DIR"))]
        path: String,
        /// Pixels that pictures are brought to: one number for squares, or `[height, width]`.
        #[serde(default)]
        size: Side,
        /// 1 for grey, 3 for colour; what the first picture has, if not said.
        #[schemars(range(min = 1, max = 3))]
        channels: Option<usize>,
        /// What is done about pictures that cannot be used.
        #[serde(default)]
        broken: Broken,
    },
    /// A table of text: one example a line.
    Csv {
        /// The file.
        #[schemars(extend("x-value" = "FILE"))]
        path: String,
        /// The column to predict, by name (`column_1`, … where there is no header); the last one, if not said.
        target: Option<String>,
        /// Another file with the same columns that is tested on, in place of a share of the first.
        test_path: Option<String>,
        /// Whether the first line names the columns.
        #[serde(default)]
        header: Header,
        /// What stands between cells: one character; the most frequent of `,` `;` tab `|` in the first line, if not said.
        separator: Option<char>,
        /// Columns that are not learned from, such as identifiers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        leave_out: Vec<String>,
        /// Columns whose numbers are names of categories.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        categories: Vec<String>,
    },
    /// The 100 fixed rows of the benchmarks W1 and W2.
    Logistic,
}

fn ten_thousand() -> usize {
    10_000
}

fn two_thousand() -> usize {
    2_000
}

fn ten() -> usize {
    10
}

impl Data {
    /// Where it is read from, the main path first.
    pub fn paths(&mut self) -> Vec<&mut String> {
        match self {
            Data::Idx { path, .. } | Data::ImageFolder { path, .. } => vec![path],
            Data::Csv { path, test_path, .. } => std::iter::once(path).chain(test_path).collect(),
            Data::Digits { .. } | Data::Logistic => Vec::new(),
        }
    }
}

/// What is done about pictures that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// They are an error that counts and names them.
    #[default]
    Refuse,
    /// They are left out, counted and named.
    Skip,
}

/// Whether the first line of a table names its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// It does if none of its cells is a number.
    #[default]
    Auto,
    /// It does.
    Yes,
    /// It does not: columns are `column_1`, `column_2`, …
    No,
}

/// Height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Side {
    /// A square.
    Square(#[schemars(range(min = 1, max = 8192))] usize),
    /// `[height, width]`.
    Both(#[schemars(inner(range(min = 1, max = 8192)))] [usize; 2]),
}

impl Default for Side {
    fn default() -> Side {
        Side::Square(64)
    }
}

impl Side {
    /// `[height, width]`.
    pub fn extents(self) -> [usize; 2] {
        match self {
            Side::Square(side) => [side; 2],
            Side::Both(both) => both,
        }
    }
}

/// Which examples are learned from, watched and tested on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// How examples are shared out.
    #[serde(default)]
    pub rule: SplitRule,
    /// `random`: the share of the examples that is held out to watch the training.
    #[serde(default)]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub validation: f64,
    /// `random`: the share that is tested on, where the data has no test examples of its own; 0 if not said.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub test: Option<f64>,
    /// `random`: whether every class has the same share in each part.
    #[serde(default = "yes")]
    pub stratified: bool,
    /// `random`: what fixes the lot.
    #[serde(default)]
    pub seed: u64,
    /// `first_of_class`: how many of each class are learned from.
    #[schemars(range(min = 1))]
    pub train_per_class: Option<usize>,
    /// `first_of_class`: how many of each class, those after, are watched. The rest is tested on.
    pub validation_per_class: Option<usize>,
}

impl Default for Split {
    fn default() -> Split {
        Split {
            rule: SplitRule::Random,
            validation: 0.0,
            test: None,
            stratified: true,
            seed: 0,
            train_per_class: None,
            validation_per_class: None,
        }
    }
}

/// How examples are shared out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitRule {
    /// By lot.
    #[default]
    Random,
    /// The first of each class in natural order of file names (`2.png` before `10.png`), or in order of rows, are learned
    /// from.
    FirstOfClass,
}

fn yes() -> bool {
    true
}

/// How raw values become what the network takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Pictures: what becomes of bytes 0 to 255.
    #[serde(default)]
    pub pixels: Pixels,
    /// Tables: how columns of numbers are scaled.
    #[serde(default)]
    pub numbers: Numbers,
    /// Tables: how a target of numbers is scaled for learning. Predictions and metrics are in the target's own unit.
    #[serde(default)]
    pub target: Numbers,
    /// Tables: how columns of text become numbers.
    #[serde(default)]
    pub categories: Categories,
    /// Tables: a column of text with more different texts is left out.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1))]
    pub max_categories: usize,
    /// Tables: what is done about cells without a value.
    #[serde(default)]
    pub missing: Missing,
}

fn hundred() -> usize {
    100
}

impl Default for Transform {
    fn default() -> Transform {
        Transform {
            pixels: Pixels::default(),
            numbers: Numbers::default(),
            target: Numbers::default(),
            categories: Categories::default(),
            max_categories: hundred(),
            missing: Missing::default(),
        }
    }
}

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pixels {
    /// 0 to 1.
    #[default]
    Unit,
    /// -1 to 1.
    Symmetric,
    /// Mean 0 and standard deviation 1 in each channel.
    Standard,
}

/// How numbers are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// As they are.
    Identity,
    /// Smallest to largest become 0 to 1.
    Unit,
    /// Smallest to largest become -1 to 1.
    Symmetric,
    /// Mean 0, standard deviation 1.
    #[default]
    Standard,
}

/// How text becomes numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Categories {
    /// A feature for each different text: 1 where it stands, else 0.
    #[default]
    OneHot,
    /// One feature: the text's number in natural order, as an embedding takes it; the next for text never seen.
    Code,
}

/// What is done about cells without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The mean of the column's numbers or its most frequent text stands in; how often is said.
    #[default]
    Impute,
    /// They are an error.
    Refuse,
}

/// A random change of a picture, whose size stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Augment {
    /// Left and right are exchanged.
    FlipHorizontal {
        /// How often.
        #[serde(default = "half")]
        #[schemars(range(min = 0.0, max = 1.0))]
        probability: f32,
    },
    /// Top and bottom are exchanged.
    FlipVertical {
        /// How often.
        #[serde(default = "half")]
        #[schemars(range(min = 0.0, max = 1.0))]
        probability: f32,
    },
    /// Padded on each side, then cut to its size at a random place.
    Crop {
        /// Pixels on each side.
        #[serde(default = "four")]
        #[schemars(range(min = 0, max = 4096))]
        padding: usize,
    },
    /// Turned about its centre.
    Rotate {
        /// The largest angle to either side.
        #[serde(default = "ten_degrees")]
        #[schemars(range(min = 0.0, max = 180.0))]
        degrees: f32,
    },
    /// All pixels times a random factor around 1.
    Brightness {
        /// The factor is from 1 - reach to 1 + reach.
        #[serde(default = "fifth")]
        #[schemars(range(min = 0.0, max = 1.0))]
        reach: f32,
    },
    /// Distances to the picture's mean times a random factor around 1.
    Contrast {
        /// The factor is from 1 - reach to 1 + reach.
        #[serde(default = "fifth")]
        #[schemars(range(min = 0.0, max = 1.0))]
        reach: f32,
    },
}

fn half() -> f32 {
    0.5
}

fn fifth() -> f32 {
    0.2
}

fn four() -> usize {
    4
}

fn ten_degrees() -> f32 {
    10.0
}
