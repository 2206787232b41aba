//! The functions that kernels call, in WGSL; [`warploom_gpu::Module`] lists them.
//!
//! WGSL promises little of floats: divisions may be off by 2.5 units in the last place, `fma` may round twice, the elementary
//! functions are rough, and a backend may reorder sums or take it that there are no NaN (Metal and DirectX do both as wgpu
//! compiles for them). Hence the ways of this library:
//!
//! - special values are told apart by their bits, never by comparing a number with itself;
//! - what must be exact (argument reductions, the logarithm inside a power, remainders, conversions) is done with
//!   integers, which no backend may change, and only polynomials are left to floats;
//! - sums are short enough for any order and any fusing of them to do.
//!
//! Polynomials are those of the CPU's functions. Subnormal numbers are carried through wherever integers carry them; a
//! device that flushes them in arithmetic or comparisons gives or takes zeros there.

use std::sync::LazyLock;
use warploom_gpu::{Library, words};

/// All of them.
pub(crate) static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let files = [
        include_str!("library/bits.wgsl"),
        include_str!("library/integer.wgsl"),
        include_str!("library/float.wgsl"),
        include_str!("library/exp.wgsl"),
        include_str!("library/log.wgsl"),
        include_str!("library/pow.wgsl"),
        include_str!("library/trig.wgsl"),
        include_str!("library/tanh.wgsl"),
        include_str!("library/erf.wgsl"),
        include_str!("library/cast.wgsl"),
        include_str!("library/half.wgsl"),
        include_str!("library/philox.wgsl"),
        include_str!("library/fault.wgsl"),
    ];
    Library::new(&files, |line| {
        let declares = line.starts_with("fn ") || line.starts_with("struct ");
        declares.then(|| words(line).nth(1)).flatten()
    })
});
