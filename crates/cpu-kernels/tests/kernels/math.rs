//! The elementary functions against `f64` references: accuracy in ulp, special values, and equal bits at every
//! instruction set. `cargo test --release -p warploom-cpu-kernels --test kernels -- --ignored --nocapture` sweeps every `f32`
//! (minutes) and prints the largest errors and the time per element.

use std::time::Instant;
use warploom_cpu_kernels::math;

/// One row of the table: a function, its `f64` reference, and the error allowed.
trait Unary: Sync {
    const NAME: &'static str;
    const LIMIT: f64;
    /// Magnitudes above this are not in the function's domain, except infinities and NaN.
    const BOUND: f32 = f32::INFINITY;
    fn value(x: f32) -> f32;
    fn reference(x: f64) -> f64;
}

macro_rules! unary {
    ($row:ident, $name:literal, $limit:literal, $value:path, $reference:path $(, $bound:expr)?) => {
        struct $row;
        impl Unary for $row {
            const NAME: &'static str = $name;
            const LIMIT: f64 = $limit;
            $(const BOUND: f32 = $bound;)?
            #[inline(always)]
            fn value(x: f32) -> f32 {
                $value(x)
            }
            fn reference(x: f64) -> f64 {
                $reference(x)
            }
        }
    };
}

unary!(Exp, "exp", 1.0, math::exp_f32, f64::exp);
unary!(Log, "log", 1.0, math::log_f32, f64::ln);
unary!(Tanh, "tanh", 1.5, math::tanh_f32, f64::tanh);
unary!(Erf, "erf", 1.5, math::erf_f32, erf_reference);
unary!(SinBounded, "sin_bounded", 1.5, math::sin_bounded_f32, f64::sin, math::TRIG_BOUND_F32);
unary!(CosBounded, "cos_bounded", 1.5, math::cos_bounded_f32, f64::cos, math::TRIG_BOUND_F32);
unary!(Sin, "sin", 1.5, math::sin_f32, f64::sin);
unary!(Cos, "cos", 1.5, math::cos_f32, f64::cos);

/// [`math::erf_f64`], itself held against high-precision values below, shortened where erf is plain.
fn erf_reference(x: f64) -> f64 {
    let magnitude = x.abs();
    if magnitude < exp2(-14) {
        x * std::f64::consts::FRAC_2_SQRT_PI * (1.0 - x * x / 3.0)
    } else if magnitude > 5.0 {
        x.signum()
    } else {
        math::erf_f64(x)
    }
}

/// `[x, out]`, the same loop compiled for three instruction sets.
fn map_baseline<F: Unary>(x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = F::value(x);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn map_avx2<F: Unary>(x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = F::value(x);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,fma")]
fn map_avx512<F: Unary>(x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = F::value(x);
    }
}

type Map = fn(&[f32], &mut [f32]);

/// The vector forms this processor can run.
fn vector_maps<F: Unary>() -> Vec<(&'static str, Map)> {
    let mut maps: Vec<(&'static str, Map)> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the features the function is compiled for.
            maps.push(("avx2", |x, out| unsafe { map_avx2::<F>(x, out) }));
        }
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw");
        if avx512 && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the features the function is compiled for.
            maps.push(("avx512", |x, out| unsafe { map_avx512::<F>(x, out) }));
        }
    }
    maps
}

/// 2ᵏ exactly, for a normal result.
fn exp2(k: i64) -> f64 {
    f64::from_bits(((k + 1023) as u64) << 52)
}

