//! Nonlinearities as layers.

use crate::Parameters;
use crate::module::{Mode, Module};
use crate::parameters::{Visitor, VisitorMut};
use warploom_tensor::{ElementwiseMethods, Tensor};

/// A nonlinearity; input and output have one shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// x Φ(x) with the exact normal distribution function, by erf (Hendrycks and Gimpel 2016); PyTorch's default.
    Gelu,
    /// exp(x) / Σ exp(x) along the last axis. For training, [`crate::losses::cross_entropy`] takes what comes before it.
    Softmax,
}

impl Parameters for Activation {
    fn visit(&self, _: &mut Visitor<'_>) {}
    fn visit_mut(&mut self, _: &mut VisitorMut<'_>) {}
}

impl Module for Activation {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        match self {
            Activation::Relu => x.relu(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
            Activation::Gelu => x * 0.5 * ((x * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0),
            Activation::Softmax => x.softmax(-1),
        }
    }
}
