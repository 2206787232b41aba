//! Why a recording has no program.

use std::fmt;

/// What the compiler can refuse.
#[derive(Clone, Debug)]
pub enum Error {
    /// An operation that cannot be compiled for the target.
    Graph(warploom_graph::Error),
    /// The plan does not fit the memory limit.
    MemoryLimit {
        /// Bytes that the plan may take.
        limit: usize,
        /// Bytes of the smallest plan that was reached.
        least: usize,
    },
    /// A value that is larger than any memory block of the target.
    Block {
        /// Bytes of the value.
        bytes: usize,
        /// Bytes of the largest block.
        most: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Graph(error) => error.fmt(f),
            Error::MemoryLimit { limit, least } => write!(
                f,
                "the memory limit is {limit} bytes; the smallest plan found, with everything recomputed that helps, \
                 takes {least} bytes; lower the batch size, or raise the limit"
            ),
            Error::Block { bytes, most } => write!(
                f,
                "a temporary of {bytes} bytes does not fit the largest memory block of {most} bytes; lower the batch size"
            ),
        }
    }
}

impl std::error::Error for Error {}

impl From<warploom_graph::Error> for Error {
    fn from(error: warploom_graph::Error) -> Error {
        Error::Graph(error)
    }
}