/// Distance of `value` from `exact` in `f32` ulps of `exact`; infinite where a NaN, an infinity or a zero's sign is
/// wrong.
fn error_in_ulp(value: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if value.to_bits() == rounded.to_bits() && (rounded.is_infinite() || exact == 0.0)
        || value.is_nan() && exact.is_nan()
    {
        return 0.0;
    }
    if value.is_nan() || exact.is_nan() || exact.is_infinite() || exact == 0.0 {
        return f64::INFINITY;
    }
    let value = if value.is_infinite() { exp2(128).copysign(f64::from(value)) } else { f64::from(value) };
    let exponent = ((exact.to_bits() >> 52) as i64 & 0x7ff) - 1023;
    (value - exact).abs() * exp2(23 - exponent.clamp(-126, 127))
}

/// Checks `inputs` and returns the largest error and where it is.
fn check_chunk<F: Unary>(inputs: &[f32], maps: &[(&str, Map)]) -> (f64, f32) {
    let (mut first, mut other) = (vec![0.0; inputs.len()], vec![0.0; inputs.len()]);
    maps[0].1(inputs, &mut first);
    for (isa, map) in &maps[1..] {
        map(inputs, &mut other);
        for i in 0..inputs.len() {
            let same = first[i].to_bits() == other[i].to_bits();
            assert!(
                same,
                "{}({:e}): {} gives {:e}, {isa} {:e}",
                F::NAME,
                inputs[i],
                maps[0].0,
                first[i],
                other[i]
            );
        }
    }
    let mut worst = (0.0, 0.0);
    for (&x, &value) in inputs.iter().zip(&first) {
        let error = error_in_ulp(value, F::reference(f64::from(x)));
        if error > worst.0 {
            worst = (error, x);
        }
    }
    worst
}

fn in_domain<F: Unary>(x: &f32) -> bool {
    x.abs() <= F::BOUND || !x.is_finite()
}

/// Bit patterns where something happens: zeros, subnormals, infinities, NaN, and the functions' own thresholds.
fn neighbourhoods() -> Vec<f32> {
    let centres = [
        0.0,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::NAN,
        1.0,
        std::f32::consts::FRAC_1_SQRT_2,
        0.625,
        0.925,
        std::f32::consts::FRAC_PI_4,
        std::f32::consts::FRAC_PI_2,
        std::f32::consts::PI,
        4.0,
        9.01,
        10.0,
        87.336_55,
        88.722_84,
        103.27893,
        103.97208,
        math::TRIG_BOUND_F32,
    ];
    let around =
        centres.iter().flat_map(|c: &f32| (0..400u32).map(|i| c.to_bits().wrapping_add(i).wrapping_sub(200)));
    around.flat_map(|bits| [f32::from_bits(bits), f32::from_bits(bits ^ 0x8000_0000)]).collect()
}

fn strided<F: Unary>() {
    let mut maps: Vec<(&str, Map)> = vec![("baseline", map_baseline::<F>)];
    maps.extend(vector_maps::<F>());
    let patterns = (0..=u32::MAX).step_by(10_090).map(f32::from_bits);
    let inputs: Vec<f32> = patterns.chain(neighbourhoods()).filter(in_domain::<F>).collect();
    let (coarse_error, coarse_at) = check_chunk::<F>(&inputs, &maps);
    // The baseline calls libm for each fused multiply-add, so it runs on a tenth of the patterns.
    let inputs: Vec<f32> = (0..=u32::MAX).step_by(1009).map(f32::from_bits).filter(in_domain::<F>).collect();
    let maps = if maps.len() > 1 { &maps[1..] } else { &maps[..] };
    let (error, at) = check_chunk::<F>(&inputs, maps);
    assert!(coarse_error <= F::LIMIT, "{}({coarse_at:e}) is off by {coarse_error} ulp", F::NAME);
    assert!(error <= F::LIMIT, "{}({at:e}) is off by {error} ulp", F::NAME);
}

#[test]
fn strided_sweep_is_within_limits_and_equal_at_every_instruction_set() {
    std::thread::scope(|scope| {
        for check in [strided::<Exp>, strided::<Log>, strided::<Tanh>, strided::<Erf>] {
            scope.spawn(check);
        }
        for check in [strided::<SinBounded>, strided::<CosBounded>, strided::<Sin>, strided::<Cos>] {
            scope.spawn(check);
        }
    });
}

