//! The micro-kernel: a tile of C that lives in registers while k runs.

use std::hint::black_box;

use super::simd::{Simd, prefetch_far, prefetch_near};

/// Most rows of a tile, a multiple of 4.
const MOST_ROWS: usize = 16;

/// Terms from one prefetch to the next with packed A: few enough requests that the operands' own are not held up.
pub(super) const PREFETCH_EVERY: usize = 4;

/// One tile of C: `[rows, columns]` from `k` terms. Strides are in elements.
pub(super) struct TileCall<T> {
    /// Number of terms.
    pub k: usize,
    /// A: element `(i, p)` at `a + i * a_row + p * a_k`.
    pub a: *const T,
    pub a_row: isize,
    pub a_k: isize,
    /// B: element `(p, j)` at `b + p * b_k + j`.
    pub b: *const T,
    pub b_k: isize,
    /// Where a copying kernel puts the rows of B it reads, one whole row of vectors after the other.
    pub b_copy: *mut T,
    /// C: element `(i, j)` at `c + i * c_row + j`.
    pub c: *mut T,
    pub c_row: isize,
    /// Memory that will be read soon: the cache lines of `ahead`, `ahead + ahead_k` and so on, one for every
    /// `PREFETCH_EVERY` terms (packed A only).
    pub ahead: *const T,
    pub ahead_k: isize,
    /// Columns in the last vector of a row, 1 to the number of lanes.
    pub last: usize,
    /// Adds to C instead of replacing it.
    pub accumulate: bool,
}

/// Computes a tile of `R` rows and `C` vectors: for every element one chain of multiply-adds over k from zero.
///
/// With `PACKED`, A is a packed panel: `a_row` is 1 and `a_k` is `R`. With `COPY` too, B is packed in passing: the
/// stores cost nothing beside the multiply-adds, a pass over B of its own would.
///
/// # Safety
/// Needs the instruction set of `S`; the operands of `call` are readable, its tile of C and, with `COPY`, `k` rows of
/// `C` vectors at `b_copy` are writable, and no other thread touches those.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const R: usize, const C: usize, const PACKED: bool, const COPY: bool>(
    call: &TileCall<S::Scalar>,
) {
    // SAFETY: pointers stay inside the operands the caller vouches for; columns beyond `last` are masked off, and the
    // steps past the last term are only computed, never followed.
    unsafe {
        let mask = S::first(call.last);
        for i in 0..R {
            for j in 0..C {
                prefetch_near(call.c.wrapping_offset(i as isize * call.c_row).wrapping_add(j * S::LANES));
            }
        }
        let sums =
            if PACKED { sum_packed::<S, R, C, COPY>(call, mask) } else { sum_strided::<S, R, C>(call, mask) };
        for i in 0..R {
            let row = call.c.offset(i as isize * call.c_row);
            for j in 0..C {
                let to = row.add(j * S::LANES);
                let mask = if j + 1 == C { mask } else { S::first(S::LANES) };
                let sum = if call.accumulate { S::load_masked(to, mask).add(sums[i][j]) } else { sums[i][j] };
                sum.store_masked(to, mask);
            }
        }
    }
}

/// The sums where A is a packed panel. Several terms a round: what counts rounds and moves pointers takes slots of
/// the multiply-add units.
#[inline(always)]
unsafe fn sum_packed<S: Simd, const R: usize, const C: usize, const COPY: bool>(
    call: &TileCall<S::Scalar>,
    mask: S::Mask,
) -> [[S; C]; R] {
    // SAFETY: as for `tile`.
    unsafe {
        let mut sums = [[S::zero(); C]; R];
        let (mut a, mut b, mut b_copy, mut ahead) = (call.a, call.b, call.b_copy, call.ahead);
        let mut next = |sums: &mut [[S; C]; R]| {
            let columns = load_columns::<S, C>(b, mask);
            add_term(sums, |i| a.add(i), columns);
            if COPY {
                for j in 0..C {
                    columns[j].store(b_copy.add(j * S::LANES));
                }
                b_copy = b_copy.add(C * S::LANES);
            }
            a = a.wrapping_add(R);
            b = b.wrapping_offset(call.b_k);
        };
        for _ in 0..call.k / PREFETCH_EVERY {
            prefetch_far(ahead);
            ahead = ahead.wrapping_offset(call.ahead_k);
            for _ in 0..PREFETCH_EVERY {
                next(&mut sums);
            }
        }
        for _ in 0..call.k % PREFETCH_EVERY {
            next(&mut sums);
        }
        sums
    }
}

/// The sums where A has any strides.
#[inline(always)]
unsafe fn sum_strided<S: Simd, const R: usize, const C: usize>(
    call: &TileCall<S::Scalar>,
    mask: S::Mask,
) -> [[S; C]; R] {
    // SAFETY: as for `tile`.
    unsafe {
        let mut sums = [[S::zero(); C]; R];
        // Rows are addressed from every fourth one. `black_box` keeps the compiler from deriving each row's address
        // from the row before it, a chain of additions as long as the multiply-adds take.
        let (row_1, row_3) = (call.a_row, black_box(3 * call.a_row));
        let mut a: [*const S::Scalar; MOST_ROWS / 4] =
            std::array::from_fn(|i| black_box(call.a.wrapping_offset(4 * i as isize * row_1)));
        let rows = [0, row_1, 2 * row_1, row_3];
        let mut b = call.b;
        for _ in 0..call.k {
            add_term(&mut sums, |i| a[i / 4].offset(rows[i % 4]), load_columns::<S, C>(b, mask));
            for group in &mut a[..R.div_ceil(4)] {
                *group = group.wrapping_offset(call.a_k);
            }
            b = b.wrapping_offset(call.b_k);
        }
        sums
    }
}

/// One row of B.
#[inline(always)]
unsafe fn load_columns<S: Simd, const C: usize>(b: *const S::Scalar, mask: S::Mask) -> [S; C] {
    // SAFETY: as for `tile`.
    unsafe {
        let mut columns = [S::zero(); C];
        for j in 0..C - 1 {
            columns[j] = S::load(b.add(j * S::LANES));
        }
        columns[C - 1] = S::load_masked(b.add((C - 1) * S::LANES), mask);
        columns
    }
}

/// Adds one term to every sum; `a` gives the place of each row's element.
#[inline(always)]
unsafe fn add_term<S: Simd, const R: usize, const C: usize>(
    sums: &mut [[S; C]; R],
    a: impl Fn(usize) -> *const S::Scalar,
    columns: [S; C],
) {
    for i in 0..R {
        // SAFETY: as for `tile`.
        unsafe {
            let factor = S::splat(*a(i));
            for j in 0..C {
                sums[i][j] = factor.mul_add(columns[j], sums[i][j]);
            }
        }
    }
}
