//! Which vector instructions a process computes with.

use warploom_cpu_kernels::isa::Isa;

#[test]
fn a_choice_is_always_available() {
    for asked in [None, Some("avx512"), Some("avx2"), Some("portable"), Some("sse9"), Some("")] {
        assert!(Isa::choose(asked).is_available(), "{asked:?}");
    }
}

#[test]
fn a_request_caps_the_width() {
    assert_eq!(Isa::choose(Some("portable")), Isa::Portable);
    assert_ne!(Isa::choose(Some("avx2")), Isa::Avx512);
    for isa in Isa::available() {
        assert_eq!(Isa::choose(Some(isa.name())), isa);
    }
}
