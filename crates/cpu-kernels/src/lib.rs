//! What the CPU computes with, free of graphs and programs: matrix products by [`gemm`], convolutions by [`convolution`], both
//! on the threads of a [`pool`] with the vector instructions chosen in [`isa`], and elementary functions by [`math`].
//!
//! It waits for no other crate, so that a build begins with what takes longest to compile.

pub mod convolution;
pub mod gemm;
pub mod isa;
pub mod math;
pub mod pool;
