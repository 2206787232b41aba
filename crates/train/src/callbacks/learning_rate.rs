//! Learning rates that follow the epochs or the scores.

use crate::callbacks::monitor::Monitor;
use crate::callbacks::{Callback, Context, Mode, State};
use crate::error::{Error, Result};
use crate::history::Scores;

/// Lowers the learning rate when a score has stopped improving, as Keras' `ReduceLROnPlateau`. The history gets
/// `learning_rate`, that of each epoch.
#[derive(Debug)]
pub struct ReduceOnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    min_delta: f64,
    cooldown: usize,
    min_rate: f64,
    best: f64,
    wait: usize,
    cooling: usize,
}

impl ReduceOnPlateau {
    /// Watching a score such as `val_loss`: after 10 epochs that are not better by 1e-4, a tenth of the rate.
    pub fn new(monitor: &str) -> ReduceOnPlateau {
        let monitor = Monitor::new(monitor);
        ReduceOnPlateau {
            factor: 0.1,
            patience: 10,
            min_delta: 1e-4,
            cooldown: 0,
            min_rate: 0.0,
            best: monitor.worst(),
            wait: 0,
            cooling: 0,
            monitor,
        }
    }

    /// By what the rate is multiplied, below 1.
    pub fn factor(self, factor: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { factor, ..self }
    }

    /// Epochs without improvement until it does.
    pub fn patience(self, epochs: usize) -> ReduceOnPlateau {
        ReduceOnPlateau { patience: epochs, ..self }
    }

    /// Less than this is no improvement.
    pub fn min_delta(self, least: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { min_delta: least, ..self }
    }

    /// Epochs after a reduction that do not count.
    pub fn cooldown(self, epochs: usize) -> ReduceOnPlateau {
        ReduceOnPlateau { cooldown: epochs, ..self }
    }

    /// The rate never falls below this.
    pub fn min_learning_rate(self, rate: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { min_rate: rate, ..self }
    }

    /// Which way is better.
    pub fn mode(mut self, mode: Mode) -> ReduceOnPlateau {
        self.monitor.mode = mode;
        self.best = self.monitor.worst();
        self
    }
}

impl Callback for ReduceOnPlateau {
    fn name(&self) -> &'static str {
        "reduce_on_plateau"
    }

    fn train_begin(&mut self, _: &mut Context<'_>) -> Result<()> {
        if self.factor >= 1.0 {
            let message =
                format!("the factor is {}, which does not lower the rate; give one below 1", self.factor);
            return Err(Error::invalid(message));
        }
        (self.best, self.wait, self.cooling) = (self.monitor.worst(), 0, 0);
        Ok(())
    }

    fn epoch_end(&mut self, epoch: usize, scores: &mut Scores, now: &mut Context<'_>) -> Result<()> {
        let rate = now.learning_rate()?;
        scores.set("learning_rate", rate);
        let Some(value) = self.monitor.read("reduce on plateau", scores, now) else { return Ok(()) };
        if self.cooling > 0 {
            self.cooling -= 1;
            self.wait = 0;
        }
        if self.monitor.improves(value, self.best, self.min_delta) {
            (self.best, self.wait) = (value, 0);
        } else if self.cooling == 0 {
            self.wait += 1;
            // The rate is held in f32 where no parameter is f64.
            if self.wait >= self.patience && rate > f64::from(self.min_rate as f32) {
                let lower = (rate * self.factor).max(self.min_rate);
                now.set_learning_rate(lower)?;
                now.say(format!("epoch {}: learning rate lowered to {lower:e}", epoch + 1));
                (self.cooling, self.wait) = (self.cooldown, 0);
            }
        }
        Ok(())
    }

    fn save(&mut self) -> Result<State> {
        let state = State::default().with("best", self.best);
        Ok(state.with("wait", self.wait as f64).with("cooling", self.cooling as f64))
    }

    fn restore(&mut self, state: State, _: &mut Context<'_>) -> Result<()> {
        self.best = state.number("best").unwrap_or(self.best);
        (self.wait, self.cooling) = (state.count("wait"), state.count("cooling"));
        Ok(())
    }
}

/// Sets the learning rate before each epoch, as Keras' `LearningRateScheduler`. The history gets `learning_rate`.
///
/// Schedules by step belong to the optimizer: [`warploom_nn::Schedule`].
pub struct LearningRateScheduler<F>(F);

impl<F: FnMut(usize, f64) -> f64> LearningRateScheduler<F> {
    /// `schedule` gets the epoch, from 0, and the rate so far.
    pub fn new(schedule: F) -> LearningRateScheduler<F> {
        LearningRateScheduler(schedule)
    }
}

impl<F: FnMut(usize, f64) -> f64> Callback for LearningRateScheduler<F> {
    fn name(&self) -> &'static str {
        "learning_rate_scheduler"
    }

    fn epoch_begin(&mut self, epoch: usize, now: &mut Context<'_>) -> Result<()> {
        let rate = (self.0)(epoch, now.learning_rate()?);
        if !rate.is_finite() {
            return Err(Error::invalid(format!(
                "the learning rate of epoch {epoch} is {rate}; give a finite one"
            )));
        }
        now.set_learning_rate(rate)
    }

    fn epoch_end(&mut self, _: usize, scores: &mut Scores, now: &mut Context<'_>) -> Result<()> {
        scores.set("learning_rate", now.learning_rate()?);
        Ok(())
    }
}
