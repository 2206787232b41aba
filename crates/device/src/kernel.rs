//! The kernel form: a list of scalar instructions over an index space. One form, several readers: the CPU executor runs it
//! tile by tile, GPU writers print it.

use crate::program::BufferId;
use smallvec::SmallVec;
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Dims, Literal, Reduction};

/// The result of an instruction: its position in [`Kernel::body`], then [`Kernel::reductions`], then [`Kernel::tail`].
pub type Register = u32;

/// From a kernel's index to an element of a buffer: `offset + sum(strides[axis] * index[axis])`, in elements. The axes
/// are those of the space, then the reduced ones.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IndexMap {
    /// Element at index zero; may be negative where bounds exclude index zero.
    pub offset: i64,
    /// Elements per step along each axis.
    pub strides: SmallVec<[i64; 4]>,
    /// Where the element exists; outside any of these a load gives zero.
    pub bounds: SmallVec<[Bound; 1]>,
}

/// The positions `start..end` along one axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bound {
    /// The axis.
    pub axis: usize,
    /// First position within.
    pub start: usize,
    /// First position after.
    pub end: usize,
}

/// One instruction; it defines one register. Registers hold bool, i32, u32, f32 or f64.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Instruction {
    /// A constant of a register dtype.
    Literal(Literal),
    /// Reads an element stored as `dtype`; f16 and bf16 widen to f32, u8 to u32.
    Load {
        /// From where.
        buffer: BufferId,
        /// How it is stored.
        dtype: DType,
        /// Which element.
        map: IndexMap,
    },
    /// Reads the element `map + index * stride`, where `index` is a register of i32 that must lie in `0..extent`;
    /// otherwise the launch fails with [`crate::DeviceError::IndexOutOfRange`].
    LoadAt {
        /// From where.
        buffer: BufferId,
        /// How it is stored.
        dtype: DType,
        /// Which element for index 0.
        map: IndexMap,
        /// Register holding the i32 index.
        index: Register,
        /// Elements per index.
        stride: i64,
        /// Number of valid indices.
        extent: usize,
    },
    /// The value of the map itself, as i32 or u32.
    Index {
        /// Register dtype, i32 or u32.
        dtype: DType,
        /// What is computed.
        map: IndexMap,
    },
    /// Uniform u32 bits of the stream at element number `map`.
    Random {
        /// The stream.
        stream: u32,
        /// Buffer of the seed, `u32[2]`.
        seed: BufferId,
        /// Buffer of the step, `u32[]`.
        step: BufferId,
        /// Buffer of the scan iteration, `u32[]`.
        iteration: BufferId,
        /// Element number.
        map: IndexMap,
    },
    /// The finished product at this point. Only in an epilogue: of a contraction over `[batch, row,
    /// column]`, of a convolution over [`crate::Convolution::space`].
    Product(DType),
    /// A scalar instruction. The result has dtype `dtype`; for a cast the operand's dtype is that of its register.
    Apply {
        /// The instruction.
        op: ScalarOp,
        /// The result's dtype. A cast to f16 or bf16 rounds, and the register stays f32.
        dtype: DType,
        /// Registers of the operands; unused ones repeat the first.
        operands: [Register; 3],
    },
}

/// A value combined over the reduced axes. The order of combination depends on the number of reduced elements alone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReductionStep {
    /// How.
    pub kind: Reduction,
    /// A register of the body.
    pub operand: Register,
    /// The result's dtype (i32 for arg-max).
    pub dtype: DType,
}

/// A register written to memory.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Store {
    /// What.
    pub register: Register,
    /// Where to.
    pub buffer: BufferId,
    /// How it is stored.
    pub dtype: DType,
    /// Which element; without bounds, and the strides of reduced axes are 0.
    pub map: IndexMap,
}

/// A fused kernel: `body` runs at each point of `space` x `reduced`; if there are reductions, `tail` then runs at each
/// point of `space`. Stores take registers of the body where there is no reduction, else of reductions and tail (and
/// body registers that are literals).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kernel {
    /// A name for people, made of the ops within.
    pub name: String,
    /// Extents of the independent axes, outermost first.
    pub space: Dims,
    /// Extents of the axes swept for each point; empty without reductions.
    pub reduced: Dims,
    /// Instructions over space and reduced axes.
    pub body: Vec<Instruction>,
    /// Reductions of body registers.
    pub reductions: Vec<ReductionStep>,
    /// Instructions over the space alone; empty without reductions.
    pub tail: Vec<Instruction>,
    /// What is written.
    pub stores: Vec<Store>,
}

impl Kernel {
    /// Points of the space.
    pub fn points(&self) -> usize {
        self.space.iter().product()
    }

    /// Reduced elements per point.
    pub fn sweep(&self) -> usize {
        self.reduced.iter().product()
    }

    /// All instructions with their registers.
    pub fn instructions(&self) -> impl Iterator<Item = (Register, &Instruction)> {
        let tail = (self.body.len() + self.reductions.len()) as Register;
        (0..).zip(&self.body).chain((tail..).zip(&self.tail))
    }

    /// Buffers that are read.
    pub fn reads(&self) -> impl Iterator<Item = BufferId> + '_ {
        self.instructions().flat_map(|(_, instruction)| instruction.reads())
    }

    /// Buffers that the body reads.
    pub fn reads_in_body(&self) -> impl Iterator<Item = BufferId> + '_ {
        self.body.iter().flat_map(Instruction::reads)
    }
}

impl Instruction {
    /// The dtype of the register it defines.
    pub fn register(&self) -> DType {
        register_dtype(match self {
            Instruction::Literal(literal) => literal.dtype(),
            Instruction::Load { dtype, .. }
            | Instruction::LoadAt { dtype, .. }
            | Instruction::Index { dtype, .. }
            | Instruction::Product(dtype)
            | Instruction::Apply { dtype, .. } => *dtype,
            Instruction::Random { .. } => DType::U32,
        })
    }

    /// Buffers it reads.
    pub fn reads(&self) -> SmallVec<[BufferId; 3]> {
        match self {
            Instruction::Load { buffer, .. } | Instruction::LoadAt { buffer, .. } => {
                SmallVec::from_slice(&[*buffer])
            }
            Instruction::Random { seed, step, iteration, .. } => {
                SmallVec::from_slice(&[*seed, *step, *iteration])
            }
            Instruction::Literal(_)
            | Instruction::Index { .. }
            | Instruction::Product(_)
            | Instruction::Apply { .. } => SmallVec::new(),
        }
    }
}

/// The dtype in which a stored dtype is held in a register.
pub fn register_dtype(stored: DType) -> DType {
    match stored {
        DType::F16 | DType::BF16 => DType::F32,
        DType::U8 => DType::U32,
        DType::Bool | DType::I32 | DType::U32 | DType::F32 | DType::F64 => stored,
    }
}

impl IndexMap {
    /// Row-major over `shape`, from element 0.
    pub fn dense(shape: &[usize]) -> IndexMap {
        let strides = warploom_graph::shape::row_major(shape).iter().map(|s| *s as i64).collect();
        IndexMap { offset: 0, strides, bounds: SmallVec::new() }
    }
}
