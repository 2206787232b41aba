//! Metrics: functions of prediction and target, accumulated on the device over an epoch.

use crate::confusion::{Average, ConfusionMatrix, Score};
use std::sync::Arc;
use warploom_nn::losses;
use warploom_tensor::{DType, Elementwise, ElementwiseMethods, Error, Tensor};

type Function = Box<dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync>;

/// A name and how a batch contributes. One of your own: [`Metric::mean`], [`Metric::share`], [`Metric::counted`].
pub struct Metric {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// A scalar, the mean over the batch, and what is said of the mean over all.
    Mean(Function, fn(f64) -> f64),
    /// `bool`, one for each example.
    Share(Function),
    /// Of the confusion matrix; nothing is said where it alone is wanted.
    Confusion(Decision, Option<Arc<dyn Fn(&ConfusionMatrix) -> f64 + Send + Sync>>),
}

/// How predictions and targets name classes. Metrics that decide alike share one confusion matrix.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Decision {
    /// The largest of `[batch, classes]` against labels `[batch]` or one-hot rows.
    Largest,
    /// Two classes: a prediction `[batch, 1]` above the threshold against targets 0 or 1.
    Above(f64),
}

impl Metric {
    /// Of a function that gives a scalar, the mean over the batch, as losses do.
    pub fn mean(
        name: impl Into<String>,
        function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Metric {
        Metric { name: name.into(), kind: Kind::Mean(Box::new(function), |mean| mean) }
    }

    /// Of a function that says for each example whether it counts, `bool` with one element an example: the share of
    /// those that do. Counted in u32.
    pub fn share(
        name: impl Into<String>,
        function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Metric {
        Metric { name: name.into(), kind: Kind::Share(Box::new(function)) }
    }

    /// Of the [`ConfusionMatrix`] of all examples, for logits `[batch, classes]`. Counted in u32.
    pub fn counted(
        name: impl Into<String>,
        function: impl Fn(&ConfusionMatrix) -> f64 + Send + Sync + 'static,
    ) -> Metric {
        Metric { name: name.into(), kind: Kind::Confusion(Decision::Largest, Some(Arc::new(function))) }
    }

    /// Of a mean: its root over all examples in its place. Shares and counts stay.
    pub fn root(self) -> Metric {
        match self.kind {
            Kind::Mean(function, _) => Metric { name: self.name, kind: Kind::Mean(function, f64::sqrt) },
            kind => Metric { name: self.name, kind },
        }
    }

    /// With another key in the history, to have two metrics of one kind.
    pub fn named(self, name: impl Into<String>) -> Metric {
        Metric { name: name.into(), ..self }
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

/// `top_<k>_accuracy`: the share of examples with fewer than `k` logits above the label's own, so that ties count as
/// Keras' `SparseTopKCategoricalAccuracy` counts them; logits `[batch, classes]`, labels `[batch]`.
pub fn top_k_accuracy(k: usize) -> Metric {
    Metric::share(format!("top_{k}_accuracy"), move |logits, labels| {
        let (Ok(shape), Ok(device)) = (logits.shape(), logits.device()) else { return logits.clone() };
        let [_, classes] = shape[..] else {
            let message = format!("takes logits [batch, classes], found {:?}", &shape[..]);
            return Tensor::failed(Error::new("top_k_accuracy", message));
        };
        let own = device.scope(|| Tensor::iota(&[1, classes], 1, DType::I32));
        let own = labels.cast(DType::I32).unsqueeze(1).equal(&own);
        let own = own.select(logits, &logits.full_like(0.0)).sum_keep(1);
        let above = logits.greater(&own).cast(DType::I32).sum(1);
        // A NaN is above nothing: that the label's own logit is finite is asked for apart.
        above.compare(Elementwise::LESS, k as f64).and(&own.squeeze(1).is_finite())
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

/// `root_mean_squared_error`: the root of the mean over all examples, not the mean of the batches' roots.
pub fn root_mean_squared_error() -> Metric {
    Metric {
        name: "root_mean_squared_error".into(),
        kind: Kind::Mean(Box::new(losses::mean_squared_error), f64::sqrt),
    }
}

/// `precision`: of the examples taken for a class, the share that is of it; logits `[batch, classes]`. 0 for a class that
/// nothing was taken for, as in scikit-learn.
pub fn precision(average: Average) -> Metric {
    averaged("precision", Score::Precision, average)
}

/// `recall`: of the examples of a class, the share taken for it; logits `[batch, classes]`.
pub fn recall(average: Average) -> Metric {
    averaged("recall", Score::Recall, average)
}

/// `f1`: the harmonic mean of precision and recall of a class; logits `[batch, classes]`.
pub fn f1(average: Average) -> Metric {
    averaged("f1", Score::F1, average)
}

/// `precision` of the class 1 of two; prediction `[batch, 1]`, targets 0 or 1, `threshold` as in [`binary_accuracy`].
pub fn binary_precision(threshold: f64) -> Metric {
    binary("precision", Score::Precision, threshold)
}

/// `recall` of the class 1 of two; as [`binary_precision`].
pub fn binary_recall(threshold: f64) -> Metric {
    binary("recall", Score::Recall, threshold)
}

/// `f1` of the class 1 of two; as [`binary_precision`].
pub fn binary_f1(threshold: f64) -> Metric {
    binary("f1", Score::F1, threshold)
}

/// Nothing in the history, but [`crate::Scores::confusion_matrix`]; logits `[batch, classes]`. The metrics above that
/// count classes give it as well.
pub fn confusion_matrix() -> Metric {
    Metric { name: "confusion_matrix".into(), kind: Kind::Confusion(Decision::Largest, None) }
}

fn averaged(name: &str, score: Score, average: Average) -> Metric {
    Metric::counted(name, move |matrix| matrix.average(score, average))
}

fn binary(name: &str, score: Score, threshold: f64) -> Metric {
    let of_class_1 = move |matrix: &ConfusionMatrix| matrix.score(score, 1);
    Metric {
        name: name.into(),
        kind: Kind::Confusion(Decision::Above(threshold), Some(Arc::new(of_class_1))),
    }
}

impl Decision {
    /// Number of classes, of a prediction for one example.
    pub fn classes(self, output: &[usize]) -> crate::Result<usize> {
        match (self, output) {
            (Decision::Largest, [classes]) => Ok(*classes),
            (Decision::Above(_), _) if output.iter().product::<usize>() == 1 => Ok(2),
            _ => {
                let wanted = if self == Decision::Largest { "[classes]" } else { "[1]" };
                let message = format!(
                    "a metric that counts classes takes predictions of shape {wanted} for an example, the model gives \
                     {output:?}; use another metric or last layer"
                );
                Err(crate::Error::invalid(message))
            }
        }
    }

    /// What a batch adds to the matrix: `u32[classes * classes]`, row-major.
    pub fn count(self, classes: usize, prediction: &Tensor, target: &Tensor) -> Result<Tensor, Error> {
        let (said, truth) = match self {
            Decision::Largest if target.rank()? == 2 => (prediction.arg_max(-1), target.arg_max(-1)),
            Decision::Largest => (prediction.arg_max(-1), target.cast(DType::I32)),
            Decision::Above(threshold) => {
                let said = prediction.compare(Elementwise::GREATER, threshold);
                (said.cast(DType::I32), target.compare(Elementwise::GREATER, 0.5).cast(DType::I32))
            }
        };
        let cell = (truth.reshape([-1]) * classes as f64) + said.reshape([-1]);
        let device = prediction.device()?;
        let empty = device.scope(|| Tensor::zeros(&[classes * classes], DType::U32));
        let ones = cell.cast(DType::U32).full_like(1.0);
        Ok(empty.scatter_add(0, &cell, &ones))
    }
}
