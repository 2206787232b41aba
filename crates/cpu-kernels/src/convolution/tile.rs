//! The micro-kernel: a tile of results that lives in registers while the terms run.

use crate::gemm::simd::{Simd, prefetch_near};

/// Most rows of a tile: with a pointer for each, the general registers are full.
pub(super) const MOST_ROWS: usize = 7;

/// One tile: result `(i, j)` is the sum over the terms k of `a[i][a_offsets[k]] * b[b_offsets[k] + j]`.
pub(super) struct TileCall<T> {
    /// Number of terms.
    pub terms: usize,
    /// Where each row's factors are counted from.
    pub a: [*const T; MOST_ROWS],
    /// Elements from there to the factor of each term.
    pub a_offsets: *const isize,
    pub b: *const T,
    /// Elements from `b` to the columns of each term.
    pub b_offsets: *const isize,
    /// Result `(i, j)` goes to `c + i * c_row + j`.
    pub c: *mut T,
    pub c_row: isize,
    /// Columns in the last vector of a row, 1 to the number of lanes.
    pub last: usize,
    /// Adds to what `c` holds instead of replacing it.
    pub accumulate: bool,
}

/// Computes a tile of `R` rows and `V` vectors: for every element one chain of multiply-adds from zero.
///
/// # Safety
/// Needs the instruction set of `S`; for every term the factors of the first `R` rows and the columns are readable; the
/// tile at `c` is writable and no other thread touches it.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const R: usize, const V: usize>(call: &TileCall<S::Scalar>) {
    // SAFETY: what is read and written is what the caller vouches for; columns beyond `last` are masked off.
    unsafe {
        let mask = S::first(call.last);
        for i in 0..R {
            for j in 0..V {
                prefetch_near(call.c.wrapping_offset(i as isize * call.c_row).wrapping_add(j * S::LANES));
            }
        }
        let mut sums = [[S::zero(); V]; R];
        let rows: [*const S::Scalar; R] = std::array::from_fn(|i| call.a[i]);
        for k in 0..call.terms {
            let b = call.b.offset(*call.b_offsets.add(k));
            let a_offset = *call.a_offsets.add(k);
            let mut columns = [S::zero(); V];
            for j in 0..V - 1 {
                columns[j] = S::load(b.add(j * S::LANES));
            }
            columns[V - 1] = S::load_masked(b.add((V - 1) * S::LANES), mask);
            for i in 0..R {
                let factor = S::splat(*rows[i].offset(a_offset));
                for j in 0..V {
                    sums[i][j] = factor.mul_add(columns[j], sums[i][j]);
                }
            }
        }
        for i in 0..R {
            let row = call.c.offset(i as isize * call.c_row);
            for j in 0..V {
                let to = row.add(j * S::LANES);
                let mask = if j + 1 == V { mask } else { S::first(S::LANES) };
                let sum = if call.accumulate { S::load_masked(to, mask).add(sums[i][j]) } else { sums[i][j] };
                sum.store_masked(to, mask);
            }
        }
    }
}
