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
    /// A training in which no update was finite any more: when, where that began, what to do.
    Diverged(String),
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
        use warploom_tensor::Error::{Block, Device, Graph, MemoryLimit, NoDevice};
        match self {
            Error::Tensor(Device(DeviceError::IndexOutOfRange { .. }) | Graph(_)) => Cause::Input,
            Error::Tensor(Device(_) | NoDevice { .. } | MemoryLimit { .. } | Block { .. }) => Cause::Device,
            Error::Memory(_) => Cause::Device,
            Error::Data(_) | Error::Invalid(_) | Error::Diverged(_) | Error::Io { .. } => Cause::Input,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Tensor(error) => error.fmt(f),
            Error::Data(error) => error.fmt(f),
            Error::Invalid(message) | Error::Diverged(message) => f.write_str(message),
            Error::Memory(shortage) => shortage.fmt(f),
            Error::Io { doing, path, source } => {
                write!(f, "could not {doing} {}: {source}; {}", path.display(), advice(source.kind()))
            }
        }
    }
}

/// What to do where the system refused.
fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull => "free some space on that disk, or write to another one",
        io::ErrorKind::QuotaExceeded => "free some space within the quota, or write to another disk",
        io::ErrorKind::FileTooLarge => {
            "no more space is allowed to one file: raise that limit (`ulimit -f`), or write to another disk"
        }
        io::ErrorKind::ReadOnlyFilesystem => "that disk is read-only: write to another one",
        io::ErrorKind::NotFound => "check that it is there",
        io::ErrorKind::PermissionDenied => "check its permissions",
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a file is where a folder is wanted: name another place"
        }
        _ => "check that it is there and its permissions",
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Tensor(error) => Some(error),
            Error::Data(error) => Some(error),
            Error::Io { source, .. } => Some(source),
            Error::Invalid(_) | Error::Diverged(_) | Error::Memory(_) => None,
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
