//! Batch normalisation.

use crate::Parameters;
use crate::initialise::{Fans, Initialiser};
use crate::layers::normalised::moments;
use crate::layers::{Assembly, Layer};
use crate::module::{Mode, Module};
use crate::scope::in_module_of;
use warploom_graph::shape::show;
use warploom_tensor::{DType, Dims, ElementwiseMethods, Error, Tensor, Variable, call_with_gradient};

/// Normalises each channel of `[batch, channels, …]` (Ioffe and Szegedy 2015), as torch.nn.BatchNorm1d, 2d and 3d:
/// `weight·(x - mean) / √(variance + ε) + bias`.
///
/// In training, mean and biased variance are the batch's, and the running ones move towards them: `running ← (1 -
/// momentum)·running + momentum·batch`, with the unbiased variance. In evaluation the running ones are used.
/// ε is 1e-5 and the momentum 0.1, as in PyTorch; Keras has 1e-3, and 0.99 for what is 0.01 here.
#[doc(alias = "BatchNorm1d")]
#[doc(alias = "BatchNorm2d")]
#[derive(Clone, Parameters)]
pub struct BatchNorm {
    /// `[channels]`, begins as 1.
    pub weight: Variable,
    /// `[channels]`, begins as 0.
    pub bias: Variable,
    /// `[channels]`, begins as 0.
    #[parameters(state)]
    pub running_mean: Variable,
    /// `[channels]`, begins as 1.
    #[parameters(state)]
    pub running_var: Variable,
    /// `i32[]`: batches learned from. PyTorch's is i64, which the engine does not have.
    #[parameters(state)]
    pub num_batches_tracked: Variable,
    #[parameters(skip)]
    epsilon: f64,
    #[parameters(skip)]
    momentum: f64,
}

impl BatchNorm {
    /// In f32 on the current device.
    ///
    /// # Errors
    /// What the device reports.
    #[track_caller]
    pub fn new(channels: usize) -> Result<BatchNorm, Error> {
        let make = |name: &str, initialiser: Initialiser| {
            initialiser.make(name, &[channels], DType::F32, Fans { inputs: channels, outputs: channels })
        };
        let num_batches_tracked = Variable::new(Tensor::from(0i32));
        num_batches_tracked.shape()?;
        Ok(BatchNorm {
            weight: make("weight", Initialiser::Ones)?,
            bias: make("bias", Initialiser::Zeros)?,
            running_mean: make("running_mean", Initialiser::Zeros)?,
            running_var: make("running_var", Initialiser::Ones)?,
            num_batches_tracked,
            epsilon: 1e-5,
            momentum: 0.1,
        })
    }

    /// With another term beside the variance.
    pub fn epsilon(self, epsilon: f64) -> BatchNorm {
        BatchNorm { epsilon, ..self }
    }

    /// With another share of a batch in the running statistics.
    pub fn momentum(self, momentum: f64) -> BatchNorm {
        BatchNorm { momentum, ..self }
    }

    fn apply(&self, x: &Tensor, mode: Mode) -> Result<Tensor, Error> {
        let (shape, channels) = (x.shape()?, self.weight.shape()?[0]);
        if shape.get(1) != Some(&channels) {
            let message = format!("takes [batch, {channels}, …], found {}", show(&shape));
            return Err(Error::new("batch_norm", message));
        }
        if mode == Mode::Evaluate {
            let scale = self.weight.value() * (self.running_var.value() + self.epsilon).rsqrt();
            let shift = self.bias.value() - self.running_mean.value() * &scale;
            let rank = shape.len();
            return Ok(x * per_channel(&scale, rank) + per_channel(&shift, rank));
        }
        let count = shape.iter().product::<usize>() / channels.max(1);
        if count < 2 {
            let message = format!(
                "has a variance over two values a channel and more in training, found {}; make the batch larger",
                show(&shape)
            );
            return Err(Error::new("batch_norm", message));
        }
        let [y, mean, variance] = normalised(x, &self.weight.value(), &self.bias.value(), self.epsilon)?;
        self.track(&mean, &(variance * (count as f64 / (count - 1) as f64)))?;
        Ok(y)
    }

    /// Moves the running statistics towards a batch's, `[1, channels, 1, …]`.
    fn track(&self, mean: &Tensor, variance: &Tensor) -> Result<(), Error> {
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, variance)] {
            let before = running.value();
            let batch = batch.stop_gradient().reshape(before.shape()?);
            let after = &before * (1.0 - self.momentum) + batch * self.momentum;
            running.assign(&after)?;
        }
        self.num_batches_tracked.assign(&(self.num_batches_tracked.value() + 1))
    }
}

