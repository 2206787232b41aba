//! Flatten.

use crate::Parameters;
use crate::module::{Mode, Module};
use warploom_tensor::{Error, Tensor};

/// `[batch, a, b, …]` to `[batch, a·b·…]`, in row-major order.
#[derive(Clone, Copy, Debug, Default, Parameters)]
pub struct Flatten;

impl Flatten {
    /// The layer.
    pub fn new() -> Flatten {
        Flatten
    }
}

impl Module for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        match x.shape() {
            Err(_) => x.clone(),
            Ok(shape) => match shape.split_first() {
                Some((batch, rest)) => x.reshape([*batch, rest.iter().product()]),
                None => Tensor::failed(Error::new("flatten", "takes [batch, …], found a scalar")),
            },
        }
    }
}
