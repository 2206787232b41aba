//! The fully connected module.

use crate::Parameters;
use crate::initialise::{Fans, Initialiser};
use crate::module::{Mode, Module};
use crate::scope::in_module_of;
use warploom_tensor::{ContractAxes, DType, Error, Tensor, Variable};

/// `y = x Wᵀ + b` for `x [batch, …, in]`, as torch.nn.Linear: `weight [out, in]`, `bias [out]`.
///
/// What [`crate::Dense`] becomes once it knows its input size, and what structs of one's own hold.
#[derive(Clone, Parameters)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Variable,
    /// `[out]`.
    pub bias: Option<Variable>,
}

impl Linear {
    /// In f32 on the current device, drawn as torch.nn.Linear's: uniform within ±1/√in.
    ///
    /// # Errors
    /// What the device reports.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize) -> Result<Linear, Error> {
        Linear::with(inputs, outputs, DType::F32, Initialiser::FanInUniform, Some(Initialiser::FanInUniform))
    }

    /// With everything said; no bias where there is no initialiser for it.
    ///
    /// # Errors
    /// As [`Initialiser::make`].
    #[track_caller]
    pub fn with(
        inputs: usize,
        outputs: usize,
        dtype: DType,
        weight: Initialiser,
        bias: Option<Initialiser>,
    ) -> Result<Linear, Error> {
        let fans = Fans { inputs, outputs };
        Ok(Linear {
            weight: weight.make("weight", &[outputs, inputs], dtype, fans)?,
            bias: bias.map(|bias| bias.make("bias", &[outputs], dtype, fans)).transpose()?,
        })
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (shape, weight) = (x.shape()?, self.weight.shape()?);
        if shape.last() != Some(&weight[1]) {
            let message =
                format!("takes [batch, …, {}], found {:?} (weight {:?})", weight[1], &shape[..], &weight[..]);
            return Err(Error::new("linear", message));
        }
        let axes =
            ContractAxes { sum: [(shape.len() - 1, 1)].into_iter().collect(), ..ContractAxes::default() };
        let product = x.contract(&self.weight, axes);
        Ok(match &self.bias {
            Some(bias) => product + bias,
            None => product,
        })
    }
}

impl Module for Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        in_module_of(&self.weight, x, || self.apply(x).unwrap_or_else(Tensor::failed))
    }
}
