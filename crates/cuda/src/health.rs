//! The loss of a device, told at each call that follows.

use std::sync::OnceLock;

use warploom_device::DeviceError;

/// Whether a device still works.
#[derive(Default)]
pub(crate) struct Health {
    lost: OnceLock<String>,
}

impl Health {
    pub(crate) fn lose(&self, text: &str) {
        // A second loss says less than the first.
        let _ = self.lost.set(text.into());
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// Whether it still takes work.
    pub(crate) fn check(&self) -> Result<(), DeviceError> {
        let Some(text) = self.lost.get() else { return Ok(()) };
        Err(DeviceError::Failed(format!(
            "the device was lost ({text}) and takes no more work; start the program again from its last checkpoint"
        )))
    }
}
