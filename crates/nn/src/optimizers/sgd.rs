//! Gradient descent with momentum.

use crate::optimizers::{Moment, Optimizer, Update};
use crate::schedules::{Constant, Schedule};
use warploom_tensor::{Elementwise, ElementwiseMethods, Error, Tensor};

/// Gradient descent as torch.optim.SGD: `g ← g + decay·p`; `v ← momentum·v + (1 - dampening)·g`, at the first step `v ← g`;
/// `p ← p - rate·v`, or with Nesterov's momentum `p ← p - rate·(g + momentum·v)` (Sutskever et al. 2013). Without momentum
/// `p ← p - rate·g`.
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    weight_decay: f64,
    schedule: Box<dyn Schedule>,
}

impl Sgd {
    /// Plain, with a constant learning rate.
    pub fn new(learning_rate: f64) -> Sgd {
        Sgd {
            learning_rate,
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            schedule: Box::new(Constant),
        }
    }

    /// With momentum, such as 0.9.
    pub fn momentum(self, momentum: f64) -> Sgd {
        Sgd { momentum, ..self }
    }

    /// With the gradient added to the momentum only in part, 0 by default; without effect where the momentum is 0, and
    /// not to be had with Nesterov's.
    pub fn dampening(self, dampening: f64) -> Sgd {
        Sgd { dampening, ..self }
    }

    /// With the momentum looked ahead along; without effect where it is 0.
    pub fn nesterov(self) -> Sgd {
        Sgd { nesterov: true, ..self }
    }

    /// With `decay·p` added to the gradient.
    pub fn weight_decay(self, weight_decay: f64) -> Sgd {
        Sgd { weight_decay, ..self }
    }

    /// With a learning rate that changes.
    pub fn schedule(self, schedule: impl Schedule + 'static) -> Sgd {
        Sgd { schedule: Box::new(schedule), ..self }
    }
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn schedule(&self) -> &dyn Schedule {
        &*self.schedule
    }

    fn check(&self) -> Result<(), Error> {
        if self.nesterov && self.dampening != 0.0 {
            let message = format!("takes no dampening with Nesterov's momentum, found {}", self.dampening);
            return Err(Error::new("sgd", message));
        }
        Ok(())
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }

    /// The rate, and with dampening the share of the gradient that the momentum takes.
    fn shared(&self, now: &Moment) -> Vec<Tensor> {
        let rate = now.learning_rate.clone();
        if self.dampening == 0.0 || self.momentum == 0.0 {
            return vec![rate];
        }
        let first = now.step.compare(Elementwise::EQUAL, 0.0);
        let share = first.select(&rate.full_like(1.0), &rate.full_like(1.0 - self.dampening));
        vec![rate, share]
    }

    fn update(&self, parameter: &Tensor, gradient: &Tensor, slots: &[Tensor], shared: &[Tensor]) -> Update {
        let gradient = decayed(parameter, gradient, self.weight_decay);
        let rate = &shared[0];
        let Some(velocity) = slots.first() else {
            return Update { parameter: parameter - rate * gradient, slots: Vec::new() };
        };
        let velocity = match shared.get(1) {
            Some(share) => velocity * self.momentum + &gradient * share,
            None => velocity * self.momentum + &gradient,
        };
        let direction = if self.nesterov { gradient + &velocity * self.momentum } else { velocity.clone() };
        Update { parameter: parameter - rate * direction, slots: vec![velocity] }
    }
}

/// The gradient of the loss with `decay / 2·|p|²` added to it.
pub(super) fn decayed(parameter: &Tensor, gradient: &Tensor, decay: f64) -> Tensor {
    if decay == 0.0 { gradient.clone() } else { gradient + parameter * decay }
}
