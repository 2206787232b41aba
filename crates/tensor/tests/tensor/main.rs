//! Tensors on the CPU and null devices.

mod cache;
mod common;
mod errors;
mod gradients;
mod limits;
mod memory;
mod randoms;
mod recorded;
mod registry;
mod sequences;
mod state;
mod values;
