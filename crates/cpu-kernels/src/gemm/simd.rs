//! One vector register: the few operations the kernels are written in.

use std::ops::{Add, Mul};

/// A vector of `LANES` scalars.
///
/// # Safety
/// Every function needs the instruction set of the implementing type; loads and stores need that many valid elements
/// (no alignment). All are inlined into kernels that enable the set, see `kernels.rs`.
pub(crate) trait Simd: Copy + 'static {
    /// The element type.
    type Scalar: Copy + Default + Add<Output = Self::Scalar> + Mul<Output = Self::Scalar> + 'static;
    /// Names the first lanes of a vector.
    type Mask: Copy;
    /// Elements in one vector.
    const LANES: usize;

    /// All lanes zero.
    unsafe fn zero() -> Self;
    /// All lanes `value`.
    unsafe fn splat(value: Self::Scalar) -> Self;
    /// The first `lanes` lanes; all when `lanes` is larger.
    unsafe fn first(lanes: usize) -> Self::Mask;
    /// Reads all lanes.
    unsafe fn load(from: *const Self::Scalar) -> Self;
    /// Reads the lanes of the mask; the others are zero and their memory is not touched.
    unsafe fn load_masked(from: *const Self::Scalar, mask: Self::Mask) -> Self;
    /// Writes all lanes.
    unsafe fn store(self, to: *mut Self::Scalar);
    /// Writes the lanes of the mask; the memory of the others is not touched.
    unsafe fn store_masked(self, to: *mut Self::Scalar, mask: Self::Mask);
    /// Lane by lane sum.
    unsafe fn add(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once where the instruction set has a fused multiply-add.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    /// Swaps blocks of `WIDTH` lanes across the diagonal: the first result takes, of each pair of neighbouring blocks,
    /// the first block of `self` then the first of `other`; the second result takes the second blocks.
    unsafe fn exchange<const WIDTH: usize>(self, other: Self) -> (Self, Self);
}

/// Asks for the cache line of `at`, which need not be valid memory, into the nearest cache.
#[inline(always)]
pub(crate) fn prefetch_near<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, and SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Transposes a block of `L` vectors of `L` lanes.
///
/// # Safety
/// Needs the instruction set of `S`; `L` is `S::LANES`.
#[inline(always)]
pub(crate) unsafe fn transpose<S: Simd, const L: usize>(rows: &mut [S; L]) {
    // SAFETY: the caller has the instruction set; the widths are below L.
    unsafe {
        if L == 16 {
            exchange_rows::<S, L, 8>(rows);
        }
        if L >= 8 {
            exchange_rows::<S, L, 4>(rows);
        }
        exchange_rows::<S, L, 2>(rows);
        exchange_rows::<S, L, 1>(rows);
    }
}

#[inline(always)]
unsafe fn exchange_rows<S: Simd, const L: usize, const WIDTH: usize>(rows: &mut [S; L]) {
    for i in 0..L {
        if i & WIDTH == 0 {
            // SAFETY: the caller has the instruction set.
            (rows[i], rows[i + WIDTH]) = unsafe { rows[i].exchange::<WIDTH>(rows[i + WIDTH]) };
        }
    }
}

/// Sums each of `L` vectors: lane `i` of the result is the sum of `rows[i]`, folded in halves.
///
/// # Safety
/// Needs the instruction set of `S`; `L` is `S::LANES`.
#[inline(always)]
pub(crate) unsafe fn sum_each<S: Simd, const L: usize>(mut rows: [S; L]) -> S {
    // SAFETY: the caller has the instruction set; the widths are below L.
    unsafe {
        if L == 16 {
            fold_rows::<S, L, 8>(&mut rows);
        }
        if L >= 8 {
            fold_rows::<S, L, 4>(&mut rows);
        }
        fold_rows::<S, L, 2>(&mut rows);
        fold_rows::<S, L, 1>(&mut rows);
    }
    rows[0]
}

#[inline(always)]
unsafe fn fold_rows<S: Simd, const L: usize, const WIDTH: usize>(rows: &mut [S; L]) {
    for i in 0..WIDTH {
        // SAFETY: the caller has the instruction set.
        rows[i] = unsafe {
            let (low, high) = rows[i].exchange::<WIDTH>(rows[i + WIDTH]);
            low.add(high)
        };
    }
}

/// Sums `L` vectors lane by lane in the order of [`sum_each`].
///
/// # Safety
/// Needs the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn sum_all<S: Simd, const L: usize>(mut rows: [S; L]) -> S {
    let mut width = L / 2;
    while width > 0 {
        for i in 0..width {
            // SAFETY: the caller has the instruction set.
            rows[i] = unsafe { rows[i].add(rows[i + width]) };
        }
        width /= 2;
    }
    rows[0]
}

/// A vector as a plain array, which the compiler maps to the registers of the target's baseline.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<T>([T; 4]);

/// Whether the baseline of the target has a fused multiply-add; without one, `mul_add` would be a library call.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

macro_rules! portable {
    ($scalar:ty) => {
        impl Simd for Lanes<$scalar> {
            type Scalar = $scalar;
            type Mask = usize;
            const LANES: usize = 4;

            #[inline(always)]
            unsafe fn zero() -> Self {
                Lanes([0.0; 4])
            }
            #[inline(always)]
            unsafe fn splat(value: $scalar) -> Self {
                Lanes([value; 4])
            }
            #[inline(always)]
            unsafe fn first(lanes: usize) -> usize {
                lanes.min(4)
            }
            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                // SAFETY: the caller gives four readable elements.
                Lanes(unsafe { from.cast::<[$scalar; 4]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn load_masked(from: *const $scalar, mask: usize) -> Self {
                if mask == 4 {
                    // SAFETY: the caller gives as many readable elements as the mask has lanes.
                    return unsafe { Self::load(from) };
                }
                let mut lanes = [0.0; 4];
                for i in 0..mask {
                    // SAFETY: as above.
                    lanes[i] = unsafe { *from.add(i) };
                }
                Lanes(lanes)
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller gives four writable elements.
                unsafe { to.cast::<[$scalar; 4]>().write_unaligned(self.0) };
            }
            #[inline(always)]
            unsafe fn store_masked(self, to: *mut $scalar, mask: usize) {
                if mask == 4 {
                    // SAFETY: the caller gives as many writable elements as the mask has lanes.
                    return unsafe { self.store(to) };
                }
                for i in 0..mask {
                    // SAFETY: as above.
                    unsafe { *to.add(i) = self.0[i] };
                }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                Lanes(std::array::from_fn(|i| self.0[i] + other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                Lanes(std::array::from_fn(|i| {
                    if FUSED {
                        self.0[i].mul_add(factor.0[i], term.0[i])
                    } else {
                        self.0[i] * factor.0[i] + term.0[i]
                    }
                }))
            }
            #[inline(always)]
            unsafe fn exchange<const WIDTH: usize>(self, other: Self) -> (Self, Self) {
                let (a, b) = (self.0, other.0);
                if WIDTH == 2 {
                    (Lanes([a[0], a[1], b[0], b[1]]), Lanes([a[2], a[3], b[2], b[3]]))
                } else {
                    (Lanes([a[0], b[0], a[2], b[2]]), Lanes([a[1], b[1], a[3], b[3]]))
                }
            }
        }
    };
}

portable!(f32);
portable!(f64);
