//! tanh x: an odd polynomial near zero, 1 − 2 / (e^2|x| + 1) beyond (W. J. Cody, W. Waite, "Software Manual for the
//! Elementary Functions", 1980, chapter 13).

use super::exp::{exp_f64, exp_normal_f32};
use super::{polynomial_f32, polynomial_f64};

/// (tanh x − x) / x³ in x² for |x| ≤ 0.625, relative to tanh x within 2⁻³¹.
const TANH_F32: [f32; 6] = [-0.3333333, 0.13333221, -0.053947315, 0.02169733, -0.008156179, 0.0021141174];

/// Hyperbolic tangent. Largest error 1.363 ulp. Odd to the bit.
#[inline(always)]
pub fn tanh_f32(x: f32) -> f32 {
    let magnitude = x.abs();
    let z = magnitude * magnitude;
    let near = (magnitude * z).mul_add(polynomial_f32(z, TANH_F32), magnitude);
    // tanh 10 rounds to 1; a NaN passes the select.
    let clamped = if magnitude > 10.0 { 10.0 } else { magnitude };
    let far = 1.0 - 2.0 / (exp_normal_f32(2.0 * clamped) + 1.0);
    (if magnitude < 0.625 { near } else { far }).copysign(x)
}

/// (tanh x − x) / x³ in x² for |x| ≤ 0.625, relative to tanh x within 2⁻⁵⁶.
const TANH_F64: [f64; 11] = [
    -0.33333333333332854,
    0.13333333333261932,
    -0.05396825393119343,
    0.021869487574392887,
    -0.008863220980396578,
    0.0035919889953951573,
    -0.0014549579680412194,
    0.0005863135814389768,
    -0.00022855827014719537,
    7.713765575097768e-5,
    -1.6069308592215168e-5,
];

/// Hyperbolic tangent. Largest error seen 1.24 ulp. Odd to the bit.
#[inline(always)]
pub fn tanh_f64(x: f64) -> f64 {
    let magnitude = x.abs();
    let z = magnitude * magnitude;
    let near = (magnitude * z).mul_add(polynomial_f64(z, TANH_F64), magnitude);
    let far = 1.0 - 2.0 / (exp_f64(2.0 * magnitude) + 1.0);
    (if magnitude < 0.625 { near } else { far }).copysign(x)
}
