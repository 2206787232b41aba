//! The functions that kernels call, in CUDA C++; [`warploom_gpu::Module`] lists them.
//!
//! Kernels are compiled without fast math and without contraction (`--fmad=false`), so that every operation is rounded as
//! IEEE 754 says, once, subnormal numbers included. Exponential, logarithm, hyperbolic tangent, error function, and sine and
//! cosine up to a magnitude of 2²⁰ follow the CPU's step by step and give its bits; powers, and larger arguments of sine and
//! cosine, are computed with integers, as in WGSL, where the CPU takes `f64`. Functions of `f64` are CUDA's own.

use std::sync::LazyLock;
use warploom_gpu::{Library, words};

/// All of them.
pub(crate) static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let files = [
        include_str!("library/language.cuh"),
        include_str!("library/bits.cuh"),
        include_str!("library/warp.cuh"),
        include_str!("library/matrix.cuh"),
        include_str!("library/integer.cuh"),
        include_str!("library/float.cuh"),
        include_str!("library/exp.cuh"),
        include_str!("library/log.cuh"),
        include_str!("library/pow.cuh"),
        include_str!("library/trig.cuh"),
        include_str!("library/tanh.cuh"),
        include_str!("library/erf.cuh"),
        include_str!("library/cast.cuh"),
        include_str!("library/half.cuh"),
        include_str!("library/double.cuh"),
        include_str!("library/philox.cuh"),
        include_str!("library/fault.cuh"),
    ];
    Library::new(&files, |line| {
        if line.starts_with("struct ") {
            return words(line).nth(1);
        }
        let declares = line.starts_with("__device__ ") || line.starts_with("template ");
        // The name stands before its parameters.
        declares.then(|| line.split('(').next().and_then(|head| words(head).last())).flatten()
    })
});
