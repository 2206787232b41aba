//! Every kernel that ops, casts, products and random programs need, in CUDA C++, compiled by NVRTC to machine code of two
//! generations of GPUs.
//!
//! Skipped where NVRTC is not found, unless `WARPLOOM_REQUIRE_NVRTC` is 1; unless it is, each kernel is compiled for one of both.
//! `WARPLOOM_PROGRAMS` says how many random programs.

#[allow(dead_code, reason = "shared with the executor's own tests")]
#[path = "../../../cuda/tests/cuda/support/nvrtc.rs"]
mod support;

use std::collections::BTreeMap;
use support::{ARCHITECTURES, Family, Sweep, compiler, is_required};
use warploom_compile::Options;
use warploom_conformance::generate::generate_of;
use warploom_conformance::ops::{casts, doubles, elementwise, half_products, products};
use warploom_conformance::run::compiled;
use warploom_cuda::CudaCpp;
use warploom_device::Target;
use warploom_emulate::{Emulated, LIMITS};
use warploom_gpu::Limits;
use warploom_graph::{Arithmetic, DType};

/// Operands whose products are other kernels.
const PRODUCTS: [(DType, Arithmetic); 5] = [
    (DType::F32, Arithmetic::Own),
    (DType::F64, Arithmetic::Own),
    (DType::F32, Arithmetic::Tf32),
    (DType::BF16, Arithmetic::Own),
    (DType::F16, Arithmetic::Wide),
];

#[test]
fn every_kernel_is_machine_code_without_spills() {
    let Some(compiler) = compiler() else { return };
    let programs = std::env::var("WARPLOOM_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    let mut kernels = BTreeMap::new();
    // With the least, every elementwise kernel that can crosses in vectors; with the most, none.
    for parallel in [1 << 4, 5000, 1 << 16, 1 << 18] {
        let device = Emulated::new(&CudaCpp, Limits { parallel, ..LIMITS });
        let dtypes = device.capabilities().dtypes.clone();
        let single =
            elementwise(&dtypes, |_| 0.0).into_iter().chain(casts(&dtypes)).chain(half_products(&dtypes));
        let single = single.filter(|_| parallel == 1 << 4 || parallel == 1 << 18);
        let products = PRODUCTS.into_iter().flat_map(|(dtype, how)| products(dtype, how));
        let products = products.filter(|_| parallel != 1 << 4);
        let products = products.chain(doubles());
        let random = (0..programs).map(|seed| generate_of(seed, &dtypes).0);
        for case in single.chain(products).map(|(_, case)| case).chain(random) {
            let program = compiled(&case, &device, Options::default()).expect("it compiles").program;
            let written = device.written(&program).expect("its kernels are written");
            kernels.extend(written.into_iter().map(|kernel| (kernel.source, kernel.name)));
        }
    }
    println!("{} kernels for architectures {ARCHITECTURES:?}", kernels.len());
    let table = Sweep::run(&compiler, &kernels, is_required()).expect("every kernel compiles");
    println!("{table}");
    // 128 where an operand is copied beside the work; 255 are the most.
    assert!((1..=192).contains(&table.registers(Family::MatrixUnits)), "matrix units");
    assert!(table.spilling().is_empty(), "{:?} spill", table.spilling());
}
