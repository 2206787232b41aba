//! The structural ops: a closed set, matched exhaustively by every reader.

use crate::convolve::ConvolveAxes;
use crate::dtype::{DType, Literal};
use crate::elementwise::Elementwise;
use crate::graph::Graph;
use crate::shape::Dims;
use crate::source::Source;
use smallvec::SmallVec;
use std::sync::Arc;

/// How a reduction combines elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reduction {
    /// Sum; f16 and bf16 are summed in f32.
    Sum,
    /// Largest; NaN if any is NaN. The gradient goes to the first largest in row-major order.
    Max,
    /// Smallest; NaN if any is NaN. The gradient goes to the first smallest in row-major order.
    Min,
    /// Position (i32) of the first largest along one axis; a NaN counts as largest.
    ArgMax,
}

impl Reduction {
    /// The name in printed graphs.
    pub const fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Max => "max",
            Reduction::Min => "min",
            Reduction::ArgMax => "arg_max",
        }
    }
}

/// How a scatter combines an update with what is there. Duplicates are applied in the row-major order of the indices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ScatterKind {
    /// Adds.
    Add,
    /// Keeps the larger.
    Max,
    /// Overwrites; the last duplicate stays.
    Set,
}

impl ScatterKind {
    /// The name in printed graphs.
    pub const fn name(self) -> &'static str {
        match self {
            ScatterKind::Add => "add",
            ScatterKind::Max => "max",
            ScatterKind::Set => "set",
        }
    }
}

/// In which numbers a product multiplies, and in which it gives its sum.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Arithmetic {
    /// The operands' own: the result has their dtype. Sums of f16 and bf16 run in f32 and round once.
    #[default]
    Own,
    /// Operands of f16 or bf16; the result is the f32 sum as it is.
    Wide,
    /// Operands of f32, each rounded by [`round_to_tf32`] before it is multiplied; sums and result are f32.
    Tf32,
}

impl Arithmetic {
    /// The result's dtype for operands of `operands`.
    ///
    /// # Errors
    /// Operands that this arithmetic is not for.
    pub(crate) fn result(self, operands: DType) -> Result<DType, String> {
        match (self, operands) {
            (Arithmetic::Own, dtype) => Ok(dtype),
            (Arithmetic::Wide, DType::F16 | DType::BF16) | (Arithmetic::Tf32, DType::F32) => Ok(DType::F32),
            (Arithmetic::Wide, dtype) => {
                Err(format!("gives the f32 sum of products of f16 or bf16, not of {dtype}"))
            }
            (Arithmetic::Tf32, dtype) => Err(format!("rounds f32 operands to TF32, not {dtype}")),
        }
    }

    /// What printed graphs and programs say after the product; nothing for [`Arithmetic::Own`].
    pub const fn suffix(self) -> &'static str {
        match self {
            Arithmetic::Own => "",
            Arithmetic::Wide => " wide",
            Arithmetic::Tf32 => " tf32",
        }
    }
}

/// The value of TF32, f32 with 10 bits of mantissa, nearest to an f32; ties away from zero, as PTX's `cvt.rna.tf32.f32` has
/// it.
pub fn round_to_tf32(x: f32) -> f32 {
    const DROPPED: u32 = 13;
    match x.is_finite() {
        true => f32::from_bits((x.to_bits() + (1 << (DROPPED - 1))) >> DROPPED << DROPPED),
        false => x,
    }
}

/// A general dot product beside its operands: which axes run together, as pairs `(axis of lhs, axis of rhs)`, and in which
/// numbers. The result's axes are: batch axes, free axes of lhs, free axes of rhs, each in operand order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ContractAxes {
    /// Axes kept, equal in both.
    pub batch: SmallVec<[(usize, usize); 2]>,
    /// Axes summed over.
    pub sum: SmallVec<[(usize, usize); 2]>,
    /// In which numbers.
    pub arithmetic: Arithmetic,
}

impl ContractAxes {
    /// Axes of lhs that are neither batch nor summed.
    pub fn free_lhs(&self, rank: usize) -> Dims {
        (0..rank).filter(|a| !self.batch.iter().chain(&self.sum).any(|p| p.0 == *a)).collect()
    }

    /// Axes of rhs that are neither batch nor summed.
    pub fn free_rhs(&self, rank: usize) -> Dims {
        (0..rank).filter(|a| !self.batch.iter().chain(&self.sum).any(|p| p.1 == *a)).collect()
    }
}

/// How the gradient of a [`Op::Call`] is found.
#[derive(Clone, Debug)]
pub enum CallGradient {
    /// By differentiating the body.
    Body,
    /// By this region: parameters are the call's inputs, its outputs, then the outputs' cotangents; results are the
    /// inputs' cotangents (of the inputs' types).
    Region(Arc<Graph>),
    /// Not at all: asking for it is an error that names the call.
    Missing,
}

