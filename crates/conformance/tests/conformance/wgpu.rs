//! The suite on a GPU of wgpu, or on a software driver: ops, casts, and random programs, against the interpreter.
//!
//! Skipped where no adapter is found, unless `WARPLOOM_REQUIRE_GPU` is set. `WARPLOOM_PROGRAMS` and `WARPLOOM_FIRST_SEED` say
//! which random programs are run.

use std::sync::Arc;
use warploom_compile::Options;
use warploom_conformance::generate::generate_of;
use warploom_conformance::ops::{elementwise, products};
use warploom_conformance::precision::{HALVES, narrowed};
use warploom_conformance::run::{compare, compiled, run_program};
use warploom_conformance::suite::{check, gpu_tolerance, ops, rows_share_a_dispatch};
use warploom_device::{Target, Verifying};
use warploom_gpu::Limits;
use warploom_graph::{Arithmetic, DType};
use warploom_wgpu::{Wgpu, adapters};

fn device() -> Option<Wgpu> {
    if adapters().is_empty() {
        assert!(std::env::var_os("WARPLOOM_REQUIRE_GPU").is_none(), "no adapter is found");
        println!("skipped: no adapter");
        return None;
    }
    Some(Wgpu::open(Some(0)).expect("the first adapter opens"))
}

#[test]
fn every_op_and_cast_in_every_dtype_it_has() {
    let Some(device) = device() else { return };
    let mut wrong = Vec::new();
    for (name, case) in ops(&device) {
        wrong.extend(check(&case, &device).err().map(|e| format!("{name}: {e}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A software driver gets kernels without shared memory; these are the ones that hardware gets.
#[test]
fn products_in_every_tile() {
    let Some(mut device) = device() else { return };
    let mut wrong = Vec::new();
    let own = device.adapter().limits;
    // The last has launches over several axes, with workgroups to spare.
    for (parallel, groups) in [(1 << 6, own.groups), (5000, own.groups), (1 << 16, own.groups), (5000, 37)] {
        device = device.with_limits(Limits { parallel, groups, ..own });
        for (name, case) in products(DType::F32, Arithmetic::Own) {
            wrong.extend(check(&case, &device).err().map(|e| format!("{name}, {parallel}: {e}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs random programs; `default` of them unless the environment says how many.
fn random(device: &Wgpu, default: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let first: u64 = number("WARPLOOM_FIRST_SEED").unwrap_or(0);
    let programs: u64 = number("WARPLOOM_PROGRAMS").unwrap_or(default);
    let dtypes = device.capabilities().dtypes.clone();
    let mut wrong = Vec::new();
    for seed in first..first + programs {
        let (case, _) = generate_of(seed, &dtypes);
        wrong.extend(check(&case, device).err().map(|e| format!("seed {seed}: {e}")));
    }
    assert!(
        wrong.is_empty(),
        "{} of {programs} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    if let Some(device) = device() {
        random(&device, 150);
    }
}

#[test]
fn random_programs_agree_when_kernels_are_shaped_for_hardware() {
    if let Some(device) = device() {
        let limits = Limits { parallel: 1 << 16, ..device.adapter().limits };
        random(&device.with_limits(limits), 150);
    }
}

#[test]
fn random_programs_agree_in_half_precision() {
    let Some(device) = device() else { return };
    let dtypes = device.capabilities().dtypes.clone();
    let mut wrong = Vec::new();
    for (seed, precision) in (0..60).flat_map(|seed| HALVES.map(|precision| (seed, precision))) {
        let (case, _) = generate_of(seed, &dtypes);
        let (narrow, program) = narrowed(&case, &device, precision).expect("it compiles");
        let outcome = run_program(&narrow, &device, program).and_then(|o| compare(&narrow, &o));
        wrong.extend(outcome.err().map(|e| format!("seed {seed} in {precision}: {e}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Narrow workgroups hold few points: kernels of one dispatch are then shared out by rows.
#[test]
fn random_programs_agree_when_workgroups_are_narrow() {
    if let Some(device) = device() {
        let limits = Limits { workgroup: 32, ..device.adapter().limits };
        random(&device.with_limits(limits), 150);
    }
}

#[test]
fn kernels_over_rows_share_a_dispatch() {
    let Some(device) = device() else { return };
    let limits = Limits { parallel: 1 << 16, ..device.adapter().limits };
    rows_share_a_dispatch(&device.with_limits(limits)).expect("rows share a dispatch");
}

/// Every kernel as the device runs it, against the reference of the kernel form.
#[test]
fn random_programs_pass_when_they_are_verified() {
    let Some(device) = device() else { return };
    let dtypes = device.capabilities().dtypes.clone();
    let verifying = Verifying::new(Arc::new(device));
    let mut wrong = Vec::new();
    for seed in 0..40 {
        let (case, _) = generate_of(seed, &dtypes);
        wrong.extend(check(&case, &verifying).err().map(|e| format!("seed {seed}: {e}")));
    }
    for (name, case) in elementwise(&[DType::F32, DType::I32], gpu_tolerance) {
        wrong.extend(check(&case, &verifying).err().map(|e| format!("{name}: {e}")));
    }
    println!("{}", verifying.verification());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
}

/// The same programs, made to compute values again: as far as 70 % of their memory allows.
#[test]
fn random_programs_agree_under_a_memory_limit() {
    let Some(device) = device() else { return };
    let dtypes = device.capabilities().dtypes.clone();
    let (mut wrong, mut limited) = (Vec::new(), 0);
    for seed in 0..60 {
        let (case, _) = generate_of(seed, &dtypes);
        let free = compiled(&case, &device, Options::default()).expect("it compiles without a limit");
        let limit = free.program.plan(1).total() * 7 / 10;
        let options = Options { memory_limit: Some(limit), ..Options::default() };
        let Ok(small) = compiled(&case, &device, options) else { continue };
        limited += 1;
        let outcome = run_program(&case, &device, small.program).and_then(|o| compare(&case, &o));
        wrong.extend(outcome.err().map(|e| format!("seed {seed}: {e}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(limited > 0, "no program was made smaller");
}
