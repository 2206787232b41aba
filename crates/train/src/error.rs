//! What can go wrong between examples and a trained model.

use crate::memory::Shortage;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use warploom_device::DeviceError;

/// The result of anything that trains, evaluates or saves.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be trained, evaluated, predicted, saved or loaded.
#[derive(Debug)]
pub enum Error {
    /// A recorded operation that cannot be, or the device.
    Tensor(warploom_tensor::Error),
    /// Data that could not be read or accepted.
    Data(warploom_data::Error),
    /// Something given by the caller cannot be used: what, why, what to do.
    Invalid(String),
    /// A fit that needs more memory than it may take.
    Memory(Box<Shortage>),
    /// The operating system refused.
    Io {
        /// What was being done, such as `write`.
        doing: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Whom an error concerns; command lines make exit codes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// What was given: data, recipe, shapes, files.
    Input,
    /// The device or its memory.
    Device,
}

impl Error {
    /// Something given by the caller that cannot be used.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid(message.into())
    }

    /// The system's refusal to do something to a path.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { doing, path: path.to_path_buf(), source }
    }

    /// Whom it concerns.
    pub fn cause(&self) -> Cause {
        use warploom_tensor::Error::{Device, Graph, MemoryLimit, NoDevice};
        match self {
            Error::Tensor(Device(DeviceError::IndexOutOfRange { .. }) | Graph(_)) => Cause::Input,
            Error::Tensor(Device(_) | NoDevice { .. } | MemoryLimit { .. }) => Cause::Device,
            Error::Memory(_) => Cause::Device,
            Error::Data(_) | Error::Invalid(_) | Error::Io { .. } => Cause::Input,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Tensor(error) => error.fmt(f),
            Error::Data(error) => error.fmt(f),
            Error::Invalid(message) => f.write_str(message),
            Error::Memory(shortage) => shortage.fmt(f),
            Error::Io { doing, path, source } => {
                write!(
                    f,
                    "could not {doing} {}: {source}; check that it is there and its permissions",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Tensor(error) => Some(error),
            Error::Data(error) => Some(error),
            Error::Io { source, .. } => Some(source),
            Error::Invalid(_) | Error::Memory(_) => None,
        }
    }
}

impl From<warploom_tensor::Error> for Error {
    fn from(error: warploom_tensor::Error) -> Error {
        Error::Tensor(error)
    }
}

impl From<warploom_data::Error> for Error {
    fn from(error: warploom_data::Error) -> Error {
        Error::Data(error)
    }
}

impl From<DeviceError> for Error {
    fn from(error: DeviceError) -> Error {
        Error::Tensor(error.into())
    }
}
