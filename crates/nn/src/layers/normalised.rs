//! What normalising layers share: mean 0 and variance 1 along some axes, with a gradient that reads its input once.

use warploom_tensor::{Dims, ElementwiseMethods, Tensor, call_with_gradient};

/// `(x - mean) / √(variance + epsilon)` with mean and biased variance along `axes`.
///
/// Recorded as the call `normalise`. Its gradient is `r (dy - mean(dy) - x̂ mean(dy x̂))` with x̂ the result and r one over
/// the deviation: both means are taken in one pass, where the body's own gradient would need two, one after the other.
#[track_caller]
pub(super) fn normalised(x: &Tensor, axes: &Dims, epsilon: f64) -> Tensor {
    let body = |inputs: &[Tensor]| {
        let (mean, variance) = moments(&inputs[0], axes);
        vec![(&inputs[0] - mean) * (variance + epsilon).rsqrt()]
    };
    let gradient = |inputs: &[Tensor], _: &[Tensor], upstream: &[Tensor]| {
        let (x, dy) = (&inputs[0], &upstream[0]);
        let (mean, variance) = moments(x, axes);
        let scale = (variance + epsilon).rsqrt();
        let normal = x * &scale - &mean * &scale;
        let slope = -((dy * normal).mean_keep(axes) * &scale * &scale);
        let shift = -(dy.mean_keep(axes) * &scale) - &slope * mean;
        vec![dy * scale + (x * slope + shift)]
    };
    let record = || call_with_gradient("normalise", &[x], body, gradient).swap_remove(0);
    x.device().map_or_else(Tensor::failed, |device| device.scope(record))
}

/// Mean and biased variance along `axes`, which stay with extent 1. In two passes: squares less the squared mean would
/// cancel. The difference is the opposite of the one that is normalised, so that the two are not merged and stored.
#[track_caller]
pub(super) fn moments(x: &Tensor, axes: &Dims) -> (Tensor, Tensor) {
    let mean = x.mean_keep(axes);
    let variance = (&mean - x).square().mean_keep(axes);
    (mean, variance)
}
