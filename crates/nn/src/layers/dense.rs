//! The description of a fully connected layer.

use crate::initialise::Initialiser;
use crate::layers::{Activation, Assembly, Layer, Linear};
use warploom_tensor::{DType, Error};

/// A fully connected layer of `units` units on `[batch, …, features]`, as Keras describes it: the input size is found when
/// it is built. It becomes a [`Linear`] and, one position further, its [`Activation`] if it has one, so that names are
/// those of torch.nn.Sequential(Linear, ReLU, Linear).
#[derive(Clone, Debug)]
pub struct Dense {
    units: usize,
    activation: Option<Activation>,
    dtype: DType,
    weight: Initialiser,
    bias: Option<Initialiser>,
}

impl Dense {
    /// `units` units in f32 with bias, drawn as torch.nn.Linear's.
    pub fn new(units: usize) -> Dense {
        let (weight, bias) = (Initialiser::FanInUniform, Some(Initialiser::FanInUniform));
        Dense { units, activation: None, dtype: DType::F32, weight, bias }
    }

    /// Followed by an activation.
    pub fn activation(self, activation: Activation) -> Dense {
        Dense { activation: Some(activation), ..self }
    }

    /// Followed by [`Activation::Relu`].
    pub fn relu(self) -> Dense {
        self.activation(Activation::Relu)
    }

    /// Followed by [`Activation::Sigmoid`].
    pub fn sigmoid(self) -> Dense {
        self.activation(Activation::Sigmoid)
    }

    /// Followed by [`Activation::Tanh`].
    pub fn tanh(self) -> Dense {
        self.activation(Activation::Tanh)
    }

    /// Followed by [`Activation::Gelu`].
    pub fn gelu(self) -> Dense {
        self.activation(Activation::Gelu)
    }

    /// Followed by [`Activation::Softmax`].
    pub fn softmax(self) -> Dense {
        self.activation(Activation::Softmax)
    }

    /// Without bias.
    pub fn no_bias(self) -> Dense {
        Dense { bias: None, ..self }
    }

    /// With variables of another dtype: f64.
    pub fn dtype(self, dtype: DType) -> Dense {
        Dense { dtype, ..self }
    }

    /// With weights drawn otherwise.
    pub fn weight(self, initialiser: Initialiser) -> Dense {
        Dense { weight: initialiser, ..self }
    }

    /// With a bias drawn otherwise.
    pub fn bias(self, initialiser: Initialiser) -> Dense {
        Dense { bias: Some(initialiser), ..self }
    }
}

impl Layer for Dense {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        assembly.add(|example| {
            let Some(features) = example.last() else {
                let message = format!(
                    "Dense of {} units needs examples with at least one axis, found scalars; give the input as [1]",
                    self.units
                );
                return Err(Error::new("build", message));
            };
            Linear::with(*features, self.units, self.dtype, self.weight, self.bias)
        })?;
        match self.activation {
            Some(activation) => assembly.add(|_| Ok(activation)),
            None => Ok(()),
        }
    }
}
