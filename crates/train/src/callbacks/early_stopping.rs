//! Stopping when a score no longer improves.

use crate::callbacks::monitor::Monitor;
use crate::callbacks::{Callback, Context, Mode, State};
use crate::error::Result;
use crate::history::Scores;
use crate::snapshot::Snapshot;

/// Stops once a score has not improved for some epochs, as Keras' `EarlyStopping`.
#[derive(Debug)]
pub struct EarlyStopping {
    monitor: Monitor,
    min_delta: f64,
    patience: usize,
    baseline: Option<f64>,
    start_from: usize,
    restore_best: bool,
    wait: usize,
    best: Option<f64>,
    best_epoch: usize,
    best_weights: Option<Snapshot>,
    stopped: Option<usize>,
}

impl EarlyStopping {
    /// Watching a score such as `val_loss`; the first epoch without improvement stops.
    pub fn new(monitor: &str) -> EarlyStopping {
        EarlyStopping {
            monitor: Monitor::new(monitor),
            min_delta: 0.0,
            patience: 0,
            baseline: None,
            start_from: 0,
            restore_best: false,
            wait: 0,
            best: None,
            best_epoch: 0,
            best_weights: None,
            stopped: None,
        }
    }

    /// Stops only after so many epochs without improvement.
    pub fn patience(self, epochs: usize) -> EarlyStopping {
        EarlyStopping { patience: epochs, ..self }
    }

    /// Less than this is no improvement.
    pub fn min_delta(self, least: f64) -> EarlyStopping {
        EarlyStopping { min_delta: least.abs(), ..self }
    }

    /// Improvements count only once the score is better than this.
    pub fn baseline(self, baseline: f64) -> EarlyStopping {
        EarlyStopping { baseline: Some(baseline), ..self }
    }

    /// Epochs before this one, numbered from 0, are not looked at.
    pub fn start_from_epoch(self, epoch: usize) -> EarlyStopping {
        EarlyStopping { start_from: epoch, ..self }
    }

    /// Gives the model the weights of its best epoch when the training ends. They are kept in host memory.
    pub fn restore_best_weights(self) -> EarlyStopping {
        EarlyStopping { restore_best: true, ..self }
    }

    /// Which way is better.
    pub fn mode(mut self, mode: Mode) -> EarlyStopping {
        self.monitor.mode = mode;
        self
    }

    /// The epoch, from 0, after which it stopped the fit.
    pub fn stopped_epoch(&self) -> Option<usize> {
        self.stopped
    }

    /// The best score and its epoch, from 0.
    pub fn best(&self) -> Option<(f64, usize)> {
        self.best.map(|best| (best, self.best_epoch))
    }

    /// The epoch, from 0, whose weights the model is given when the training ends.
    pub fn restored_epoch(&self) -> Option<usize> {
        self.best_weights.as_ref().map(|_| self.best_epoch)
    }

    /// The weights of the best epoch, where they are kept.
    pub fn best_weights(&self) -> Option<&Snapshot> {
        self.best_weights.as_ref()
    }

    /// A NaN never does: what comes after it could not be better.
    fn improves(&self, value: f64, reference: Option<f64>) -> bool {
        let better = |reference| self.monitor.improves(value, reference, self.min_delta);
        !value.is_nan() && reference.is_none_or(better)
    }

    fn keep(&mut self, epoch: usize, now: &Context<'_>) -> Result<()> {
        self.best_epoch = epoch;
        if self.restore_best {
            self.best_weights = Some(Snapshot::of(now.model())?);
        }
        Ok(())
    }
}

impl Callback for EarlyStopping {
    fn name(&self) -> &'static str {
        "early_stopping"
    }

    fn train_begin(&mut self, _: &mut Context<'_>) -> Result<()> {
        (self.wait, self.best, self.best_epoch) = (0, None, 0);
        (self.best_weights, self.stopped) = (None, None);
        Ok(())
    }

    fn epoch_end(&mut self, epoch: usize, scores: &mut Scores, now: &mut Context<'_>) -> Result<()> {
        let Some(value) = self.monitor.read("early stopping", scores, now) else { return Ok(()) };
        if epoch < self.start_from {
            return Ok(());
        }
        if self.restore_best && self.best_weights.is_none() {
            // Where no epoch ever counts as better, the first is the best.
            self.keep(epoch, now)?;
        }
        self.wait += 1;
        if self.improves(value, self.best) {
            self.best = Some(value);
            self.keep(epoch, now)?;
            if self.improves(value, self.baseline) {
                self.wait = 0;
            }
        } else if self.wait >= self.patience && epoch > 0 {
            self.stopped = Some(epoch);
            now.stop_training();
        }
        Ok(())
    }

    fn train_end(&mut self, now: &mut Context<'_>) -> Result<()> {
        if let Some(epoch) = self.stopped {
            let name = &self.monitor.name;
            now.say(format!("stopped early after epoch {}: `{name}` no longer improved", epoch + 1));
        }
        match &self.best_weights {
            Some(weights) => weights.restore(now.model()),
            None => Ok(()),
        }
    }

    fn save(&mut self) -> Result<State> {
        let mut state = State::default()
            .with("wait", self.wait as f64)
            .with("best_epoch", self.best_epoch as f64)
            .with_weights(self.best_weights.clone());
        if let Some(best) = self.best {
            state = state.with("best", best);
        }
        if let Some(epoch) = self.stopped {
            state = state.with("stopped", epoch as f64);
        }
        Ok(state)
    }

    fn restore(&mut self, mut state: State, _: &mut Context<'_>) -> Result<()> {
        (self.wait, self.best_epoch) = (state.count("wait"), state.count("best_epoch"));
        self.best = state.number("best");
        self.stopped = state.number("stopped").map(|epoch| epoch as usize);
        self.best_weights = state.take_weights();
        Ok(())
    }
}
