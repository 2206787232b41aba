//! The graph: ops by their values, types and gradients, recordings, the verifier.

mod arithmetic;
mod common;
mod dtypes;
mod elementwise;
mod formula;
mod gradients;
mod recording;
mod structural;
mod types;
mod verify;
