//! The suite on a GPU of NVIDIA: what no processor can show, above all how matrices lie over a warp's registers, which products
//! of whole numbers, exact as they are, put to the proof.
//!
//! Skipped where there is none, unless `WARPLOOM_REQUIRE_CUDA` is 1. `WARPLOOM_PROGRAMS` says how many random programs. No GPU
//! has run this yet.

use warploom_compile::Options;
use warploom_conformance::generate::generate_of;
use warploom_conformance::run::{Case, compare, run};
use warploom_conformance::suite::{ops, products_and_rows};
use warploom_cuda::Cuda;
use warploom_device::Target;

fn device() -> Option<Cuda> {
    let device = Cuda::open(None);
    if let Err(why) = &device {
        let required = std::env::var("WARPLOOM_REQUIRE_CUDA").is_ok_and(|value| value == "1");
        assert!(!required, "a GPU is required: {why}");
        println!("skipped: {why}");
    }
    device.ok()
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
    check(&device, ops(&device));
}

#[test]
fn products_in_every_arithmetic_and_rows() {
    let Some(device) = device() else { return };
    check(&device, products_and_rows(&device));
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    let Some(device) = device() else { return };
    let programs = std::env::var("WARPLOOM_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let dtypes = device.capabilities().dtypes.clone();
    check(&device, (0..programs).map(|seed| (format!("seed {seed}"), generate_of(seed, &dtypes).0)));
}
