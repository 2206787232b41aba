//! Elementary functions whose bits depend on nothing but their argument.
//!
//! Every function is a scalar, select-only, always-inlined expression. A plain loop over one, compiled inside a
//! `#[target_feature]` function, becomes vector code of that width: `"avx512f,avx512dq,avx512vl,avx512bw,fma"`,
//! `"avx2,fma"` or the baseline all work and all give the same bits, because fusing is explicit (`mul_add`) and the
//! compiler contracts nothing by itself. A target without FMA calls libm's exact `fma` instead: same bits, slowly.
//! The exceptions to "select-only" say so: [`sin_f32`], [`cos_f32`] and the `f64` sine and cosine branch on the
//! magnitude, [`erf_f64`] reads a table.
//!
//! The rounding mode must be to nearest even and subnormals must not be flushed, as Rust itself assumes.
//!
//! Errors are in units in the last place of the result (ulp), with the exact result as reference. For a function of
//! one `f32` they are maxima over every `f32`; for the others, maxima seen over some 90 000 random arguments against
//! 60-digit arithmetic.
//! Polynomials are minimax fits by the Remez exchange, the coefficients rounded from the lowest up with the
//! rest refitted after each rounding (Brisebarre, Muller, Tisserand, "Computing machine-efficient polynomial
//! approximations", ACM TOMS 32(2), 2006, compare such roundings).

mod convert;
mod erf;
mod exp;
mod log;
mod pow;
mod round;
mod tanh;
mod trig;
mod trig_f64;

pub use convert::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
pub use erf::{erf_f32, erf_f64};
pub use exp::{exp_f32, exp_f64};
pub use log::{log_f32, log_f64};
pub use pow::{pow_f32, pow_f64};
pub use round::{floor_f32, floor_f64, round_half_even_f32, round_half_even_f64};
pub use tanh::{tanh_f32, tanh_f64};
pub use trig::{TRIG_BOUND_F32, cos_bounded_f32, cos_f32, sin_bounded_f32, sin_f32};
pub use trig_f64::{cos_f64, sin_f64};

/// `coefficients[0] + coefficients[1] x + …` by Horner's rule, each step fused.
#[inline(always)]
fn polynomial_f32<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum.mul_add(x, coefficients[i]);
    }
    sum
}

/// `coefficients[0] + coefficients[1] x + …` by Horner's rule, each step fused.
#[inline(always)]
fn polynomial_f64<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum.mul_add(x, coefficients[i]);
    }
    sum
}
