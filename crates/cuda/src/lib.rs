//! NVIDIA's GPUs: the kernels of `warploom-gpu` as CUDA C++, and the executor that runs them.
//!
//! [`Cuda`] is the device, [`gpus`] lists what there is, and [`check_libraries`] and [`check_gpus`] say what is missing.
//! [`Search`] finds NVIDIA's libraries, all of which are loaded when a device is opened: a program starts without any.
//! [`CudaCpp`] spells kernels, with the functions of `library`; [`Compiler`] makes them ready for the driver, [`Cache`] keeps
//! them; `vendor` gives products to cuBLASLt and convolutions to cuDNN where they are there, by `matrices` and `convolutions`;
//! `collectives` knows NCCL by its version alone. `executable` records a launch as one graph for each set of memories; `context`
//! orders what is queued, uploads on a queue beside that of computation; `transfer` copies between host and device, `peers` from
//! one GPU to another, `faults` tells what kernels noted, `health` the loss of the device. `driver` is all that is called of
//! NVIDIA's driver.
//!
//! No GPU has run this yet. The host's side is tested against a driver that records what it is asked for.

mod cache;
mod checks;
mod collectives;
mod context;
mod convolutions;
mod cpp;
mod driver;
mod executable;
mod executor;
mod faults;
mod health;
mod kernels;
mod library;
mod matrices;
mod memory;
mod nvrtc;
mod on_device;
mod peers;
mod prepare;
mod search;
mod timed;
mod transfer;
mod vendor;

pub use cache::Cache;
pub use checks::{check_gpus, check_libraries, gpus};
pub use convolutions::VARIABLE as CUDNN_VARIABLE;
pub use cpp::CudaCpp;
pub use driver::Gpu;
pub use executor::Cuda;
pub use matrices::VARIABLE as CUBLASLT_VARIABLE;
pub use nvrtc::{Compiler, OPTIONS};
pub use search::{FOLDERS_VARIABLE, Found, Library, Search};