/// One operation. Axes, extents, literals and regions are structure; everything that changes from step to step is an
/// input.
#[derive(Clone, Debug)]
pub enum Op {
    /// The `index`-th parameter of the graph or region.
    Parameter(usize),
    /// A tensor filled with one literal.
    Fill {
        /// The value of every element.
        value: Literal,
        /// The result's shape.
        shape: Dims,
    },
    /// The position along `axis`, as i32 or u32.
    Iota {
        /// Result's element type.
        dtype: DType,
        /// Result's shape.
        shape: Dims,
        /// The axis counted along.
        axis: usize,
    },
    /// Uniform u32 bits by Philox 4x32-10, at most 2^34 of them. Inputs: seed `u32[2]`, step `u32[]`, iteration `u32[]`.
    Random {
        /// Which of the program's random streams.
        stream: u32,
        /// Result's shape.
        shape: Dims,
    },
    /// A row of the open table, applied element by element to operands of one shape.
    Elementwise(Elementwise),
    /// Conversion to another dtype: floats round once, to nearest even; floats to integers truncate toward zero and
    /// saturate, NaN gives 0; integers among themselves wrap; anything to bool is `!= 0`, so NaN is true.
    Cast(DType),
    /// The same elements in row-major order under another shape.
    Reshape(Dims),
    /// Axis `i` of the result is axis `axes[i]` of the input.
    Permute(Dims),
    /// Stretches axes of extent 1 to the given shape, rank unchanged.
    Expand(Dims),
    /// Per axis: elements `start, start + step, …`, `size` of them; a negative step walks backwards.
    Slice {
        /// First position per axis.
        starts: Dims,
        /// Result's extent per axis.
        sizes: Dims,
        /// Distance between elements per axis, not zero.
        steps: SmallVec<[isize; 4]>,
    },
    /// Surrounds with zeros (`false` for bool).
    Pad {
        /// Zeros before, per axis.
        low: Dims,
        /// Zeros after, per axis.
        high: Dims,
    },
    /// Windows along an axis: `axis` becomes two, `[count, size]`, and element `[w, i]` is the input's `w * step + i *
    /// dilation`. As many windows as fit. Pooling is a reduction over windows.
    Unfold {
        /// The axis cut into windows.
        axis: usize,
        /// Elements of a window.
        size: usize,
        /// From the start of one window to the next.
        step: usize,
        /// From one element of a window to the next.
        dilation: usize,
    },
    /// Joins along an axis.
    Concat(usize),
    /// Combines elements along axes, which disappear from the shape.
    Reduce {
        /// How.
        kind: Reduction,
        /// The axes, ascending.
        axes: Dims,
    },
    /// General dot product; accumulates in f32 for f16, bf16 and f32, in f64 for f64, exact (wrapping) for i32. What is
    /// multiplied and what is given back is said by its [`Arithmetic`].
    Contract(ContractAxes),
    /// Convolution; accumulates as [`Op::Contract`] does. Inputs: input and kernel.
    Convolve(ConvolveAxes),
    /// Takes slices along `axis` by i32 index: result shape is the input's with `axis` replaced by the indices' shape.
    /// An index out of range is an error when the program runs.
    Gather {
        /// The axis indexed.
        axis: usize,
    },
    /// Inputs: base, i32 indices, updates. The adjoint of gather, combined into a copy of base.
    Scatter {
        /// How an update is combined.
        kind: ScatterKind,
        /// The axis indexed.
        axis: usize,
    },
    /// Repeats a region. Inputs: carries, sliced inputs (cut along axis 0), captured values. The body's parameters:
    /// iteration `u32[]` (the position along axis 0, so it counts down where `reverse`), carries, slices, captured; its
    /// results, at least one: carries, then what is stacked along axis 0.
    Scan {
        /// The repeated region.
        body: Arc<Graph>,
        /// How many times.
        length: usize,
        /// How many values are carried from round to round.
        carries: usize,
        /// How many inputs are cut along axis 0.
        slices: usize,
        /// Walk the slices (and write the stacked results) from last to first.
        reverse: bool,
    },
    /// A named function with its own region of at least one result, which an executor may claim with a better kernel.
    Call {
        /// The name executors know it by.
        name: &'static str,
        /// What it computes; always runnable.
        body: Arc<Graph>,
        /// How its gradient is found.
        gradient: CallGradient,
        /// Better kernels that the user brings along.
        sources: Vec<Source>,
    },
    /// The identity; no gradient passes.
    StopGradient,
    /// The identity; no pass moves or merges anything across it.
    Barrier,
}

impl Op {
    /// The name in printed graphs and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Parameter(_) => "parameter",
            Op::Fill { .. } => "fill",
            Op::Iota { .. } => "iota",
            Op::Random { .. } => "random",
            Op::Elementwise(op) => op.row().name,
            Op::Cast(_) => "cast",
            Op::Reshape(_) => "reshape",
            Op::Permute(_) => "permute",
            Op::Expand(_) => "expand",
            Op::Slice { .. } => "slice",
            Op::Pad { .. } => "pad",
            Op::Unfold { .. } => "unfold",
            Op::Concat(_) => "concat",
            Op::Reduce { kind, .. } => kind.name(),
            Op::Contract(_) => "contract",
            Op::Convolve(_) => "convolve",
            Op::Gather { .. } => "gather",
            Op::Scatter { .. } => "scatter",
            Op::Scan { .. } => "scan",
            Op::Call { name, .. } => name,
            Op::StopGradient => "stop_gradient",
            Op::Barrier => "barrier",
        }
    }
}
