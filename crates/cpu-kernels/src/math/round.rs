//! Rounding to integers. These are one instruction each from SSE4.1 up and a libm call on the x86-64 baseline; the
//! results are exact either way.

/// Largest integer not above `x`; keeps the sign of zero. Exact.
#[inline(always)]
pub fn floor_f32(x: f32) -> f32 {
    x.floor()
}

/// Largest integer not above `x`; keeps the sign of zero. Exact.
#[inline(always)]
pub fn floor_f64(x: f64) -> f64 {
    x.floor()
}

/// Nearest integer, halves to the even one; keeps the sign of zero. Exact.
#[inline(always)]
pub fn round_half_even_f32(x: f32) -> f32 {
    x.round_ties_even()
}

/// Nearest integer, halves to the even one; keeps the sign of zero. Exact.
#[inline(always)]
pub fn round_half_even_f64(x: f64) -> f64 {
    x.round_ties_even()
}
