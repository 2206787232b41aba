//! Losses between probabilities, and between scores and signs.

use super::{each, same_shape};
use warploom_tensor::{Elementwise, ElementwiseMethods, Error, Tensor};

/// Binary cross-entropy between targets in [0, 1] and the sigmoid of logits, in nats, the mean over all elements; both of
/// one shape. Stable for logits of any size, and exact in the tails of both sides.
#[track_caller]
pub fn binary_cross_entropy_with_logits(logits: &Tensor, target: &Tensor) -> Tensor {
    match same_shape("binary_cross_entropy_with_logits", logits, target) {
        Ok(()) => each::mean(&(target * (-logits).softplus() + (1.0 - target) * logits.softplus())),
        Err(error) => Tensor::failed(error),
    }
}

/// Kullback-Leibler divergence `Σ target·(log target - log_prediction)` of each example, in nats, the mean over the batch;
/// `log_prediction` holds log-probabilities `[batch, …]` and `target` probabilities of one shape, 0 among them. What
/// PyTorch's kl_div gives with `reduction="batchmean"`; with "mean" it divides by the number of all elements.
#[track_caller]
pub fn kullback_leibler_divergence(log_prediction: &Tensor, target: &Tensor) -> Tensor {
    let divergence = || -> Result<Tensor, Error> {
        same_shape("kullback_leibler_divergence", log_prediction, target)?;
        let Some(batch) = target.shape()?.first().copied() else {
            let message = "takes [batch, …], found scalars";
            return Err(Error::new("kullback_leibler_divergence", message));
        };
        // 0 log 0 is 0; the logarithm is taken of 1 there, so that its gradient stays finite.
        let present = target.compare(Elementwise::GREATER, 0.0);
        let entropy = target * present.select(target, &target.full_like(1.0)).log();
        let shares = entropy - target * log_prediction;
        Ok(match each::is_each() {
            true => shares.reshape([batch as isize, -1]).sum(1),
            false => shares.sum_all() * (1.0 / batch as f64),
        })
    };
    divergence().unwrap_or_else(Tensor::failed)
}

/// Mean over all elements of `max(0, 1 - target·prediction)`, for targets of -1 and 1, as Keras' Hinge; both of one shape.
#[track_caller]
pub fn hinge(prediction: &Tensor, target: &Tensor) -> Tensor {
    match same_shape("hinge", prediction, target) {
        Ok(()) => each::mean(&(1.0 - target * prediction).relu()),
        Err(error) => Tensor::failed(error),
    }
}
