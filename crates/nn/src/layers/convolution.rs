//! The description of a convolution.

use crate::initialise::{Fans, Initialiser};
use crate::layers::batch_norm::channels;
use crate::layers::windows::{Sliding, Window};
use crate::layers::{Activation, Assembly, Conv, Layer};
use warploom_tensor::{DType, Dims, Error, Integers};

/// A convolution of `outputs` filters over `[batch, channels, spatial…]`; the number of channels and of spatial axes is
/// found when it is built. It becomes a [`Conv`] and, one position further, its [`Activation`] if it has one. Structs of
/// one's own take the [`Conv`] from [`Convolution::conv1d`] and [`Convolution::conv2d`].
///
/// A kernel, stride, padding or dilation is one number for all spatial axes, or one for each.
///
/// ```
/// use warploom_nn::{Convolution, Dense, Flatten, MaxPool, Sequential, layers};
///
/// let description = Sequential::new(layers![
///     Convolution::new(6, 5).padding(2).relu(),
///     MaxPool::new(2),
///     Convolution::new(16, [3, 5]).stride([1, 2]),
///     Flatten::new(),
///     Dense::new(10),
/// ]);
/// ```
#[doc(alias = "Conv2D")]
#[derive(Clone, Debug)]
pub struct Convolution {
    outputs: usize,
    sliding: Sliding,
    groups: usize,
    activation: Option<Activation>,
    weight: Initialiser,
    bias: Option<Initialiser>,
}

impl Convolution {
    /// With stride 1, no padding, and bias; drawn as torch.nn.Conv2d's.
    pub fn new(outputs: usize, kernel: impl Integers) -> Convolution {
        let (weight, bias) = (Initialiser::FanInUniform, Some(Initialiser::FanInUniform));
        let sliding = Sliding::new(kernel, Some(1));
        Convolution { outputs, sliding, groups: 1, activation: None, weight, bias }
    }

    /// With windows so far apart.
    pub fn stride(self, stride: impl Integers) -> Convolution {
        Convolution { sliding: self.sliding.stride(stride), ..self }
    }

    /// With so many zeros on both sides.
    pub fn padding(self, padding: impl Integers) -> Convolution {
        Convolution { sliding: self.sliding.padding(padding), ..self }
    }

    /// With the elements of the kernel so far apart.
    pub fn dilation(self, dilation: impl Integers) -> Convolution {
        Convolution { sliding: self.sliding.dilation(dilation), ..self }
    }

    /// In groups of channels that do not mix; as many groups as channels make it depthwise.
    pub fn groups(self, groups: usize) -> Convolution {
        Convolution { groups, ..self }
    }

    /// Followed by an activation.
    pub fn activation(self, activation: Activation) -> Convolution {
        Convolution { activation: Some(activation), ..self }
    }

    /// Followed by [`Activation::Relu`].
    pub fn relu(self) -> Convolution {
        self.activation(Activation::Relu)
    }

    /// Without bias, as before a normalisation.
    pub fn no_bias(self) -> Convolution {
        Convolution { bias: None, ..self }
    }

    /// With weights drawn otherwise.
    pub fn weight(self, initialiser: Initialiser) -> Convolution {
        Convolution { weight: initialiser, ..self }
    }

    /// With a bias drawn otherwise.
    pub fn bias(self, initialiser: Initialiser) -> Convolution {
        Convolution { bias: Some(initialiser), ..self }
    }

    /// The module for `[batch, channels, length]`, in f32 on the current device; without the activation.
    ///
    /// # Errors
    /// Groups that do not divide channels or filters, numbers that are no windows; what the device reports.
    #[track_caller]
    pub fn conv1d(&self, channels: usize) -> Result<Conv, Error> {
        self.module(channels, 1)
    }

    /// The module for `[batch, channels, height, width]`, in f32 on the current device; without the activation.
    ///
    /// # Errors
    /// As [`Convolution::conv1d`].
    #[track_caller]
    pub fn conv2d(&self, channels: usize) -> Result<Conv, Error> {
        self.module(channels, 2)
    }

    #[track_caller]
    fn module(&self, channels: usize, axes: usize) -> Result<Conv, Error> {
        let windows = self.sliding.windows("convolution", axes)?;
        check_groups("convolution", self.groups, channels, self.outputs)?;
        let (inputs, outputs) = (channels / self.groups, self.outputs);
        let shape = kernel_shape(outputs, inputs, &windows);
        let fans = fans(inputs, outputs / self.groups, &windows);
        Ok(Conv {
            weight: self.weight.make("weight", &shape, DType::F32, fans)?,
            bias: self.bias.map(|bias| bias.make("bias", &[outputs], DType::F32, fans)).transpose()?,
            windows,
            groups: self.groups,
        })
    }
}

impl Layer for Convolution {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        assembly.add(|example| self.module(channels("Convolution", example)?, example.len() - 1))?;
        self.activation.map_or(Ok(()), |activation| assembly.add(|_| Ok(activation)))
    }
}

/// `[first, second, spatial…]`.
pub(super) fn kernel_shape(first: usize, second: usize, windows: &[Window]) -> Dims {
    [first, second].into_iter().chain(windows.iter().map(|window| window.kernel)).collect()
}

/// For so many channels of a group, with the elements of a kernel.
pub(super) fn fans(inputs: usize, outputs: usize, windows: &[Window]) -> Fans {
    let elements: usize = windows.iter().map(|window| window.kernel).product();
    Fans { inputs: inputs * elements, outputs: outputs * elements }
}

#[track_caller]
pub(super) fn check_groups(layer: &str, groups: usize, inputs: usize, outputs: usize) -> Result<(), Error> {
    if groups == 0 || outputs == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
        let message = format!("{groups} groups do not divide {inputs} channels and {outputs} filters");
        return Err(Error::new(layer, message));
    }
    Ok(())
}
