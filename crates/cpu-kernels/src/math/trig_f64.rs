//! Sine and cosine in `f64`, and the reduction modulo π/2 of any finite number.

use super::polynomial_f64;

/// 64 zero bits, then the bits of 2/π after the binary point.
const TWO_OVER_PI: [u64; 21] = [
    0,
    0xa2f9_836e_4e44_1529,
    0xfc27_57d1_f534_ddc0,
    0xdb62_9599_3c43_9041,
    0xfe51_63ab_debb_c561,
    0xb724_6e3a_424d_d2e0,
    0x0649_2eea_09d1_921c,
    0xfe1d_eb1c_b129_a73e,
    0xe882_35f5_2ebb_4484,
    0xe99c_7026_b45f_7e41,
    0x3991_d639_8353_39f4,
    0x9c84_5f8b_bdf9_283b,
    0x1ff8_97ff_de05_980f,
    0xef2f_118b_5a0a_6d1f,
    0x6d36_7ecf_27cb_09b7,
    0x4f46_3f66_9e5f_ea2d,
    0x7527_bac7_ebe5_f17b,
    0x3d07_39f7_8a52_92ea,
    0x6bfb_5fb1_1f8d_5d08,
    0x5603_3046_fc7b_6bab,
    0xf0cf_bc20_9af4_361d,
];
/// π/2 as the sum of three `f64`.
const HALF_PI: [f64; 3] = [std::f64::consts::FRAC_PI_2, 6.123233995736766e-17, -1.4973849048591698e-33];

/// r, what rounding it lost, and n mod 4 with x = n π/2 + r, |r| ≤ π/4; for finite x ≥ 2²⁰.
///
/// x = M 2ᵉ with an integer M below 2⁵³, so of 2/π only 192 bits matter: those before would give multiples of 4, those
/// after less than 2⁻¹³⁷, and no `f64` lies within 2⁻⁶² of a multiple of π/2 (M. Payne, R. Hanek, "Radian reduction for
/// trigonometric functions", ACM SIGNUM 18, 1983).
pub(super) fn reduce_large(x: f64) -> (f64, f64, u32) {
    let bits = x.to_bits();
    let mantissa = u128::from((bits & 0x000f_ffff_ffff_ffff) | 0x0010_0000_0000_0000);
    let exponent = (bits >> 52) as usize; // biased, with M's 52 fraction bits: e = exponent - 1075
    let first = exponent + 62 - 1075;
    let word = |i: usize| -> u128 {
        let (at, shift) = (first / 64 + i, first % 64);
        let pair = (u128::from(TWO_OVER_PI[at]) << 64) | u128::from(TWO_OVER_PI[at + 1]);
        u128::from((pair >> (64 - shift)) as u64)
    };
    // The low 192 bits of M times the three words: two bits of n, then the fraction.
    let low = mantissa * word(2);
    let middle = mantissa * word(1) + (low >> 64);
    let high = (mantissa * word(0)).wrapping_add(middle >> 64);
    let product = (u128::from(high as u64) << 64) | u128::from(middle as u64);
    let fraction = (product << 2) | u128::from(low as u64 >> 62);
    let round_up = fraction >> 127;
    let n = (product >> 126) as u32 + round_up as u32;
    let (sign, magnitude) = if round_up == 1 { (-1.0, fraction.wrapping_neg()) } else { (1.0, fraction) };

    let zeros = magnitude.leading_zeros();
    let normalised = magnitude << zeros;
    let scale = sign * f64::from_bits(u64::from(1023 - zeros) << 52);
    let head = (normalised >> 75) as f64 * (scale * EXP2_MINUS_53);
    let tail = ((normalised >> 22) & ((1 << 53) - 1)) as f64 * (scale * EXP2_MINUS_53 * EXP2_MINUS_53);
    let r = head * HALF_PI[0];
    let lost = head.mul_add(HALF_PI[0], -r) + head.mul_add(HALF_PI[1], tail * HALF_PI[0]);
    let sum = r + lost;
    (sum, (r - sum) + lost, n)
}

const EXP2_MINUS_53: f64 = 1.0 / 9_007_199_254_740_992.0;

/// Up to here the three pieces of π/2 are enough.
const BOUND: f64 = 1_048_576.0;
/// 1.5·2⁵², at which one unit in the last place is 1.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// As [`reduce_large`], for 0 ≤ x ≤ [`BOUND`].
#[inline(always)]
fn reduce_bounded(x: f64) -> (f64, f64, u32) {
    let shifted = x.mul_add(std::f64::consts::FRAC_2_PI, ROUND);
    let n = shifted - ROUND;
    let head = n.mul_add(-HALF_PI[0], x);
    let second = n * -HALF_PI[1];
    let second_lost = n.mul_add(-HALF_PI[1], -second);
    // The sum and its error whichever is larger (D. E. Knuth, "The Art of Computer Programming", volume 2, 4.2.2).
    let r = head + second;
    let part = r - head;
    let lost = (head - (r - part)) + (second - part);
    (r, n.mul_add(-HALF_PI[2], lost + second_lost), shifted.to_bits() as u32)
}

/// (sin r − r) / r³ in r² for |r| ≤ 0.79, relative to sin r within 2⁻⁶³.
const SIN: [f64; 7] = [
    -0.16666666666666666,
    0.008333333333333044,
    -0.00019841269840966338,
    2.7557319076870762e-6,
    -2.5052071878549496e-8,
    1.6054456322749992e-10,
    -7.397655951226477e-13,
];
/// (cos r − 1 + r²/2) / r⁴ in r² for |r| ≤ 0.79, relative to cos r within 2⁻⁶⁸.
const COS: [f64; 7] = [
    0.041666666666666664,
    -0.0013888888888888393,
    2.4801587301187912e-5,
    -2.755731906493826e-7,
    2.0876723203328472e-9,
    -1.1467020751018814e-11,
    4.600786146201688e-14,
];

/// sin(r + lost + quadrant π/2).
#[inline(always)]
fn sin_of(r: f64, lost: f64, quadrant: u32) -> f64 {
    let z = r * r;
    let sin = r + (r * z).mul_add(polynomial_f64(z, SIN), lost);
    let half = 0.5 * z;
    let head = 1.0 - half;
    let cos = head + ((1.0 - head - half) + (z * z).mul_add(polynomial_f64(z, COS), -r * lost));
    let value = if quadrant & 1 == 0 { sin } else { cos };
    if quadrant & 2 == 0 { value } else { -value }
}

#[inline(always)]
fn reduce(x: f64) -> (f64, f64, u32) {
    if x > BOUND && x.is_finite() { reduce_large(x) } else { reduce_bounded(x) }
}

/// Sine of any x; NaN for infinities. Largest error seen 0.76 ulp. Odd to the bit.
#[inline(always)]
pub fn sin_f64(x: f64) -> f64 {
    let (r, lost, quadrant) = reduce(x.abs());
    let sin = sin_of(r, lost, quadrant);
    f64::from_bits(sin.to_bits() ^ (x.to_bits() & 0x8000_0000_0000_0000))
}

/// Cosine of any x; NaN for infinities. Largest error seen 0.76 ulp. Even to the bit.
#[inline(always)]
pub fn cos_f64(x: f64) -> f64 {
    let (r, lost, quadrant) = reduce(x.abs());
    sin_of(r, lost, quadrant.wrapping_add(1))
}
