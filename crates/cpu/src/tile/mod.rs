//! Runs kernels tile by tile: registers are short runs of lanes that stay in the nearest cache, and each instruction is
//! one call of a vectorised loop over a tile.
//!
//! In the order of use: `space` rewrites a kernel over fewer axes, `strategy` decides how they are walked, `lower` turns
//! instructions into `op`s whose operands lie where `access` and `slots` say and whose loops come from `table`; `frame`
//! runs ops on a tile, `kernel` walks the tiles and `reduce` the reductions. The loops themselves: `function` has one
//! function per instruction, `lanes` the loops over them, `convert`, `combine`, `arg` and `random` the special ones.

mod access;
mod arg;
mod combine;
mod convert;
mod epilogue;
mod frame;
mod function;
mod kernel;
mod lanes;
mod lower;
mod op;
mod random;
mod reduce;
mod slots;
mod space;
mod strategy;
mod table;
mod update;

pub(crate) use epilogue::{Epilogue, Part};
pub(crate) use frame::Fault;
pub(crate) use kernel::TileKernel;
pub(crate) use update::Updater;

/// Lanes of a tile, at most.
const TILE: usize = 512;

/// One thread's memory for running kernels.
#[derive(Clone, Copy)]
pub(crate) struct Worker {
    /// The tables of places of all kernels of an executable.
    pub places: *mut *mut u8,
    /// Scratch memory that kernels take turns in.
    pub scratch: *mut u8,
}

// SAFETY: a thread uses what the worker of its own number points at; kernels see to it.
unsafe impl Sync for Worker {}

/// What kernels of a launch run with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub pool: &'a warploom_cpu_kernels::pool::Pool,
    /// Base addresses of the program's buffers.
    pub bases: &'a [*mut u8],
    /// One for each thread of the pool.
    pub workers: &'a [Worker],
    pub fault: &'a Fault,
}

// SAFETY: buffers are lent to every thread for the length of a launch; kernels give each thread parts of its own.
unsafe impl Sync for Context<'_> {}

/// How much an executable's workers need.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct WorkerSize {
    /// Entries of the tables of places.
    pub places: usize,
    /// Bytes of scratch memory.
    pub scratch: usize,
}
