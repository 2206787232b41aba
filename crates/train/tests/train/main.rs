//! The training loop on the CPU.

mod callbacks;
mod common;
mod memory;
mod metrics;
mod not_finite;
mod precision;
mod resume;
mod training;
