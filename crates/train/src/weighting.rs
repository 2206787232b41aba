//! Losses of weighted examples.

use crate::error::{Error, Result};
use std::sync::Arc;
use warploom_graph::shape::show;
use warploom_nn::losses::each_example;
use warploom_tensor::{DType, Device, Tensor, scan};

/// Prediction and target to the mean over the batch, or to one value an example.
pub(crate) type LossFunction = Arc<dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync>;

/// The mean over the batch.
#[track_caller]
pub(crate) fn mean(loss: &LossFunction, prediction: &Tensor, target: &Tensor) -> Tensor {
    let value = loss(prediction, target);
    if value.rank().is_ok_and(|rank| rank == 1) { value.mean_all() } else { value }
}

/// `Σ weight · loss / batch`, weights `[batch]`.
#[track_caller]
pub(crate) fn weighted(
    loss: &LossFunction,
    prediction: &Tensor,
    target: &Tensor,
    weights: &Tensor,
) -> Tensor {
    let value = each_example(|| loss(prediction, target));
    let (Ok(shape), Ok(batch)) = (value.shape(), prediction.shape()) else { return value };
    let Some(rows) = batch.first().copied() else { return value };
    let each = match shape[..] == [rows] {
        true => value,
        // A mean of one's own does not say what it is of: one example at a time does.
        false => {
            let body = |_: &Tensor, _: &[Tensor], parts: &[Tensor]| {
                (Vec::new(), vec![loss(&parts[0].unsqueeze(0), &parts[1].unsqueeze(0))])
            };
            scan(rows, &[], &[prediction, target], body).1.swap_remove(0)
        }
    };
    (each * weights.cast(prediction.dtype().unwrap_or(DType::F32))).mean_all()
}

/// Weights by class, as a table on the device.
#[derive(Clone)]
pub(crate) struct ClassWeights(Tensor);

impl ClassWeights {
    /// For a model whose output for one example has this shape.
    pub fn new(weights: &[(usize, f32)], output: &[usize], device: &Device) -> Result<ClassWeights> {
        let classes = output.iter().product::<usize>().max(2);
        let mut table = vec![1f32; classes];
        for (class, weight) in weights {
            let Some(entry) = table.get_mut(*class) else {
                let message = format!(
                    "class_weight names class {class}, the model has {classes}, numbered from 0; leave it out"
                );
                return Err(Error::invalid(message));
            };
            *entry = *weight;
        }
        Ok(ClassWeights(device.scope(|| Tensor::from(table))))
    }

    /// `[batch]`, from labels `[batch]`, one-hot rows `[batch, classes]` or `[batch, 1]` of 0 and 1.
    pub fn of(&self, target: &Tensor) -> Tensor {
        let Ok(shape) = target.shape() else { return target.clone() };
        let classes = match shape[..] {
            [_] => target.cast(DType::I32),
            [_, 1] => target.squeeze(1).cast(DType::I32),
            [_, _] => target.arg_max(-1),
            _ => {
                let message = format!("takes targets [batch] or [batch, classes], found {}", show(&shape));
                return Tensor::failed(warploom_tensor::Error::new("class_weight", message));
            }
        };
        self.0.gather(0, &classes)
    }

    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}
