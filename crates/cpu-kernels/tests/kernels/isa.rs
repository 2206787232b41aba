//! Which vector instructions a process computes with.

use warploom_cpu_kernels::isa::Isa;

#[test]
fn what_is_here_is_had_by_name() {
    assert!(Isa::current().is_available());
    for isa in Isa::ALL {
        match Isa::by_name(isa.name()) {
            Ok(found) => assert!(found == isa && isa.is_available()),
            Err(why) => assert!(!isa.is_available() && why.contains("which this machine lacks"), "{why}"),
        }
    }
}

#[test]
fn what_is_unknown_is_an_error_that_names_what_is_here() {
    for unknown in ["sse9", "AVX2", " "] {
        let why = Isa::by_name(unknown).unwrap_err();
        assert!(why.contains(&format!("WARPLOOM_ISA is {unknown:?}")) && why.contains("portable"), "{why}");
    }
}
