//! How a model did on its test data: classes told apart, numbers predicted, and where it went wrong.

use crate::data::{Unit, number};
use crate::picture::Picture;
use serde::{Deserialize, Serialize};

/// What became of the test data's classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Classification {
    /// Names, in the order of the matrix. A class without one is called by its number.
    pub classes: Vec<String>,
    /// Counts, `[true class][predicted class]`. What is missing is 0.
    pub confusion: Vec<Vec<u64>>,
    /// Wrong answers, the surest first.
    pub mistakes: Vec<Mistake>,
    /// Names of the cells of a mistake's example.
    pub columns: Vec<String>,
}

/// An example that was taken for another class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mistake {
    /// The example.
    pub example: Example,
    /// The class it has.
    pub truth: String,
    /// The class it was given.
    pub predicted: String,
    /// The probability of the class it was given, 0 to 1.
    pub confidence: Option<f64>,
}

/// An example of the test data: a picture, or a row of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Example {
    /// Where it is found: a file, a row.
    pub source: Option<String>,
    /// The picture.
    pub picture: Option<Picture>,
    /// The row's cells, in the order of `columns`.
    pub cells: Vec<String>,
}

/// How one number was predicted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Regression {
    /// Its name.
    pub target: String,
    /// How to read it.
    pub unit: Unit,
    /// True and predicted value of each test example.
    #[serde(deserialize_with = "number::pairs")]
    pub pairs: Vec<(f64, f64)>,
    /// The examples predicted worst, the worst first.
    pub worst: Vec<Deviation>,
    /// Names of the cells of a deviation's example.
    pub columns: Vec<String>,
}

/// An example whose prediction was far off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deviation {
    /// The example.
    pub example: Example,
    /// Its true value.
    #[serde(deserialize_with = "number::single")]
    pub truth: f64,
    /// The predicted value.
    #[serde(deserialize_with = "number::single")]
    pub predicted: f64,
}
