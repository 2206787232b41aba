//! The executor and its kernels.

mod contractions;
mod executor;
mod kernels;
mod support;
