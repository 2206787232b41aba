//! A compiled program: steps over placed buffers.

use crate::convolution::Convolution;
use crate::kernel::Kernel;
use std::sync::Arc;
use warploom_graph::{DType, Graph, ScatterKind, Source, Type};

/// A buffer of one program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BufferId(pub u32);

/// What a buffer's memory belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// A state slot: stable address for life, written in place.
    State(usize),
    /// An input, by position.
    Input(usize),
    /// An output, by position; never aliases the arena.
    Output(usize),
    /// `offset` bytes into a slab of the arena.
    Arena {
        /// Which slab.
        slab: usize,
        /// Bytes from its start.
        offset: usize,
    },
    /// A copy kept for speed of what a state slot holds, by position; remade when the state changes.
    Derived(usize),
    /// Part of another buffer, moving with a loop: bound by the loop that names it.
    Window,
}

/// A buffer's type and place.
#[derive(Clone, Debug)]
pub struct BufferSpec {
    /// Dtype and shape of the dense, row-major content (after layout: the shape in memory order).
    pub ty: Type,
    /// Bytes; more than the type's for workspaces.
    pub bytes: usize,
    /// Where it lives.
    pub class: Class,
}

/// An operand of a contraction: a strided matrix per batch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Operand {
    /// From where.
    pub buffer: BufferId,
    /// First element.
    pub offset: i64,
    /// Elements per batch.
    pub batch: i64,
    /// Elements per row: of lhs along m, of rhs along k.
    pub row: i64,
    /// Elements per column: of lhs along k, of rhs along n.
    pub column: i64,
}

/// `batch` matrix products `[m, k] x [k, n]`, finished by an epilogue that stores.
#[derive(Clone, PartialEq, Debug)]
pub struct Contraction {
    /// Dtype of both operands.
    pub dtype: DType,
    /// Whether operands, of f32, are rounded to TF32 before they are multiplied; for devices with
    /// [`crate::Capabilities::tf32`].
    pub tf32: bool,
    /// Number of products.
    pub batch: usize,
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of each sum.
    pub k: usize,
    /// `[batch, m, k]`.
    pub lhs: Operand,
    /// `[batch, k, n]`.
    pub rhs: Operand,
    /// What is done with each finished element; its space is `[batch, m, n]`, without reductions.
    pub epilogue: Kernel,
    /// Scratch memory, as large as [`crate::Target::workspace_bytes`] asked for.
    pub workspace: Option<BufferId>,
}

/// Combines updates into `destination` in place: `destination[outer, index, inner] (op)= updates[outer, i, inner]`, dense
/// row-major, in the order of `i`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ScatterStep {
    /// How.
    pub kind: ScatterKind,
    /// Element dtype.
    pub dtype: DType,
    /// Read and written.
    pub destination: BufferId,
    /// `i32[count]`.
    pub indices: BufferId,
    /// `[outer, count, inner]`.
    pub updates: BufferId,
    /// Extents before the axis.
    pub outer: usize,
    /// Extent of the axis.
    pub extent: usize,
    /// Number of indices.
    pub count: usize,
    /// Extents after the axis.
    pub inner: usize,
}

/// A part of a buffer that moves with a loop's iteration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// The buffer of class [`Class::Window`] that is bound.
    pub buffer: BufferId,
    /// What it is a part of.
    pub parent: BufferId,
    /// Bytes per iteration.
    pub stride: usize,
}

/// Steps repeated.
#[derive(Clone, PartialEq, Debug)]
pub struct Loop {
    /// How many times.
    pub iterations: usize,
    /// Whether windows and counter run from the last position to the first.
    pub reverse: bool,
    /// What moves.
    pub windows: Vec<Window>,
    /// A `u32[]` that is set to the position before each iteration.
    pub counter: Option<BufferId>,
    /// What is repeated.
    pub body: Vec<Step>,
}

/// What a call computes, for those who check it. Equal where it is one graph.
#[derive(Clone, Debug)]
pub struct Body(pub Arc<Graph>);

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// One step of a program.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// A fused kernel.
    Kernel(Kernel),
    /// Matrix products with an epilogue.
    Contraction(Contraction),
    /// A convolution with an epilogue.
    Convolution(Convolution),
    /// An indexed update in place.
    Scatter(ScatterStep),
    /// Copies a whole buffer to another of the same size.
    Copy {
        /// From.
        source: BufferId,
        /// To.
        destination: BufferId,
    },
    /// A loop.
    Loop(Loop),
    /// A call that the target claimed: it knows the name, or one of the sources.
    Claimed {
        /// The call's name.
        name: &'static str,
        /// Kernels that came with the call.
        sources: Vec<Source>,
        /// What it computes.
        body: Body,
        /// Dense row-major operands.
        inputs: Vec<BufferId>,
        /// Dense row-major results.
        outputs: Vec<BufferId>,
    },
}

/// Every byte a program uses on a device, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Plan {
    /// Variables and optimizer state.
    pub state: usize,
    /// Temporaries and workspaces.
    pub arena: usize,
    /// Inputs and outputs.
    pub rings: usize,
    /// Copies kept for speed.
    pub derived: usize,
}

impl Plan {
    /// The sum.
    pub fn total(&self) -> usize {
        self.state + self.arena + self.rings + self.derived
    }
}

/// A compiled program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Buffers by [`BufferId`].
    pub buffers: Vec<BufferSpec>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Types of the state slots.
    pub states: Vec<Type>,
    /// Slots that are written.
    pub written: Vec<usize>,
    /// Types of the inputs.
    pub inputs: Vec<Type>,
    /// Types of the outputs.
    pub outputs: Vec<Type>,
    /// Bytes of each arena slab.
    pub slabs: Vec<usize>,
    /// What the compiler did, a line each, for `explain`.
    pub notes: Vec<String>,
}

impl Program {
    /// A buffer's spec.
    pub fn buffer(&self, id: BufferId) -> &BufferSpec {
        &self.buffers[id.0 as usize]
    }

    /// Steps that compute, those in loops counted once; a device may need fewer kernels, or more.
    pub fn kernel_count(&self) -> usize {
        fn count(steps: &[Step]) -> usize {
            steps.iter().map(|s| if let Step::Loop(l) = s { count(&l.body) } else { 1 }).sum()
        }
        count(&self.steps)
    }

    /// The plan with `ring` slots for each input and output.
    pub fn plan(&self, ring: usize) -> Plan {
        let bytes = |types: &[Type]| types.iter().map(Type::bytes).sum::<usize>();
        Plan {
            state: bytes(&self.states),
            arena: self.slabs.iter().sum(),
            rings: ring * (bytes(&self.inputs) + bytes(&self.outputs)),
            derived: self
                .buffers
                .iter()
                .filter(|b| matches!(b.class, Class::Derived(_)))
                .map(|b| b.bytes)
                .sum(),
        }
    }
}