/// Sweeps every `f32` of at least magnitude `from`, and every NaN.
fn full<F: Unary>(from: f32) {
    const CHUNK: u64 = 1 << 16;
    let maps = vector_maps::<F>();
    let maps = if maps.is_empty() { vec![("baseline", map_baseline::<F> as Map)] } else { maps };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()) as u64;
    let start = Instant::now();
    let worst = std::thread::scope(|scope| {
        let workers = (0..threads).map(|thread| {
            let maps = &maps;
            scope.spawn(move || {
                let mut worst = (0.0, 0.0);
                for chunk in (thread..(1 << 32) / CHUNK).step_by(threads as usize) {
                    let patterns =
                        (chunk * CHUNK..(chunk + 1) * CHUNK).map(|bits| f32::from_bits(bits as u32));
                    let inputs: Vec<f32> =
                        patterns.filter(|x| in_domain::<F>(x) && (x.is_nan() || x.abs() >= from)).collect();
                    let found = check_chunk::<F>(&inputs, maps);
                    worst = if found.0 > worst.0 { found } else { worst };
                }
                worst
            })
        });
        let workers: Vec<_> = workers.collect();
        workers.into_iter().map(|w| w.join().unwrap()).fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    });
    println!("{:12} {:.4} ulp at {:e} ({:.0} s)", F::NAME, worst.0, worst.1, start.elapsed().as_secs_f64());
    assert!(worst.0 <= F::LIMIT, "{} is off", F::NAME);
}

#[test]
#[ignore = "every f32 for eight functions: minutes in release"]
fn full_sweep() {
    full::<Exp>(0.0);
    full::<Log>(0.0);
    full::<Tanh>(0.0);
    full::<Erf>(0.0);
    full::<SinBounded>(0.0);
    full::<CosBounded>(0.0);
    // Up to the bound these are the rows above.
    full::<Sin>(math::TRIG_BOUND_F32);
    full::<Cos>(math::TRIG_BOUND_F32);
}

fn time<F: Unary>() {
    let x: Vec<f32> = (0..2048).map(|i| (i as f32 - 1024.0) * 0.003).collect();
    let mut out = vec![0.0; x.len()];
    for (isa, map) in vector_maps::<F>() {
        let repeats = 20_000;
        let best = (0..7).map(|_| {
            let start = Instant::now();
            for _ in 0..repeats {
                map(std::hint::black_box(&x), std::hint::black_box(&mut out));
            }
            start.elapsed().as_secs_f64() * 1e9 / (repeats * x.len()) as f64
        });
        println!("{:12} {isa:7} {:.3} ns/element", F::NAME, best.fold(f64::INFINITY, f64::min));
    }
}

struct Pow;
impl Unary for Pow {
    const NAME: &'static str = "pow(x, 2.7)";
    const LIMIT: f64 = 2.0;
    #[inline(always)]
    fn value(x: f32) -> f32 {
        math::pow_f32(x, 2.7)
    }
    fn reference(x: f64) -> f64 {
        x.powf(f64::from(2.7f32))
    }
}

#[test]
#[ignore = "prints times, checks nothing"]
fn timing() {
    time::<Exp>();
    time::<Log>();
    time::<Tanh>();
    time::<Erf>();
    time::<SinBounded>();
    time::<CosBounded>();
    time::<Pow>();
}

