//! The executor of NVIDIA's GPUs on machines without one, and its functions run on the processor.

mod collectives;
mod compiler;
mod convolutions;
mod emulated;
mod host;
mod library;
mod matrices;
mod peers;
mod planted;
mod search;
mod support;
