//! The function library, run on the processor and held against the CPU's functions, whose errors are known, and against Rust's
//! own arithmetic.

use crate::emulated::{WORKGROUP, Words, launch, plan};
use warploom_cpu_kernels::math;
use warploom_gpu::{Elements, FAULT_WORDS};
use warploom_graph::{DType, philox};

/// `expression`, a `u32` of the words `x`, `y`, … of each row of `inputs`. `None` without a C++ compiler.
fn evaluate(function: &'static str, expression: &str, inputs: &[&[u32]]) -> Option<Vec<u32>> {
    let count = inputs[0].len();
    let mut body = format!("    let i = group * {WORKGROUP}u + thread;\n    if (i < {count}u) {{\n");
    for (position, name) in (0..inputs.len()).zip(["x", "y", "z", "u", "v", "w"]) {
        body += &format!("        let {name} = a{position}[i];\n");
    }
    body += &format!("        a{}[i] = {expression};\n    }}", inputs.len());
    let mut arguments: Vec<Words> =
        inputs.iter().map(|words| (Elements::Words(DType::U32), false, words.to_vec())).collect();
    arguments.push((Elements::Words(DType::U32), true, vec![0; count]));
    let groups = [(count as u32).div_ceil(WORKGROUP), 1, 1];
    let results = launch(plan(&[function], &[], &body, &arguments, groups), &arguments)?;
    results.expect(function).pop()
}

fn random(state: &mut u64) -> u32 {
    // Knuth's constants for linear congruence; the high bits are good.
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*state >> 32) as u32
}

/// Special floats and the neighbours of many, then `count` floats of every exponent, as bits.
fn floats(count: usize) -> Vec<u32> {
    let marks: [f32; 24] = [
        0.0,
        1e-45,
        f32::MIN_POSITIVE,
        1e-5,
        0.25,
        0.5,
        0.625,
        0.925,
        1.0,
        1.5,
        2.0,
        2.5,
        4.0,
        10.0,
        88.72284,
        103.97,
        104.5,
        255.0,
        65504.0,
        65520.0,
        1048576.0,
        2147483648.0,
        4294967296.0,
        f32::MAX,
    ];
    let around = |mark: f32| [mark.to_bits(), mark.to_bits().saturating_sub(1), mark.to_bits() + 1];
    let mut all: Vec<u32> =
        marks.into_iter().flat_map(around).flat_map(|bits| [bits, bits | 0x8000_0000]).collect();
    all.extend([0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0000, 0x7f80_0001]);
    let stride = (1u64 << 32) / count as u64;
    let mut state = 1;
    all.extend((0..count as u64).map(|i| (i * stride + u64::from(random(&mut state)) % stride) as u32));
    all
}

/// Every pair of some, then random pairs of all.
fn pairs(some: &[u32], all: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut state = 2;
    let mut pick = || all[random(&mut state) as usize % all.len()];
    let each = some.iter().flat_map(|a| some.iter().map(move |b| (*a, *b)));
    each.chain((0..count).map(|_| (pick(), pick())).collect::<Vec<_>>()).unzip()
}

fn check(
    function: &'static str,
    expression: &str,
    inputs: &[&[u32]],
    is_right: impl Fn(&[u32], u32) -> bool,
) {
    let Some(results) = evaluate(function, expression, inputs) else { return };
    for (i, result) in results.into_iter().enumerate() {
        let row: Vec<u32> = inputs.iter().map(|words| words[i]).collect();
        assert!(is_right(&row, result), "{function} of {row:x?}: {result:#x}");
    }
}

/// Equal bits, or both NaN.
fn same(got: u32, right: f32) -> bool {
    got == right.to_bits() || f32::from_bits(got).is_nan() && right.is_nan()
}

/// Whether two floats are at most `most` apart among all floats in order.
fn near(got: u32, right: f32, most: i64) -> bool {
    let place = |x: f32| {
        let magnitude = i64::from(x.to_bits() & 0x7fff_ffff);
        if x.is_sign_negative() { -magnitude } else { magnitude }
    };
    same(got, right)
        || !f32::from_bits(got).is_nan()
            && !right.is_nan()
            && (place(f32::from_bits(got)) - place(right)).abs() <= most
}

#[test]
fn functions_of_one_float_have_the_bits_of_the_cpu() {
    let inputs = floats(1 << 20);
    let bits = |function: &'static str, right: fn(f32) -> f32| {
        let expression = format!("bitcast<u32>({function}(bitcast<f32>(x)))");
        check(function, &expression, &[&inputs], |row, got| same(got, right(f32::from_bits(row[0]))));
    };
    bits("exp_f32", math::exp_f32);
    bits("log_f32", math::log_f32);
    bits("tanh_f32", math::tanh_f32);
    bits("erf_f32", math::erf_f32);
    bits("sqrt_f32", f32::sqrt);
    bits("round_f32", f32::round_ties_even);
}

