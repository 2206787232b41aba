//! The CPU executor: runs compiled programs on this machine's cores.
//!
//! [`Cpu`] is the device. `executable` walks a program's steps: `tile` runs kernels, `contraction` matrix products,
//! `convolve` convolutions, `scatter` indexed updates. What they compute with is the crate `warploom_cpu_kernels`: products,
//! convolutions, elementary functions, vector instructions and threads.

mod contraction;
mod convolve;
mod executable;
mod executor;
mod memory;
mod memory_map;
mod scatter;
mod tile;
mod widen;

pub use executor::{Cpu, MOST_THREADS};
pub use memory::CpuMemory;
pub use warploom_cpu_kernels::isa::Isa;
