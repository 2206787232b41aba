//! The finite gate: an update from a loss or gradient that is not finite does not happen.

use crate::initialise::zeros;
use crate::model::moved;
use warploom_tensor::{DType, Device, Dims, ElementwiseMethods, Error, Tensor, Variable};

/// Lets an update pass only if the loss and every gradient are finite, and counts those it held back.
pub struct Gate {
    /// `u32[]`.
    skipped: Variable,
}

impl Gate {
    /// A gate that has held nothing back.
    ///
    /// # Errors
    /// What the device reports.
    pub fn new(device: &Device) -> Result<Gate, Error> {
        Ok(Gate { skipped: zeros("gate.skipped", &[], DType::U32, device)? })
    }

    /// Updates held back so far, `u32[]`.
    pub fn skipped(&self) -> &Variable {
        &self.skipped
    }

    /// `bool[]`: whether the loss and all elements of all gradients are finite. Recorded once a step: a `false` is
    /// counted.
    ///
    /// # Errors
    /// The error that one of them carries.
    #[track_caller]
    pub fn check(&self, loss: &Tensor, gradients: &[Tensor]) -> Result<Tensor, Error> {
        let passes = gradients.iter().fold(loss.is_finite(), |all, gradient| all.and(&is_finite(gradient)));
        let skipped = self.skipped.value();
        self.skipped.assign(&(&skipped + passes.not().cast(DType::U32)))?;
        Ok(passes)
    }

    /// Moves the counter to another device.
    ///
    /// # Errors
    /// What the devices report.
    pub fn move_to(&mut self, device: &Device) -> Result<(), Error> {
        self.skipped = moved(&self.skipped, device)?;
        Ok(())
    }
}

/// Whether all elements are finite: the largest magnitude is, and a NaN is passed on as the largest.
fn is_finite(x: &Tensor) -> Tensor {
    let axes: Dims = (0..x.rank().unwrap_or(0)).collect();
    x.abs().max(axes).is_finite()
}
