//! Losses: plain functions of prediction and target that give a scalar, the mean over the batch. A function of one's own
//! with the same two arguments stands beside them.
//!
//! Prediction and target of a loss have one shape: `[100, 10]` against `[100, 1]` is an error, never a broadcast.

use warploom_graph::shape::show;
use warploom_tensor::{DType, ElementwiseMethods, Error, Tensor, call_with_gradient};

/// Mean of `(prediction - target)²` over all elements; both of one shape.
#[track_caller]
pub fn mean_squared_error(prediction: &Tensor, target: &Tensor) -> Tensor {
    match same_shape("mean_squared_error", prediction, target) {
        Ok(()) => (prediction - target).square().mean_all(),
        Err(error) => Tensor::failed(error),
    }
}

/// Mean of `|prediction - target|` over all elements; both of one shape. The gradient where they are equal is 0.
#[track_caller]
pub fn mean_absolute_error(prediction: &Tensor, target: &Tensor) -> Tensor {
    match same_shape("mean_absolute_error", prediction, target) {
        Ok(()) => (prediction - target).abs().mean_all(),
        Err(error) => Tensor::failed(error),
    }
}

/// Cross-entropy between labels and the softmax of logits, in nats; logits `[batch, classes]`, labels `[batch]` of whole
/// numbers below `classes` (another number is an error when the program runs). Stable for logits of any size.
///
/// Recorded as the call `softmax_cross_entropy` with the gradient `(softmax - one-hot) / batch`.
#[track_caller]
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    if let Err(error) = fits(logits, labels) {
        return Tensor::failed(error);
    }
    let labels = labels.cast(DType::I32);
    let body = |inputs: &[Tensor]| vec![softmax_cross_entropy(&inputs[0], &inputs[1])];
    let gradient = |inputs: &[Tensor], _: &[Tensor], upstream: &[Tensor]| {
        let (logits, labels) = (&inputs[0], &inputs[1]);
        let softmax = logits.softmax(1);
        let rows = labels.shape().map_or(1, |shape| shape[0]);
        let difference = is_label(logits, labels).select(&(&softmax - 1.0), &softmax);
        vec![difference * (&upstream[0] * (1.0 / rows as f64)), labels.full_like(0.0)]
    };
    let device = logits.device();
    let record =
        || call_with_gradient("softmax_cross_entropy", &[logits, &labels], body, gradient).swap_remove(0);
    device.map_or_else(Tensor::failed, |device| device.scope(record))
}

fn softmax_cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    let below = logits - logits.max_keep(1);
    let picked = is_label(logits, labels).select(&below, &below.full_like(0.0)).sum(1);
    (below.exp().sum(1).log() - picked).mean_all()
}

/// `bool[batch, classes]`: whether the class is the row's label.
fn is_label(logits: &Tensor, labels: &Tensor) -> Tensor {
    let classes = logits.shape().map_or(0, |shape| shape[1]);
    // Read through an index, each label is checked against the number of classes.
    let checked = Tensor::arange(classes, DType::I32).gather(0, labels);
    checked.unsqueeze(1).equal(&Tensor::iota(&[1, classes], 1, DType::I32))
}

#[track_caller]
fn fits(logits: &Tensor, labels: &Tensor) -> Result<(), Error> {
    let fail = |message: String| Err(Error::new("cross_entropy", message));
    let (shape, label_shape, dtype) = (logits.shape()?, labels.shape()?, labels.dtype()?);
    if shape.len() != 2 || label_shape[..] != shape[..1] {
        let hint = match (label_shape.len(), label_shape.last()) {
            (2, Some(1)) => "; take the last axis away with labels.squeeze(1)",
            (2, Some(classes)) if shape.get(1) == Some(classes) => {
                "; make labels of one-hot rows with .arg_max(1)"
            }
            _ => "",
        };
        let (shape, labels) = (show(&shape), show(&label_shape));
        return fail(format!(
            "takes logits [batch, classes] and labels [batch], found {shape} and {labels}{hint}"
        ));
    }
    if dtype.is_float() || dtype == DType::Bool {
        return fail(format!("labels are whole numbers, found {dtype}; cast them to i32"));
    }
    Ok(())
}

/// Binary cross-entropy between targets in [0, 1] and the sigmoid of logits, in nats, the mean over all elements; both of
/// one shape. Stable for logits of any size, and exact in the tails of both sides.
#[track_caller]
pub fn binary_cross_entropy_with_logits(logits: &Tensor, target: &Tensor) -> Tensor {
    match same_shape("binary_cross_entropy_with_logits", logits, target) {
        Ok(()) => (target * (-logits).softplus() + (1.0 - target) * logits.softplus()).mean_all(),
        Err(error) => Tensor::failed(error),
    }
}

#[track_caller]
fn same_shape(loss: &str, prediction: &Tensor, target: &Tensor) -> Result<(), Error> {
    let (found, wanted) = (prediction.shape()?, target.shape()?);
    if found == wanted {
        return Ok(());
    }
    let mut message = format!("prediction {} and target {} must have one shape", show(&found), show(&wanted));
    if found.iter().product::<usize>() == wanted.iter().product::<usize>() {
        message += &format!("; reshape the target to {}", show(&found));
    } else if found.get(1).is_some_and(|units| *units != 1)
        && wanted.len() == found.len()
        && wanted.last() == Some(&1)
    {
        message += &format!("; a target {} asks for a last layer of one unit", show(&wanted));
    }
    Err(Error::new(loss, message))
}
