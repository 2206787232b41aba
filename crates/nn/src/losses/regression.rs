//! Losses between numbers.

use super::{each, same_shape};
use warploom_tensor::{Elementwise, ElementwiseMethods, Error, Tensor};

/// Mean of `(prediction - target)²` over all elements; both of one shape.
#[track_caller]
pub fn mean_squared_error(prediction: &Tensor, target: &Tensor) -> Tensor {
    match same_shape("mean_squared_error", prediction, target) {
        Ok(()) => each::mean(&(prediction - target).square()),
        Err(error) => Tensor::failed(error),
    }
}

/// Mean of `|prediction - target|` over all elements; both of one shape. The gradient where they are equal is 0.
#[track_caller]
pub fn mean_absolute_error(prediction: &Tensor, target: &Tensor) -> Tensor {
    match same_shape("mean_absolute_error", prediction, target) {
        Ok(()) => each::mean(&(prediction - target).abs()),
        Err(error) => Tensor::failed(error),
    }
}

/// Mean over all elements of `d² / 2` up to |d| = `delta` and `delta·(|d| - delta / 2)` beyond, for d = prediction - target
/// (Huber 1964); both of one shape, `delta` above 0. PyTorch's and Keras' delta is 1.
#[track_caller]
pub fn huber(prediction: &Tensor, target: &Tensor, delta: f64) -> Tensor {
    match same_shape("huber", prediction, target).and_then(|()| above_zero("huber", "delta", delta)) {
        Ok(()) => each::mean(&huber_of(&(prediction - target), delta)),
        Err(error) => Tensor::failed(error),
    }
}

/// Mean over all elements of `d² / (2 beta)` up to |d| = `beta` and `|d| - beta / 2` beyond, for d = prediction - target:
/// [`huber`] divided by its bound (Girshick 2015); both of one shape, `beta` above 0. PyTorch's beta is 1.
#[track_caller]
pub fn smooth_l1(prediction: &Tensor, target: &Tensor, beta: f64) -> Tensor {
    match same_shape("smooth_l1", prediction, target).and_then(|()| above_zero("smooth_l1", "beta", beta)) {
        Ok(()) => each::mean(&(huber_of(&(prediction - target), beta) * (1.0 / beta))),
        Err(error) => Tensor::failed(error),
    }
}

#[track_caller]
fn huber_of(difference: &Tensor, delta: f64) -> Tensor {
    let size = difference.abs();
    let near = size.compare(Elementwise::LESS_EQUAL, delta);
    near.select(&(difference.square() * 0.5), &((size - 0.5 * delta) * delta))
}

#[track_caller]
fn above_zero(loss: &str, name: &str, value: f64) -> Result<(), Error> {
    match value > 0.0 {
        true => Ok(()),
        false => Err(Error::new(loss, format!("takes a {name} above 0, found {value}"))),
    }
}
