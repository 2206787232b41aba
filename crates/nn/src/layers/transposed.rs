//! Transposed convolutions.

use crate::Parameters;
use crate::initialise::Initialiser;
use crate::layers::batch_norm::channels;
use crate::layers::conv::{biased, check};
use crate::layers::convolution::{check_groups, fans, kernel_shape};
use crate::layers::windows::{Sliding, Window, per_axis};
use crate::layers::{Activation, Assembly, Layer};
use crate::module::{Mode, Module};
use crate::scope::in_module_of;
use warploom_graph::SpatialWindow;
use warploom_tensor::{DType, Dims, Error, Integers, Tensor, Variable};

/// The description of a transposed convolution of `outputs` filters over `[batch, channels, spatial…]`: what the gradient
/// of a convolution does to its input, so that a stride spreads the input. It becomes a [`ConvTranspose`] and, one position
/// further, its [`Activation`] if it has one.
///
/// A kernel, stride, padding or dilation is one number for all spatial axes, or one for each.
#[doc(alias = "Conv2DTranspose")]
#[derive(Clone, Debug)]
pub struct TransposedConvolution {
    outputs: usize,
    sliding: Sliding,
    output_padding: Vec<isize>,
    groups: usize,
    activation: Option<Activation>,
    weight: Initialiser,
    bias: Option<Initialiser>,
}

impl TransposedConvolution {
    /// With stride 1, nothing cut off, and bias; drawn as torch.nn.ConvTranspose2d's.
    pub fn new(outputs: usize, kernel: impl Integers) -> TransposedConvolution {
        TransposedConvolution {
            outputs,
            sliding: Sliding::new(kernel, Some(1)),
            output_padding: vec![0],
            groups: 1,
            activation: None,
            weight: Initialiser::FanInUniform,
            bias: Some(Initialiser::FanInUniform),
        }
    }

    /// With input elements so far apart in the output.
    pub fn stride(self, stride: impl Integers) -> TransposedConvolution {
        TransposedConvolution { sliding: self.sliding.stride(stride), ..self }
    }

    /// With so many positions of the output cut off on both sides.
    pub fn padding(self, padding: impl Integers) -> TransposedConvolution {
        TransposedConvolution { sliding: self.sliding.padding(padding), ..self }
    }

    /// With so many positions more at the output's end; below stride or dilation.
    pub fn output_padding(self, output_padding: impl Integers) -> TransposedConvolution {
        TransposedConvolution { output_padding: output_padding.integers().to_vec(), ..self }
    }

    /// With the elements of the kernel so far apart.
    pub fn dilation(self, dilation: impl Integers) -> TransposedConvolution {
        TransposedConvolution { sliding: self.sliding.dilation(dilation), ..self }
    }

    /// In groups of channels that do not mix.
    pub fn groups(self, groups: usize) -> TransposedConvolution {
        TransposedConvolution { groups, ..self }
    }

    /// Followed by an activation.
    pub fn activation(self, activation: Activation) -> TransposedConvolution {
        TransposedConvolution { activation: Some(activation), ..self }
    }

    /// Without bias, as before a normalisation.
    pub fn no_bias(self) -> TransposedConvolution {
        TransposedConvolution { bias: None, ..self }
    }

    /// With weights drawn otherwise.
    pub fn weight(self, initialiser: Initialiser) -> TransposedConvolution {
        TransposedConvolution { weight: initialiser, ..self }
    }

    /// The module for `[batch, channels, length]`, in f32 on the current device; without the activation.
    ///
    /// # Errors
    /// Groups that do not divide channels or filters, numbers that are no windows; what the device reports.
    #[track_caller]
    pub fn conv1d(&self, channels: usize) -> Result<ConvTranspose, Error> {
        self.module(channels, 1)
    }

    /// The module for `[batch, channels, height, width]`, in f32 on the current device; without the activation.
    ///
    /// # Errors
    /// As [`TransposedConvolution::conv1d`].
    #[track_caller]
    pub fn conv2d(&self, channels: usize) -> Result<ConvTranspose, Error> {
        self.module(channels, 2)
    }

