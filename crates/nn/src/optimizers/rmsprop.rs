//! RMSprop.

use crate::optimizers::sgd::decayed;
use crate::optimizers::{Moment, Optimizer, Update, share};
use crate::schedules::{Constant, Schedule};
use warploom_tensor::{ElementwiseMethods, Error, Tensor};

/// RMSprop (Tieleman and Hinton 2012) as torch.optim.RMSprop: `g ← g + decay·p`; `v ← smoothing·v + (1 - smoothing)·g²`;
/// `d = g / (√v + ε)`; `p ← p - rate·d`, or with momentum `b ← momentum·b + d`; `p ← p - rate·b`. Centred, √v is
/// `√(v - a²)` with `a ← smoothing·a + (1 - smoothing)·g` (Graves 2013, equations 38 to 40).
///
/// The smoothing is 0.99 and ε 1e-8 as in PyTorch; Keras has 0.9 and 1e-7, and takes ε under the root.
pub struct RmsProp {
    learning_rate: f64,
    smoothing: f64,
    epsilon: f64,
    momentum: f64,
    centred: bool,
    weight_decay: f64,
    schedule: Box<dyn Schedule>,
}

impl RmsProp {
    /// With a constant learning rate, such as 1e-3.
    pub fn new(learning_rate: f64) -> RmsProp {
        RmsProp {
            learning_rate,
            smoothing: 0.99,
            epsilon: 1e-8,
            momentum: 0.0,
            centred: false,
            weight_decay: 0.0,
            schedule: Box::new(Constant),
        }
    }

    /// With another rate of forgetting; 0 and more, below 1.
    pub fn smoothing(self, smoothing: f64) -> RmsProp {
        RmsProp { smoothing, ..self }
    }

    /// With another term in the denominator.
    pub fn epsilon(self, epsilon: f64) -> RmsProp {
        RmsProp { epsilon, ..self }
    }

    /// With momentum, such as 0.9.
    pub fn momentum(self, momentum: f64) -> RmsProp {
        RmsProp { momentum, ..self }
    }

    /// With the gradients' variance in place of their mean square.
    pub fn centred(self) -> RmsProp {
        RmsProp { centred: true, ..self }
    }

    /// With `decay·p` added to the gradient.
    pub fn weight_decay(self, weight_decay: f64) -> RmsProp {
        RmsProp { weight_decay, ..self }
    }

    /// With a learning rate that changes.
    pub fn schedule(self, schedule: impl Schedule + 'static) -> RmsProp {
        RmsProp { schedule: Box::new(schedule), ..self }
    }
}

impl Optimizer for RmsProp {
    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn schedule(&self) -> &dyn Schedule {
        &*self.schedule
    }

    fn check(&self) -> Result<(), Error> {
        share("rmsprop", "smoothing", self.smoothing)
    }

    fn slots(&self) -> &'static [&'static str] {
        match (self.centred, self.momentum != 0.0) {
            (false, false) => &["square"],
            (false, true) => &["square", "momentum"],
            (true, false) => &["square", "mean"],
            (true, true) => &["square", "mean", "momentum"],
        }
    }

    fn shared(&self, now: &Moment) -> Vec<Tensor> {
        vec![now.learning_rate.clone()]
    }

    fn update(&self, parameter: &Tensor, gradient: &Tensor, slots: &[Tensor], shared: &[Tensor]) -> Update {
        let gradient = decayed(parameter, gradient, self.weight_decay);
        let square = &slots[0] * self.smoothing + gradient.square() * (1.0 - self.smoothing);
        let mut next = vec![square.clone()];
        let mut spread = square;
        if self.centred {
            let mean = &slots[1] * self.smoothing + &gradient * (1.0 - self.smoothing);
            // Equal gradients have the variance 0, which may round below.
            spread = (spread - mean.square()).at_least(0.0);
            next.push(mean);
        }
        let mut direction = gradient / (spread.sqrt() + self.epsilon);
        if self.momentum != 0.0 {
            direction = &slots[slots.len() - 1] * self.momentum + direction;
            next.push(direction.clone());
        }
        Update { parameter: parameter - &shared[0] * direction, slots: next }
    }
}
