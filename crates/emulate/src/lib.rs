//! Kernels written as CUDA C++, checked without a GPU: [`Emulated`] compiles them as ordinary C++ and runs them on the
//! processor. For tests only.

mod build;
mod executable;
mod executor;
mod memory;
mod sanitized;

pub use build::{EMULATION, is_available};
pub use executor::{Emulated, LIMITS};
pub use sanitized::sanitized;
