//! Optimizers: what changes parameters by their gradients.
//!
//! An [`Optimizer`] is a formula without state; an [`Updater`] runs one over given parameters and keeps the state.

mod adam;
mod sgd;
mod updater;

pub use adam::{Adam, AdamW, Adaptive};
pub use sgd::Sgd;
pub use updater::Updater;

use crate::schedules::Schedule;
use warploom_tensor::Tensor;

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
