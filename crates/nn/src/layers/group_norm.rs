//! Group normalisation.

use crate::Parameters;
use crate::initialise::{Fans, Initialiser};
use crate::layers::batch_norm::{channels, per_channel};
use crate::layers::normalised::normalised;
use crate::layers::{Assembly, Layer};
use crate::module::{Mode, Module};
use crate::scope::in_module_of;
use warploom_graph::shape::show;
use warploom_tensor::{DType, Dims, Error, Tensor, Variable};

/// Normalises groups of neighbouring channels of each example of `[batch, channels, …]` (Wu and He 2018), as
/// torch.nn.GroupNorm: `weight·(x - mean) / √(variance + ε) + bias`, with the biased variance; ε is 1e-5.
#[derive(Clone, Parameters)]
pub struct GroupNorm {
    /// `[channels]`, begins as 1.
    pub weight: Variable,
    /// `[channels]`, begins as 0.
    pub bias: Variable,
    #[parameters(skip)]
    groups: usize,
    #[parameters(skip)]
    epsilon: f64,
}

impl GroupNorm {
    /// Of as many groups as divide the channels, in f32 on the current device.
    ///
    /// # Errors
    /// Groups that do not divide the channels; what the device reports.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> Result<GroupNorm, Error> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let message = format!("{channels} channels do not make {groups} groups of one size");
            return Err(Error::new("group_norm", message));
        }
        let make = |name: &str, initialiser: Initialiser| {
            initialiser.make(name, &[channels], DType::F32, Fans { inputs: channels, outputs: channels })
        };
        Ok(GroupNorm {
            weight: make("weight", Initialiser::Ones)?,
            bias: make("bias", Initialiser::Zeros)?,
            groups,
            epsilon: 1e-5,
        })
    }

    /// With another term beside the variance.
    pub fn epsilon(self, epsilon: f64) -> GroupNorm {
        GroupNorm { epsilon, ..self }
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (shape, channels) = (x.shape()?, self.weight.shape()?[0]);
        if shape.get(1) != Some(&channels) {
            let message = format!("takes [batch, {channels}, …], found {}", show(&shape));
            return Err(Error::new("group_norm", message));
        }
        let members = shape[1..].iter().product::<usize>() / self.groups;
        let grouped = x.reshape([shape[0], self.groups, members]);
        let normal = normalised(&grouped, &Dims::from_slice(&[2]), self.epsilon).reshape(&shape);
        let rank = shape.len();
        Ok(normal * per_channel(&self.weight.value(), rank) + per_channel(&self.bias.value(), rank))
    }
}

impl Module for GroupNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        in_module_of(&self.weight, x, || self.apply(x).unwrap_or_else(Tensor::failed))
    }
}

/// The description of a [`GroupNorm`]: the number of channels is found when it is built.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GroupNormalization {
    groups: usize,
    epsilon: f64,
}

impl GroupNormalization {
    /// Of `groups` groups.
    pub fn new(groups: usize) -> GroupNormalization {
        GroupNormalization { groups, epsilon: 1e-5 }
    }

    /// With another term beside the variance.
    pub fn epsilon(self, epsilon: f64) -> GroupNormalization {
        GroupNormalization { epsilon, ..self }
    }
}

impl Layer for GroupNormalization {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        assembly.add(|example| {
            let channels = channels("GroupNormalization", example)?;
            Ok(GroupNorm::new(self.groups, channels)?.epsilon(self.epsilon))
        })
    }
}