impl Module for BatchNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        in_module_of(&self.weight, x, || self.apply(x, mode).unwrap_or_else(Tensor::failed))
    }
}

/// `[channels]` as it stands beside `[batch, channels, …]` of a rank.
#[track_caller]
pub(super) fn per_channel(of: &Tensor, rank: usize) -> Tensor {
    let mut shape = Dims::from_elem(1, rank.saturating_sub(1));
    if let Some(channels) = shape.first_mut() {
        *channels = of.elements().unwrap_or(1);
    }
    of.reshape(shape)
}

/// The result, and the mean and the biased variance `[1, channels, 1, …]`, through which no gradient passes.
///
/// Recorded as the call `batch_normalise`, whose gradient needs the same two sums for the input as for weight and bias:
/// `dx = weight·r (dy - mean(dy) - x̂ mean(dy x̂))`, `dweight = Σ dy x̂`, `dbias = Σ dy`. It states mean and variance anew, so
/// that a second derivative goes through them; the compiler merges them with the body's. The rest is written as x times one
/// number of the channel plus another, so that nothing of the input's size is stored for it.
#[track_caller]
fn normalised(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<[Tensor; 3], Error> {
    let rank = x.rank()?;
    let axes: Dims = (0..rank).filter(|axis| *axis != 1).collect();
    let body = |inputs: &[Tensor]| {
        let (mean, variance) = moments(&inputs[0], &axes);
        let scale = per_channel(&inputs[1], rank) * (&variance + epsilon).rsqrt();
        vec![(&inputs[0] - &mean) * scale + per_channel(&inputs[2], rank), mean, variance]
    };
    let gradient = |inputs: &[Tensor], _: &[Tensor], upstream: &[Tensor]| {
        let (x, weight, dy) = (&inputs[0], &inputs[1], &upstream[0]);
        let count = x.elements().unwrap_or(1) as f64 / weight.elements().unwrap_or(1) as f64;
        let (mean, variance) = moments(x, &axes);
        let deviation = (variance + epsilon).rsqrt();
        let normal = x * &deviation - &mean * &deviation;
        let (bias, along) = (dy.sum(&axes), (dy * normal).sum(&axes));
        let of_one = |sum: &Tensor| per_channel(&(sum * (1.0 / count)), rank);
        let scale = per_channel(weight, rank) * &deviation;
        let slope = -(of_one(&along) * &scale * deviation);
        let shift = -(of_one(&bias) * &scale) - &slope * mean;
        vec![dy * scale + (x * slope + shift), along, bias]
    };
    let record = || call_with_gradient("batch_normalise", &[x, weight, bias], body, gradient);
    <[Tensor; 3]>::try_from(x.device()?.scope(record)).map_err(|failed| {
        match failed.iter().find_map(Tensor::error) {
            Some(error) => error,
            None => Error::new("batch_norm", "gave no statistics"),
        }
    })
}

/// The description of a [`BatchNorm`]: the number of channels is found when it is built.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNormalization {
    epsilon: f64,
    momentum: f64,
}

impl Default for BatchNormalization {
    fn default() -> BatchNormalization {
        BatchNormalization { epsilon: 1e-5, momentum: 0.1 }
    }
}

impl BatchNormalization {
    /// With PyTorch's ε and momentum.
    pub fn new() -> BatchNormalization {
        BatchNormalization::default()
    }

    /// With another term beside the variance.
    pub fn epsilon(self, epsilon: f64) -> BatchNormalization {
        BatchNormalization { epsilon, ..self }
    }

    /// With another share of a batch in the running statistics.
    pub fn momentum(self, momentum: f64) -> BatchNormalization {
        BatchNormalization { momentum, ..self }
    }
}

impl Layer for BatchNormalization {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        assembly.add(|example| {
            let norm = BatchNorm::new(channels("BatchNormalization", example)?)?;
            Ok(norm.epsilon(self.epsilon).momentum(self.momentum))
        })
    }
}

/// The channels of an example `[channels, …]`.
pub(super) fn channels(layer: &str, example: &[usize]) -> Result<usize, Error> {
    let none = || Error::new("build", format!("{layer} needs examples [channels, …], found scalars"));
    example.first().copied().ok_or_else(none)
}
