//! Optimizers: what changes parameters by their gradients.
//!
//! An [`Optimizer`] is a formula without state; an [`Updater`] runs one over given parameters and keeps the state.

mod adam;
mod rmsprop;
mod sgd;
mod updater;

pub use adam::{Adam, AdamW, Adaptive};
pub use rmsprop::RmsProp;
pub use sgd::Sgd;
pub use updater::Updater;

use crate::schedules::Schedule;
use warploom_tensor::{Error, Tensor};

/// The time of an update; scalars of the parameter's dtype.
pub struct Moment {
    /// By the schedule.
    pub learning_rate: Tensor,
    /// How many updates were made before this one.
    pub step: Tensor,
}

/// The next versions of a parameter and of what the optimizer keeps for it.
pub struct Update {
    /// Of the parameter's shape and dtype.
    pub parameter: Tensor,
    /// One for each of [`Optimizer::slots`].
    pub slots: Vec<Tensor>,
}

/// A formula that turns gradients into next versions of parameters.
#[diagnostic::on_unimplemented(message = "`{Self}` is not an optimizer", note = "such as Adam::new(1e-3)")]
pub trait Optimizer: Send + Sync {
    /// The name its state variables begin with.
    fn name(&self) -> &'static str;

    /// The base learning rate.
    fn learning_rate(&self) -> f64;

    /// How the learning rate changes with the steps.
    fn schedule(&self) -> &dyn Schedule;

    /// Whether its numbers can be computed with; asked once, when an [`Updater`] is made.
    ///
    /// # Errors
    /// Which number cannot be, and what it can.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Names of the values it keeps for each parameter, of the parameter's shape and dtype; they begin as zeros.
    fn slots(&self) -> &'static [&'static str];

    /// Scalars that the updates of all parameters share, recorded once a step.
    fn shared(&self, now: &Moment) -> Vec<Tensor>;

    /// The next versions for one parameter, from its gradient, its slots and what [`Optimizer::shared`] gave.
    fn update(&self, parameter: &Tensor, gradient: &Tensor, slots: &[Tensor], shared: &[Tensor]) -> Update;
}

impl<O: Optimizer + ?Sized> Optimizer for Box<O> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }

    fn schedule(&self) -> &dyn Schedule {
        (**self).schedule()
    }

    fn check(&self) -> Result<(), Error> {
        (**self).check()
    }

    fn slots(&self) -> &'static [&'static str] {
        (**self).slots()
    }

    fn shared(&self, now: &Moment) -> Vec<Tensor> {
        (**self).shared(now)
    }

    fn update(&self, parameter: &Tensor, gradient: &Tensor, slots: &[Tensor], shared: &[Tensor]) -> Update {
        (**self).update(parameter, gradient, slots, shared)
    }
}

/// A share that is 0 or more and below 1, such as a rate of forgetting.
fn share(optimizer: &str, name: &str, value: f64) -> Result<(), Error> {
    match (0.0..1.0).contains(&value) {
        true => Ok(()),
        false => Err(Error::new(
            optimizer,
            format!("takes a {name} from 0 up to but not including 1, found {value}"),
        )),
    }
}
