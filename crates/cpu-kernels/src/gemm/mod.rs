//! Matrix products: `C[m, n] (+)= A[m, k] · B[k, n]` for `f32` and `f64` with any strides.
//!
//! A [`Gemm`] is made once per shape and run many times; it allocates nothing. The blocked product packs panels of A
//! and strips of B for a register tile (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
//! 2008). Finished tiles go to C, or to an [`Epilogue`] while they are still in the cache.
//!
//! **Order of summation.** It depends on the shape and the instruction set alone, never on strides, packing, threads,
//! tiling or batch. For m and n above 1: k is cut into equal blocks; each block is one chain of multiply-adds from
//! zero; the block sums are added in order (onto C's old value when accumulating). For m or n equal to 1: see
//! `matvec.rs`. The multiply-add is fused on AVX-512, AVX2 and AArch64, and rounds twice on the x86-64 baseline.
//!
//! The files in the order of use: `plan` cuts a shape into blocks, `drive` runs the blocks, `strips` packs B for it,
//! `vector` runs products with a vector, `output` hands over tiles, `kernels` is the table of the kernels in `tile`,
//! `pack` and `matvec`, which are written in the vectors of `simd` and `x86`.

mod drive;
mod kernels;
mod matvec;
mod output;
pub(crate) mod pack;
mod plan;
pub(crate) mod simd;
mod strips;
mod tile;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use kernels::Element;
pub use output::{Epilogue, Output, Tile};
pub use plan::{Gemm, Shape};

/// A matrix, or one for each product of a batch, somewhere in memory. Strides are in elements and may be zero or
/// negative.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<P> {
    /// Element `(0, 0)` of the first matrix.
    pub data: P,
    /// From one row to the next.
    pub row: isize,
    /// From one column to the next.
    pub column: isize,
    /// From one product of the batch to the next.
    pub batch: isize,
}

impl<P> Matrix<P> {
    /// A single matrix, or one that all products of a batch share.
    pub fn new(data: P, row: isize, column: isize) -> Matrix<P> {
        Matrix { data, row, column, batch: 0 }
    }

    /// The same with a stride from product to product.
    pub fn batched(self, batch: isize) -> Matrix<P> {
        Matrix { batch, ..self }
    }
}

/// The right operand.
#[derive(Clone, Copy, Debug)]
pub enum Right<T> {
    /// `[k, n]` in memory.
    Strided(Matrix<*const T>),
    /// What [`Gemm::pack_b`] wrote.
    Packed {
        /// The first packed matrix.
        data: *const T,
        /// Elements from one product of the batch to the next: 0 or [`Gemm::packed_b_elements`].
        batch: isize,
    },
}
