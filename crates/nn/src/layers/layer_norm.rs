//! Layer normalisation.

use crate::Parameters;
use crate::initialise::{Fans, Initialiser};
use crate::layers::normalised::normalised;
use crate::layers::{Assembly, Layer};
use crate::module::{Mode, Module};
use crate::scope::in_module_of;
use warploom_graph::shape::show;
use warploom_tensor::{DType, Dims, Error, Integers, Tensor, Variable};

/// Normalises the last axes of each example (Ba et al. 2016), as torch.nn.LayerNorm:
/// `weight·(x - mean) / √(variance + ε) + bias`, with the biased variance. ε is 1e-5 as in PyTorch; Keras has 1e-3.
#[derive(Clone, Parameters)]
pub struct LayerNorm {
    /// Of the normalised axes' shape, begins as 1.
    pub weight: Variable,
    /// Of the normalised axes' shape, begins as 0.
    pub bias: Variable,
    #[parameters(skip)]
    epsilon: f64,
}

impl LayerNorm {
    /// Over the last axes, which have the extents `shape`; in f32 on the current device.
    ///
    /// # Errors
    /// An extent below 1; what the device reports.
    #[track_caller]
    pub fn new(shape: impl Integers) -> Result<LayerNorm, Error> {
        let shape = crate::model::extents(&shape)?;
        let count = shape.iter().product();
        let make = |name: &str, initialiser: Initialiser| {
            initialiser.make(name, &shape, DType::F32, Fans { inputs: count, outputs: count })
        };
        Ok(LayerNorm {
            weight: make("weight", Initialiser::Ones)?,
            bias: make("bias", Initialiser::Zeros)?,
            epsilon: 1e-5,
        })
    }

    /// With another term beside the variance.
    pub fn epsilon(self, epsilon: f64) -> LayerNorm {
        LayerNorm { epsilon, ..self }
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (shape, own) = (x.shape()?, self.weight.shape()?);
        if !shape.ends_with(&own) {
            let last = own.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            let message = format!("takes [batch, …, {last}], found {}", show(&shape));
            return Err(Error::new("layer_norm", message));
        }
        let axes: Dims = (shape.len() - own.len()..shape.len()).collect();
        Ok(normalised(x, &axes, self.epsilon) * &self.weight + &self.bias)
    }
}

impl Module for LayerNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        in_module_of(&self.weight, x, || self.apply(x).unwrap_or_else(Tensor::failed))
    }
}

/// The description of a [`LayerNorm`] over the last axis, whose extent is found when it is built.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LayerNormalization {
    epsilon: f64,
}

impl Default for LayerNormalization {
    fn default() -> LayerNormalization {
        LayerNormalization { epsilon: 1e-5 }
    }
}

impl LayerNormalization {
    /// With PyTorch's ε.
    pub fn new() -> LayerNormalization {
        LayerNormalization::default()
    }

    /// With another term beside the variance.
    pub fn epsilon(self, epsilon: f64) -> LayerNormalization {
        LayerNormalization { epsilon }
    }
}

impl Layer for LayerNormalization {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        assembly.add(|example| match example.last() {
            Some(features) => Ok(LayerNorm::new(*features)?.epsilon(self.epsilon)),
            None => {
                Err(Error::new("build", "LayerNormalization needs examples […, features], found scalars"))
            }
        })
    }
}
