//! Stopping at the first number that is not finite.

use crate::callbacks::{Callback, Context};
use crate::diagnose::NotFinite;
use crate::error::Result;

/// Stops the fit when a loss or gradient is not finite, as Keras' `TerminateOnNaN`. The update that it would have made does
/// not happen: the weights are those of before.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNan;

impl Callback for TerminateOnNan {
    fn name(&self) -> &'static str {
        "terminate_on_nan"
    }

    fn not_finite(&mut self, what: &NotFinite, now: &mut Context<'_>) -> Result<()> {
        now.say(format!("stopped in epoch {}, batch {}", what.epoch + 1, what.batch + 1));
        now.stop_training();
        Ok(())
    }
}
