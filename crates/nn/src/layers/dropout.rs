//! Dropout.

use crate::Parameters;
use crate::module::{Mode, Module};
use warploom_tensor::{Elementwise, ElementwiseMethods, Error, Tensor};

/// In training, each element is 0 with a probability p and divided by 1 - p else, so that the mean stays; in evaluation,
/// the identity (Srivastava et al. 2014, in the inverted form). Each layer draws from a random stream of its own, by its
/// place in the model.
#[derive(Clone, Copy, Debug, Parameters)]
pub struct Dropout {
    #[parameters(skip)]
    probability: f64,
}

impl Dropout {
    /// Drops with `probability`, from 0 up to but not including 1; with another the forward pass fails.
    pub fn new(probability: f64) -> Dropout {
        Dropout { probability }
    }
}

impl Module for Dropout {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let p = self.probability;
        if !(0.0..1.0).contains(&p) {
            return Tensor::failed(Error::new(
                "dropout",
                format!("drops with a probability in [0, 1), found {p}"),
            ));
        }
        if mode == Mode::Evaluate || p == 0.0 {
            return x.clone();
        }
        let (Ok(device), Ok(shape)) = (x.device(), x.shape()) else { return x.clone() };
        let kept = device.scope(|| Tensor::uniform(&shape)).compare(Elementwise::GREATER_EQUAL, p);
        kept.select(&(x * (1.0 / (1.0 - p))), &x.full_like(0.0))
    }
}
