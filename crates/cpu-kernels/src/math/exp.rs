//! eˣ: x = n ln 2 + r with |r| ≤ ln 2 / 2, a polynomial for eʳ, and multiplication by 2ⁿ (W. J. Cody, W. Waite,
//! "Software Manual for the Elementary Functions", 1980, chapter 6). Adding a large constant rounds x / ln 2 and
//! leaves n, biased, in the low bits of the sum.

use super::{polynomial_f32, polynomial_f64};

/// 1.5·2²³, at which one unit in the last place is 1, plus twice the exponent bias.
const ROUND_F32: f32 = 12_582_912.0 + 254.0;
/// ln 2 as the sum of two `f32`; `n·LN2_HI_F32` fits a fused multiply-add without rounding.
const LN2_HI_F32: f32 = std::f32::consts::LN_2;
const LN2_LO_F32: f32 = -1.9046542e-9;
/// eʳ within 2⁻²⁸, relative.
const EXP_F32: [f32; 7] = [1.0, 1.0, 0.49999994, 0.16666515, 0.041668244, 0.008369246, 0.0013816825];

/// eʳ in [0.7, 1.42] and bits whose low part holds n + 254.
#[inline(always)]
fn split_exp_f32(x: f32) -> (f32, u32) {
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND_F32);
    let n = shifted - ROUND_F32;
    let r = n.mul_add(-LN2_LO_F32, n.mul_add(-LN2_HI_F32, x));
    (polynomial_f32(r, EXP_F32), shifted.to_bits())
}

/// eˣ for x in [-87, 88] or NaN, where 2ⁿ is normal.
#[inline(always)]
pub(super) fn exp_normal_f32(x: f32) -> f32 {
    let (power, n) = split_exp_f32(x);
    power * f32::from_bits((n << 23).wrapping_sub(127 << 23))
}

/// eˣ. Largest error 0.897 ulp. Subnormal results are gradual; overflow gives infinity.
#[inline(always)]
pub fn exp_f32(x: f32) -> f32 {
    // Beyond these the result is already infinite or zero; a NaN passes both selects.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.5 { -104.5 } else { x };
    let (power, n) = split_exp_f32(x);
    // 2ⁿ may not be representable: two factors 2^(n/2), of which only the last multiplication rounds.
    let half = (n << 22) & 0xff80_0000;
    let rest = (n << 23).wrapping_sub(half);
    power * f32::from_bits(half) * f32::from_bits(rest)
}

/// 1.5·2⁵² plus twice the exponent bias.
const ROUND_F64: f64 = 6_755_399_441_055_744.0 + 2046.0;
/// ln 2 as the sum of two `f64`.
const LN2_HI_F64: f64 = std::f64::consts::LN_2;
const LN2_LO_F64: f64 = 2.3190468138462996e-17;
/// (eʳ − 1 − r) / r², relative to eʳ within 2⁻⁶³.
const EXP_F64: [f64; 11] = [
    0.5,
    0.16666666666666688,
    0.04166666666666682,
    0.008333333333314012,
    0.0013888888888788059,
    0.00019841269902826577,
    2.4801587524006932e-5,
    2.755722936877158e-6,
    2.7557109199362106e-7,
    2.511367217379509e-8,
    2.096215874287635e-9,
];

/// e^(x + tail) for a tail below one unit in the last place of x.
#[inline(always)]
pub(super) fn exp_sum_f64(x: f64, tail: f64) -> f64 {
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let shifted = x.mul_add(std::f64::consts::LOG2_E, ROUND_F64);
    let n = shifted - ROUND_F64;
    let head = n.mul_add(-LN2_HI_F64, x);
    let correction = n.mul_add(-LN2_LO_F64, tail);
    let r = head + correction;
    let lost = (head - r) + correction;
    let power = 1.0 + (r + (r * r).mul_add(polynomial_f64(r, EXP_F64), lost));
    let n = shifted.to_bits();
    let half = (n << 51) & 0xfff0_0000_0000_0000;
    let rest = (n << 52).wrapping_sub(half);
    power * f64::from_bits(half) * f64::from_bits(rest)
}

/// eˣ. Largest error seen 0.83 ulp. Subnormal results are gradual; overflow gives infinity.
#[inline(always)]
pub fn exp_f64(x: f64) -> f64 {
    exp_sum_f64(x, 0.0)
}
