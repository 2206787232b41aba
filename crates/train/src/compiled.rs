//! What `compile` attaches to a model.

use crate::error::{Error, Result};
use crate::metrics::Metric;
use crate::weighting::{self, LossFunction};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use warploom_nn::{Model, TrainingStep};
use warploom_tensor::Tensor;

/// Loss, optimizer with its state, metrics.
pub(crate) struct Compiled {
    pub step: TrainingStep,
    pub loss: LossFunction,
    pub metrics: Vec<Metric>,
    /// Epochs of all fits so far: orders of examples go on.
    pub epochs: u64,
    /// Whether the gate pauses at the first update it holds back.
    pub armed: bool,
}

impl Compiled {
    /// Makes the gate pause at the first update that it holds back, and ends a pause that an earlier fit left.
    pub fn arm(&mut self) -> Result<()> {
        let Some(gate) = self.step.gate() else { return Ok(()) };
        if gate.paused()?.is_some() {
            gate.pass_over(0)?;
        }
        if !self.armed {
            gate.pause_when_tripped(true)?;
            self.armed = true;
        }
        Ok(())
    }

    /// The loss of a batch, weighted where there are weights.
    #[track_caller]
    pub fn loss_of(&self, prediction: &Tensor, target: &Tensor, weights: Option<&Tensor>) -> Tensor {
        match weights {
            Some(weights) => weighting::weighted(&self.loss, prediction, target, weights),
            None => weighting::mean(&self.loss, prediction, target),
        }
    }
}

/// Shared, so that it can be changed while the model is read.
#[derive(Clone)]
pub(crate) struct Attached(Arc<Shared>);

struct Shared {
    compiled: Mutex<Compiled>,
    /// The thread that holds it.
    holder: Mutex<Option<ThreadId>>,
}

/// What a thread holds while it trains or evaluates.
pub(crate) struct Held<'a> {
    compiled: MutexGuard<'a, Compiled>,
    holder: &'a Mutex<Option<ThreadId>>,
}

impl Attached {
    pub fn new(compiled: Compiled) -> Attached {
        Attached(Arc::new(Shared { compiled: Mutex::new(compiled), holder: Mutex::new(None) }))
    }

    pub fn of(model: &Model) -> Result<Attached> {
        model.attached::<Attached>().cloned().ok_or_else(|| {
            Error::invalid("the model is not compiled; call model.compile(optimizer, loss, metrics) first")
        })
    }

    /// Waits until no other thread holds it. From within a fit, as a callback is, it cannot be had.
    pub fn lock(&self) -> Result<Held<'_>> {
        let Shared { compiled, holder } = &*self.0;
        let own = Some(thread::current().id());
        if *holder.lock().unwrap_or_else(PoisonError::into_inner) == own {
            let message = "the model is being trained: callbacks can neither fit nor evaluate it; give the fit \
                           validation data, or use predict";
            return Err(Error::invalid(message));
        }
        let compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
        *holder.lock().unwrap_or_else(PoisonError::into_inner) = own;
        Ok(Held { compiled, holder })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.holder.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Deref for Held<'_> {
    type Target = Compiled;
    fn deref(&self) -> &Compiled {
        &self.compiled
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Compiled {
        &mut self.compiled
    }
}
