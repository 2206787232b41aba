//! The scalar instructions as functions of one lane. Lanes are f32, f64, i32 or u32; a bool is a u32 of 0 or 1.

use warploom_cpu_kernels::math;

/// A function of up to three lanes; unused operands repeat the first.
pub(super) trait Function {
    /// First operand.
    type A: Copy + Default;
    /// Second operand.
    type B: Copy + Default;
    /// Third operand.
    type C: Copy + Default;
    /// Result.
    type R: Copy + Default;
    /// The value for one lane.
    fn apply(a: Self::A, b: Self::B, c: Self::C) -> Self::R;
}

macro_rules! function {
    ($Name:ident($a:ident: $A:ty) -> $R:ty $body:block) => {
        function!($Name($a: $A, _b: $A, _c: $A) -> $R $body);
    };
    ($Name:ident($a:ident: $A:ty, $b:ident: $B:ty) -> $R:ty $body:block) => {
        function!($Name($a: $A, $b: $B, _c: $A) -> $R $body);
    };
    ($Name:ident($a:ident: $A:ty, $b:ident: $B:ty, $c:ident: $C:ty) -> $R:ty $body:block) => {
        pub(in crate::tile) struct $Name;
        impl Function for $Name {
            type A = $A;
            type B = $B;
            type C = $C;
            type R = $R;
            #[inline(always)]
            fn apply($a: $A, $b: $B, $c: $C) -> $R $body
        }
    };
}

macro_rules! floats {
    ($module:ident, $T:ident, $exp:ident $log:ident $tanh:ident $erf:ident $sin:ident $cos:ident $pow:ident) => {
        #[doc = concat!("On ", stringify!($T), ".")]
        pub(super) mod $module {
            use super::*;
            function!(Less(a: $T, b: $T) -> u32 { (a < b) as u32 });
            function!(LessEqual(a: $T, b: $T) -> u32 { (a <= b) as u32 });
            function!(Equal(a: $T, b: $T) -> u32 { (a == b) as u32 });
            function!(Select(a: u32, b: $T, c: $T) -> $T { if a != 0 { b } else { c } });
            function!(ToBool(a: $T) -> u32 { (a != 0.0) as u32 });
            function!(Add(a: $T, b: $T) -> $T { a + b });
            function!(Sub(a: $T, b: $T) -> $T { a - b });
            function!(Mul(a: $T, b: $T) -> $T { a * b });
            function!(Div(a: $T, b: $T) -> $T { a / b });
            function!(Rem(a: $T, b: $T) -> $T { a % b });
            function!(Pow(a: $T, b: $T) -> $T { math::$pow(a, b) });
            function!(Min(a: $T, b: $T) -> $T {
                let smaller = if a < b { a } else { b };
                if a.is_nan() { a } else { smaller }
            });
            function!(Max(a: $T, b: $T) -> $T {
                let larger = if a > b { a } else { b };
                if a.is_nan() { a } else { larger }
            });
            function!(MulAdd(a: $T, b: $T, c: $T) -> $T { a.mul_add(b, c) });
            function!(Neg(a: $T) -> $T { -a });
            function!(Abs(a: $T) -> $T { a.abs() });
            function!(Floor(a: $T) -> $T { a.floor() });
            function!(Round(a: $T) -> $T { a.round_ties_even() });
            function!(Sqrt(a: $T) -> $T { a.sqrt() });
            function!(Exp(a: $T) -> $T { math::$exp(a) });
            function!(Log(a: $T) -> $T { math::$log(a) });
            function!(Tanh(a: $T) -> $T { math::$tanh(a) });
            function!(Erf(a: $T) -> $T { math::$erf(a) });
            function!(Sin(a: $T) -> $T { math::$sin(a) });
            function!(Cos(a: $T) -> $T { math::$cos(a) });
            // Selects around an unchecked conversion: what the saturating `as` means, in a form that becomes vectors.
            function!(ToI32(a: $T) -> i32 {
                let inside = a > -2_147_483_649.0 && a < 2_147_483_648.0;
                // SAFETY: the operand is replaced by zero where its whole part is no i32.
                let whole = unsafe { (if inside { a } else { 0.0 }).to_int_unchecked::<i32>() };
                let limit = if a > 0.0 { i32::MAX } else if a < 0.0 { i32::MIN } else { 0 };
                if inside { whole } else { limit }
            });
            function!(ToU32(a: $T) -> u32 { a as u32 });
            function!(ToU8(a: $T) -> u32 {
                let low = if a > 0.0 { a } else { 0.0 };
                let inside = if low < 255.0 { low } else { 255.0 };
                // SAFETY: the operand is in 0..=255.
                unsafe { inside.to_int_unchecked::<i32>() as u32 }
            });
        }
    };
}
floats!(float, f32, exp_f32 log_f32 tanh_f32 erf_f32 sin_f32 cos_f32 pow_f32);
floats!(double, f64, exp_f64 log_f64 tanh_f64 erf_f64 sin_f64 cos_f64 pow_f64);

