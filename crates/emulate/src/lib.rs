//! Kernels written as CUDA C++, checked without a GPU: [`Emulated`] compiles them as ordinary C++ and runs them on the
//! processor, [`Nvrtc`] compiles them to machine code of GPUs. For tests only.

mod build;
mod executable;
mod executor;
mod memory;
mod nvrtc;
mod sanitized;
mod sweep;

pub use build::{EMULATION, is_available};
pub use executor::{Emulated, LIMITS};
pub use nvrtc::{Built, Nvrtc};
pub use sanitized::sanitized;
pub use sweep::{ARCHITECTURES, Family, Sweep};
