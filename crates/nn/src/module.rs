//! What maps a tensor to a tensor.

use crate::parameters::Parameters;
use warploom_tensor::{DType, Tensor};

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

    /// The dtype of what it takes, where that is not its variables': whole numbers for an embedding. A module of one's own
    /// that begins with such a part says so.
    fn input_dtype(&self) -> Option<DType> {
        None
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        (**self).forward(x, mode)
    }

    fn input_dtype(&self) -> Option<DType> {
        (**self).input_dtype()
    }
}
