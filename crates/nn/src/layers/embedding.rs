//! Vectors by number.

use crate::Parameters;
use crate::initialise::{Fans, Initialiser};
use crate::module::{Mode, Module};
use crate::scope::in_module_of;
use warploom_tensor::{DType, Error, Tensor, Variable};

/// A vector for each whole number of `[batch, …]`, giving `[batch, …, features]`, as torch.nn.Embedding. A number that is
/// not below `count` is an error when the program runs. The gradient adds up at the rows that were used.
#[derive(Clone, Parameters)]
pub struct Embedding {
    /// `[count, features]`, begins standard normal.
    pub weight: Variable,
}

impl Embedding {
    /// Of `count` vectors of `features` numbers, in f32 on the current device.
    ///
    /// # Errors
    /// What the device reports.
    #[track_caller]
    pub fn new(count: usize, features: usize) -> Result<Embedding, Error> {
        let fans = Fans { inputs: count, outputs: features };
        let normal = Initialiser::Normal { deviation: 1.0 };
        Ok(Embedding { weight: normal.make("weight", &[count, features], DType::F32, fans)? })
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        let dtype = x.dtype()?;
        if dtype.is_float() || dtype == DType::Bool {
            let message = format!("takes whole numbers [batch, …], found {dtype}; cast them to i32");
            return Err(Error::new("embedding", message));
        }
        Ok(self.weight.value().gather(0, &x.cast(DType::I32)))
    }
}

impl Module for Embedding {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        in_module_of(&self.weight, x, || self.apply(x).unwrap_or_else(Tensor::failed))
    }

    fn input_dtype(&self) -> Option<DType> {
        Some(DType::I32)
    }
}
