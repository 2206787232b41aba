//! Pooling: what stands in each window of spatial axes becomes one number.

use crate::Parameters;
use crate::layers::windows::{Sliding, Window, spatial_axes};
use crate::module::{Mode, Module};
use warploom_graph::shape::show;
use warploom_tensor::{Dims, Elementwise, ElementwiseMethods, Error, Integers, Tensor};

/// The largest of each window of `[batch, channels, spatial…]`, as torch.nn.MaxPool1d and MaxPool2d. Padding counts as
/// less than everything; of equal numbers the first gets the gradient, in row-major order of the window.
#[doc(alias = "MaxPool1d")]
#[doc(alias = "MaxPool2d")]
#[derive(Clone, Debug, Parameters)]
pub struct MaxPool {
    #[parameters(skip)]
    sliding: Sliding,
}

impl MaxPool {
    /// Of windows side by side; one extent for all spatial axes, or one for each.
    pub fn new(kernel: impl Integers) -> MaxPool {
        MaxPool { sliding: Sliding::new(kernel, None) }
    }

    /// With windows so far apart.
    pub fn stride(self, stride: impl Integers) -> MaxPool {
        MaxPool { sliding: self.sliding.stride(stride) }
    }

    /// With so much padding on both sides, at most half a window.
    pub fn padding(self, padding: impl Integers) -> MaxPool {
        MaxPool { sliding: self.sliding.padding(padding) }
    }

    /// With the elements of a window so far apart.
    pub fn dilation(self, dilation: impl Integers) -> MaxPool {
        MaxPool { sliding: self.sliding.dilation(dilation) }
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        const NAME: &str = "max_pool";
        let windows = checked(NAME, &self.sliding, x)?;
        let mut padded = padded(x, &windows);
        if windows.iter().any(|window| window.padding > 0) {
            let inside = self::padded(&ones(x)?, &windows).compare(Elementwise::GREATER, 0.0);
            padded = inside.select(&padded, &padded.full_like(f64::NEG_INFINITY));
        }
        let (unfolded, axes) = unfolded(&padded, &windows);
        Ok(unfolded.max(axes))
    }
}

impl Module for MaxPool {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        self.apply(x).unwrap_or_else(Tensor::failed)
    }
}

/// The mean of each window of `[batch, channels, spatial…]`, as torch.nn.AvgPool1d and AvgPool2d.
#[doc(alias = "AvgPool1d")]
#[doc(alias = "AvgPool2d")]
#[derive(Clone, Debug, Parameters)]
pub struct AveragePool {
    #[parameters(skip)]
    sliding: Sliding,
    #[parameters(skip)]
    padding_counts: bool,
}

impl AveragePool {
    /// Of windows side by side; one extent for all spatial axes, or one for each.
    pub fn new(kernel: impl Integers) -> AveragePool {
        AveragePool { sliding: Sliding::new(kernel, None), padding_counts: true }
    }

    /// With windows so far apart.
    pub fn stride(self, stride: impl Integers) -> AveragePool {
        AveragePool { sliding: self.sliding.stride(stride), ..self }
    }

    /// With so many zeros on both sides, at most half a window.
    pub fn padding(self, padding: impl Integers) -> AveragePool {
        AveragePool { sliding: self.sliding.padding(padding), ..self }
    }

    /// With means of what stands in the input alone: PyTorch's `count_include_pad=False`.
    pub fn padding_does_not_count(self) -> AveragePool {
        AveragePool { padding_counts: false, ..self }
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        const NAME: &str = "average_pool";
        let windows = checked(NAME, &self.sliding, x)?;
        let sum = |x: &Tensor| {
            let (unfolded, axes) = unfolded(&padded(x, &windows), &windows);
            unfolded.sum(axes)
        };
        if self.padding_counts {
            let count: usize = windows.iter().map(|window| window.kernel).product();
            return Ok(sum(x) * (1.0 / count as f64));
        }
        Ok(sum(x) / sum(&ones(x)?))
    }
}

impl Module for AveragePool {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        self.apply(x).unwrap_or_else(Tensor::failed)
    }
}

/// The mean over all spatial axes: `[batch, channels, spatial…]` becomes `[batch, channels]`, as Keras'
/// GlobalAveragePooling; torch.nn.AdaptiveAvgPool2d(1) keeps the axes with extent 1.
#[derive(Clone, Copy, Debug, Default, Parameters)]
pub struct GlobalAveragePool;

/// The largest over all spatial axes: `[batch, channels, spatial…]` becomes `[batch, channels]`.
#[derive(Clone, Copy, Debug, Default, Parameters)]
pub struct GlobalMaxPool;

impl GlobalAveragePool {
    /// The layer.
    pub fn new() -> GlobalAveragePool {
        GlobalAveragePool
    }
}

impl GlobalMaxPool {
    /// The layer.
    pub fn new() -> GlobalMaxPool {
        GlobalMaxPool
    }
}

impl Module for GlobalAveragePool {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        all_spatial("global_average_pool", x).map_or_else(Tensor::failed, |axes| x.mean(axes))
    }
}

impl Module for GlobalMaxPool {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        all_spatial("global_max_pool", x).map_or_else(Tensor::failed, |axes| x.max(axes))
    }
}

#[track_caller]
fn all_spatial(name: &str, x: &Tensor) -> Result<Dims, Error> {
    let shape = x.shape()?;
    spatial_axes(name, &shape).map(|axes| (2..2 + axes).collect())
}

/// The windows for the spatial axes that there are, each of which holds some of the input.
#[track_caller]
fn checked(name: &str, sliding: &Sliding, x: &Tensor) -> Result<Vec<Window>, Error> {
    let shape = x.shape()?;
    let windows = sliding.windows(name, spatial_axes(name, &shape)?)?;
    for (window, extent) in windows.iter().zip(&shape[2..]) {
        if window.padding * 2 > window.span() {
            let message = format!(
                "takes a padding of at most half a window, found {} for {}",
                window.padding,
                window.span()
            );
            return Err(Error::new(name, message));
        }
        if window.span() > extent + 2 * window.padding {
            let message = format!("has windows of {} that do not fit into {}", window.span(), show(&shape));
            return Err(Error::new(name, message));
        }
    }
    Ok(windows)
}

fn padded(x: &Tensor, windows: &[Window]) -> Tensor {
    let pairs: Vec<(usize, usize)> = [(0, 0); 2]
        .into_iter()
        .chain(windows.iter().map(|window| (window.padding, window.padding)))
        .collect();
    x.pad(&pairs)
}

/// Ones where the input stands, `[1, 1, spatial…]`.
fn ones(x: &Tensor) -> Result<Tensor, Error> {
    let mut shape = x.shape()?;
    shape[..2].fill(1);
    let dtype = x.dtype()?;
    Ok(x.device()?.scope(|| Tensor::ones(&shape, dtype)))
}

/// Each spatial axis as two, places and elements of windows, and the axes of the elements.
fn unfolded(x: &Tensor, windows: &[Window]) -> (Tensor, Dims) {
    let mut unfolded = x.clone();
    for (i, window) in windows.iter().enumerate() {
        unfolded = unfolded.unfold(2 + 2 * i as isize, window.kernel, window.stride, window.dilation);
    }
    (unfolded, (0..windows.len()).map(|i| 3 + 2 * i).collect())
}
