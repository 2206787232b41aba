//! Losses: plain functions of prediction and target that give a scalar, the mean over the batch. A function of one's own
//! with the same two arguments stands beside them; one with more is closed over them: `|p, t| losses::huber(p, t, 1.0)`.
//! Within [`each_example`] they give one value an example instead of the mean.
//!
//! Prediction and target of a loss have one shape: `[100, 10]` against `[100, 1]` is an error, never a broadcast.

mod classes;
mod distributions;
mod each;
mod regression;

pub use classes::{cross_entropy, cross_entropy_with, negative_log_likelihood};
pub use distributions::{binary_cross_entropy_with_logits, hinge, kullback_leibler_divergence};
pub use each::each_example;
pub use regression::{huber, mean_absolute_error, mean_squared_error, smooth_l1};

use warploom_graph::shape::show;
use warploom_tensor::{Error, Tensor};

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
