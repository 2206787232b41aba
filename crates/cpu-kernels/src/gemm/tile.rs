//! The micro-kernel: a tile of C that lives in registers while k runs.

use std::hint::black_box;

use super::simd::{Simd, prefetch_near};

/// Most rows of a tile, a multiple of 4.
const MOST_ROWS: usize = 16;

/// Terms in a round of the packed kernels: what counts rounds and moves pointers takes slots of the multiply-add units.
pub(super) const ROUND: usize = 4;
/// Rows between the one that a copying kernel copies and the one it asks for: the latency of the last cache in rounds.
pub(super) const ROWS_AHEAD: usize = 8;

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
    /// C: element `(i, j)` at `c + i * c_row + j`.
    pub c: *mut T,
    pub c_row: isize,
    /// What a copying kernel packs in passing, one row in each round.
    pub next: Rows<T>,
    /// Columns in the last vector of a row, 1 to the number of lanes.
    pub last: usize,
    /// Adds to C instead of replacing it.
    pub accumulate: bool,
}

/// Rows of whole vectors of B: they lie from `from` on, `row` elements apart, and go to `to`, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Rows<T> {
    pub from: *const T,
    pub row: isize,
    pub to: *mut T,
}

/// Computes a tile of `R` rows and `C` vectors: for every element one chain of multiply-adds over k from zero.
///
/// With `PACKED`, A is a packed panel: `a_row` is 1 and `a_k` is `R`. With `COPY` too, the columns are whole vectors, and
/// `k / ROUND` rows of the next strip of B are packed in passing: the few loads and stores of a round cost nothing beside
/// its multiply-adds, and the rows come from a far cache without anybody waiting.
///
/// # Safety
/// Needs the instruction set of `S`; the operands of `call` are readable, its tile of C and, with `COPY`, the rows at
/// `next.to` are writable, and no other thread touches those.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const R: usize, const C: usize, const PACKED: bool, const COPY: bool>(
    call: &TileCall<S::Scalar>,
) {
    // SAFETY: pointers stay inside the operands the caller vouches for; columns beyond `last` are masked off.
    unsafe {
        // Masked loads occupy the multiply-add units, so whole vectors have a loop of their own.
        let sums = match (PACKED, COPY || call.last == S::LANES) {
            (true, true) => sum_packed::<S, R, C, COPY, true>(call),
            (true, false) => sum_packed::<S, R, C, COPY, false>(call),
            (false, true) => sum_strided::<S, R, C, true>(call),
            (false, false) => sum_strided::<S, R, C, false>(call),
        };
        let mask = S::first(call.last);
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

/// Asks for row `i` of the tile of C.
#[inline(always)]
fn prefetch_row<S: Simd, const C: usize>(call: &TileCall<S::Scalar>, i: usize) {
    for j in 0..C {
        prefetch_near(call.c.wrapping_offset(i as isize * call.c_row).wrapping_add(j * S::LANES));
    }
}

/// How far a packed kernel has come.
struct Sweep<T> {
    a: *const T,
    b: *const T,
    next: Rows<T>,
}

/// The sums where A is a packed panel.
#[inline(always)]
unsafe fn sum_packed<S: Simd, const R: usize, const C: usize, const COPY: bool, const FULL: bool>(
    call: &TileCall<S::Scalar>,
) -> [[S; C]; R] {
    // SAFETY: as for `tile`; the steps past the last term are only computed, never followed.
    unsafe {
        let mut sums = [[S::zero(); C]; R];
        let mut sweep = Sweep { a: call.a, b: call.b, next: call.next };
        let rounds = call.k / ROUND;
        // The rows of C are asked for one by one: all at once they would hold up the operands.
        (rounds..R).for_each(|i| prefetch_row::<S, C>(call, i));
        for i in 0..rounds.min(R) {
            prefetch_row::<S, C>(call, i);
            round::<S, R, C, COPY, FULL>(&mut sums, &mut sweep, call);
        }
        for _ in R..rounds {
            round::<S, R, C, COPY, FULL>(&mut sums, &mut sweep, call);
        }
        for _ in 0..call.k % ROUND {
            packed_term::<S, R, C, FULL>(&mut sums, &mut sweep, call);
        }
        sums
    }
}

/// The terms of a round, and a row of the next strip.
#[inline(always)]
unsafe fn round<S: Simd, const R: usize, const C: usize, const COPY: bool, const FULL: bool>(
    sums: &mut [[S; C]; R],
    sweep: &mut Sweep<S::Scalar>,
    call: &TileCall<S::Scalar>,
) {
    // SAFETY: as for `tile`.
    unsafe {
        if COPY {
            let Rows { from, row, to } = &mut sweep.next;
            let ahead = from.wrapping_offset(ROWS_AHEAD as isize * *row);
            for j in 0..C {
                prefetch_near(ahead.wrapping_add(j * S::LANES));
                S::load(from.add(j * S::LANES)).store(to.add(j * S::LANES));
            }
            *from = from.wrapping_offset(*row);
            *to = to.wrapping_add(C * S::LANES);
        }
        for _ in 0..ROUND {
            packed_term::<S, R, C, FULL>(sums, sweep, call);
        }
    }
}

#[inline(always)]
unsafe fn packed_term<S: Simd, const R: usize, const C: usize, const FULL: bool>(
    sums: &mut [[S; C]; R],
    sweep: &mut Sweep<S::Scalar>,
    call: &TileCall<S::Scalar>,
) {
    // SAFETY: as for `tile`.
    unsafe {
        add_term(sums, |i| sweep.a.add(i), load_columns::<S, C, FULL>(sweep.b, call.last));
        sweep.a = sweep.a.wrapping_add(R);
        sweep.b = sweep.b.wrapping_offset(call.b_k);
    }
}

/// The sums where A has any strides.
#[inline(always)]
unsafe fn sum_strided<S: Simd, const R: usize, const C: usize, const FULL: bool>(
    call: &TileCall<S::Scalar>,
) -> [[S; C]; R] {
    // SAFETY: as for `tile`.
    unsafe {
        (0..R).for_each(|i| prefetch_row::<S, C>(call, i));
        let mut sums = [[S::zero(); C]; R];
        // Rows are addressed from every fourth one. `black_box` keeps the compiler from deriving each row's address
        // from the row before it, a chain of additions as long as the multiply-adds take.
        let (row_1, row_3) = (call.a_row, black_box(3 * call.a_row));
        let mut a: [*const S::Scalar; MOST_ROWS / 4] =
            std::array::from_fn(|i| black_box(call.a.wrapping_offset(4 * i as isize * row_1)));
        let rows = [0, row_1, 2 * row_1, row_3];
        let mut b = call.b;
        for _ in 0..call.k {
            add_term(&mut sums, |i| a[i / 4].offset(rows[i % 4]), load_columns::<S, C, FULL>(b, call.last));
            for group in &mut a[..R.div_ceil(4)] {
                *group = group.wrapping_offset(call.a_k);
            }
            b = b.wrapping_offset(call.b_k);
        }
        sums
    }
}

/// One row of B, `last` columns of it in the last vector; all with `FULL`.
#[inline(always)]
unsafe fn load_columns<S: Simd, const C: usize, const FULL: bool>(
    b: *const S::Scalar,
    last: usize,
) -> [S; C] {
    // SAFETY: as for `tile`.
    unsafe {
        let mut columns = [S::zero(); C];
        for j in 0..C - 1 {
            columns[j] = S::load(b.add(j * S::LANES));
        }
        let end = b.add((C - 1) * S::LANES);
        columns[C - 1] = if FULL { S::load(end) } else { S::load_masked(end, S::first(last)) };
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