/// What differs between the two types of whole numbers.
macro_rules! integers {
    ($module:ident, $T:ident) => {
        #[doc = concat!("On ", stringify!($T), ".")]
        pub(super) mod $module {
            use super::*;
            function!(Less(a: $T, b: $T) -> u32 { (a < b) as u32 });
            function!(LessEqual(a: $T, b: $T) -> u32 { (a <= b) as u32 });
            function!(Div(a: $T, b: $T) -> $T { if b == 0 { 0 } else { a.wrapping_div(b) } });
            function!(Rem(a: $T, b: $T) -> $T { if b == 0 { 0 } else { a.wrapping_rem(b) } });
            function!(Min(a: $T, b: $T) -> $T { if a < b { a } else { b } });
            function!(Max(a: $T, b: $T) -> $T { if a > b { a } else { b } });
            function!(ToF32(a: $T) -> f32 { a as f32 });
            function!(ToF16(a: $T) -> f32 { narrow::RoundF16::apply(a as f32, 0.0, 0.0) });
            function!(ToBf16(a: $T) -> f32 { narrow::RoundBf16::apply(a as f32, 0.0, 0.0) });
            function!(ToF64(a: $T) -> f64 { a as f64 });
        }
    };
}
integers!(signed, i32);
integers!(unsigned, u32);

/// What whole numbers of both types share: their bits are those of u32.
pub(super) mod bits {
    use super::*;
    function!(Copy(a: u32) -> u32 { a });
    function!(Equal(a: u32, b: u32) -> u32 { (a == b) as u32 });
    function!(Select(a: u32, b: u32, c: u32) -> u32 { if a != 0 { b } else { c } });
    function!(ToBool(a: u32) -> u32 { (a != 0) as u32 });
    function!(ToU8(a: u32) -> u32 { a & 0xff });
    function!(Add(a: u32, b: u32) -> u32 { a.wrapping_add(b) });
    function!(Sub(a: u32, b: u32) -> u32 { a.wrapping_sub(b) });
    function!(Mul(a: u32, b: u32) -> u32 { a.wrapping_mul(b) });
    function!(Neg(a: u32) -> u32 { a.wrapping_neg() });
    function!(And(a: u32, b: u32) -> u32 { a & b });
    function!(Or(a: u32, b: u32) -> u32 { a | b });
    function!(Xor(a: u32, b: u32) -> u32 { a ^ b });
    function!(ShiftLeft(a: u32, b: u32) -> u32 { if b < 32 { a.wrapping_shl(b) } else { 0 } });
    function!(ShiftRight(a: u32, b: u32) -> u32 { if b < 32 { a.wrapping_shr(b) } else { 0 } });
}

/// What only one type of lanes has.
pub(super) mod special {
    use super::*;
    function!(AbsI32(a: i32) -> i32 { a.wrapping_abs() });
    function!(SinBounded(a: f32) -> f32 { math::sin_bounded_f32(a) });
    function!(CosBounded(a: f32) -> f32 { math::cos_bounded_f32(a) });
    function!(CopyF64(a: f64) -> f64 { a });
    function!(F32ToF64(a: f32) -> f64 { f64::from(a) });
    function!(F64ToF32(a: f64) -> f32 { a as f32 });
    function!(F64ToF16(a: f64) -> f32 { narrow::RoundF16::apply(a as f32, 0.0, 0.0) });
    function!(F64ToBf16(a: f64) -> f32 { narrow::RoundBf16::apply(a as f32, 0.0, 0.0) });
}

/// Between lanes and narrower storage.
pub(super) mod narrow {
    use super::*;
    function!(FromF16(a: u16) -> f32 { math::f16_to_f32(a) });
    function!(FromBf16(a: u16) -> f32 { math::bf16_to_f32(a) });
    function!(FromU8(a: u8) -> u32 { u32::from(a) });
    function!(FromBool(a: u8) -> u32 { (a != 0) as u32 });
    function!(IntoF16(a: f32) -> u16 { math::f32_to_f16(a) });
    function!(IntoBf16(a: f32) -> u16 { math::f32_to_bf16(a) });
    function!(IntoU8(a: u32) -> u8 { a as u8 });
    function!(RoundF16(a: f32) -> f32 { math::f16_to_f32(math::f32_to_f16(a)) });
    function!(RoundBf16(a: f32) -> f32 { math::bf16_to_f32(math::f32_to_bf16(a)) });
}
