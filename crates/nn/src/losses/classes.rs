//! Losses between the scores of classes and labels.

use super::each;
use warploom_graph::shape::show;
use warploom_tensor::{DType, ElementwiseMethods, Error, Tensor, call_with_gradient};

/// Cross-entropy between labels and the softmax of logits, in nats; logits `[batch, classes]`, labels `[batch]` of whole
/// numbers below `classes` (another number is an error when the program runs). Stable for logits of any size.
///
/// Recorded as the call `softmax_cross_entropy` with the gradient `(softmax - one-hot) / batch`; for each example
/// `softmax_cross_entropy_each`, without the division.
#[track_caller]
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    if let Err(error) = fits("cross_entropy", logits, labels) {
        return Tensor::failed(error);
    }
    let labels = labels.cast(DType::I32);
    let each = each::is_each();
    let body = move |inputs: &[Tensor]| {
        let surprise = surprise(&inputs[0], &inputs[1]);
        vec![if each { surprise } else { surprise.mean_all() }]
    };
    let gradient = move |inputs: &[Tensor], _: &[Tensor], upstream: &[Tensor]| {
        let (logits, labels) = (&inputs[0], &inputs[1]);
        let softmax = logits.softmax(1);
        let rows = labels.shape().map_or(1, |shape| shape[0]);
        let difference = is_label(logits, labels).select(&(&softmax - 1.0), &softmax);
        let scale = if each { upstream[0].unsqueeze(1) } else { &upstream[0] * (1.0 / rows as f64) };
        vec![difference * scale, labels.full_like(0.0)]
    };
    let device = logits.device();
    let name = if each { "softmax_cross_entropy_each" } else { "softmax_cross_entropy" };
    let record = || call_with_gradient(name, &[logits, &labels], body, gradient).swap_remove(0);
    device.map_or_else(Tensor::failed, |device| device.scope(record))
}

/// [`cross_entropy`] against labels of which `smoothing` (0 up to 1) is spread evenly over all classes (Szegedy et al. 2016),
/// where each class counts by its weight, `[classes]`; as torch's cross_entropy, the mean is over the weights of the batch's
/// labels.
#[track_caller]
pub fn cross_entropy_with(
    logits: &Tensor,
    labels: &Tensor,
    smoothing: f64,
    weights: Option<&Tensor>,
) -> Tensor {
    let loss = || -> Result<Tensor, Error> {
        const NAME: &str = "cross_entropy_with";
        fits(NAME, logits, labels)?;
        if !(0.0..=1.0).contains(&smoothing) {
            return Err(Error::new(NAME, format!("takes a smoothing from 0 to 1, found {smoothing}")));
        }
        let (classes, batch) = (logits.shape()?[1], labels.elements()?);
        let labels = labels.cast(DType::I32);
        let mut surprise = -logits.log_softmax(1);
        if let Some(weights) = weights {
            let found = weights.shape()?;
            if found[..] != [classes] {
                let message =
                    format!("takes weights [{classes}], one for each class, found {}", show(&found));
                return Err(Error::new(NAME, message));
            }
            surprise = surprise * weights;
        }
        if each::is_each() {
            let own = at_labels(&surprise, &labels) * (1.0 - smoothing);
            return Ok(match smoothing > 0.0 {
                true => own + surprise.sum(1) * (smoothing / classes as f64),
                false => own,
            });
        }
        let mut sum = at_labels(&surprise, &labels).sum(0) * (1.0 - smoothing);
        if smoothing > 0.0 {
            sum = sum + surprise.sum([0, 1]) * (smoothing / classes as f64);
        }
        Ok(match weights {
            None => sum * (1.0 / batch as f64),
            Some(weights) => sum / weights.gather(0, &labels).sum(0),
        })
    };
    loss().unwrap_or_else(Tensor::failed)
}

/// Mean of what log-probabilities `[batch, classes]`, as log_softmax gives them, say against labels `[batch]` of whole numbers
/// below `classes`; as torch's nll_loss. From logits, [`cross_entropy`] is exact and quicker.
#[track_caller]
pub fn negative_log_likelihood(log_probabilities: &Tensor, labels: &Tensor) -> Tensor {
    match fits("negative_log_likelihood", log_probabilities, labels) {
        Ok(()) => -each::mean(&at_labels(log_probabilities, &labels.cast(DType::I32))),
        Err(error) => Tensor::failed(error),
    }
}

/// Of each row, the element at its label.
#[track_caller]
fn at_labels(rows: &Tensor, labels: &Tensor) -> Tensor {
    let picked = || is_label(rows, labels).select(rows, &rows.full_like(0.0)).sum(1);
    rows.device().map_or_else(Tensor::failed, |device| device.scope(picked))
}

/// `-log softmax` of each row at its label, `[batch]`.
fn surprise(logits: &Tensor, labels: &Tensor) -> Tensor {
    let below = logits - logits.max_keep(1);
    let picked = is_label(logits, labels).select(&below, &below.full_like(0.0)).sum(1);
    below.exp().sum(1).log() - picked
}

/// `bool[batch, classes]`: whether the class is the row's label.
fn is_label(logits: &Tensor, labels: &Tensor) -> Tensor {
    let classes = logits.shape().map_or(0, |shape| shape[1]);
    // Read through an index, each label is checked against the number of classes.
    let checked = Tensor::arange(classes, DType::I32).gather(0, labels);
    checked.unsqueeze(1).equal(&Tensor::iota(&[1, classes], 1, DType::I32))
}

#[track_caller]
fn fits(loss: &str, logits: &Tensor, labels: &Tensor) -> Result<(), Error> {
    let fail = |message: String| Err(Error::new(loss, message));
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
