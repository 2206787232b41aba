//! From a recording to a program: passes in the order they run.

use std::time::Duration;
use warploom_device::{Program, Target};
use warploom_graph::{Error, Recording};

/// What the compiler may be told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Options {
    /// Join elementwise chains, reductions and epilogues into kernels. Off, every op is a kernel: slower, the same bits.
    pub fuse: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { fuse: true }
    }
}

/// A program with what was seen on the way.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// Time from recording to program.
    pub elapsed: Duration,
}

/// Compiles a recording for a target.
pub fn compile(recording: &Recording, target: &dyn Target, options: Options) -> Result<Compiled, Error> {
    let _ = (recording, target, options);
    Err(Error::new("compile", "under construction"))
}
