//! What a device can refuse or fail at.

use std::fmt;

/// A device's refusal or failure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeviceError {
    /// There is no such device, and why.
    Missing(String),
    /// Memory could not be had: bytes asked for, bytes held, and the limit or the system's answer.
    OutOfMemory {
        /// Bytes asked for.
        asked: usize,
        /// Bytes already held on the device.
        held: usize,
        /// The limit, or what the system said.
        reason: String,
    },
    /// The program asks for what the device cannot do.
    Unsupported(String),
    /// An index read while running lay outside its axis.
    IndexOutOfRange {
        /// The kernel that read it.
        kernel: String,
        /// The index.
        index: i64,
        /// The axis's extent.
        extent: usize,
    },
    /// Memory handed in does not fit the program.
    Binding(String),
    /// The device failed while running.
    Failed(String),
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceError::Missing(why) => write!(f, "no such device: {why}"),
            DeviceError::OutOfMemory { asked, held, reason } => write!(
                f,
                "out of memory: asked for {asked} bytes with {held} held ({reason}); lower the batch size, or set a memory limit"
            ),
            DeviceError::Unsupported(what) => write!(f, "the device cannot do this: {what}"),
            DeviceError::IndexOutOfRange { kernel, index, extent } => {
                write!(
                    f,
                    "index {index} is out of range in {kernel}: the axis has {extent} elements, numbered from 0"
                )
            }
            DeviceError::Binding(what) => write!(f, "memory does not fit the program: {what}"),
            DeviceError::Failed(what) => write!(f, "the device failed: {what}"),
        }
    }
}

impl std::error::Error for DeviceError {}