#[test]
fn sine_and_cosine_have_the_bits_of_the_cpu_up_to_its_bound() {
    let inputs = floats(1 << 20);
    let trig = |function: &'static str, right: fn(f32) -> f32| {
        let expression = format!("bitcast<u32>({function}(bitcast<f32>(x)))");
        check(function, &expression, &[&inputs], |row, got| {
            let x = f32::from_bits(row[0]);
            let apart = if x.abs() <= math::TRIG_BOUND_F32 { 0 } else { 2 };
            near(got, right(x), apart)
        });
    };
    trig("sin_f32", math::sin_f32);
    trig("cos_f32", math::cos_f32);
}

#[test]
fn functions_of_two_floats() {
    let all = floats(1 << 18);
    let (x, y) = pairs(&all[..150], &all, 1 << 19);
    let two = |function: &'static str, right: fn(f32, f32) -> f32, most: i64| {
        let expression = format!("bitcast<u32>({function}(bitcast<f32>(x), bitcast<f32>(y)))");
        check(function, &expression, &[&x, &y], |row, got| {
            near(got, right(f32::from_bits(row[0]), f32::from_bits(row[1])), most)
        });
    };
    two("rem_f32", |a, b| a % b, 0);
    two("min_f32", |a, b| if a < b || a.is_nan() { a } else { b }, 0);
    two("max_f32", |a, b| if a > b || a.is_nan() { a } else { b }, 0);
    // Half a unit of the CPU's, and 2.3 of its own.
    two("pow_f32", math::pow_f32, 3);
}

/// Bases and exponents whose power is a normal number, of every size.
#[test]
fn powers_that_are_normal_numbers() {
    let mut state = 3;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..1 << 19 {
        let base = f32::from_bits(random(&mut state) >> 1);
        if base.is_finite() && base > 0.0 {
            let exponent = f64::from(random(&mut state)) / 4294967296.0 * 300.0 - 160.0;
            x.push(base.to_bits());
            y.push(((exponent / f64::from(base).log2()) as f32).to_bits());
        }
    }
    let expression = "bitcast<u32>(pow_f32(bitcast<f32>(x), bitcast<f32>(y)))";
    check("pow_f32", expression, &[&x, &y], |row, got| {
        near(got, math::pow_f32(f32::from_bits(row[0]), f32::from_bits(row[1])), 3)
    });
}

#[test]
fn integers() {
    let some = [0, 1, 2, 3, 7, 31, 32, 33, 255, 256, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, !0, !1, !2, !30];
    let mut state = 4;
    let all: Vec<u32> = (0..1 << 14).map(|_| random(&mut state) >> (random(&mut state) % 32)).collect();
    let (x, y) = pairs(&some, &all, 1 << 16);
    let two = |function: &'static str, signed: bool, right: fn(u32, u32) -> u32| {
        let expression = match signed {
            true => format!("bitcast<u32>({function}(bitcast<i32>(x), bitcast<i32>(y)))"),
            false => format!("{function}(x, y)"),
        };
        check(function, &expression, &[&x, &y], |row, got| got == right(row[0], row[1]));
    };
    two("div_i32", true, |a, b| if b == 0 { 0 } else { (a as i32).wrapping_div(b as i32) as u32 });
    two("rem_i32", true, |a, b| if b == 0 { 0 } else { (a as i32).wrapping_rem(b as i32) as u32 });
    two("div_u32", false, |a, b| a.checked_div(b).unwrap_or(0));
    two("rem_u32", false, |a, b| a.checked_rem(b).unwrap_or(0));
    two("shift_left", false, |a, b| a.checked_shl(b).unwrap_or(0));
    two("shift_right", false, |a, b| a.checked_shr(b).unwrap_or(0));
    check("abs_i32", "bitcast<u32>(abs_i32(bitcast<i32>(x)))", &[&x], |row, got| {
        got == (row[0] as i32).wrapping_abs() as u32
    });
}

#[test]
fn casts() {
    let inputs = floats(1 << 19);
    let cast = |function: &'static str, expression: &str, right: fn(u32) -> u32| {
        check(function, expression, &[&inputs], |row, got| got == right(row[0]));
    };
    // Rust's own casts of floats saturate and take NaN to 0.
    cast("f32_to_i32", "bitcast<u32>(f32_to_i32(bitcast<f32>(x)))", |x| f32::from_bits(x) as i32 as u32);
    cast("f32_to_u32", "f32_to_u32(bitcast<f32>(x))", |x| f32::from_bits(x) as u32);
    cast("f32_to_u8", "f32_to_u8(bitcast<f32>(x))", |x| u32::from(f32::from_bits(x) as u8));
    cast("is_nan", "select(0u, 1u, is_nan(bitcast<f32>(x)))", |x| u32::from(f32::from_bits(x).is_nan()));
    cast("to_half", "to_half(bitcast<f32>(x))", |x| u32::from(math::f32_to_f16(f32::from_bits(x))));
    cast("to_bfloat", "to_bfloat(bitcast<f32>(x))", |x| u32::from(math::f32_to_bf16(f32::from_bits(x))));
    let every: Vec<u32> = (0..1 << 16).collect();
    let widen = |function: &'static str, right: fn(u16) -> f32| {
        let expression = format!("bitcast<u32>({function}(x))");
        check(function, &expression, &[&every], |row, got| same(got, right(row[0] as u16)));
    };
    widen("from_half", math::f16_to_f32);
    widen("from_bfloat", math::bf16_to_f32);
}

