//! Predictions of many examples, a batch at a time.

use crate::error::{Error, Result};
use crate::examples::scaled;
use warploom_nn::{Mode, Model, Module};
use warploom_tensor::Tensor;

/// Examples in a batch.
pub(crate) const BATCH: usize = 256;

/// What the model says to each example of `x` `[examples, …]`, in evaluation. It is computed when this returns.
pub(crate) fn predict(model: &Model, x: &Tensor, batch: usize) -> Result<Tensor> {
    let shape = x.shape()?;
    if shape.get(1..) != Some(model.input_shape()) {
        let found = &shape[..];
        let wanted = model.input_shape();
        let message =
            format!("the model takes [examples, …] with examples of shape {wanted:?}, found {found:?}");
        return Err(Error::invalid(message));
    }
    let count = shape[0];
    if count == 0 {
        return Err(Error::invalid("there are no examples to predict; give at least one"));
    }
    if batch == 0 {
        return Err(Error::invalid("the batch size is 0; give at least 1"));
    }
    let forward = |x: &Tensor| -> Result<Tensor> {
        let prediction = model.forward(&scaled(x), Mode::Evaluate);
        prediction.evaluate()?;
        Ok(prediction)
    };
    if count <= batch {
        return forward(x);
    }
    let mut parts = Vec::new();
    for first in (0..count).step_by(batch) {
        let rows: Vec<i32> = (first..count.min(first + batch)).map(|row| row as i32).collect();
        let rows = model.device().scope(|| Tensor::from(rows));
        parts.push(forward(&x.gather(0, &rows))?);
    }
    let all = Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0);
    all.evaluate()?;
    Ok(all)
}
