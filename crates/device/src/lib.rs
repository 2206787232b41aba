//! What a compiled program is and who can run it: the kernel form, [`Program`], the [`Executor`] trait with its memory,
//! completion tokens and counters, the null executor that plans and counts but computes nothing, and [`Check`], what an
//! examination of a device finds.

mod around;
mod check;
mod convolution;
pub mod counters;
mod error;
mod executor;
pub mod kernel;
pub mod null;
mod print;
mod program;
pub mod reference;
mod step;
mod verify;
mod written;

pub use around::Around;
pub use check::{Check, Status};
pub use convolution::{Convolution, ConvolutionOperand, ConvolutionShape, SpatialAxis};
pub use error::DeviceError;
pub use executor::{
    Bindings, Capabilities, EnergyCounter, Executable, Executor, Memory, RawMemory, Statistics, Target, Token,
};
pub use kernel::{Bound, IndexMap, Instruction, Kernel, ReductionStep, Register, Store};
pub use program::{
    Body, BufferId, BufferSpec, Class, Contraction, Loop, Operand, Plan, Program, ScatterStep, Step, Window,
};
pub use verify::{Verification, Verifying};
pub use written::{Resources, WrittenKernel};
