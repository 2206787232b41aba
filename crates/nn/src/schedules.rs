//! How the learning rate changes with the steps: recorded from the step's state, so that many steps can run in one launch.

mod annealed;
mod stepwise;

pub use annealed::{Cosine, OneCycle, Polynomial};
pub use stepwise::{Exponential, MultiStep, Step};

use warploom_tensor::Tensor;

/// A learning rate by step.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a schedule",
    note = "schedules are those of warploom_nn::schedules, such as Cosine, and your own"
)]
pub trait Schedule: Send + Sync {
    /// The learning rate of the step numbered `step` (from 0), given the optimizer's rate `base`; all three are scalars of
    /// one float dtype. The base may be changed between steps, by a callback.
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor;
}

/// The optimizer's rate at every step.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Constant;

impl Schedule for Constant {
    fn learning_rate(&self, base: &Tensor, _: &Tensor) -> Tensor {
        base.clone()
    }
}

impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        (**self).learning_rate(base, step)
    }
}
