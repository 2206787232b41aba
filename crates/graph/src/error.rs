//! What is wrong with a recorded operation.

use crate::origin::Origin;
use std::fmt;

/// A recorded operation that cannot be: which op, what is wrong and what to do, and where the user wrote it.
#[derive(Clone, Debug)]
pub struct Error {
    /// The op that was asked for.
    pub op: String,
    /// What was found, against what is needed, and what to do.
    pub message: String,
    /// The user's place, where known.
    pub origin: Option<Origin>,
}

impl Error {
    /// An error of `op` whose place is filled in by the recorder.
    pub fn new(op: impl Into<String>, message: impl Into<String>) -> Error {
        Error { op: op.into(), message: message.into(), origin: None }
    }

    /// The same error at a place.
    pub fn at(mut self, origin: &Origin) -> Error {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.op, self.message)?;
        if let Some(origin) = &self.origin {
            write!(f, "\n  at {origin}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
