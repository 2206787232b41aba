//! Nonlinearities as layers: one table.

use crate::Parameters;
use crate::module::{Mode, Module};
use crate::parameters::{Visitor, VisitorMut};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use warploom_tensor::{Elementwise, ElementwiseMethods, Tensor};

/// A nonlinearity without variables; input and output have one shape. The slopes at kinks are PyTorch's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x above 0, `slope`·x below (Maas et al. 2013); PyTorch's slope is 0.01, Keras' 0.3.
    LeakyRelu {
        /// Of the side below 0.
        slope: f64,
    },
    /// x above 0, `alpha`·(exp(x) - 1) below (Clevert et al. 2016); the usual alpha is 1.
    Elu {
        /// The limit far below 0 is -alpha.
        alpha: f64,
    },
    /// ELU with the alpha and the scale that keep mean 0 and variance 1 (Klambauer et al. 2017).
    Selu,
    /// x above 0, `alpha`·(exp(x / alpha) - 1) below: ELU with slope 1 at 0 (Barron 2017); the usual alpha is 1.
    Celu {
        /// The limit far below 0 is -alpha.
        alpha: f64,
    },
    /// x Φ(x) with the exact normal distribution function, by erf (Hendrycks and Gimpel 2016); PyTorch's default.
    Gelu,
    /// GELU by its approximation with tanh, as GPT-2 has it; PyTorch's `approximate="tanh"`.
    GeluTanh,
    /// x σ(x) (Elfwing et al. 2018), also called swish.
    Silu,
    /// x tanh(log(1 + exp(x))) (Misra 2019).
    Mish,
    /// log(1 + exp(x)).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// min(max(x, 0), 6).
    Relu6,
    /// x within `low` and `high`, the nearer of them outside; PyTorch's are -1 and 1.
    Hardtanh {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
    /// x / 6 + 1/2, within 0 and 1 (Howard et al. 2019).
    Hardsigmoid,
    /// x times its [`Activation::Hardsigmoid`].
    Hardswish,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// exp(x) / Σ exp(x) along the last axis. For training, [`crate::losses::cross_entropy`] takes what comes before it.
    Softmax,
    /// The logarithm of [`Activation::Softmax`], without overflow or loss of digits.
    LogSoftmax,
}

impl Parameters for Activation {
    fn visit(&self, _: &mut Visitor<'_>) {}
    fn visit_mut(&mut self, _: &mut VisitorMut<'_>) {}
}

impl Module for Activation {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        match *self {
            Activation::Relu => x.relu(),
            Activation::LeakyRelu { slope } => positive(x).select(x, &(x * slope)),
            Activation::Elu { alpha } => positive(x).select(x, &(exponential_below(x, 1.0) * alpha)),
            // The constants solve equation 14 of the paper.
            Activation::Selu => {
                const ALPHA: f64 = 1.673_263_242_354_377_2;
                const SCALE: f64 = 1.050_700_987_355_480_5;
                positive(x).select(&(x * SCALE), &(exponential_below(x, 1.0) * (SCALE * ALPHA)))
            }
            Activation::Celu { alpha } => positive(x).select(x, &(exponential_below(x, 1.0 / alpha) * alpha)),
            Activation::Gelu => x * 0.5 * ((x * FRAC_1_SQRT_2).erf() + 1.0),
            // (1 + tanh(u)) / 2 is σ(2u), whose slope is exactly 0 where it saturates.
            Activation::GeluTanh => {
                let inner = x + x.square() * x * 0.044_715;
                x * (inner * (2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2)).sigmoid()
            }
            Activation::Silu => x.silu(),
            Activation::Mish => x * x.softplus().tanh(),
            Activation::Softplus => x.softplus(),
            Activation::Softsign => x / (x.abs() + 1.0),
            Activation::Relu6 => between(x, 0.0, 6.0),
            Activation::Hardtanh { low, high } => between(x, low, high),
            Activation::Hardsigmoid => hard_sigmoid(x),
            Activation::Hardswish => x * hard_sigmoid(x),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
        }
    }
}

#[track_caller]
fn positive(x: &Tensor) -> Tensor {
    x.compare(Elementwise::GREATER, 0.0)
}

/// exp(`factor`·x) - 1 at and below 0. Above, where it would overflow and make NaN of the gradient's zero, it is 0.
#[track_caller]
fn exponential_below(x: &Tensor, factor: f64) -> Tensor {
    (positive(x).select(&x.full_like(0.0), x) * factor).expm1()
}

/// x within two limits, with slope 0 at the limits, where a clamp would give half the gradient.
#[track_caller]
fn between(x: &Tensor, low: f64, high: f64) -> Tensor {
    let below = x.compare(Elementwise::LESS_EQUAL, low);
    let above = x.compare(Elementwise::GREATER_EQUAL, high);
    below.select(&x.full_like(low), &above.select(&x.full_like(high), x))
}

#[track_caller]
fn hard_sigmoid(x: &Tensor) -> Tensor {
    between(&(x + 3.0), 0.0, 6.0) * (1.0 / 6.0)
}
