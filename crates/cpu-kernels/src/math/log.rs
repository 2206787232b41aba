//! ln x: x = 2ᵉ m with m in [√½, √2), a polynomial for ln m, and e ln 2 added in two pieces (W. J. Cody, W. Waite,
//! "Software Manual for the Elementary Functions", 1980, chapter 5).

use super::{polynomial_f32, polynomial_f64};

/// ln 2 as the sum of two `f32`, the first short enough for its product with an exponent to be exact.
const LN2_HI_F32: f32 = 0.693_145_75;
const LN2_LO_F32: f32 = 1.428_606_8e-6;
const SQRT_HALF_F32: u32 = 0x3f35_04f3;
/// (ln(1 + f) − f + f²/2) / f³ for f in [√½ − 1, √2 − 1], relative to ln(1 + f) within 2⁻³⁰.
const LOG_F32: [f32; 9] = [
    0.33333313,
    -0.25000015,
    0.20002061,
    -0.16667746,
    0.14220494,
    -0.124101765,
    0.11886188,
    -0.11647595,
    0.06715232,
];

/// Natural logarithm. Largest error 0.848 ulp. ln(±0) is -infinity; below zero it is NaN.
#[inline(always)]
pub fn log_f32(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let normal = if subnormal { x * 8_388_608.0 } else { x };
    let bias = if subnormal { 23.0 } else { 0.0 };
    let from_sqrt_half = normal.to_bits().wrapping_sub(SQRT_HALF_F32);
    let exponent = ((from_sqrt_half as i32) >> 23) as f32 - bias;
    let f = f32::from_bits((from_sqrt_half & 0x007f_ffff) + SQRT_HALF_F32) - 1.0;

    let square = f * f;
    let series = (square * f).mul_add(polynomial_f32(f, LOG_F32), -0.5 * square);
    let scale = exponent * LN2_HI_F32;
    let sum = scale + f;
    let lost = f - (sum - scale);
    let log = sum + (lost + exponent.mul_add(LN2_LO_F32, series));

    // One unsigned comparison finds the positive finite numbers.
    let bits = x.to_bits();
    let special = if bits << 1 == 0 { f32::NEG_INFINITY } else { x };
    let special = if x < 0.0 { f32::NAN } else { special };
    if bits.wrapping_sub(1) < f32::INFINITY.to_bits() - 1 { log } else { special }
}

/// ln 2 as the sum of two `f64`, the first short enough for its product with an exponent to be exact.
const LN2_HI_F64: f64 = 0.693147180559663;
const LN2_LO_F64: f64 = 2.8235290563031577e-13;
const SQRT_HALF_F64: u64 = 0x3fe6_a09e_667f_3bcd;
/// (2 artanh(s) − 2s) / s³ in s², relative to 2 artanh(s) within 2⁻⁶⁵.
const LOG_F64: [f64; 8] = [
    0.6666666666666666,
    0.4000000000000492,
    0.2857142856926879,
    0.22222222649483642,
    0.1818177357485882,
    0.1538724503504975,
    0.1324555022445103,
    0.13300517128363978,
];

/// e and m with x = 2ᵉ m and m in [√½, √2), for positive normal x.
#[inline(always)]
pub(super) fn split_normal_f64(x: f64) -> (f64, f64) {
    // The biased exponent becomes the low bits of a number near 2⁵²: no integer conversion, which AVX2 lacks.
    let from_sqrt_half = x.to_bits().wrapping_sub(SQRT_HALF_F64).wrapping_add(1023 << 52);
    let biased = f64::from_bits((from_sqrt_half >> 52) | 0x4330_0000_0000_0000);
    let m = f64::from_bits((from_sqrt_half & 0x000f_ffff_ffff_ffff) + SQRT_HALF_F64);
    (biased - (4_503_599_627_370_496.0 + 1023.0), m)
}

/// As [`split_normal_f64`], for positive finite x.
#[inline(always)]
pub(super) fn split_f64(x: f64) -> (f64, f64) {
    let subnormal = x < f64::MIN_POSITIVE;
    let (exponent, m) = split_normal_f64(if subnormal { x * 18_014_398_509_481_984.0 } else { x });
    (if subnormal { exponent - 54.0 } else { exponent }, m)
}

/// Natural logarithm, from ln(1 + f) = 2 artanh(f / (2 + f)). Largest error seen 0.83 ulp. ln(±0) is -infinity; below
/// zero it is NaN.
#[inline(always)]
pub fn log_f64(x: f64) -> f64 {
    let (exponent, m) = split_f64(x);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    // 2s = f − s f, and s f = f²/2 − s f²/2: the large part f²/2 carries no error of the division.
    let half_square = 0.5 * f * f;
    let series = s * (half_square + z * polynomial_f64(z, LOG_F64)) - half_square;
    let scale = exponent * LN2_HI_F64;
    let sum = scale + f;
    let lost = f - (sum - scale);
    let log = sum + (lost + exponent.mul_add(LN2_LO_F64, series));

    // One unsigned comparison finds the positive finite numbers.
    let bits = x.to_bits();
    let special = if bits << 1 == 0 { f64::NEG_INFINITY } else { x };
    let special = if x < 0.0 { f64::NAN } else { special };
    if bits.wrapping_sub(1) < f64::INFINITY.to_bits() - 1 { log } else { special }
}
