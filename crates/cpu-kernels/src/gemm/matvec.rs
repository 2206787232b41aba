//! Kernels for a matrix times a vector. An element is the sum over `L` chains, chain `l` taking the terms
//! `l, l + L, l + 2L …`; the chains are folded in halves. The order is the same in all three kernels.

use std::mem::MaybeUninit;

use super::simd::{Simd, sum_all, sum_each};

/// Some elements of the product. Strides are in elements.
pub(super) struct MatvecCall<T> {
    /// Matrix: element `(i, p)` at `matrix + i * row + p * term`.
    pub matrix: *const T,
    pub row: isize,
    pub term: isize,
    /// Vector: element `p` at `vector + p * step`.
    pub vector: *const T,
    pub step: isize,
    /// Number of terms.
    pub k: usize,
    /// How many rows to compute, at least 1.
    pub rows: usize,
    /// Receives the results, one next to the other.
    pub to: *mut T,
}

/// `R` rows whose terms are neighbours in memory, as are the vector's (`term` and `step` are 1, `rows` is `R`).
///
/// # Safety
/// Needs the instruction set of `S`; `L` is `S::LANES`; the operands are readable and `to` writable.
#[inline(always)]
pub(super) unsafe fn along_terms<S: Simd, const L: usize, const R: usize>(call: &MatvecCall<S::Scalar>) {
    // SAFETY: `p` stays below `k`, the last partial vector is masked, and `R` rows exist.
    unsafe {
        let mut sums = [S::zero(); L];
        let mut p = 0;
        while p + L <= call.k {
            let x = S::load(call.vector.add(p));
            for i in 0..R {
                sums[i] = S::load(call.matrix.offset(i as isize * call.row).add(p)).mul_add(x, sums[i]);
            }
            p += L;
        }
        if p < call.k {
            let mask = S::first(call.k - p);
            let x = S::load_masked(call.vector.add(p), mask);
            for i in 0..R {
                sums[i] = S::load_masked(call.matrix.offset(i as isize * call.row).add(p), mask)
                    .mul_add(x, sums[i]);
            }
        }
        sum_each::<S, L>(sums).store_masked(call.to, S::first(R));
    }
}

/// Up to `V` vectors of rows that are neighbours in memory (`row` is 1).
///
/// Blocks of terms go over all vectors before the next block begins: a walk down one vector's column would touch a new
/// page every few terms.
///
/// # Safety
/// As for [`along_terms`]; `rows` is at most `V * L`.
#[inline(always)]
pub(super) unsafe fn along_rows<S: Simd, const L: usize, const V: usize>(call: &MatvecCall<S::Scalar>) {
    let mut kept = [const { MaybeUninit::<[S; L]>::uninit() }; V];
    let mut term = 0;
    loop {
        let terms = (call.k - term).min(BLOCK_TERMS);
        let last = term + terms == call.k;
        for v in 0..call.rows.div_ceil(L) {
            // SAFETY: the mask keeps to the rows that exist, terms stay below `k`, and every vector is kept by the first
            // block before the next reads it.
            unsafe {
                let mask = S::first(call.rows - v * L);
                let mut sums = if term == 0 { [S::zero(); L] } else { kept[v].assume_init() };
                add_terms::<S, L>(&mut sums, call, v * L, term, terms, mask);
                if last {
                    sum_all::<S, L>(sums).store_masked(call.to.add(v * L), mask);
                } else {
                    kept[v].write(sums);
                }
            }
        }
        if last {
            return;
        }
        term += terms;
    }
}

/// Terms in a block, a multiple of every vector length.
const BLOCK_TERMS: usize = 128;

/// Adds the terms `term..term + terms` of the rows from `row` on; `term` is a multiple of `L`.
#[inline(always)]
unsafe fn add_terms<S: Simd, const L: usize>(
    sums: &mut [S; L],
    call: &MatvecCall<S::Scalar>,
    row: usize,
    term: usize,
    terms: usize,
    mask: S::Mask,
) {
    // SAFETY: as for `along_rows`.
    unsafe {
        let mut matrix = call.matrix.wrapping_add(row).wrapping_offset(term as isize * call.term);
        let mut vector = call.vector.wrapping_offset(term as isize * call.step);
        for _ in 0..terms / L {
            for l in 0..L {
                sums[l] = S::load_masked(matrix, mask).mul_add(S::splat(*vector), sums[l]);
                matrix = matrix.wrapping_offset(call.term);
                vector = vector.wrapping_offset(call.step);
            }
        }
        if !terms.is_multiple_of(L) {
            for l in 0..L {
                if l < terms % L {
                    sums[l] = S::load_masked(matrix, mask).mul_add(S::splat(*vector), sums[l]);
                    matrix = matrix.wrapping_offset(call.term);
                    vector = vector.wrapping_offset(call.step);
                } else {
                    // The masked lanes of `along_terms`: adding zero turns a sum of -0 into +0.
                    sums[l] = S::zero().mul_add(S::zero(), sums[l]);
                }
            }
        }
    }
}

/// `rows` rows with any strides.
///
/// # Safety
/// As for [`along_terms`].
#[inline(always)]
pub(super) unsafe fn any_strides<S: Simd, const L: usize>(call: &MatvecCall<S::Scalar>) {
    for i in 0..call.rows {
        // SAFETY: only terms below `k` are read; the arrays hold a whole vector.
        unsafe {
            let row = call.matrix.offset(i as isize * call.row);
            let mut sums = [S::zero(); L];
            let mut p = 0;
            while p < call.k {
                let (mut a, mut x) = ([S::Scalar::default(); L], [S::Scalar::default(); L]);
                for l in 0..L.min(call.k - p) {
                    a[l] = *row.offset((p + l) as isize * call.term);
                    x[l] = *call.vector.offset((p + l) as isize * call.step);
                }
                sums[0] = S::load(a.as_ptr()).mul_add(S::load(x.as_ptr()), sums[0]);
                p += L;
            }
            sum_each::<S, L>(sums).store_masked(call.to.add(i), S::first(1));
        }
    }
}
