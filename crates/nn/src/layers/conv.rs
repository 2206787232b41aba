//! The convolutional module.

use crate::Parameters;
use crate::layers::batch_norm::per_channel;
use crate::layers::windows::{Window, spatial_axes};
use crate::module::{Mode, Module};
use crate::scope::in_module_of;
use warploom_graph::SpatialWindow;
use warploom_graph::shape::show;
use warploom_tensor::{Error, Tensor, Variable};

/// Convolution of `[batch, channels, spatial…]` with one or two spatial axes, giving `[batch, outputs, spatial…]`, as
/// torch.nn.Conv1d and Conv2d. Made by [`crate::Convolution`].
#[doc(alias = "Conv1d")]
#[doc(alias = "Conv2d")]
#[derive(Clone, Parameters)]
pub struct Conv {
    /// `[outputs, channels / groups, spatial…]`.
    pub weight: Variable,
    /// `[outputs]`.
    pub bias: Option<Variable>,
    #[parameters(skip)]
    pub(super) windows: Vec<Window>,
    #[parameters(skip)]
    pub(super) groups: usize,
}

impl Conv {
    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (shape, weight) = (x.shape()?, self.weight.shape()?);
        check("convolution", &shape, weight[1] * self.groups, self.windows.len())?;
        let window = |window: &Window| SpatialWindow {
            stride: window.stride,
            low: window.padding as isize,
            high: window.padding as isize,
            input_dilation: 1,
            kernel_dilation: window.dilation,
        };
        let windows: Vec<SpatialWindow> = self.windows.iter().map(window).collect();
        let y = x.convolve(&self.weight, self.groups, &windows);
        Ok(biased(y, self.bias.as_ref(), shape.len()))
    }
}

impl Module for Conv {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        in_module_of(&self.weight, x, || self.apply(x).unwrap_or_else(Tensor::failed))
    }
}

/// That there are so many channels, and spatial axes for the windows.
#[track_caller]
pub(super) fn check(layer: &str, shape: &[usize], channels: usize, axes: usize) -> Result<(), Error> {
    if spatial_axes(layer, shape)? == axes && shape[1] == channels {
        return Ok(());
    }
    let spatial = if axes == 1 { "length" } else { "height, width" };
    let message = format!("takes [batch, {channels}, {spatial}], found {}", show(shape));
    Err(Error::new(layer, message))
}

/// With a bias for each channel, if there is one.
pub(super) fn biased(y: Tensor, bias: Option<&Variable>, rank: usize) -> Tensor {
    match bias {
        Some(bias) => y + per_channel(&bias.value(), rank),
        None => y,
    }
}
