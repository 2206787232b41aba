//! What maps a tensor to a tensor.

use crate::parameters::Parameters;
use warploom_tensor::Tensor;

/// Whether a forward pass is one of training, where dropout drops and running statistics move.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Learning from a batch.
    Train,
    /// Using what was learned: validation, prediction, serving.
    Evaluate,
}

/// A part of a model that maps one tensor to another.
///
/// The trait is apart from [`Parameters`], which is derived: what is written by hand is the computation alone, and a part
/// with several inputs or outputs has a method of its own for it, derives `Parameters`, and is a field like any other.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "has no forward pass",
    note = "implement Module by hand (`fn forward(&self, x: &Tensor, mode: Mode) -> Tensor`) beside #[derive(Parameters)]"
)]
pub trait Module: Parameters + Send + Sync {
    /// Records the computation on a batch `[batch, …]`. What cannot be gives a tensor that carries the error.
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor;
}

impl<M: Module + ?Sized> Module for Box<M> {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        (**self).forward(x, mode)
    }
}
