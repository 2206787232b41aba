//! Lazy tensors and variables: arithmetic records, looking at a value runs — everything recorded as one compiled program.
//!
//! - [`Tensor`] is a value, [`Variable`] a place that holds one version after another, [`Device`] where both live.
//! - [`gradients`] differentiates what was recorded; the result is recorded too, and differentiates again.
//! - [`Device::record`] makes a program once that runs without recording again ([`Recorded`]); [`Device::try_plan`] says what memory it would
//!   take, [`Device::with_memory_limit`] makes it take less; plain code that records the
//!   same each round finds its program in the device's cache.
//! - [`scan`] and [`call`] record regions; [`elementwise!`] and [`UserKernel`] add kernels of one's own; [`module_scope`] names the module that records.
//!
//! Operators never return `Result`: see [`Tensor`] for how errors come out.
//!
//! ```
//! use warploom_tensor::{Device, ElementwiseMethods, Tensor, Variable, gradients};
//! # use std::sync::Arc;
//! # let device = Device::from_executor(Arc::new(warploom_cpu::Cpu::new(Some(1))));
//! # device.scope(|| -> Result<(), warploom_tensor::Error> {
//!
//! let x = Tensor::from([[0.0f32, 1.0], [1.0, 0.0], [1.0, 1.0]]);
//! let y = Tensor::from([[0.0f32], [1.0], [1.0]]);
//! let w = Variable::new(Tensor::zeros(&[2, 1], x.dtype()?)).named("W");
//! for _ in 0..100 {
//!     let loss = (x.matmul(&w).sigmoid() - &y).square().mean_all();
//!     let gradient = gradients(&loss, &[&w])?.remove(0);
//!     w.assign(&(&w - gradient * 0.5))?;
//!     // Looking runs the round as one program: loss, gradient and assignment.
//!     loss.item::<f32>()?;
//! }
//! let w = w.value().to_vec::<f32>()?;
//! assert!(w[0] > 1.0 && w[1] < 0.5);
//! # Ok(())
//! # }).unwrap();
//! ```

mod apply;
mod bound;
mod build;
mod cache;
mod context;
mod convolve;
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
mod limit;
mod liveness;
mod misses;
mod node;
mod operand;
mod operators;
mod planned;
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
mod user_kernel;
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
pub use planned::Planned;
pub use recorded::{InputSpec, Outputs, Recorded};
pub use region::{call, call_with_gradient, scan, scan_reverse};
pub use registry::{Open, register};
pub use scope::{module_path, module_scope};
pub use tensor::Tensor;
pub use user_kernel::UserKernel;
pub use variable::Variable;
pub use views::Range;
pub use warploom_compile::{Precision, PrecisionRow, PrecisionTable, Recomputation};
pub use warploom_graph::{
    Arithmetic, CallGradient, ContractAxes, DType, Dims, Elementwise, ElementwiseMethods, Origin, Reduction,
    ScatterKind, SpatialWindow, Type, elementwise,
};
