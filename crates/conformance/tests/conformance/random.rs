//! Random programs on the CPU executor against the interpreter, fused against unfused, one thread against two.
//!
//! `WARPLOOM_PROGRAMS=100000 cargo test --release -p warploom-conformance random::` runs as many as one likes.

use std::collections::BTreeMap;
use warploom_compile::Options;
use warploom_conformance::generate::generate;
use warploom_conformance::run::{compare, run};
use warploom_cpu::Cpu;
use warploom_graph::{DType, Elementwise};

fn count(default: u64) -> u64 {
    std::env::var("WARPLOOM_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Everything wrong with the program of one seed.
fn check(seed: u64, one: &Cpu, two: &Cpu) -> Result<(), String> {
    let (case, _) = generate(seed);
    let fused = run(&case, two, Options::default())?;
    compare(&case, &fused)?;
    let unfused = run(&case, two, Options { fuse: false, ..Options::default() })?;
    if !fused.same_bits(&unfused, &case) {
        return Err("fused and unfused differ".into());
    }
    if !fused.same_bits(&run(&case, one, Options::default())?, &case) {
        return Err("one thread and two threads differ".into());
    }
    Ok(())
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    let (one, two) = (Cpu::new(Some(1)), Cpu::new(Some(2)));
    let first: u64 = std::env::var("WARPLOOM_FIRST_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let programs = count(1500);
    let mut wrong = Vec::new();
    for seed in first..first + programs {
        if let Err(error) = check(seed, &one, &two) {
            wrong.push(format!("seed {seed}: {error}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {programs} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

/// How often a program must contain something, in parts of all programs.
#[test]
fn random_programs_contain_everything_often_enough() {
    let programs = 2000;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..programs {
        generate(seed).1.into_iter().for_each(|feature| *seen.entry(feature).or_default() += 1);
    }
    let rows = Elementwise::all().map(|op| op.row().name);
    let dtypes = DType::ALL.iter().map(|d| d.name());
    let structural = [
        "fill",
        "iota",
        "random",
        "cast",
        "reshape",
        "permute",
        "expand",
        "slice",
        "pad",
        "unfold",
        "convolve",
        "concat",
        "sum",
        "max",
        "min",
        "arg_max",
        "contract",
        "gather",
        "scatter add",
        "scatter max",
        "scatter set",
        "scan",
        "call",
        "stop_gradient",
        "barrier",
    ];
    let floors = rows.chain(dtypes).chain(structural).map(|name| (name, 0.01));
    for (feature, floor) in floors.chain([("gradient", 0.3), ("assignment", 0.1)]) {
        let share = seen.get(feature).copied().unwrap_or(0) as f64 / programs as f64;
        assert!(
            share >= floor,
            "{feature} occurs in {:.2} % of programs, the floor is {:.0} %",
            share * 100.0,
            floor * 100.0
        );
    }
}
