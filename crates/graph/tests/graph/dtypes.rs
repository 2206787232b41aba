//! Dtypes: rounding to half types against an exhaustive search, wrapping, literals.

use half::{bf16, f16};
use warploom_graph::{DType, Literal, philox};

/// Every finite value of a half type that is not negative, ascending by bits, and what follows the largest: where a value
/// beyond the largest would be if exponents went on, which is how overflow is decided.
fn ladder(value: impl Fn(u16) -> f64, infinity: u16) -> Vec<f64> {
    let mut steps: Vec<f64> = (0..infinity).map(value).collect();
    let last = steps.len() - 1;
    steps.push(2.0 * steps[last] - steps[last - 1]);
    steps
}

/// The nearest step, of two as near the one with even bits.
fn nearest(steps: &[f64], x: f64) -> f64 {
    let above = steps.partition_point(|s| *s < x.abs());
    let pick = if above == 0 {
        0
    } else if above == steps.len() {
        above - 1
    } else {
        // Exact in f64: half types have few bits.
        let middle = (steps[above - 1] + steps[above]) / 2.0;
        let up = x.abs() > middle || x.abs() == middle && above % 2 == 0;
        above - !up as usize
    };
    let value = if pick == steps.len() - 1 { f64::INFINITY } else { steps[pick] };
    value.copysign(x)
}

#[test]
fn half_types_round_once() {
    let ladders = [
        (DType::F16, ladder(|bits| f16::from_bits(bits).to_f64(), 0x7C00)),
        (DType::BF16, ladder(|bits| bf16::from_bits(bits).to_f64(), 0x7F80)),
    ];
    for (dtype, steps) in ladders {
        let check = |x: f64| {
            let (found, want) = (dtype.round(x), nearest(&steps, x));
            assert_eq!(found.to_bits(), want.to_bits(), "{x:e} as {dtype}: {found:e}, not {want:e}");
        };
        for pair in steps.windows(2) {
            // The tie, and the nearest f64 to either side of it: closer than f32 can tell.
            let middle = (pair[0] + pair[1]) / 2.0;
            for x in [pair[0], middle, middle.next_up(), middle.next_down()] {
                check(x);
                check(-x);
            }
        }
        for i in 0..20_000 {
            let [a, b, ..] = philox::block([i, 0, 0, 0], [1, 2]);
            let x = f64::from_bits((a as u64) << 32 | b as u64);
            if x.is_finite() {
                check(x);
            }
        }
        check(f64::MAX);
        check(f64::MIN_POSITIVE);
        assert_eq!(dtype.round(f64::INFINITY), f64::INFINITY);
        assert!(dtype.round(f64::NAN).is_nan());
    }
}

#[test]
fn whole_literals_wrap() {
    let cases = [
        (DType::U32, -1.0, u32::MAX as f64),
        (DType::U32, 4294967296.0 + 5.0, 5.0),
        (DType::I32, 3e9, 3e9 - 4294967296.0),
        (DType::I32, -2147483649.0, i32::MAX as f64),
        (DType::I32, -2.7, -2.0),
        (DType::U8, 300.9, 44.0),
        (DType::U8, -1.0, 255.0),
        (DType::I32, 2f64.powi(80) + 2f64.powi(31), i32::MIN as f64),
        (DType::I32, 1e300, 0.0),
        (DType::U32, f64::NAN, 0.0),
        (DType::I32, f64::INFINITY, 0.0),
        (DType::Bool, -3.0, 1.0),
        (DType::Bool, 0.0, 0.0),
    ];
    for (dtype, x, want) in cases {
        let literal = Literal::new(dtype, x);
        assert_eq!((literal.to_f64(), literal.dtype()), (want, dtype), "{x} as {dtype}");
        assert_eq!(dtype.round(literal.to_f64()), want, "rounding twice is rounding once");
    }
}

#[test]
fn literals_compare_by_bits() {
    let f32s = |x| Literal::new(DType::F32, x);
    assert_eq!(f32s(f64::NAN), f32s(f64::NAN));
    assert_ne!(f32s(0.0), f32s(-0.0));
    assert!(f32s(-0.0).is(0.0) && !f32s(f64::NAN).is(f64::NAN));
    assert_eq!(f32s(0.1).to_f64(), 0.1f32 as f64);
    assert_eq!(f32s(1e300).to_f64(), f64::INFINITY);
    assert_eq!(f32s(0.5).to_string(), "0.5");
    assert_eq!(Literal::new(DType::I32, -4.0).to_string(), "-4");
}

#[test]
fn extremes_are_held() {
    for dtype in DType::ALL {
        for literal in [dtype.lowest(), dtype.highest()] {
            assert_eq!(Literal::new(dtype, literal.to_f64()), literal, "{dtype}");
        }
        assert!(dtype.lowest().to_f64() < dtype.highest().to_f64());
        assert!(!(dtype.is_float() && dtype.is_integer()));
    }
}
