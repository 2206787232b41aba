//! xʸ = e^(y ln x) with the logarithm in more precision than the result, and the special cases of IEEE 754-2019,
//! section 9.2.1 (those of C's `pow`).

use super::exp::exp_sum_f64;
use super::log::{split_f64, split_normal_f64};
use super::polynomial_f64;

/// log₂(1 + f) / f for f in [√½ − 1, √2 − 1], relative within 2⁻³⁷.
const LOG2: [f64; 14] = [
    1.442695040886572,
    -0.7213475203275294,
    0.4808983488037828,
    -0.36067379312631365,
    0.28853879552402434,
    -0.24044643253198023,
    0.20610693610155797,
    -0.18043856718726875,
    0.16022838532007663,
    -0.14245847359632466,
    0.1300420938438682,
    -0.13472923578156554,
    0.1339595913036379,
    -0.07124163441892853,
];
/// (2ʳ − 1) / r for |r| ≤ ½, relative to 2ʳ within 2⁻³⁴.
const EXP2: [f64; 7] = [
    0.6931471807064643,
    0.24022651070816986,
    0.055504103619675754,
    0.009618037415919002,
    0.001333393649983964,
    0.00015467007496964752,
    1.5196265664576987e-5,
];
/// 1.5·2⁵² plus the exponent bias: see `exp`.
const ROUND: f64 = 6_755_399_441_055_744.0 + 1023.0;

/// xʸ, computed in `f64`. Largest error seen 0.51 ulp. Every NaN result is the same one.
#[inline(always)]
pub fn pow_f32(x: f32, y: f32) -> f32 {
    let magnitude = x.abs();
    let (exponent, m) = split_normal_f64(f64::from(magnitude));
    let f = m - 1.0;
    let log = f.mul_add(polynomial_f64(f, LOG2), exponent);
    let bits = magnitude.to_bits();
    let special = if bits == 0 { f64::NEG_INFINITY } else { f64::INFINITY };
    let log = if bits.wrapping_sub(1) < f32::INFINITY.to_bits() - 1 { log } else { special };

    // Outside ±200 the result overflows or underflows in any case.
    let power = f64::from(y) * log;
    let power = if power > 200.0 { 200.0 } else { power };
    let power = if power < -200.0 { -200.0 } else { power };
    let shifted = power + ROUND;
    let r = power - (shifted - ROUND);
    let scale = f64::from_bits(shifted.to_bits() << 52);
    let result = (r.mul_add(polynomial_f64(r, EXP2), 1.0) * scale) as f32;

    let half = 0.5 * y;
    let integer = y.floor() == y;
    let sign = if integer & (half.floor() != half) { x.to_bits() & 0x8000_0000 } else { 0 };
    let result = f32::from_bits(result.to_bits() ^ sign);
    let undefined = (x < 0.0) & (x > f32::NEG_INFINITY) & !integer;
    let result = if undefined | x.is_nan() | y.is_nan() { f32::NAN } else { result };
    let one = (y == 0.0) | (x == 1.0) | ((x == -1.0) & (y.abs() == f32::INFINITY));
    if one { 1.0 } else { result }
}

/// ln 2 and 2/3, each as the sum of two `f64`.
const LN2: (f64, f64) = (std::f64::consts::LN_2, 2.3190468138462996e-17);
const TWO_THIRDS: (f64, f64) = (0.6666666666666666, 3.700743415417188e-17);
/// (2 artanh(s) − 2s − 2s³/3) / s⁵ in s², relative to 2 artanh(s) within 2⁻⁷³.
const ARTANH: [f64; 8] = [
    0.3999999999999998,
    0.28571428571443835,
    0.22222222217791798,
    0.18181818843693923,
    0.15384558450525393,
    0.13336263627934403,
    0.11675798458934665,
    0.119816073864741,
];

/// a + b as a rounded sum and its error, for |a| ≥ |b| or a = 0 (T. J. Dekker, "A floating-point technique for extending
/// the available precision", Numerische Mathematik 18, 1971).
#[inline(always)]
fn fast_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, (a - sum) + b)
}

/// The product of two such pairs, without the product of their tails.
#[inline(always)]
fn multiply(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let product = a.0 * b.0;
    (product, a.0.mul_add(b.0, -product) + (a.0 * b.1 + a.1 * b.0))
}

/// ln x to about 65 bits for positive finite x: 2 artanh((m − 1) / (m + 1)) + e ln 2 in pairs of `f64`.
#[inline(always)]
fn log_pair(x: f64) -> (f64, f64) {
    let (exponent, m) = split_f64(x);
    let f = m - 1.0;
    let divisor = m + 1.0;
    let divisor_tail = m - (divisor - 1.0);
    let s = f / divisor;
    let s = (s, ((-s).mul_add(divisor, f) - s * divisor_tail) / divisor);
    let square = multiply(s, s);
    let series = fast_two_sum(TWO_THIRDS.0, square.0 * polynomial_f64(square.0, ARTANH));
    let cubic = multiply(multiply(s, square), (series.0, series.1 + TWO_THIRDS.1));
    let m_log = fast_two_sum(2.0 * s.0, cubic.0);
    let m_log = (m_log.0, m_log.1 + (cubic.1 + 2.0 * s.1));
    let scale = multiply((exponent, 0.0), LN2);
    let log = fast_two_sum(scale.0, m_log.0);
    fast_two_sum(log.0, log.1 + (scale.1 + m_log.1))
}

/// xʸ. Largest error seen 0.87 ulp. Every NaN result is the same one.
#[inline(always)]
pub fn pow_f64(x: f64, y: f64) -> f64 {
    let magnitude = x.abs();
    let log = log_pair(magnitude);
    let special = (magnitude == 0.0) | (magnitude == f64::INFINITY);
    let infinite = if magnitude == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    let power = y * if special { infinite } else { log.0 };
    let tail = y.mul_add(log.0, -power) + y * log.1;
    // Outside ±750 the result overflows or underflows in any case, and the tail may be no number.
    let tail = if !special & (power.abs() < 750.0) { tail } else { 0.0 };
    let result = exp_sum_f64(power, tail);

    let half = 0.5 * y;
    let integer = y.floor() == y;
    let sign = if integer & (half.floor() != half) { x.to_bits() & 0x8000_0000_0000_0000 } else { 0 };
    let result = f64::from_bits(result.to_bits() ^ sign);
    let undefined = (x < 0.0) & (x > f64::NEG_INFINITY) & !integer;
    let result = if undefined | x.is_nan() | y.is_nan() { f64::NAN } else { result };
    let one = (y == 0.0) | (x == 1.0) | ((x == -1.0) & (y.abs() == f64::INFINITY));
    if one { 1.0 } else { result }
}
