//! Convolution in its general form: what it takes beside its operands, and the extents that follow.

use crate::dtype::DType;
use crate::op::Arithmetic;
use crate::shape::{Dims, Type, show};
use smallvec::SmallVec;

/// One spatial axis of a convolution. The kernel slides over the input, which has zeros between and around its elements;
/// transposed convolutions and the gradients of a convolution are of this form too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpatialWindow {
    /// Positions from one result to the next.
    pub stride: usize,
    /// Zeros before the input; negative where positions are left out.
    pub low: isize,
    /// Zeros after the input; negative where positions are left out.
    pub high: isize,
    /// Positions from one input element to the next.
    pub input_dilation: usize,
    /// Positions from one kernel element to the next.
    pub kernel_dilation: usize,
}

impl SpatialWindow {
    /// Stride 1, nothing around, nothing between.
    pub const PLAIN: SpatialWindow =
        SpatialWindow { stride: 1, low: 0, high: 0, input_dilation: 1, kernel_dilation: 1 };

    /// Extent of the result for these extents of input and kernel; `None` where no kernel fits or extents overflow.
    pub fn output(&self, input: usize, kernel: usize) -> Option<usize> {
        let padded = i64::try_from(dilated(input, self.input_dilation)?).ok()?;
        let padded = padded.checked_add(self.low as i64)?.checked_add(self.high as i64)?;
        let room = padded.checked_sub(i64::try_from(dilated(kernel, self.kernel_dilation)?).ok()?)?;
        usize::try_from(room).ok().map(|room| room / self.stride + 1)
    }
}

/// `extent` elements with `dilation - 1` positions between them.
pub fn dilated(extent: usize, dilation: usize) -> Option<usize> {
    match extent {
        0 => Some(0),
        extent => (extent - 1).checked_mul(dilation)?.checked_add(1),
    }
}

/// What a convolution of `input [batch, groups * channels, spatial…]` with `kernel [groups * outputs, channels, spatial…]`
/// is beside its operands. The kernel is not flipped.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConvolveAxes {
    /// Groups of channels that do not mix.
    pub groups: usize,
    /// One or two spatial axes.
    pub spatial: SmallVec<[SpatialWindow; 2]>,
    /// Whether the result is `[groups * outputs, batch, spatial…]` instead of `[batch, groups * outputs, spatial…]`: the
    /// gradient of a kernel is wanted so.
    pub outputs_first: bool,
    /// In which numbers.
    pub arithmetic: Arithmetic,
}

impl ConvolveAxes {
    /// The usual form, batch first, in the operands' own numbers.
    pub fn new(groups: usize, spatial: &[SpatialWindow]) -> ConvolveAxes {
        ConvolveAxes {
            groups,
            spatial: SmallVec::from_slice(spatial),
            outputs_first: false,
            arithmetic: Arithmetic::Own,
        }
    }
}

/// The type rule.
pub(crate) fn infer(axes: &ConvolveAxes, input: &Type, kernel: &Type) -> Result<Type, String> {
    let rank = axes.spatial.len() + 2;
    if axes.spatial.is_empty() || axes.spatial.len() > 2 {
        return Err(format!("slides over 1 or 2 spatial axes, not over {}", axes.spatial.len()));
    }
    if input.rank() != rank || kernel.rank() != rank {
        return Err(format!(
            "takes input [batch, channels, spatial…] and kernel [outputs, channels / groups, spatial…], each with {} \
             spatial axes; found {input} and {kernel}",
            axes.spatial.len()
        ));
    }
    if input.dtype != kernel.dtype
        || !matches!(input.dtype, DType::F32 | DType::F64 | DType::F16 | DType::BF16)
    {
        return Err(format!("takes two operands of one float dtype, found {input} and {kernel}; cast them"));
    }
    let (groups, channels, outputs) = (axes.groups, kernel.shape[1], kernel.shape[0]);
    if groups == 0 || outputs % groups != 0 || Some(input.shape[1]) != channels.checked_mul(groups) {
        return Err(format!(
            "with {groups} group{} takes a kernel [outputs, {}, spatial…] with outputs a multiple of {groups} for input {}; \
             found kernel {}",
            if groups == 1 { "" } else { "s" },
            input.shape[1].checked_div(groups).unwrap_or(0),
            show(&input.shape),
            show(&kernel.shape)
        ));
    }
    let mut shape = Dims::from_slice(&[input.shape[0], outputs]);
    if axes.outputs_first {
        shape.reverse();
    }
    for (i, window) in axes.spatial.iter().enumerate() {
        let (from, taps) = (input.shape[i + 2], kernel.shape[i + 2]);
        if window.stride == 0 || window.input_dilation == 0 || window.kernel_dilation == 0 {
            return Err(format!("stride and dilations of spatial axis {i} must be at least 1: {window:?}"));
        }
        if taps == 0 {
            return Err(format!("the kernel {} has no element along spatial axis {i}", show(&kernel.shape)));
        }
        let Some(extent) = window.output(from, taps) else {
            return Err(format!(
                "spatial axis {i}: the kernel spans {} positions, the input with its padding has {}; make the kernel \
                 smaller or pad more",
                dilated(taps, window.kernel_dilation).map_or("too many".into(), |n| n.to_string()),
                dilated(from, window.input_dilation).map_or(0, |n| n as i64)
                    + (window.low + window.high) as i64
            ));
        };
        shape.push(extent);
    }
    Ok(Type { dtype: axes.arithmetic.result(input.dtype)?, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_are_those_of_the_formula() {
        let window = SpatialWindow { stride: 2, low: 1, high: 1, ..SpatialWindow::PLAIN };
        assert_eq!(window.output(32, 3), Some(16));
        assert_eq!(window.output(1, 5), None);
        let transposed = SpatialWindow { low: 2, high: 2, input_dilation: 2, ..SpatialWindow::PLAIN };
        assert_eq!(transposed.output(4, 4), Some(8));
        let cropped = SpatialWindow { low: -1, high: -2, ..SpatialWindow::PLAIN };
        assert_eq!(cropped.output(7, 1), Some(4));
        assert_eq!(SpatialWindow { kernel_dilation: usize::MAX, ..SpatialWindow::PLAIN }.output(9, 3), None);
    }
}
