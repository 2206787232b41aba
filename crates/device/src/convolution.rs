//! Convolutions: their shape, and the step of a program that computes one.

use crate::kernel::Kernel;
use crate::program::BufferId;
use smallvec::SmallVec;
use warploom_graph::DType;

/// One spatial axis of a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpatialAxis {
    /// Extent of the input.
    pub input: usize,
    /// Extent of the kernel.
    pub kernel: usize,
    /// Extent of the result.
    pub output: usize,
    /// Positions of the dilated input from one result to the next.
    pub stride: usize,
    /// Zeros before the first position of the dilated input; negative where positions are left out.
    pub low: i64,
    /// Positions from one input element to the next; between them are zeros.
    pub input_dilation: usize,
    /// Positions from one kernel element to the next.
    pub kernel_dilation: usize,
}

impl SpatialAxis {
    /// The input element that meets kernel element `tap` in result `output`, if there is one.
    pub fn source(&self, output: usize, tap: usize) -> Option<usize> {
        let position = (output * self.stride + tap * self.kernel_dilation) as i64 - self.low;
        let dilation = self.input_dilation as i64;
        let inside = position >= 0 && position % dilation == 0 && position / dilation < self.input as i64;
        inside.then_some((position / dilation) as usize)
    }
}

/// Extents of a convolution:
/// `result[n, g, o, p…] = sum over c, r… of kernel[g, o, c, r…] * input[n, g, c, source(p, r)…]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConvolutionShape {
    /// Examples.
    pub batch: usize,
    /// Groups: each has channels and outputs of its own.
    pub groups: usize,
    /// Channels of the input in one group.
    pub channels: usize,
    /// Channels of the result in one group.
    pub outputs: usize,
    /// One or two spatial axes.
    pub spatial: SmallVec<[SpatialAxis; 2]>,
}

impl ConvolutionShape {
    /// Extents of the result: `[batch, groups, outputs, spatial…]`.
    pub fn result(&self) -> SmallVec<[usize; 6]> {
        let mut extents = SmallVec::from_slice(&[self.batch, self.groups, self.outputs]);
        extents.extend(self.spatial.iter().map(|axis| axis.output));
        extents
    }

    /// Extents of the input: `[batch, groups, channels, spatial…]`.
    pub fn input(&self) -> SmallVec<[usize; 6]> {
        let mut extents = SmallVec::from_slice(&[self.batch, self.groups, self.channels]);
        extents.extend(self.spatial.iter().map(|axis| axis.input));
        extents
    }

    /// Extents of the kernel: `[groups, outputs, channels, spatial…]`.
    pub fn kernel(&self) -> SmallVec<[usize; 6]> {
        let mut extents = SmallVec::from_slice(&[self.groups, self.outputs, self.channels]);
        extents.extend(self.spatial.iter().map(|axis| axis.kernel));
        extents
    }
}

/// An operand of a convolution, anywhere in memory.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConvolutionOperand {
    /// From where.
    pub buffer: BufferId,
    /// First element.
    pub offset: i64,
    /// Elements per step along each axis of [`ConvolutionShape::input`] or [`ConvolutionShape::kernel`].
    pub strides: SmallVec<[i64; 6]>,
}

/// A convolution, finished by an epilogue that stores.
#[derive(Clone, PartialEq, Debug)]
pub struct Convolution {
    /// Dtype of both operands.
    pub dtype: DType,
    /// As [`crate::Contraction::tf32`].
    pub tf32: bool,
    /// Extents.
    pub shape: ConvolutionShape,
    /// `[batch, groups, channels, spatial…]`.
    pub input: ConvolutionOperand,
    /// `[groups, outputs, channels, spatial…]`.
    pub kernel: ConvolutionOperand,
    /// Whether the result is `[groups * outputs, batch, spatial…]` instead of `[batch, groups * outputs, spatial…]`.
    pub outputs_first: bool,
    /// What is done with each finished element; its space is [`Convolution::space`], without reductions.
    pub epilogue: Kernel,
    /// Scratch memory, as large as [`crate::Target::workspace_bytes`] asked for.
    pub workspace: Option<BufferId>,
}

impl Convolution {
    /// Extents of the epilogue: `[batch * groups, outputs, pixels]`, or `[groups, outputs, batch * pixels]` with outputs
    /// first.
    pub fn space(&self) -> [usize; 3] {
        let ConvolutionShape { batch, groups, outputs, .. } = self.shape;
        let pixels: usize = self.shape.spatial.iter().map(|axis| axis.output).product();
        if self.outputs_first { [groups, outputs, batch * pixels] } else { [batch * groups, outputs, pixels] }
    }
}
