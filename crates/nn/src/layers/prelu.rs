//! A rectifier whose slope is learnt.

use crate::Parameters;
use crate::initialise::{Fans, Initialiser};
use crate::module::{Mode, Module};
use crate::scope::in_module_of;
use warploom_graph::shape::show;
use warploom_tensor::{DType, Dims, Elementwise, ElementwiseMethods, Error, Tensor, Variable};

/// x above 0, `weight`·x below (He et al. 2015), as torch.nn.PReLU: one slope for all, or one for each channel of
/// `[batch, channels, …]`.
#[derive(Clone, Parameters)]
pub struct Prelu {
    /// `[1]` or `[channels]`; begins as 0.25.
    pub weight: Variable,
}

impl Prelu {
    /// With one slope (`slopes` 1) or as many as there are channels, in f32 on the current device.
    ///
    /// # Errors
    /// What the device reports.
    #[track_caller]
    pub fn new(slopes: usize) -> Result<Prelu, Error> {
        let fans = Fans { inputs: slopes, outputs: slopes };
        Ok(Prelu { weight: Initialiser::Constant(0.25).make("weight", &[slopes], DType::F32, fans)? })
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (shape, slopes) = (x.shape()?, self.weight.shape()?[0]);
        let mut aligned = Dims::from_elem(1, shape.len().saturating_sub(1));
        if slopes != 1 {
            if shape.get(1) != Some(&slopes) {
                return Err(Error::new(
                    "prelu",
                    format!("takes [batch, {slopes}, …], found {}", show(&shape)),
                ));
            }
            aligned[0] = slopes;
        }
        let below = x * self.weight.value().reshape(aligned);
        Ok(x.compare(Elementwise::GREATER, 0.0).select(x, &below))
    }
}

impl Module for Prelu {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        in_module_of(&self.weight, x, || self.apply(x).unwrap_or_else(Tensor::failed))
    }
}