    #[track_caller]
    fn module(&self, channels: usize, axes: usize) -> Result<ConvTranspose, Error> {
        const NAME: &str = "transposed_convolution";
        let windows = self.sliding.windows(NAME, axes)?;
        let extra = per_axis(NAME, "output padding", &self.output_padding, axes, 0)?;
        if let Some((window, extra)) =
            windows.iter().zip(&extra).find(|(w, e)| **e >= w.stride.max(w.dilation))
        {
            let limit = window.stride.max(window.dilation);
            return Err(Error::new(
                NAME,
                format!("takes an output padding below stride or dilation, {limit}, found {extra}"),
            ));
        }
        check_groups(NAME, self.groups, channels, self.outputs)?;
        let outputs = self.outputs / self.groups;
        // PyTorch takes the second axis of the weight for the inputs, also where it is the outputs.
        let fans = fans(outputs, channels, &windows);
        Ok(ConvTranspose {
            weight: self.weight.make(
                "weight",
                &kernel_shape(channels, outputs, &windows),
                DType::F32,
                fans,
            )?,
            bias: self.bias.map(|bias| bias.make("bias", &[self.outputs], DType::F32, fans)).transpose()?,
            windows: windows.into_iter().zip(extra).collect(),
            groups: self.groups,
        })
    }
}

impl Layer for TransposedConvolution {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        assembly
            .add(|example| self.module(channels("TransposedConvolution", example)?, example.len() - 1))?;
        self.activation.map_or(Ok(()), |activation| assembly.add(|_| Ok(activation)))
    }
}

/// Transposed convolution of `[batch, channels, spatial…]` with one or two spatial axes, as torch.nn.ConvTranspose1d and
/// ConvTranspose2d: an extent n becomes `(n - 1)·stride - 2·padding + dilation·(kernel - 1) + output_padding + 1`. Made by
/// [`TransposedConvolution`].
#[doc(alias = "ConvTranspose1d")]
#[doc(alias = "ConvTranspose2d")]
#[derive(Clone, Parameters)]
pub struct ConvTranspose {
    /// `[channels, outputs / groups, spatial…]`.
    pub weight: Variable,
    /// `[outputs]`.
    pub bias: Option<Variable>,
    /// With the output padding of each axis.
    #[parameters(skip)]
    windows: Vec<(Window, usize)>,
    #[parameters(skip)]
    groups: usize,
}

impl ConvTranspose {
    /// A convolution of the spread input with the kernel turned around.
    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        let shape = x.shape()?;
        check("transposed_convolution", &shape, self.weight.shape()?[0], self.windows.len())?;
        let window = |(window, extra): &(Window, usize)| {
            let around = window.span() as isize - 1 - window.padding as isize;
            SpatialWindow {
                stride: 1,
                low: around,
                high: around + *extra as isize,
                input_dilation: window.stride,
                kernel_dilation: window.dilation,
            }
        };
        let windows: Vec<SpatialWindow> = self.windows.iter().map(window).collect();
        let y = x.convolve(&self.kernel()?, self.groups, &windows);
        Ok(biased(y, self.bias.as_ref(), shape.len()))
    }

    /// `[groups·inputs, outputs, spatial…]` as `[groups·outputs, inputs, spatial…]`, turned around.
    fn kernel(&self) -> Result<Tensor, Error> {
        let weight = self.weight.value();
        let shape = weight.shape()?;
        let (inputs, outputs) = (shape[0] / self.groups, shape[1]);
        let with = |first: &[usize]| first.iter().chain(&shape[2..]).copied().collect::<Dims>();
        let grouped = weight.reshape(with(&[self.groups, inputs, outputs])).transpose(1, 2);
        let turned: Dims = (2..shape.len()).collect();
        Ok(grouped.reshape(with(&[self.groups * outputs, inputs])).flip(turned))
    }
}

impl Module for ConvTranspose {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        in_module_of(&self.weight, x, || self.apply(x).unwrap_or_else(Tensor::failed))
    }
}
