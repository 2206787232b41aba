//! Conversions between `f32` and the 16-bit floats, on bits. Rounding is to nearest even; a NaN stays a NaN of the
//! same sign and leading payload bits, made quiet.

const F32_SIGN: u32 = 0x8000_0000;
const F32_INFINITY: u32 = 0x7f80_0000;
/// Bits of 2⁻¹⁴, the smallest normal `f16`.
const F16_MIN_NORMAL: u32 = 0x3880_0000;
/// Difference of the two exponent biases, 127 − 15, in place.
const F16_REBIAS: u32 = 112 << 23;

/// The value of an IEEE binary16. Exact.
#[inline(always)]
pub fn f16_to_f32(h: u16) -> f32 {
    let h = u32::from(h);
    let magnitude = (h & 0x7fff) << 13;
    // A subnormal m·2⁻²⁴ is read as 2⁻¹⁴ + m·2⁻²⁴, which is normal, and 2⁻¹⁴ taken off again.
    let subnormal = (f32::from_bits(magnitude + F16_MIN_NORMAL) - f32::from_bits(F16_MIN_NORMAL)).to_bits();
    let quiet = if magnitude > 0x7c00 << 13 { 0x0040_0000 } else { 0 };
    let special = magnitude | F32_INFINITY | quiet;
    let normal = magnitude + F16_REBIAS;
    let bits = if magnitude < 0x0400 << 13 { subnormal } else { normal };
    let bits = if magnitude >= 0x7c00 << 13 { special } else { bits };
    f32::from_bits(bits | ((h & 0x8000) << 16))
}

/// The nearest IEEE binary16, ties to even; 65520 and above become infinity, and small values subnormals.
#[inline(always)]
pub fn f32_to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let magnitude = bits & !F32_SIGN;
    // Below 2⁻¹⁴ the unit of 0.5 is that of the result, 2⁻²⁴, so the addition rounds.
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let odd = (magnitude >> 13) & 1;
    let normal = magnitude.wrapping_sub(F16_REBIAS).wrapping_add(0x0fff + odd) >> 13;
    let nan = 0x7e00 | ((magnitude >> 13) & 0x03ff);
    let half = if magnitude < F16_MIN_NORMAL { subnormal } else { normal };
    let half = if magnitude >= 65536f32.to_bits() { 0x7c00 } else { half };
    let half = if magnitude > F32_INFINITY { nan } else { half };
    (half | ((bits & F32_SIGN) >> 16)) as u16
}

/// The value of a bfloat16. Exact.
#[inline(always)]
pub fn bf16_to_f32(b: u16) -> f32 {
    let bits = u32::from(b) << 16;
    let quiet = if bits & !F32_SIGN > F32_INFINITY { 0x0040_0000 } else { 0 };
    f32::from_bits(bits | quiet)
}

/// The nearest bfloat16, ties to even; overflow rounds to infinity.
#[inline(always)]
pub fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let odd = (bits >> 16) & 1;
    let rounded = bits.wrapping_add(0x7fff + odd) >> 16;
    let nan = (bits >> 16) | 0x0040;
    (if bits & !F32_SIGN > F32_INFINITY { nan } else { rounded }) as u16
}
