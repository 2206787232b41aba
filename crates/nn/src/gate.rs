//! The finite gate: an update from a loss or gradient that is not finite does not happen.

use crate::initialise::zeros;
use crate::model::moved;
use warploom_tensor::{DType, Device, Dims, Elementwise, ElementwiseMethods, Error, Tensor, Variable};

/// What [`Gate::pause`] counts down from.
const PAUSED: u32 = u32::MAX;

/// Lets an update pass only if the loss and every gradient are finite, and counts those it held back.
///
/// A loop that wants to look at the batch of an update held back asks for it with [`Gate::pause_when_tripped`]: that step
/// and all that follow then change nothing, however many were launched, until [`Gate::pass_over`].
pub struct Gate {
    /// `u32[]`.
    skipped: Variable,
    /// `u32[]`: 0 where steps happen; before n > 0 the next n - 1 steps change nothing.
    pause: Variable,
    /// `u32[]`: what `pause` becomes when an update is held back.
    pause_when_tripped: Variable,
}

impl Gate {
    /// A gate that has held nothing back.
    ///
    /// # Errors
    /// What the device reports.
    pub fn new(device: &Device) -> Result<Gate, Error> {
        let zero = |name: &str| zeros(name, &[], DType::U32, device);
        Ok(Gate {
            skipped: zero("gate.skipped")?,
            pause: zero("gate.pause")?,
            pause_when_tripped: zero("gate.pause_when_tripped")?,
        })
    }

    /// Updates held back so far, `u32[]`.
    pub fn skipped(&self) -> &Variable {
        &self.skipped
    }

    /// All its variables.
    pub fn variables(&self) -> [&Variable; 3] {
        [&self.skipped, &self.pause, &self.pause_when_tripped]
    }

    /// `bool[]`: whether the loss and all elements of all gradients are finite, and steps are not paused. Recorded once a
    /// step: a number that is not finite is counted.
    ///
    /// # Errors
    /// The error that one of them carries.
    #[track_caller]
    pub fn check(&self, loss: &Tensor, gradients: &[Tensor]) -> Result<Tensor, Error> {
        let finite = all_finite(loss, gradients);
        let takes_place = self.admit(&finite)?;
        self.count(&takes_place.and(&finite.not()))?;
        Ok(takes_place.and(&finite))
    }

    /// `bool[]`: whether a step with numbers that are `finite` (`bool[]`) or not changes anything, an update or what is kept
    /// for one. Recorded once a step.
    pub(crate) fn admit(&self, finite: &Tensor) -> Result<Tensor, Error> {
        let pause = self.pause.value();
        let waiting = &pause - pause.at_most(1.0);
        let trips = is_zero(&waiting).and(&finite.not());
        self.pause.assign(&trips.select(&self.pause_when_tripped.value(), &waiting))?;
        Ok(self.takes_place())
    }

    /// Counts an update that is `held` back (`bool[]`).
    pub(crate) fn count(&self, held: &Tensor) -> Result<(), Error> {
        self.skipped.assign(&(self.skipped.value() + held.cast(DType::U32)))
    }

    /// `bool[]`: whether the step whose [`Gate::check`] was recorded last took place, its update held back or not: false
    /// where it is paused.
    #[track_caller]
    pub fn takes_place(&self) -> Tensor {
        is_zero(&self.pause.value())
    }

    /// Whether the first update to be held back pauses all steps from its own on.
    ///
    /// # Errors
    /// What the device reports.
    pub fn pause_when_tripped(&self, pause: bool) -> Result<(), Error> {
        set(&self.pause_when_tripped, if pause { PAUSED } else { 0 })
    }

    /// How many steps have changed nothing since an update was held back, its own included; `None` where none was, or
    /// nothing asked to pause. Waits for what runs.
    ///
    /// # Errors
    /// What the device reports.
    pub fn paused(&self) -> Result<Option<usize>, Error> {
        let pause = self.pause.value().item::<u32>()?;
        Ok((pause != 0).then(|| (PAUSED - pause) as usize + 1))
    }

    /// Ends a pause; the next `steps` steps change nothing still.
    ///
    /// # Errors
    /// What the device reports.
    pub fn pass_over(&self, steps: usize) -> Result<(), Error> {
        set(&self.pause, if steps == 0 { 0 } else { steps as u32 + 1 })
    }

    /// Moves its state to another device.
    ///
    /// # Errors
    /// What the devices report.
    pub fn move_to(&mut self, device: &Device) -> Result<(), Error> {
        for variable in [&mut self.skipped, &mut self.pause, &mut self.pause_when_tripped] {
            *variable = moved(variable, device)?;
        }
        Ok(())
    }
}

fn set(variable: &Variable, number: u32) -> Result<(), Error> {
    let device = variable.device()?;
    variable.assign(&device.scope(|| Tensor::from(number)))
}

#[track_caller]
fn is_zero(count: &Tensor) -> Tensor {
    count.compare(Elementwise::EQUAL, 0.0)
}

/// `bool[]`: whether the loss and all elements of all gradients are finite.
#[track_caller]
pub(crate) fn all_finite(loss: &Tensor, gradients: &[Tensor]) -> Tensor {
    gradients.iter().fold(loss.is_finite(), |all, gradient| all.and(&is_finite(gradient)))
}

/// Whether all elements are finite: the largest magnitude is, and a NaN is passed on as the largest.
fn is_finite(x: &Tensor) -> Tensor {
    let axes: Dims = (0..x.rank().unwrap_or(0)).collect();
    x.abs().max(axes).is_finite()
}