/// Numbers of 64 bits as two lists of words, the low ones first: every float of [`floats`] and what lies beside it, halfway to
/// the next half, bfloat and float and beside that, and numbers of all bits.
fn doubles() -> [Vec<u32>; 2] {
    let mut state = 6;
    let mut all: Vec<u64> = Vec::new();
    for bits in floats(1 << 14) {
        let exact = f64::from(f32::from_bits(bits)).to_bits();
        let halfway =
            [0, 1 << 41, 1 << 44, 1 << 28].map(|unit: u64| (exact & !(2 * unit).saturating_sub(1)) | unit);
        all.extend(halfway.into_iter().flat_map(|x| [x, x.saturating_sub(1), x.wrapping_add(1)]));
    }
    all.extend((0..1 << 16).map(|_| u64::from(random(&mut state)) << 32 | u64::from(random(&mut state))));
    all.extend([255.5, 256.0, 2147483647.5, 2147483648.0, 4294967295.5, 4294967296.0].map(f64::to_bits));
    all.extend([-0.5, -1.0, -2147483648.5, -2147483649.0].map(f64::to_bits));
    [all.iter().map(|x| *x as u32).collect(), all.iter().map(|x| (x >> 32) as u32).collect()]
}

#[test]
fn casts_of_doubles() {
    let [low, high] = doubles();
    let cast = |function: &'static str, expression: &str, is_right: &dyn Fn(f64, u32) -> bool| {
        let expression = expression.replace("double", "bitcast<f64>(u64(y) << 32 | x)");
        check(function, &expression, &[&low, &high], |row, got| {
            is_right(f64::from_bits(u64::from(row[1]) << 32 | u64::from(row[0])), got)
        });
    };
    let is = |x: f64, right: f64| x == right || x.is_nan() && right.is_nan();
    cast("f64_to_i32", "bitcast<u32>(f64_to_i32(double))", &|x, got| got as i32 == x as i32);
    cast("f64_to_u32", "f64_to_u32(double)", &|x, got| got == x as u32);
    cast("f64_to_u8", "f64_to_u8(double)", &|x, got| got == u32::from(x as u8));
    cast(
        "f64_to_f32_odd",
        "to_half(f64_to_f32_odd(double)) | to_bfloat(f64_to_f32_odd(double)) << 16",
        &|x, got| {
            let (half, bfloat) = (math::f16_to_f32(got as u16), math::bf16_to_f32((got >> 16) as u16));
            is(half.into(), DType::F16.round(x)) && is(bfloat.into(), DType::BF16.round(x))
        },
    );
}

#[test]
fn random_words_are_those_of_the_cpu() {
    let mut state = 5;
    let columns: Vec<Vec<u32>> = (0..6).map(|_| (0..1 << 16).map(|_| random(&mut state)).collect()).collect();
    let inputs: Vec<&[u32]> = columns.iter().map(Vec::as_slice).collect();
    check("philox", "philox(x, y, z, u, v, w)", &inputs, |row, got| {
        let words = philox::quad([row[4], row[5]], row[1], row[2], row[3], row[0] / 4);
        got == words[row[0] as usize % 4]
    });
}

#[test]
fn an_index_out_of_range_is_reported_once() {
    let body = "    if (thread < 8u) {\n        a1[thread] = check_index(a0[thread], 10u, 42u);\n    }";
    let run = |faults: Vec<u32>| {
        let arguments = [
            (Elements::Words(DType::I32), false, vec![5, 0, 9, 10, 10, 10, 10, 3]),
            (Elements::Words(DType::U32), true, vec![77; 8]),
            (Elements::Faults, true, faults),
        ];
        let results = launch(plan(&["check_index"], &[], body, &arguments, [1, 1, 1]), &arguments)?;
        Some(results.expect("it runs"))
    };
    let Some(reported) = run(vec![0; FAULT_WORDS]) else { return };
    assert_eq!(reported[1], [5, 0, 9, 0, 0, 0, 0, 3]);
    assert_eq!(reported[2], [1, 42, 10, 10]);
    assert_eq!(run(vec![1, 6, 7, 8]).expect("a compiler")[2], [1, 6, 7, 8]);
}
