//! Sine and cosine in `f32`: x = n π/2 + r, |r| ≤ π/4, then a polynomial chosen by n mod 4 (W. J. Cody, W. Waite,
//! "Software Manual for the Elementary Functions", 1980, chapter 8). The `bounded` forms vectorise; the others add
//! the exact reduction of `trig_f64` for large arguments and agree with them to the bit.

use super::polynomial_f32;
use super::trig_f64::reduce_large;

/// The bounded forms hold for magnitudes up to this; beyond, a slice needs [`sin_f32`] and [`cos_f32`].
pub const TRIG_BOUND_F32: f32 = 1_048_576.0;

/// 1.5·2²³, at which one unit in the last place is 1.
const ROUND_F32: f32 = 12_582_912.0;
/// π/2 as the sum of three `f32`.
const HALF_PI_F32: [f32; 3] = [1.570_796_4, -4.371_139e-8, -1.715_124_5e-15];
/// (sin r − r) / r³ in r² for |r| ≤ 0.83, relative to sin r within 2⁻³².
const SIN_F32: [f32; 4] = [-0.16666667, 0.008333374, -0.00019850174, 2.7984356e-6];
/// (cos r − 1 + r²/2) / r⁴ in r² for |r| ≤ 0.83, relative to cos r within 2⁻³⁶.
const COS_F32: [f32; 4] = [0.041666668, -0.0013888968, 2.481694e-5, -2.8350317e-7];

/// r as a head and a tail, and n mod 4 in the low bits; for 0 ≤ x ≤ [`TRIG_BOUND_F32`].
///
/// Each n·πᵢ enters a fused multiply-add unrounded, and the first difference is exact. At the bound 2 x / π is off by
/// up to 2⁻⁵, so |r| reaches 0.83.
#[inline(always)]
fn reduce_bounded(x: f32) -> (f32, f32, u32) {
    let shifted = x.mul_add(std::f32::consts::FRAC_2_PI, ROUND_F32);
    let n = shifted - ROUND_F32;
    let [first, second, third] = HALF_PI_F32;
    let head = n.mul_add(-first, x);
    (n.mul_add(-second, head), n * -third, shifted.to_bits())
}

/// sin(r + tail + quadrant π/2).
#[inline(always)]
fn sin_of(r: f32, tail: f32, quadrant: u32) -> f32 {
    let z = r * r;
    let sin = r + (r * z).mul_add(polynomial_f32(z, SIN_F32), tail);
    let cos = z.mul_add(z.mul_add(polynomial_f32(z, COS_F32), -0.5), 1.0);
    let value = if quadrant & 1 == 0 { sin } else { cos };
    f32::from_bits(value.to_bits() ^ ((quadrant & 2) << 30))
}

/// Sine for |x| ≤ [`TRIG_BOUND_F32`]; NaN for NaN and infinities, nothing useful in between. Largest error
/// 1.494 ulp. Odd to the bit.
#[inline(always)]
pub fn sin_bounded_f32(x: f32) -> f32 {
    let (r, tail, quadrant) = reduce_bounded(x.abs());
    let sin = sin_of(r, tail, quadrant);
    f32::from_bits(sin.to_bits() ^ (x.to_bits() & 0x8000_0000))
}

/// Cosine for |x| ≤ [`TRIG_BOUND_F32`]; NaN for NaN and infinities, nothing useful in between. Largest error
/// 1.486 ulp. Even to the bit.
#[inline(always)]
pub fn cos_bounded_f32(x: f32) -> f32 {
    let (r, tail, quadrant) = reduce_bounded(x.abs());
    sin_of(r, tail, quadrant.wrapping_add(1))
}

#[inline(always)]
fn is_large(x: f32) -> bool {
    x.abs() > TRIG_BOUND_F32 && x.is_finite()
}

#[cold]
fn sin_large(x: f32, quadrant: u32) -> f32 {
    let (r, tail, n) = reduce_large(f64::from(x));
    let head = r as f32;
    sin_of(head, ((r - f64::from(head)) + tail) as f32, n.wrapping_add(quadrant))
}

/// Sine of any x; NaN for infinities. Largest error 1.494 ulp. Branches on the magnitude, so loops over it stay
/// scalar: where a whole slice is within [`TRIG_BOUND_F32`], call [`sin_bounded_f32`].
#[inline(always)]
pub fn sin_f32(x: f32) -> f32 {
    if is_large(x) { sin_large(x.abs(), 0) * x.signum() } else { sin_bounded_f32(x) }
}

/// Cosine of any x; NaN for infinities. Largest error 1.486 ulp. Branches on the magnitude, so loops over it stay
/// scalar: where a whole slice is within [`TRIG_BOUND_F32`], call [`cos_bounded_f32`].
#[inline(always)]
pub fn cos_f32(x: f32) -> f32 {
    if is_large(x) { sin_large(x.abs(), 1) } else { cos_bounded_f32(x) }
}
