//! The whole: programs of a user on every device.

mod cuda;
mod cuda_kernels;
mod gpu;
mod programs;
mod submissions;
