//! Learning rates that are multiplied by a factor now and then.

use super::Schedule;
use warploom_tensor::{DType, Elementwise, ElementwiseMethods, Tensor};

/// The optimizer's rate times `factor` after every so many steps: torch's StepLR, counted in updates.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// Steps with one rate; 0 counts as 1.
    pub every: u32,
    /// Above 0.
    pub factor: f64,
}

impl Schedule for Step {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        // Counts are whole and below 2^24 in f32: half a step keeps a rounded quotient on its side of a whole number.
        let stairs = ((step + 0.5) * (1.0 / self.every.max(1) as f64)).floor();
        base * power(self.factor, &stairs)
    }
}

/// The optimizer's rate times `factor` at each of some steps: torch's MultiStepLR, counted in updates. A step named twice
/// counts twice.
#[derive(Clone, PartialEq, Debug)]
pub struct MultiStep {
    /// From each of these steps on, one factor more.
    pub milestones: Vec<u32>,
    /// Above 0.
    pub factor: f64,
}

impl Schedule for MultiStep {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        let dtype = step.dtype().unwrap_or(DType::F32);
        let passed =
            |milestone: &u32| step.compare(Elementwise::GREATER_EQUAL, *milestone as f64).cast(dtype);
        match self.milestones.iter().map(passed).reduce(|sum, one| sum + one) {
            Some(passed) => base * power(self.factor, &passed),
            None => base.clone(),
        }
    }
}

/// The optimizer's rate times `factor` at every step: torch's ExponentialLR, counted in updates.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Exponential {
    /// Above 0.
    pub factor: f64,
}

impl Schedule for Exponential {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        base * power(self.factor, step)
    }
}

/// A literal to the power of a tensor.
fn power(base: f64, exponent: &Tensor) -> Tensor {
    (exponent * base.ln()).exp()
}
