//! Learning rates that change a little at every step.

use super::Schedule;
use std::f64::consts::FRAC_PI_2;
use warploom_tensor::{Elementwise, ElementwiseMethods, Tensor};

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

/// Falls from the optimizer's rate to a minimum as a power of what is left, `minimum + (base - minimum)·(1 - t / total)^power`,
/// and stays there: torch's PolynomialLR where the minimum is 0. A power of 1 is linear.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Polynomial {
    /// Steps until the minimum.
    pub total: u32,
    /// 1 for a straight line.
    pub power: f64,
    /// The last learning rate.
    pub minimum: f64,
}

impl Schedule for Polynomial {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        // Counted from the end: exact there, and 0 to a power is exactly 0.
        let left = ((self.total as f64 - step) * (1.0 / self.total.max(1) as f64)).clamp(0.0, 1.0);
        let left = if self.power == 1.0 { left } else { left.powf(self.power) };
        (base - self.minimum) * left + self.minimum
    }
}

/// Rises by half a cosine to the optimizer's rate and falls by half a cosine to almost nothing (Smith and Topin 2019), as
/// torch's OneCycleLR in two phases; of the momentum, which torch cycles by default, nothing changes.
///
/// From base / `start` at step 0 to base at step `rise·total - 1`, then to base / `start` / `end` at step `total - 1` and
/// after.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OneCycle {
    /// Steps of the cycle.
    pub total: u32,
    /// The share of the steps in which the rate rises, 0.3 in torch.
    pub rise: f64,
    /// By what the optimizer's rate is divided at first, 25 in torch.
    pub start: f64,
    /// By what the first rate is divided at last, 1e4 in torch.
    pub end: f64,
}

impl OneCycle {
    /// With torch's numbers.
    pub fn new(total: u32) -> OneCycle {
        OneCycle { total, rise: 0.3, start: 25.0, end: 1e4 }
    }
}

impl Schedule for OneCycle {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        let (peak, last) = (self.rise * self.total as f64 - 1.0, self.total as f64 - 1.0);
        let (first, least) = (1.0 / self.start, 1.0 / self.start / self.end);
        // Half a cosine between two shares of the base: cos² falls from 1 to 0.
        let between = |from: f64, to: f64, begin: f64, end: f64| {
            let progress = ((step - begin) * (1.0 / (end - begin))).clamp(0.0, 1.0);
            (progress * FRAC_PI_2).cos().square() * (from - to) + to
        };
        let fall = between(1.0, least, peak, last);
        if peak <= 0.0 {
            return base * fall;
        }
        let rising = step.compare(Elementwise::LESS_EQUAL, peak);
        base * rising.select(&between(first, 1.0, 0.0, peak), &fall)
    }
}
