//! Metrics: functions of prediction and target, accumulated on the device over an epoch.

use warploom_nn::losses;
use warploom_tensor::{Elementwise, ElementwiseMethods, Tensor};

type Function = Box<dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync>;

/// A name and how a batch contributes. One of your own: [`Metric::mean`], [`Metric::share`].
pub struct Metric {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// A scalar, the mean over the batch.
    Mean(Function),
    /// `bool`, one for each example.
    Share(Function),
}

impl Metric {
    /// Of a function that gives a scalar, the mean over the batch, as losses do.
    pub fn mean(
        name: impl Into<String>,
        function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Metric {
        Metric { name: name.into(), kind: Kind::Mean(Box::new(function)) }
    }

    /// Of a function that says for each example whether it counts, `bool` with one element an example: the share of
    /// those that do. Counted in u32.
    pub fn share(
        name: impl Into<String>,
        function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Metric {
        Metric { name: name.into(), kind: Kind::Share(Box::new(function)) }
    }

    /// Its key in the history.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// `accuracy`: the share of examples whose largest logit is at the label; logits `[batch, classes]`, labels `[batch]`.
pub fn accuracy() -> Metric {
    Metric::share("accuracy", |logits, labels| logits.arg_max(-1).equal(labels))
}

/// `binary_accuracy`: the share of examples whose prediction is on the target's side of `threshold`: 0.5 for
/// probabilities, 0 for logits. Prediction and target `[batch, 1]`, targets 0 or 1.
pub fn binary_accuracy(threshold: f64) -> Metric {
    Metric::share("binary_accuracy", move |prediction, target| {
        let said = prediction.compare(Elementwise::GREATER, threshold);
        said.equal(&target.compare(Elementwise::GREATER, 0.5))
    })
}

/// `mean_absolute_error`, as [`losses::mean_absolute_error`].
pub fn mean_absolute_error() -> Metric {
    Metric::mean("mean_absolute_error", losses::mean_absolute_error)
}

/// `mean_squared_error`, as [`losses::mean_squared_error`].
pub fn mean_squared_error() -> Metric {
    Metric::mean("mean_squared_error", losses::mean_squared_error)
}
