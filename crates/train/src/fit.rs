//! How a fit goes: epochs, batches, validation, what is told meanwhile.

use crate::error::{Error, Result};
use crate::history::Scores;
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
    pub(crate) batch: usize,
    pub(crate) shuffle: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) validation: Held<'a>,
    pub(crate) test: Option<&'a Dataset>,
    pub(crate) quiet: bool,
    pub(crate) stop: Option<&'a AtomicBool>,
    pub(crate) on_epoch: Option<OnEpoch<'a>>,
}

impl<'a> Fit<'a> {
    /// So many passes over the data.
    pub fn epochs(epochs: usize) -> Fit<'a> {
        Fit {
            epochs,
            batch: 32,
            shuffle: true,
            seed: None,
            validation: Held::None,
            test: None,
            quiet: false,
            stop: None,
            on_epoch: None,
        }
    }

    /// Examples in a batch.
    pub fn batch(self, batch: usize) -> Fit<'a> {
        Fit { batch, ..self }
    }

    /// Whether each epoch has an order of its own.
    pub fn shuffle(self, shuffle: bool) -> Fit<'a> {
        Fit { shuffle, ..self }
    }

    /// Fixes the orders and what dropout draws; without it, orders are those of seed 0 and dropout goes on where it was.
    pub fn seed(self, seed: u64) -> Fit<'a> {
        Fit { seed: Some(seed), ..self }
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

    /// Evaluates this data set after the last epoch: see [`crate::History::test`].
    pub fn test_data(self, data: &'a Dataset) -> Fit<'a> {
        Fit { test: Some(data), ..self }
    }

    /// Prints nothing.
    pub fn quiet(self) -> Fit<'a> {
        Fit { quiet: true, ..self }
    }

    /// Stops between two launches once this is true.
    pub fn stop(self, stop: &'a AtomicBool) -> Fit<'a> {
        Fit { stop: Some(stop), ..self }
    }

    /// Calls `report` after each epoch; its error ends the fit.
    pub fn on_epoch(self, report: impl FnMut(&EpochReport<'_>) -> Result<()> + 'a) -> Fit<'a> {
        Fit { on_epoch: Some(Box::new(report)), ..self }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.epochs == 0 {
            return Err(Error::invalid("0 epochs teach nothing; give at least 1"));
        }
        if self.batch == 0 {
            return Err(Error::invalid("the batch size is 0; give at least 1"));
        }
        if let Held::Split(fraction) = self.validation
            && !(0.0..1.0).contains(&fraction)
        {
            let message =
                format!("the validation split is {fraction}; give a number from 0 up to but not including 1");
            return Err(Error::invalid(message));
        }
        Ok(())
    }
}
