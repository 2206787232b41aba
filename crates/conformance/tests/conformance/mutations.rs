//! The random programs find every planted miscompile.

use warploom_compile::Options;
use warploom_conformance::generate::generate;
use warploom_conformance::mutate::MUTATIONS;
use warploom_conformance::run::{compare, compiled, run_program};
use warploom_cpu::Cpu;

#[test]
fn every_planted_miscompile_is_found() {
    let cpu = Cpu::new(Some(1));
    let mut missed = Vec::new();
    for mutation in MUTATIONS {
        let found = (0..4000).any(|seed| {
            let (case, _) = generate(seed);
            let Ok(compiled) = compiled(&case, &cpu, Options::default()) else { return false };
            let mut program = compiled.program;
            // A changed program may also be refused; only a wrong answer counts as found.
            (mutation.apply)(&mut program)
                && run_program(&case, &cpu, program).is_ok_and(|outcome| compare(&case, &outcome).is_err())
        });
        if !found {
            missed.push(mutation.name);
        }
    }
    assert!(MUTATIONS.len() >= 20 && missed.is_empty(), "not found: {missed:?}");
}
