//! How a fit goes: epochs, batches, validation, what is told meanwhile.

use crate::callbacks::Callback;
use crate::checkpoint::Checkpoints;
use crate::diagnose::LayerName;
use crate::error::{Error, Result};
use crate::history::Scores;
#[cfg(doc)]
use crate::plan::RunPlan;
use std::sync::atomic::{AtomicBool, Ordering};
use warploom_data::Dataset;
use warploom_tensor::Tensor;

/// A finished epoch, as [`Fit::on_epoch`] hears of it.
pub struct EpochReport<'a> {
    /// From 1.
    pub epoch: usize,
    /// Of this fit.
    pub epochs: usize,
    /// `loss`, metrics, `val_…`.
    pub scores: &'a Scores,
    /// Of training and validation.
    pub seconds: f64,
    /// Training examples a second.
    pub samples_per_second: f64,
    /// Updates that did not happen in this epoch because the loss or a gradient was not finite.
    pub skipped_steps: u64,
}

/// What is held out to watch the training.
pub(crate) enum Held<'a> {
    None,
    /// The last examples, a fraction.
    Split(f64),
    Tensors(&'a Tensor, &'a Tensor),
    Data(&'a Dataset),
}

type OnEpoch<'a> = Box<dyn FnMut(&EpochReport<'_>) -> Result<()> + 'a>;

/// How a fit goes. Names and defaults are Keras': batches of 32, shuffled anew each epoch, no validation.
pub struct Fit<'a> {
    pub(crate) epochs: usize,
    pub(crate) initial_epoch: usize,
    pub(crate) batch: usize,
    pub(crate) steps: Option<usize>,
    pub(crate) shuffle: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) class_weight: Vec<(usize, f32)>,
    pub(crate) sample_weight: Option<&'a [f32]>,
    pub(crate) validation: Held<'a>,
    pub(crate) validation_weight: Option<&'a [f32]>,
    pub(crate) validation_batch: Option<usize>,
    pub(crate) validation_steps: Option<usize>,
    pub(crate) validation_every: usize,
    pub(crate) test: Option<&'a Dataset>,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) quiet: bool,
    pub(crate) stop: Option<&'a AtomicBool>,
    pub(crate) on_epoch: Option<OnEpoch<'a>>,
    pub(crate) layer_name: Option<Box<LayerName<'a>>>,
    pub(crate) callbacks: Vec<Box<dyn Callback + 'a>>,
    pub(crate) checkpoints: Option<Checkpoints>,
}

