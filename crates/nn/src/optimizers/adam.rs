//! Adam, with weight decay added to the gradient or apart from it.

use crate::optimizers::sgd::decayed;
use crate::optimizers::{Moment, Optimizer, Update, share};
use crate::schedules::{Constant, Schedule};
use warploom_tensor::{ElementwiseMethods, Error, Tensor};

/// Adam (Kingma and Ba 2015) as torch.optim.Adam: `m ← β₁m + (1 - β₁)g`; `v ← β₂v + (1 - β₂)g²`;
/// `p ← p - rate / (1 - β₁ᵗ)·m / (√v / √(1 - β₂ᵗ) + ε)`.
///
/// β₁ = 0.9, β₂ = 0.999, and ε = 1e-8 as in PyTorch; Keras' default is 1e-7: `Adam::new(1e-3).epsilon(1e-7)`. Weight decay,
/// none by default, adds `decay·p` to the gradient.
pub type Adam = Adaptive<false>;

/// Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019) as torch.optim.AdamW: first
/// `p ← p - rate·decay·p`, then [`Adam`]'s update. The decay is 0.01 as in PyTorch; Keras' default is 0.004.
pub type AdamW = Adaptive<true>;

/// [`Adam`] or, where the weight decay is decoupled, [`AdamW`].
pub struct Adaptive<const DECOUPLED: bool> {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    schedule: Box<dyn Schedule>,
}

impl<const DECOUPLED: bool> Adaptive<DECOUPLED> {
    /// With a constant learning rate, such as 1e-3.
    pub fn new(learning_rate: f64) -> Self {
        let weight_decay = if DECOUPLED { 0.01 } else { 0.0 };
        let schedule = Box::new(Constant);
        Adaptive { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay, schedule }
    }

    /// With other rates of forgetting for the first and the second moment; 0 and more, below 1.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Adaptive { beta1, beta2, ..self }
    }

    /// With another term in the denominator.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adaptive { epsilon, ..self }
    }

    /// With another weight decay.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Adaptive { weight_decay, ..self }
    }

    /// With a learning rate that changes.
    pub fn schedule(self, schedule: impl Schedule + 'static) -> Self {
        Adaptive { schedule: Box::new(schedule), ..self }
    }
}

impl<const DECOUPLED: bool> Optimizer for Adaptive<DECOUPLED> {
    fn name(&self) -> &'static str {
        if DECOUPLED { "adamw" } else { "adam" }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn schedule(&self) -> &dyn Schedule {
        &*self.schedule
    }

    fn check(&self) -> Result<(), Error> {
        share(self.name(), "beta1", self.beta1)?;
        share(self.name(), "beta2", self.beta2)
    }

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    /// The step size `rate / (1 - β₁ᵗ)`, `1 / √(1 - β₂ᵗ)`, and the factor that decays weights.
    fn shared(&self, now: &Moment) -> Vec<Tensor> {
        let t = &now.step + 1.0;
        // 1 - βᵗ = -expm1(t ln β), which keeps its digits while βᵗ is near 1.
        let correction = |beta: f64| -(&t * beta.ln()).expm1();
        let size = &now.learning_rate / correction(self.beta1);
        vec![size, correction(self.beta2).rsqrt(), 1.0 - &now.learning_rate * self.weight_decay]
    }

    fn update(&self, parameter: &Tensor, gradient: &Tensor, slots: &[Tensor], shared: &[Tensor]) -> Update {
        let (parameter, gradient) = match DECOUPLED {
            true if self.weight_decay != 0.0 => (parameter * &shared[2], gradient.clone()),
            true => (parameter.clone(), gradient.clone()),
            false => (parameter.clone(), decayed(parameter, gradient, self.weight_decay)),
        };
        let first = &slots[0] * self.beta1 + &gradient * (1.0 - self.beta1);
        let second = &slots[1] * self.beta2 + gradient.square() * (1.0 - self.beta2);
        let denominator = second.sqrt() * &shared[1] + self.epsilon;
        Update { parameter: parameter - &shared[0] * (&first / denominator), slots: vec![first, second] }
    }
}
