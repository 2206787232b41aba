//! Every executor against the interpreter: ops, products, random programs.

mod cuda;
mod cuda_executor;
mod gpu;
mod mutations;
mod nvrtc;
mod ops;
mod precision;
mod random;
mod verify;
mod wgpu;
mod written;