impl<'a> Fit<'a> {
    /// So many passes over the data.
    pub fn epochs(epochs: usize) -> Fit<'a> {
        Fit {
            epochs,
            initial_epoch: 0,
            batch: 32,
            steps: None,
            shuffle: true,
            seed: None,
            class_weight: Vec::new(),
            sample_weight: None,
            validation: Held::None,
            validation_weight: None,
            validation_batch: None,
            validation_steps: None,
            validation_every: 1,
            test: None,
            memory_limit: None,
            quiet: false,
            stop: None,
            on_epoch: None,
            layer_name: None,
            callbacks: Vec::new(),
            checkpoints: None,
        }
    }

    /// Begins at this epoch, numbered from 0: [`Fit::epochs`] is where it ends, so `epochs(10).initial_epoch(4)` are six.
    pub fn initial_epoch(self, epoch: usize) -> Fit<'a> {
        Fit { initial_epoch: epoch, ..self }
    }

    /// Examples in a batch.
    pub fn batch(self, batch: usize) -> Fit<'a> {
        Fit { batch, ..self }
    }

    /// An epoch is so many batches, the first of its order, instead of all.
    pub fn steps_per_epoch(self, steps: usize) -> Fit<'a> {
        Fit { steps: Some(steps), ..self }
    }

    /// Whether each epoch has an order of its own.
    pub fn shuffle(self, shuffle: bool) -> Fit<'a> {
        Fit { shuffle, ..self }
    }

    /// Fixes the orders and what dropout draws; without it, orders are those of seed 0 and dropout goes on where it was.
    pub fn seed(self, seed: u64) -> Fit<'a> {
        Fit { seed: Some(seed), ..self }
    }

    /// How much an example of a class counts in the loss; 1 where it is not said. Targets are labels, one-hot rows, or 0
    /// and 1. Metrics and validation are not weighted. As in Keras, the batch's loss is `Σ weight · loss / batch`.
    ///
    /// A loss that gives one value an example, `[batch]`, is weighted at once; one that gives the batch's mean is taken
    /// example by example, which is slower.
    pub fn class_weight(self, weights: impl IntoIterator<Item = (usize, f64)>) -> Fit<'a> {
        Fit {
            class_weight: weights.into_iter().map(|(class, weight)| (class, weight as f32)).collect(),
            ..self
        }
    }

    /// How much each example counts in the loss, as [`Fit::class_weight`].
    pub fn sample_weight(self, weights: &'a [f32]) -> Fit<'a> {
        Fit { sample_weight: Some(weights), ..self }
    }

    /// Holds out the last examples, as given and before any shuffling: this fraction of them.
    pub fn validation_split(self, fraction: f64) -> Fit<'a> {
        Fit { validation: Held::Split(fraction), ..self }
    }

    /// Watches the training on these examples.
    pub fn validation(self, x: &'a Tensor, y: &'a Tensor) -> Fit<'a> {
        Fit { validation: Held::Tensors(x, y), ..self }
    }

    /// Watches the training on this data set.
    pub fn validation_data(self, data: &'a Dataset) -> Fit<'a> {
        Fit { validation: Held::Data(data), ..self }
    }

    /// How much each example of the validation data counts in `val_loss`.
    pub fn validation_sample_weight(self, weights: &'a [f32]) -> Fit<'a> {
        Fit { validation_weight: Some(weights), ..self }
    }

    /// Examples in a batch of validation; as in training if not said.
    pub fn validation_batch(self, batch: usize) -> Fit<'a> {
        Fit { validation_batch: Some(batch), ..self }
    }

    /// Looks only at so many batches of the validation data, the first.
    pub fn validation_steps(self, steps: usize) -> Fit<'a> {
        Fit { validation_steps: Some(steps), ..self }
    }

    /// Looks at the validation data after every so many epochs; 1 if not said.
    pub fn validation_every(self, epochs: usize) -> Fit<'a> {
        Fit { validation_every: epochs, ..self }
    }

    /// Evaluates this data set after the last epoch: see [`crate::History::test`].
    pub fn test_data(self, data: &'a Dataset) -> Fit<'a> {
        Fit { test: Some(data), ..self }
    }

    /// Keeps the fit within so many bytes, all of them counted: what [`RunPlan::planned_bytes`] says, which is what is
    /// allocated. Where it would take more, a launch holds one step, and values are computed again instead of being kept,
    /// with the same bits; [`RunPlan::recomputation`] says what that costs. Where that does not do, or a device is known to
    /// have less memory than the fit takes, the fit ends before its first batch with [`Error::Memory`], which says what
    /// would do. Finding where a number began that is not finite looks at every value, and may take more.
    pub fn memory_limit(self, bytes: u64) -> Fit<'a> {
        Fit { memory_limit: Some(bytes), ..self }
    }

    /// Prints nothing.
    pub fn quiet(self) -> Fit<'a> {
        Fit { quiet: true, ..self }
    }

    /// Stops between two launches once this is true. Where checkpoints are kept, one is written first.
    pub fn stop(self, stop: &'a AtomicBool) -> Fit<'a> {
        Fit { stop: Some(stop), ..self }
    }

    /// Calls `report` after each epoch; its error ends the fit.
    pub fn on_epoch(self, report: impl FnMut(&EpochReport<'_>) -> Result<()> + 'a) -> Fit<'a> {
        Fit { on_epoch: Some(Box::new(report)), ..self }
    }

    /// What messages call the layer of a module path such as `layer1.0.conv1`; the path itself where `name` knows none.
    pub fn layer_names(self, name: impl Fn(&str) -> Option<String> + 'a) -> Fit<'a> {
        Fit { layer_name: Some(Box::new(name)), ..self }
    }

    /// Adds a callback; they are called in the order in which they were added.
    pub fn callback(mut self, callback: impl Callback + 'a) -> Fit<'a> {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Keeps checkpoints, from which the same fit can go on after it was ended from outside.
    pub fn checkpoints(self, checkpoints: Checkpoints) -> Fit<'a> {
        Fit { checkpoints: Some(checkpoints), ..self }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    pub(crate) fn check(&self) -> Result<()> {
        let fail = |message: String| Err(Error::invalid(message));
        if self.epochs == 0 {
            return fail("0 epochs teach nothing; give at least 1".into());
        }
        if self.initial_epoch >= self.epochs {
            let (first, epochs) = (self.initial_epoch, self.epochs);
            return fail(format!(
                "the initial epoch is {first} of {epochs}, numbered from 0; give a smaller one"
            ));
        }
        if self.batch == 0 || self.validation_batch == Some(0) {
            return fail("the batch size is 0; give at least 1".into());
        }
        if self.steps == Some(0) || self.validation_steps == Some(0) || self.validation_every == 0 {
            return fail("0 steps or epochs do nothing; give at least 1".into());
        }
        if let Held::Split(fraction) = self.validation
            && !(0.0..1.0).contains(&fraction)
        {
            return fail(format!(
                "the validation split is {fraction}; give a number from 0 up to but not including 1"
            ));
        }
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.check()?;
        }
        if !self.class_weight.is_empty() && self.sample_weight.is_some() {
            return fail(
                "class_weight and sample_weight exclude each other; multiply them into sample_weight".into(),
            );
        }
        if self.validation_weight.is_some() && !matches!(self.validation, Held::Tensors(..) | Held::Data(_)) {
            return fail(
                "validation_sample_weight is for validation data of its own; give that as well".into(),
            );
        }
        if let Some((class, weight)) = self.class_weight.iter().find(|(_, w)| !w.is_finite() || *w < 0.0) {
            return fail(format!("the weight of class {class} is {weight}; give a number of 0 or more"));
        }
        Ok(())
    }
}

/// How [`crate::Training::evaluate_with`] goes: Keras' names, batches of 256.
#[derive(Clone, Copy)]
pub struct Evaluate<'a> {
    pub(crate) batch: usize,
    pub(crate) steps: Option<usize>,
    pub(crate) sample_weight: Option<&'a [f32]>,
}

impl Default for Evaluate<'_> {
    fn default() -> Self {
        Evaluate { batch: 256, steps: None, sample_weight: None }
    }
}

impl<'a> Evaluate<'a> {
    /// Examples in a batch.
    pub fn batch(self, batch: usize) -> Evaluate<'a> {
        Evaluate { batch, ..self }
    }

    /// Looks only at so many batches, the first.
    pub fn steps(self, steps: usize) -> Evaluate<'a> {
        Evaluate { steps: Some(steps), ..self }
    }

    /// How much each example counts in the loss.
    pub fn sample_weight(self, weights: &'a [f32]) -> Evaluate<'a> {
        Evaluate { sample_weight: Some(weights), ..self }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.batch == 0 || self.steps == Some(0) {
            return Err(Error::invalid("a batch size or number of steps is 0; give at least 1"));
        }
        Ok(())
    }
}
