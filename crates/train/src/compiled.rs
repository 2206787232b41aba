//! What `compile` attaches to a model.

use crate::error::{Error, Result};
use crate::metrics::Metric;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warploom_nn::{Model, TrainingStep};

/// Loss, optimizer with its state, metrics.
pub(crate) struct Compiled {
    pub step: TrainingStep,
    pub metrics: Vec<Metric>,
    /// Epochs of all fits so far: orders of examples go on.
    pub epochs: u64,
}

/// Shared, so that it can be changed while the model is read.
#[derive(Clone)]
pub(crate) struct Attached(Arc<Mutex<Compiled>>);

impl Attached {
    pub fn new(compiled: Compiled) -> Attached {
        Attached(Arc::new(Mutex::new(compiled)))
    }

    pub fn of(model: &Model) -> Result<Attached> {
        model.attached::<Attached>().cloned().ok_or_else(|| {
            Error::invalid("the model is not compiled; call model.compile(optimizer, loss, metrics) first")
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, Compiled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