/// A fixed sequence of bits (G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8, 2003).
fn random_bits(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn pow_f32_has_every_special_case_and_is_within_two_ulp() {
    let special =
        [0.0, f32::MIN_POSITIVE, 1e-45, 0.5, 1.0, 1.5, 2.0, 3.0, 8_388_607.0, 16_777_216.0, f32::MAX];
    let special = special.into_iter().chain([1e30, 2.5, 0.999_999_94, 16_777_215.0, f32::INFINITY, f32::NAN]);
    let special: Vec<f32> = special.flat_map(|x| [x, -x]).collect();
    let mut pairs: Vec<(f32, f32)> =
        special.iter().flat_map(|&x| special.iter().map(move |&y| (x, y))).collect();
    let mut state = 1;
    for _ in 0..300_000 {
        let bits = random_bits(&mut state);
        pairs.push((f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32)));
        // Pairs with an ordinary result, over the whole range of exponents.
        let x = f32::from_bits(bits as u32 & 0x7fff_ffff);
        let exponent = ((bits >> 32) as f32 / 4_294_967_296.0 - 0.5) * 300.0;
        pairs.push((x, (f64::from(exponent) / f64::from(x).log2()) as f32));
    }
    for (x, y) in pairs {
        let value = math::pow_f32(x, y);
        let error = error_in_ulp(value, f64::from(x).powf(f64::from(y)));
        // An f64 that overflows or vanishes has the right f32 too.
        let same = value.to_bits() == (f64::from(x).powf(f64::from(y)) as f32).to_bits();
        assert!(same || error <= 0.51, "pow({x:e}, {y:e}) = {value:e} is off by {error} ulp");
    }
}

fn distance_f64(a: f64, b: f64) -> u64 {
    if a.is_nan() && b.is_nan() { 0 } else { a.to_bits().abs_diff(b.to_bits()) }
}

type Golden = (&'static str, fn(f64) -> f64, &'static [(f64, f64)]);

/// Correctly rounded values, from 80-digit arithmetic (400 digits for sine and cosine).
#[expect(clippy::approx_constant, reason = "arguments and results that happen to lie near a constant")]
const GOLDEN: [Golden; 6] = [
    (
        "exp",
        math::exp_f64,
        &[
            (1e-300, 1.0),
            (-0.3, 0.7408182206817179),
            (0.34657359, 1.4142135619771539),
            (1.0, 2.718281828459045),
            (-1.5, 0.22313016014842982),
            (37.25, 1.504767666846084e16),
            (709.7, 1.6549840276802644e308),
            (-708.5, 2.006132305331306e-308),
            (-744.0, 1e-323),
        ],
    ),
    (
        "log",
        math::log_f64,
        &[
            (5e-324, -744.4400719213812),
            (1e-310, -713.8013788281542),
            (0.7071067811865475, -0.34657359027997275),
            (0.999999999, -9.999999722180686e-10),
            (1.0000000001, 1.000000082690371e-10),
            (1.4142135623730951, 0.3465735902799727),
            (2.0, 0.6931471805599453),
            (3.3, 1.1939224684724346),
            (1e300, 690.7755278982137),
        ],
    ),
    (
        "tanh",
        math::tanh_f64,
        &[
            (1e-310, 1e-310),
            (1e-05, 9.999999999666668e-06),
            (0.3, 0.2913126124515909),
            (0.599999, 0.5370488554198906),
            (0.600001, 0.5370502785754158),
            (1.0, 0.7615941559557649),
            (-2.5, -0.9866142981514303),
            (9.0, 0.999999969540041),
            (19.0, 0.9999999999999999),
        ],
    ),
    (
        "erf",
        math::erf_f64,
        &[
            (1e-310, 1.1283791670955e-310),
            (1e-05, 1.1283791670579e-05),
            (0.124, 0.13920518102987042),
            (0.126, 0.14142695085161722),
            (0.5, 0.5204998778130465),
            (0.99, 0.8385080695553698),
            (-1.3, -0.9340079449406524),
            (2.7, 0.9998656672600594),
            (5.8, 0.9999999999999998),
        ],
    ),
    (
        "sin",
        math::sin_f64,
        &[
            (1e-310, 1e-310),
            (0.5, 0.479425538604203),
            (0.78539816339, 0.7071067811812808),
            (3.141592653589793, 1.2246467991473532e-16),
            (-100.25, 0.2772828564548513),
            (1048575.5, -0.1624508310778367),
            (10000000000.0, -0.4875060250875107),
            (5.319372648326541e255, 1.0),
            (1.7e308, -0.5952560848632077),
        ],
    ),
    (
        "cos",
        math::cos_f64,
        &[
            (1e-310, 1.0),
            (0.5, 0.8775825618903728),
            (0.78539816339, 0.7071067811918142),
            (1.5707963267948966, 6.123233995736766e-17),
            (-100.25, 0.9607883312760612),
            (1048575.5, 0.9867166399134658),
            (10000000000.0, 0.873119622676856),
            (5.319372648326541e255, -4.687165924254628e-19),
            (1.7e308, 0.803536056087918),
        ],
    ),
];
#[expect(clippy::approx_constant, reason = "arguments and results that happen to lie near a constant")]
const GOLDEN_POW: [(f64, f64, f64); 10] = [
    (2.0, 0.5, 1.4142135623730951),
    (1.0000001, 1000000000.0, 2.6881038582144647e43),
    (0.999, -12345.678, 231388.86149892173),
    (10.0, 308.2, 1.584893192461072e308),
    (3e-310, -0.99, 2.6770097801027235e306),
    (1.5, -1800.25, 9.81095e-318),
    (-1.1, 7001.0, -6.168631009661708e289),
    (7.3, -0.125, 0.7799821115129111),
    (1.4142135623730951, 2047.9, 1.7364571072226006e308),
    (1e-300, 1.07, 1e-321),
];

