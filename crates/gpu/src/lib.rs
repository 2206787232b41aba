//! What all GPUs share: from a program to dispatches of kernels written as source.
//!
//! [`plan`] turns the steps of a program into [`Dispatch`]es. How a kernel is laid over a device — index maps, tiles,
//! reductions through shared memory, launch geometry — is decided here, by shapes and [`Limits`] alone; how it is spelled is a
//! [`Dialect`].

mod claimed;
mod code;
mod collapse;
mod dialect;
mod dispatch;
mod images;
mod instructions;
mod kernel;
mod library;
mod limits;
mod matrices;
mod operands;
mod place;
mod plan;
mod pointwise;
mod product;
mod reducing;
mod reduction;
mod rows;
mod scalar;
mod scatter;
mod together;
mod vectors;

pub use claimed::source;
pub use dialect::{Access, Dialect, Elements, Module, Own, Shared};
pub use dispatch::{Argument, Dispatch, ENTRY, Node, Plan};
pub use images::{Convolving, ImageAxis, ImageConvolution, Role};
pub use library::{Library, words};
pub use limits::{Limits, MatrixUnits};
pub use matrices::{Libraries, Matrix, MatrixProduct, Multiplication};
pub use place::{FAULT_WORDS, Root};
pub use plan::{plan, plan_with, workspace_bytes, workspace_bytes_with};
