//! What may look at a fit while it runs, and steer it.
//!
//! A launch holds several steps, so callbacks act between launches: at the beginning and end of the training and of each
//! epoch, and after each launch.

mod csv_logger;
mod early_stopping;
mod learning_rate;
mod model_checkpoint;
mod monitor;
mod tensorboard;
mod terminate_on_nan;

pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
pub use learning_rate::{LearningRateScheduler, ReduceOnPlateau};
pub use model_checkpoint::ModelCheckpoint;
pub use monitor::Mode;
pub use tensorboard::TensorBoard;
pub use terminate_on_nan::TerminateOnNan;

use crate::diagnose::NotFinite;
use crate::error::Result;
use crate::exact;
use crate::history::Scores;
use crate::rate::ScheduledRate;
use crate::snapshot::Snapshot;
use serde_json::{Map, Value};
use warploom_nn::{Model, Updater};
use warploom_tensor::{DType, Tensor};

/// What may look at a fit while it runs, and steer it. An error ends the fit.
///
/// What it has seen and has to know after a resume it gives with [`Callback::save`]; then [`Callback::restore`] takes the
/// place of [`Callback::train_begin`]. Hand in `&mut callback` to look at it after the fit.
pub trait Callback {
    /// By which checkpoints know it.
    fn name(&self) -> &'static str;

    /// Before the first epoch.
    ///
    /// # Errors
    /// Whatever is to end the fit; so for all that follow.
    fn train_begin(&mut self, _now: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Before an epoch, numbered from 0.
    fn epoch_begin(&mut self, _epoch: usize, _now: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// After a launch of training steps. `batches` of the epoch are on their way; nothing has waited for them.
    fn batch_end(&mut self, _batches: usize, _now: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// An update was held back for the first time in this fit, because of this.
    fn not_finite(&mut self, _what: &NotFinite, _now: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// After an epoch, numbered from 0, and its validation. What is set in `scores` stands in the history.
    fn epoch_end(&mut self, _epoch: usize, _scores: &mut Scores, _now: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// After the last epoch; not after an interruption, nor after an error.
    fn train_end(&mut self, _now: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// What it must know to go on from here.
    fn save(&mut self) -> Result<State> {
        Ok(State::default())
    }

    /// Goes on from what [`Callback::save`] gave.
    fn restore(&mut self, _state: State, _now: &mut Context<'_>) -> Result<()> {
        Ok(())
    }
}

impl<C: Callback + ?Sized> Callback for &mut C {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn train_begin(&mut self, now: &mut Context<'_>) -> Result<()> {
        (**self).train_begin(now)
    }

    fn epoch_begin(&mut self, epoch: usize, now: &mut Context<'_>) -> Result<()> {
        (**self).epoch_begin(epoch, now)
    }

    fn batch_end(&mut self, batches: usize, now: &mut Context<'_>) -> Result<()> {
        (**self).batch_end(batches, now)
    }

    fn not_finite(&mut self, what: &NotFinite, now: &mut Context<'_>) -> Result<()> {
        (**self).not_finite(what, now)
    }

    fn epoch_end(&mut self, epoch: usize, scores: &mut Scores, now: &mut Context<'_>) -> Result<()> {
        (**self).epoch_end(epoch, scores, now)
    }

    fn train_end(&mut self, now: &mut Context<'_>) -> Result<()> {
        (**self).train_end(now)
    }

    fn save(&mut self) -> Result<State> {
        (**self).save()
    }

    fn restore(&mut self, state: State, now: &mut Context<'_>) -> Result<()> {
        (**self).restore(state, now)
    }
}

/// What a callback has at hand.
pub struct Context<'a> {
    pub(crate) model: &'a Model,
    pub(crate) updater: &'a Updater,
    pub(crate) rate: &'a mut Option<ScheduledRate>,
    pub(crate) stopped: &'a mut bool,
    pub(crate) said: &'a mut Vec<String>,
}

impl Context<'_> {
    /// The model.
    pub fn model(&self) -> &Model {
        self.model
    }

    /// The optimizer's base learning rate. Waits for what runs.
    ///
    /// # Errors
    /// What the device reports.
    pub fn learning_rate(&self) -> Result<f64> {
        let rate = self.updater.learning_rate();
        Ok(match rate.dtype()? {
            DType::F64 => rate.value().item::<f64>()?,
            _ => f64::from(rate.value().item::<f32>()?),
        })
    }

    /// The learning rate of the last update: what the schedule made of the base; the base itself before the first. Waits
    /// for what runs.
    ///
    /// # Errors
    /// What the device reports; what the schedule says.
    pub fn scheduled_learning_rate(&mut self) -> Result<f64> {
        let base = self.learning_rate()?;
        let Some(last) = self.updater.step_count().value().item::<u32>()?.checked_sub(1) else {
            return Ok(base);
        };
        if self.rate.is_none() {
            *self.rate = Some(ScheduledRate::new(self.updater, self.model.device())?);
        }
        self.rate.as_ref().map_or(Ok(base), |rate| rate.at(base, last))
    }

    /// Changes the base learning rate from the next launch on; nothing is compiled.
    ///
    /// # Errors
    /// What the device reports.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        let variable = self.updater.learning_rate();
        let dtype = variable.dtype()?;
        let value = || if dtype == DType::F64 { Tensor::from(rate) } else { Tensor::from(rate as f32) };
        Ok(variable.assign(&variable.device()?.scope(value))?)
    }

    /// Ends the fit after this epoch; from [`Callback::batch_end`] and [`Callback::not_finite`], at once.
    pub fn stop_training(&mut self) {
        *self.stopped = true;
    }

    /// Puts a line on standard error, unless the fit is quiet.
    pub fn say(&mut self, line: impl Into<String>) {
        self.said.push(line.into());
    }
}

/// What a callback keeps in checkpoints.
#[derive(Default, Debug, Clone)]
pub struct State {
    pub(crate) values: Map<String, Value>,
    pub(crate) weights: Option<Snapshot>,
}

impl State {
    /// With a number, kept exactly.
    pub fn with(mut self, key: &str, number: f64) -> State {
        self.values.insert(key.to_owned(), exact::number(number));
        self
    }

    /// With a text.
    pub fn with_text(mut self, key: &str, text: &str) -> State {
        self.values.insert(key.to_owned(), Value::String(text.to_owned()));
        self
    }

    /// With weights.
    pub fn with_weights(self, weights: Option<Snapshot>) -> State {
        State { weights, ..self }
    }

    /// A number that was kept.
    pub fn number(&self, key: &str) -> Option<f64> {
        exact::parse(self.values.get(key)?)
    }

    /// A count that was kept, or 0.
    pub(crate) fn count(&self, key: &str) -> usize {
        self.number(key).map_or(0, |count| count as usize)
    }

    /// A text that was kept.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.as_str()
    }

    /// Weights that were kept.
    pub fn take_weights(&mut self) -> Option<Snapshot> {
        self.weights.take()
    }
}