#[test]
fn f64_functions_match_high_precision_values() {
    for (name, function, rows) in GOLDEN {
        for &(x, expected) in rows {
            let value = function(x);
            assert!(distance_f64(value, expected) <= 1, "{name}({x:e}) = {value:e}, not {expected:e}");
        }
    }
    for (x, y, expected) in GOLDEN_POW {
        let value = math::pow_f64(x, y);
        assert!(distance_f64(value, expected) <= 1, "pow({x:e}, {y:e}) = {value:e}, not {expected:e}");
    }
}

#[test]
fn f64_functions_agree_with_std() {
    let table: [(&str, fn(f64) -> f64, fn(f64) -> f64); 5] = [
        ("exp", math::exp_f64, f64::exp),
        ("log", math::log_f64, f64::ln),
        ("tanh", math::tanh_f64, f64::tanh),
        ("sin", math::sin_f64, f64::sin),
        ("cos", math::cos_f64, f64::cos),
    ];
    let special = [
        0.0,
        5e-324,
        f64::MIN_POSITIVE,
        0.625,
        1.0,
        709.8,
        745.2,
        1_048_576.0,
        1e300,
        f64::INFINITY,
        f64::NAN,
    ];
    let mut inputs: Vec<f64> = special.into_iter().flat_map(|x| [x, -x]).collect();
    let mut state = 3;
    for _ in 0..100_000 {
        let bits = random_bits(&mut state);
        inputs.push(f64::from_bits(bits));
        inputs.push((bits >> 11) as f64 * exp2(-53) * 100.0 - 50.0);
    }
    for (name, function, reference) in table {
        for &x in &inputs {
            let (value, expected) = (function(x), reference(x));
            assert!(distance_f64(value, expected) <= 2, "{name}({x:e}) = {value:e}, not {expected:e}");
        }
    }
    for pair in inputs.windows(2) {
        let (value, expected) = (math::pow_f64(pair[0], pair[1]), pair[0].powf(pair[1]));
        assert!(distance_f64(value, expected) <= 2, "pow({pair:?}) = {value:e}, not {expected:e}");
    }
}

