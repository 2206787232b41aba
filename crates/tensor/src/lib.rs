//! Lazy tensors and variables: arithmetic records, looking at a value runs — everything recorded as one compiled program.
//!
//! - [`Tensor`] is a value, [`Variable`] a place that holds one version after another, [`Device`] where both live.
//! - [`gradients`] differentiates what was recorded; the result is recorded too, and differentiates again.
//! - [`Device::record`] makes a program once that runs without recording again ([`Recorded`]); plain code that records the
//!   same each round finds its program in the device's cache.
//! - [`scan`] and [`call`] record regions; [`module_scope`] names the module that records.
//!
//! Operators never return `Result`: see [`Tensor`] for how errors come out.

mod apply;
mod bound;
mod build;
mod cache;
mod context;
mod create;
mod device;
mod element;
mod encode;
mod error;
mod evaluate;
mod gradients;
mod index;
mod integers;
mod launcher;
mod liveness;
mod misses;
mod node;
mod operand;
mod operators;
mod product;
mod random;
mod record;
mod recorded;
mod reduce;
mod region;
mod registry;
mod ring;
mod scope;
mod tensor;
mod trace;
mod variable;
mod views;

pub use bound::Bound;
pub use device::Device;
pub use element::Element;
pub use error::Error;
pub use gradients::{gradients, gradients_or_zeros};
pub use integers::Integers;
pub use operand::Operand;
pub use operators::Scalar;
pub use recorded::{InputSpec, Outputs, Recorded};
pub use region::{call, call_with_gradient, scan, scan_reverse};
pub use registry::{Open, register};
pub use scope::{module_path, module_scope};
pub use tensor::Tensor;
pub use variable::Variable;
pub use views::Range;
pub use warploom_graph::{
    CallGradient, ContractAxes, DType, Dims, Elementwise, ElementwiseMethods, Origin, Reduction, ScatterKind,
};
