//! What can stand where a tensor is read: tensors and variables.

use crate::tensor::Tensor;
use crate::variable::Variable;

/// A tensor, or a variable read at its current version.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a tensor nor a variable",
    note = "make a tensor with Tensor::from"
)]
pub trait Operand {
    /// The value.
    fn tensor(&self) -> Tensor;
    /// The variable, if it is one.
    fn variable(&self) -> Option<&Variable>;
    /// The name, if it has one.
    fn operand_name(&self) -> Option<&str>;
}

impl Operand for Tensor {
    fn tensor(&self) -> Tensor {
        self.clone()
    }

    fn variable(&self) -> Option<&Variable> {
        None
    }

    fn operand_name(&self) -> Option<&str> {
        self.name()
    }
}

impl Operand for Variable {
    fn tensor(&self) -> Tensor {
        self.value()
    }

    fn variable(&self) -> Option<&Variable> {
        Some(self)
    }

    fn operand_name(&self) -> Option<&str> {
        self.name()
    }
}

impl<T: Operand + ?Sized> Operand for &T {
    fn tensor(&self) -> Tensor {
        (**self).tensor()
    }

    fn variable(&self) -> Option<&Variable> {
        (**self).variable()
    }

    fn operand_name(&self) -> Option<&str> {
        (**self).operand_name()
    }
}
