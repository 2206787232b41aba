//! The suite on a GPU of NVIDIA: what no processor can show, above all how matrices lie over a warp's registers, which products
//! of whole numbers, exact as they are, put to the proof.
//!
//! Skipped where there is none, unless `WARPLOOM_REQUIRE_CUDA` is 1. `WARPLOOM_PROGRAMS` says how many random programs. No GPU
//! has run this yet.

use warploom_compile::Options;
use warploom_conformance::generate::generate_of;
use warploom_conformance::ops::{casts, elementwise, half_products, products, rough_product, softmax};
use warploom_conformance::run::{Case, compare, run};
use warploom_cuda::Cuda;
use warploom_device::{Executor, Target};
use warploom_graph::{Arithmetic, DType};

fn device() -> Option<Cuda> {
    let device = Cuda::open(None);
    if let Err(why) = &device {
        let required = std::env::var("WARPLOOM_REQUIRE_CUDA").is_ok_and(|value| value == "1");
        assert!(!required, "a GPU is required: {why}");
        println!("skipped: {why}");
    }
    device.ok()
}

/// Kernels are compiled without contraction, and divide and take roots exactly.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2e-3,
        DType::BF16 => 1e-2,
        DType::F32 | DType::F64 => 1e-6,
        DType::Bool | DType::U8 | DType::I32 | DType::U32 => 0.0,
    }
}

/// Runs cases fused and unfused: both give the same bits, and agree with the interpreter.
fn check(device: &Cuda, cases: impl IntoIterator<Item = (String, Case)>) {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (name, case) in cases {
        checked += 1;
        let one = || {
            let fused = run(&case, device, Options::default())?;
            let unfused = run(&case, device, Options { fuse: false, ..Options::default() })?;
            compare(&case, &fused)?;
            if fused.same_bits(&unfused, &case) { Ok(()) } else { Err("is another unfused".to_owned()) }
        };
        wrong.extend(one().err().map(|e| format!("{name}: {e}")));
    }
    let first = wrong[..wrong.len().min(30)].join("\n");
    assert!(wrong.is_empty(), "{} of {checked} wrong:\n{first}", wrong.len());
}

#[test]
fn every_op_and_cast_in_every_dtype_it_has() {
    let Some(device) = device() else { return };
    let dtypes = device.target().capabilities().dtypes.clone();
    let single = elementwise(&dtypes, tolerance).into_iter().chain(casts(&dtypes)).chain(half_products());
    check(&device, single.chain([("softmax".to_owned(), softmax(300, 1000))]));
}

#[test]
fn products_in_every_arithmetic() {
    let Some(device) = device() else { return };
    let mut ways = vec![
        (DType::F32, Arithmetic::Own),
        (DType::BF16, Arithmetic::Own),
        (DType::BF16, Arithmetic::Wide),
        (DType::F16, Arithmetic::Wide),
    ];
    if device.target().capabilities().tf32 {
        ways.push((DType::F32, Arithmetic::Tf32));
        check(&device, [("rough in TF32".to_owned(), rough_product(Arithmetic::Tf32))]);
    }
    check(&device, ways.into_iter().flat_map(|(dtype, arithmetic)| products(dtype, arithmetic)));
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    let Some(device) = device() else { return };
    let programs = std::env::var("WARPLOOM_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let dtypes = device.target().capabilities().dtypes.clone();
    check(&device, (0..programs).map(|seed| (format!("seed {seed}"), generate_of(seed, &dtypes).0)));
}
