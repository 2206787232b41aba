//! The recorded program as pure data: shapes, dtypes, ops with their rules, regions, gradients, the verifier and the
//! reference interpreter. No device and no buffer is known here.
//!
//! A [`Graph`] is a list of nodes in topological order. Every node applies one [`Op`] to values made before it.
//! State, losses and optimizers are all built from these; gradients are more graph ([`gradient::vjp`]).

pub mod convolve;
pub mod dtype;
pub mod elementwise;
mod erf;
pub mod error;
pub mod expr;
pub mod formula;
pub mod gradient;
pub mod graph;
mod infer;
pub mod interpret;
pub mod op;
pub mod origin;
pub mod philox;
mod print;
pub mod recording;
pub mod scalar;
pub mod shape;
pub mod source;
pub mod verify;

pub use convolve::{ConvolveAxes, SpatialWindow};
pub use dtype::{DType, Literal};
pub use elementwise::{Elementwise, ElementwiseMethods};
pub use error::Error;
pub use expr::{Builder, Expr};
pub use graph::{Graph, Node, NodeId, Value};
pub use op::{Arithmetic, CallGradient, ContractAxes, Op, Reduction, ScatterKind, round_to_tf32};
pub use origin::Origin;
pub use recording::{ParameterRole, Recording, ResultRole};
pub use shape::{Dims, Type};
pub use source::Source;
