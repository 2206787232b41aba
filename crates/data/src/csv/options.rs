//! What can be said about a file.

use serde::{Deserialize, Serialize};
use warploom_transform::TableFormat;

/// How a file is read; what is not said is decided by the rules of the [module](super).
#[derive(Clone, Debug, PartialEq)]
pub struct CsvOptions {
    /// What stands between cells, one ASCII character.
    pub separator: Option<char>,
    /// Whether the first line names the columns.
    pub header: Option<bool>,
    /// What is predicted.
    pub target: TargetColumn,
    /// Whether classes or numbers are predicted.
    pub task: Option<Task>,
    /// Kinds of columns, by name.
    pub kinds: Vec<(String, ColumnKind)>,
    /// Texts that stand for a missing value, whatever their case.
    pub missing: Vec<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            separator: None,
            header: None,
            target: TargetColumn::default(),
            task: None,
            kinds: Vec::new(),
            missing: TableFormat::default().missing,
        }
    }
}

/// Which column is predicted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TargetColumn {
    /// The last.
    #[default]
    Last,
    /// The one of this name.
    Named(String),
    /// The one at this place, from 0.
    Position(usize),
}

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of several classes.
    Classification,
    /// A number.
    Regression,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// Text of several categories, also where it looks like numbers.
    Text,
    /// Nothing that is learned from.
    Ignore,
}
