//! What can go wrong between a tensor's recording and its value.

use std::fmt;
use std::panic::Location;
use warploom_device::DeviceError;
use warploom_graph::Origin;

/// Why a value, a program or a device could not be had.
#[derive(Clone, Debug)]
pub enum Error {
    /// A recorded operation that cannot be: which, why, what to do, and the user's file and line.
    Graph(warploom_graph::Error),
    /// The device refused or failed.
    Device(DeviceError),
    /// No such device here.
    NoDevice {
        /// The name asked for.
        asked: String,
        /// Why it is not there.
        reason: String,
        /// Ids of the devices that are.
        present: Vec<String>,
    },
    /// A program does not fit the memory limit, whatever is recomputed.
    MemoryLimit {
        /// Bytes that the plan may take.
        limit: usize,
        /// Bytes of the smallest plan that was reached.
        least: usize,
    },
    /// A value of a program is larger than any memory block of the device.
    Block {
        /// Bytes of the value.
        bytes: usize,
        /// Bytes of the largest block.
        most: usize,
    },
}

impl Error {
    /// An error of `op` at the caller's place.
    #[track_caller]
    pub fn new(op: impl Into<String>, message: impl Into<String>) -> Error {
        Error::Graph(warploom_graph::Error::new(op, message).at(&crate::scope::origin()))
    }

    /// An error of `op` at a known place.
    pub(crate) fn at(op: &str, message: impl Into<String>, origin: &Origin) -> Error {
        Error::Graph(warploom_graph::Error::new(op, message).at(origin))
    }

    /// An error of `op` at a line outside any module.
    pub(crate) fn at_line(op: &str, message: impl Into<String>, line: &'static Location<'static>) -> Error {
        Error::at(op, message, &Origin { location: line, module: None })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Graph(error) => error.fmt(f),
            Error::Device(error) => error.fmt(f),
            Error::NoDevice { asked, reason, present } => {
                let here = if present.is_empty() { "none".into() } else { present.join(", ") };
                write!(f, "no device `{asked}`: {reason}; devices here: {here}")
            }
            Error::MemoryLimit { limit, least } => {
                warploom_compile::Error::MemoryLimit { limit: *limit, least: *least }.fmt(f)
            }
            Error::Block { bytes, most } => {
                warploom_compile::Error::Block { bytes: *bytes, most: *most }.fmt(f)
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<warploom_graph::Error> for Error {
    fn from(error: warploom_graph::Error) -> Error {
        Error::Graph(error)
    }
}

impl From<warploom_compile::Error> for Error {
    fn from(error: warploom_compile::Error) -> Error {
        match error {
            warploom_compile::Error::Graph(error) => Error::Graph(error),
            warploom_compile::Error::MemoryLimit { limit, least } => Error::MemoryLimit { limit, least },
            warploom_compile::Error::Block { bytes, most } => Error::Block { bytes, most },
        }
    }
}

impl From<DeviceError> for Error {
    fn from(error: DeviceError) -> Error {
        Error::Device(error)
    }
}