/// The value of a 16-bit float with `mantissa_bits` and `bias`, its infinity read as the next power of two.
fn small_float(bits: u16, mantissa_bits: u32, bias: i64) -> f64 {
    let exponent = i64::from((bits & 0x7fff) >> mantissa_bits);
    let fraction = f64::from(bits & ((1 << mantissa_bits) - 1)) * exp2(-i64::from(mantissa_bits));
    let magnitude =
        if exponent == 0 { fraction * exp2(1 - bias) } else { (1.0 + fraction) * exp2(exponent - bias) };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// One row per 16-bit format: name, bits of its mantissa, exponent bias, both conversions.
const SMALL_FLOATS: [(&str, u32, i64, fn(u16) -> f32, fn(f32) -> u16); 2] = [
    ("f16", 10, 15, math::f16_to_f32, math::f32_to_f16),
    ("bf16", 7, 127, math::bf16_to_f32, math::f32_to_bf16),
];

#[test]
fn small_floats_widen_exactly_and_come_back() {
    for (name, mantissa_bits, bias, widen, narrow) in SMALL_FLOATS {
        let infinity = 0x7fff >> mantissa_bits << mantissa_bits;
        for bits in 0..=u16::MAX {
            let (value, magnitude) = (widen(bits), bits & 0x7fff);
            if magnitude > infinity {
                let quiet = bits | 1 << (mantissa_bits - 1);
                assert!(value.is_nan() && narrow(value) == quiet, "{name} {bits:#06x}");
            } else {
                let expected = small_float(bits, mantissa_bits, bias);
                let expected =
                    if magnitude == infinity { f64::INFINITY.copysign(expected) } else { expected };
                assert_eq!(f64::from(value).to_bits(), expected.to_bits(), "{name} {bits:#06x}");
                assert_eq!(narrow(value), bits, "{name} {bits:#06x}");
            }
        }
    }
}

#[test]
fn small_floats_narrow_to_nearest_even() {
    for (name, mantissa_bits, bias, _, narrow) in SMALL_FLOATS {
        let infinity: u16 = 0x7fff >> mantissa_bits << mantissa_bits;
        let values: Vec<f64> = (0..=infinity).map(|bits| small_float(bits, mantissa_bits, bias)).collect();
        // Every value, every midpoint between two, and their neighbours.
        let ties = values.windows(2).flat_map(|pair| [pair[0] as f32, ((pair[0] + pair[1]) * 0.5) as f32]);
        let ties =
            ties.flat_map(|x| (0..3).map(move |i| f32::from_bits((x.to_bits() + i).saturating_sub(1))));
        let patterns = (0..=0x7f80_0000u32).step_by(1009).map(f32::from_bits);
        for x in ties.chain(patterns).chain([f32::MAX, f32::INFINITY]) {
            let exact = f64::from(x);
            let above = values.partition_point(|&value| value < exact) as u16;
            let expected = if above == 0 || above > infinity {
                above.min(infinity)
            } else {
                let (low, high) = (exact - values[above as usize - 1], values[above as usize] - exact);
                if low < high || low == high && above & 1 == 1 { above - 1 } else { above }
            };
            assert_eq!(narrow(x), expected, "{name} of {x:e}");
            assert_eq!(narrow(-x), expected | 0x8000, "{name} of -{x:e}");
        }
    }
}

#[test]
fn rounding_goes_to_the_even_integer_and_down() {
    for (x, even, floor) in
        [(2.5, 2.0, 2.0), (3.5, 4.0, 3.0), (-0.5, -0.0, -1.0), (-2.6, -3.0, -3.0), (-0.0, -0.0, -0.0)]
    {
        assert_eq!(math::round_half_even_f32(x).to_bits(), (even as f32).to_bits());
        assert_eq!(math::floor_f32(x).to_bits(), (floor as f32).to_bits());
        assert_eq!(math::round_half_even_f64(f64::from(x)).to_bits(), f64::to_bits(even));
        assert_eq!(math::floor_f64(f64::from(x)).to_bits(), f64::to_bits(floor));
    }
}
