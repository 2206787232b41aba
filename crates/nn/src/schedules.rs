//! How the learning rate changes with the steps: recorded from the step's state, so that many steps can run in one launch.

use std::f64::consts::FRAC_PI_2;
use warploom_tensor::{Elementwise, ElementwiseMethods, Tensor};

/// A learning rate by step.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a schedule",
    note = "schedules are Constant, Cosine, and your own"
)]
pub trait Schedule: Send + Sync {
    /// The learning rate of the step numbered `step` (from 0), given the optimizer's rate `base`; all three are scalars of
    /// one float dtype. The base may be changed between steps, by a callback.
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor;
}

/// The optimizer's rate at every step.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Constant;

impl Schedule for Constant {
    fn learning_rate(&self, base: &Tensor, _: &Tensor) -> Tensor {
        base.clone()
    }
}

/// Half a cosine from the optimizer's rate down to a minimum, after a linear rise (Loshchilov and Hutter 2017, eq. 5,
/// without restarts; torch's CosineAnnealingLR where there is no warmup).
///
/// Step t below `warmup` has base·(t + 1) / warmup; from there on minimum + (base - minimum)·(1 + cos(π p)) / 2 with p from
/// 0 at step `warmup` to 1 at step `total`, and the minimum after that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cosine {
    /// Steps until the minimum, warmup included.
    pub total: u32,
    /// Steps of the linear rise.
    pub warmup: u32,
    /// The last learning rate.
    pub minimum: f64,
}

impl Schedule for Cosine {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        let fall = self.total.saturating_sub(self.warmup).max(1) as f64;
        let progress = ((step - self.warmup as f64) * (1.0 / fall)).clamp(0.0, 1.0);
        // (1 + cos 2a) / 2 = cos² a, without the cancellation near the end.
        let cosine = (progress * FRAC_PI_2).cos().square();
        let falling = (base - self.minimum) * cosine + self.minimum;
        if self.warmup == 0 {
            return falling;
        }
        let rising = base * ((step + 1.0) * (1.0 / self.warmup as f64));
        step.compare(Elementwise::LESS, self.warmup as f64).select(&rising, &falling)
    }
}
