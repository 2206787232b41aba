//! Windows that slide over spatial axes, as convolutions and pooling take them.

use warploom_graph::shape::show;
use warploom_tensor::{Error, Integers};

/// Extent, stride, padding and dilation as they are given: one number for all spatial axes, or one for each.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sliding {
    kernel: Numbers,
    /// Without one, windows of pooling stand side by side.
    stride: Option<Numbers>,
    padding: Numbers,
    dilation: Numbers,
}

type Numbers = Vec<isize>;

/// A window along one spatial axis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Window {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
}

impl Window {
    /// Positions from its first element to its last, both included.
    pub fn span(&self) -> usize {
        self.dilation.saturating_mul(self.kernel - 1).saturating_add(1)
    }
}

impl Sliding {
    pub fn new(kernel: impl Integers, stride: Option<isize>) -> Sliding {
        let one = |n: isize| vec![n];
        Sliding {
            kernel: kernel.integers().to_vec(),
            stride: stride.map(one),
            padding: one(0),
            dilation: one(1),
        }
    }

    pub fn stride(self, stride: impl Integers) -> Sliding {
        Sliding { stride: Some(stride.integers().to_vec()), ..self }
    }

    pub fn padding(self, padding: impl Integers) -> Sliding {
        Sliding { padding: padding.integers().to_vec(), ..self }
    }

    pub fn dilation(self, dilation: impl Integers) -> Sliding {
        Sliding { dilation: dilation.integers().to_vec(), ..self }
    }

    /// One window for each of so many spatial axes.
    #[track_caller]
    pub fn windows(&self, layer: &str, axes: usize) -> Result<Vec<Window>, Error> {
        let stride = self.stride.as_ref().unwrap_or(&self.kernel);
        let kernel = per_axis(layer, "kernel", &self.kernel, axes, 1)?;
        let stride = per_axis(layer, "stride", stride, axes, 1)?;
        let padding = per_axis(layer, "padding", &self.padding, axes, 0)?;
        let dilation = per_axis(layer, "dilation", &self.dilation, axes, 1)?;
        let window = |i: usize| Window {
            kernel: kernel[i],
            stride: stride[i],
            padding: padding[i],
            dilation: dilation[i],
        };
        Ok((0..axes).map(window).collect())
    }
}

/// One number for each of so many axes, none of them below `least`.
#[track_caller]
pub(super) fn per_axis(
    layer: &str,
    what: &str,
    given: &[isize],
    axes: usize,
    least: usize,
) -> Result<Vec<usize>, Error> {
    let fail = || {
        let message = format!(
            "takes a {what} of {least} and more, one for all {axes} spatial axes or one for each, found {given:?}"
        );
        Error::new(layer, message)
    };
    let number = |n: &isize| usize::try_from(*n).ok().filter(|n| *n >= least).ok_or_else(fail);
    match given {
        [one] => Ok(vec![number(one)?; axes]),
        several if several.len() == axes => several.iter().map(number).collect(),
        _ => Err(fail()),
    }
}

/// How many spatial axes `[batch, channels, spatial…]` has.
#[track_caller]
pub(super) fn spatial_axes(layer: &str, shape: &[usize]) -> Result<usize, Error> {
    match shape.len() {
        0..3 => {
            let message = format!("takes [batch, channels, spatial…], found {}", show(shape));
            Err(Error::new(layer, message))
        }
        rank => Ok(rank - 2),
    }
}
