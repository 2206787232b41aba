//! Products, convolutions, functions and threads, on every instruction set that is here.

mod common;
mod convolution;
mod gemm;
mod isa;
mod math;
mod pool;
