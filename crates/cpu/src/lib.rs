//! The CPU executor: runs compiled programs on this machine's cores.
//!
//! [`Cpu`] is the device. `executable` walks a program's steps: `tile` runs kernels, `contraction` matrix products by
//! [`gemm`], `convolve` convolutions by [`convolution`], `scatter` indexed updates. All of them share the threads of a [`pool`], the vector instructions chosen in
//! [`isa`] and the elementary functions of [`math`].

mod contraction;
pub mod convolution;
mod convolve;
mod executable;
mod executor;
pub mod gemm;
pub mod isa;
pub mod math;
mod memory;
mod memory_map;
pub mod pool;
mod scatter;
mod tile;
mod widen;

pub use executor::Cpu;
pub use memory::CpuMemory;
