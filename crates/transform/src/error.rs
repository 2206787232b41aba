//! What can be wrong with raw values and with stored steps.

use std::fmt;

/// The result of fitting, storing or applying steps.
pub type Result<T> = std::result::Result<T, Error>;

/// Why steps could not be fitted, read or applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// One cell of a table cannot be used.
    Cell {
        /// Its row, from 0, without the header.
        row: usize,
        /// The name of its column.
        column: String,
        /// What was found there.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// Anything else.
    Invalid {
        /// What was given and why it cannot be used.
        problem: String,
        /// What to do.
        advice: String,
    },
}

impl Error {
    pub(crate) fn invalid(problem: impl Into<String>, advice: impl Into<String>) -> Error {
        Error::Invalid { problem: problem.into(), advice: advice.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Cell { row, column, problem, advice } => {
                write!(f, "Row {row} (counted from 0), column `{column}`: {problem}. {advice}.")
            }
            Error::Invalid { problem, advice } => write!(f, "{problem}. {advice}."),
        }
    }
}

impl std::error::Error for Error {}
