//! Vectors of AVX-512 and of AVX2 with FMA.

use std::arch::x86_64::*;

use super::simd::Simd;

/// Lane numbers for `exchange` by a two-source permute: lanes of the second source follow those of the first.
macro_rules! exchange_lanes {
    ($index:ty, $lanes:literal, $width:expr, $offset:expr) => {
        const {
            let mut lanes = [0; $lanes];
            let mut i = 0;
            while i < $lanes {
                let source = if i & $width == 0 { i } else { i - $width + $lanes };
                lanes[i] = (source + $offset) as $index;
                i += 1;
            }
            lanes
        }
    };
}

macro_rules! avx512 {
    ($vector:ty, $scalar:ty, $lanes:literal, $mask:ty, $index:ty,
     $zero:ident, $splat:ident, $load:ident, $load_masked:ident, $store:ident, $store_masked:ident,
     $add:ident, $mul_add:ident, $permute:ident) => {
        impl Simd for $vector {
            type Scalar = $scalar;
            type Mask = $mask;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn splat(value: $scalar) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn first(lanes: usize) -> $mask {
                if lanes >= $lanes { <$mask>::MAX } else { (1 << lanes) - 1 }
            }
            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                // SAFETY: the caller has the instruction set and gives a whole readable vector.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn load_masked(from: *const $scalar, mask: $mask) -> Self {
                // SAFETY: the caller has the instruction set and gives readable lanes.
                unsafe { $load_masked(mask, from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller has the instruction set and gives a whole writable vector.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn store_masked(self, to: *mut $scalar, mask: $mask) {
                // SAFETY: the caller has the instruction set and gives writable lanes.
                unsafe { $store_masked(to, mask, self) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $mul_add(self, factor, term) }
            }
            #[inline(always)]
            unsafe fn exchange<const WIDTH: usize>(self, other: Self) -> (Self, Self) {
                let first: [$index; $lanes] = exchange_lanes!($index, $lanes, WIDTH, 0);
                let second: [$index; $lanes] = exchange_lanes!($index, $lanes, WIDTH, WIDTH);
                // SAFETY: the caller has the instruction set; the arrays are as large as the register.
                unsafe {
                    let (first, second) = (
                        _mm512_loadu_si512(first.as_ptr().cast()),
                        _mm512_loadu_si512(second.as_ptr().cast()),
                    );
                    ($permute(self, first, other), $permute(self, second, other))
                }
            }
        }
    };
}

avx512!(
    __m512,
    f32,
    16,
    __mmask16,
    i32,
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_maskz_loadu_ps,
    _mm512_storeu_ps,
    _mm512_mask_storeu_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps,
    _mm512_permutex2var_ps
);
avx512!(
    __m512d,
    f64,
    8,
    __mmask8,
    i64,
    _mm512_setzero_pd,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_maskz_loadu_pd,
    _mm512_storeu_pd,
    _mm512_mask_storeu_pd,
    _mm512_add_pd,
    _mm512_fmadd_pd,
    _mm512_permutex2var_pd
);

macro_rules! avx2 {
    ($vector:ty, $scalar:ty, $lanes:literal, $index:ty,
     $zero:ident, $splat:ident, $load:ident, $load_masked:ident, $store:ident, $store_masked:ident,
     $add:ident, $mul_add:ident, $exchange:ident) => {
        impl Simd for $vector {
            type Scalar = $scalar;
            type Mask = __m256i;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn splat(value: $scalar) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn first(lanes: usize) -> __m256i {
                let mask: [$index; $lanes] = std::array::from_fn(|lane| if lane < lanes { -1 } else { 0 });
                // SAFETY: the caller has the instruction set; the array is as large as the register.
                unsafe { _mm256_loadu_si256(mask.as_ptr().cast()) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                // SAFETY: the caller has the instruction set and gives a whole readable vector.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn load_masked(from: *const $scalar, mask: __m256i) -> Self {
                // SAFETY: the caller has the instruction set and gives readable lanes.
                unsafe { $load_masked(from, mask) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller has the instruction set and gives a whole writable vector.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn store_masked(self, to: *mut $scalar, mask: __m256i) {
                // SAFETY: the caller has the instruction set and gives writable lanes.
                unsafe { $store_masked(to, mask, self) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $mul_add(self, factor, term) }
            }
            #[inline(always)]
            unsafe fn exchange<const WIDTH: usize>(self, other: Self) -> (Self, Self) {
                // SAFETY: the caller has the instruction set.
                unsafe { $exchange::<WIDTH>(self, other) }
            }
        }
    };
}

avx2!(
    __m256,
    f32,
    8,
    i32,
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_maskload_ps,
    _mm256_storeu_ps,
    _mm256_maskstore_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps,
    exchange_f32x8
);
avx2!(
    __m256d,
    f64,
    4,
    i64,
    _mm256_setzero_pd,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_maskload_pd,
    _mm256_storeu_pd,
    _mm256_maskstore_pd,
    _mm256_add_pd,
    _mm256_fmadd_pd,
    exchange_f64x4
);

/// # Safety
/// Needs AVX2.
#[inline(always)]
unsafe fn exchange_f32x8<const WIDTH: usize>(a: __m256, b: __m256) -> (__m256, __m256) {
    // SAFETY: the caller has AVX2.
    unsafe {
        match WIDTH {
            4 => (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b)),
            2 => {
                let (low, high) = exchange_f64x4::<1>(_mm256_castps_pd(a), _mm256_castps_pd(b));
                (_mm256_castpd_ps(low), _mm256_castpd_ps(high))
            }
            _ => (
                _mm256_blend_ps::<0xAA>(a, _mm256_moveldup_ps(b)),
                _mm256_blend_ps::<0xAA>(_mm256_movehdup_ps(a), b),
            ),
        }
    }
}

/// # Safety
/// Needs AVX2.
#[inline(always)]
unsafe fn exchange_f64x4<const WIDTH: usize>(a: __m256d, b: __m256d) -> (__m256d, __m256d) {
    // SAFETY: the caller has AVX2.
    unsafe {
        match WIDTH {
            2 => (_mm256_permute2f128_pd::<0x20>(a, b), _mm256_permute2f128_pd::<0x31>(a, b)),
            _ => (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)),
        }
    }
}
