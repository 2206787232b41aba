//! Runs a product with a vector: m or n is 1.

use super::drive::{Scratch, Team};
use super::kernels::{Element, FEW_ROWS, VECTOR_CHUNK};
use super::matvec::MatvecCall;
use super::output::{Output, Tile};
use super::plan::Gemm;
use super::{Matrix, Right};

/// Elements of the result that one task computes.
const CHUNK: usize = VECTOR_CHUNK;

/// One product seen as `result[i] = Σ_p matrix[i, p] · vector[p]`.
struct Product<'a, T: 'static> {
    gemm: &'a Gemm<T>,
    output: &'a Output<'a, T>,
    batch: usize,
    matrix: *const T,
    row: isize,
    term: isize,
    vector: *const T,
    step: isize,
    rows: usize,
}

// SAFETY: the pointers are operands that `Gemm::run`'s caller lends to every thread for the length of the run.
unsafe impl<T: Sync> Sync for Product<'_, T> {}

impl<T: Element> Gemm<T> {
    /// Computes product `batch`.
    ///
    /// # Safety
    /// As for [`Gemm::run`].
    pub(super) unsafe fn run_vector(
        &self,
        team: &Team<'_>,
        a: Matrix<*const T>,
        b: Right<T>,
        output: &Output<'_, T>,
        batch: usize,
    ) {
        let Right::Strided(b) = b else { panic!("a product with a vector takes no packed operand") };
        let a_data = a.data.wrapping_offset(batch as isize * a.batch);
        let b_data = b.data.wrapping_offset(batch as isize * b.batch);
        let (matrix, row, term, vector, step, rows) = if self.shape.n == 1 {
            (a_data, a.row, a.column, b_data, b.row, self.shape.m)
        } else {
            (b_data, b.column, b.row, a_data, a.column, self.shape.n)
        };
        let product = Product { gemm: self, output, batch, matrix, row, term, vector, step, rows };
        // SAFETY: tasks cover disjoint elements of the result.
        team.run(rows.div_ceil(CHUNK), &|chunk, place| unsafe { product.chunk(chunk * CHUNK, place.worker) });
    }
}

impl<T: Element> Product<'_, T> {
    /// Computes up to `CHUNK` elements from `first` on.
    unsafe fn chunk(&self, first: usize, worker: usize) {
        let kernels = self.gemm.kernels;
        let count = (self.rows - first).min(CHUNK);
        let mut results = Scratch::<T, CHUNK>::new();
        let in_place = self.in_place(first);
        let to = in_place.unwrap_or(results.data());
        let mut done = 0;
        while done < count {
            let left = count - done;
            let (kernel, rows) = if self.row == 1 {
                (kernels.along_rows, left)
            } else if self.term != 1 || self.step != 1 {
                (kernels.any_strides, left)
            } else if left >= kernels.lanes {
                (kernels.along_lanes_rows, kernels.lanes)
            } else if left >= FEW_ROWS {
                (kernels.along_few_rows, FEW_ROWS)
            } else {
                (kernels.along_one_row, 1)
            };
            let call = MatvecCall {
                matrix: self.matrix.wrapping_offset((first + done) as isize * self.row),
                row: self.row,
                term: self.term,
                vector: self.vector,
                step: self.step,
                k: self.gemm.shape.k,
                rows,
                to: to.wrapping_add(done),
            };
            // SAFETY: the rows exist, and there is room for them.
            unsafe { kernel(&call) };
            done += rows;
        }
        if in_place.is_some() {
            return;
        }
        let tile = Tile {
            worker,
            batch: self.batch,
            row: 0,
            column: 0,
            rows: 1,
            columns: 1,
            values: results.data(),
            stride: 1,
        };
        let tile = if self.gemm.shape.n == 1 {
            Tile { row: first, rows: count, ..tile }
        } else {
            Tile { column: first, columns: count, stride: count, ..tile }
        };
        let mut old = Scratch::<T, CHUNK>::new();
        // SAFETY: both buffers hold the tile; no other task has these elements.
        unsafe {
            if self.output.fetch(&Tile { values: old.data(), ..tile }) {
                for i in 0..count {
                    let result = results.data().add(i);
                    *result = *old.data().add(i) + *result;
                }
            }
        }
        // SAFETY: `results` holds the tile; no other task has these elements.
        unsafe { self.output.deliver(&tile) };
    }

    /// Where element `first` goes in C, when results can be written there one next to the other.
    fn in_place(&self, first: usize) -> Option<*mut T> {
        match *self.output {
            Output::Store { c, accumulate: false } => {
                let step = if self.gemm.shape.n == 1 { c.row } else { c.column };
                let offset = self.batch as isize * c.batch + first as isize;
                (step == 1).then(|| c.data.wrapping_offset(offset))
            }
            Output::Store { .. } | Output::Finish(_) => None,
        }
    }
}
