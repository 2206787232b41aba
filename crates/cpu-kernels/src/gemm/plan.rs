//! Cuts a product into blocks, by shape alone.

use std::fmt;

use super::kernels::{Element, Kernels, VECTORS};
use crate::isa::Isa;

/// Longest chain of multiply-adds, in bytes of one operand's line: a strip of B then stays in the nearer caches.
const CHAIN_BYTES: usize = 2048;
/// Each thread's part of packed A; a part of the L2 cache.
const PACKED_A_BYTES: usize = 512 << 10;
/// Each thread's part of the partial sums of one block of C, where k is longer than a chain and C itself cannot hold them.
const PARTIAL_BYTES: usize = 384 << 10;
/// Below this many operations (multiplications and additions) a product runs on the calling thread.
const PARALLEL_FLOPS: usize = 100_000;
/// A product with a vector moves as many bytes as it computes; it pays from more operations on.
const PARALLEL_VECTOR_FLOPS: usize = 60_000;
/// A batch is spread over threads product by product while one product's workspace stays below this.
const BATCH_WORKSPACE_BYTES: usize = 160 << 10;
/// Alignment of the workspace and of its parts.
const ALIGNMENT: usize = 64;

/// Before each worker's packed strips of B: which they are.
pub(super) const STRIP_HEADER_BYTES: usize = ALIGNMENT;

/// Extents of a product `C[m, n] = A[m, k] · B[k, n]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Columns of A, rows of B.
    pub k: usize,
}

/// How the work is spread over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// Not at all.
    Inline,
    /// Each product's tiles.
    Tiles,
    /// Whole products of the batch.
    Batch,
}

/// A matrix product (or a batch of them) planned for a shape. Pure data: cheap to keep, run by [`Gemm::run`].
#[derive(Clone)]
pub struct Gemm<T: 'static> {
    pub(super) kernels: &'static Kernels<T>,
    pub(super) shape: Shape,
    pub(super) batch: usize,
    pub(super) threads: usize,
    pub(super) split: Split,
    /// Length of the blocks of k; the last may be shorter.
    pub(super) k_block: usize,
    /// Rows of the blocks of C; the last may be shorter.
    pub(super) row_block: usize,
    /// Columns of the blocks of C where partial sums need the workspace.
    pub(super) partial_columns: usize,
}

/// Offsets into one product's workspace and its size, in bytes.
pub(super) struct Layout {
    pub packed_b: usize,
    pub packed_b_per_worker: usize,
    pub partial: usize,
    pub size: usize,
}

impl<T: Element> Gemm<T> {
    /// Plans `batch` products of `shape` for a pool of at most `threads` threads.
    pub fn new(shape: Shape, batch: usize, threads: usize) -> Gemm<T> {
        Gemm::with_isa(Isa::current(), shape, batch, threads)
    }

    /// As [`Gemm::new`], for a given instruction set.
    ///
    /// # Panics
    /// When the machine lacks the instruction set.
    pub fn with_isa(isa: Isa, shape: Shape, batch: usize, threads: usize) -> Gemm<T> {
        assert!(isa.is_available(), "this machine has no {}", isa.name());
        let kernels = T::kernels(isa);
        let size = size_of::<T>();
        let k_blocks = shape.k.div_ceil(CHAIN_BYTES / size).max(1);
        let k_block = shape.k.div_ceil(k_blocks).max(1);
        let threads = threads.max(1);
        let mut gemm = Gemm {
            kernels,
            shape,
            batch,
            threads,
            split: Split::Inline,
            k_block,
            row_block: 0,
            partial_columns: 0,
        };
        gemm.choose_blocks(1);
        gemm.split = gemm.choose_split();
        if gemm.split == Split::Tiles {
            gemm.choose_blocks(threads);
        }
        gemm
    }

    /// The blocks of C that `workers` threads compute together.
    fn choose_blocks(&mut self, workers: usize) {
        let (Shape { m, n, .. }, size) = (self.shape, size_of::<T>());
        let most_rows = (workers * PACKED_A_BYTES / size / self.k_block).max(1);
        self.row_block = m.div_ceil(m.div_ceil(most_rows).max(1)).max(1);
        let columns = workers * PARTIAL_BYTES / size / self.row_block / self.strip() * self.strip();
        self.partial_columns = columns.max(self.strip()).min(n.max(1));
    }

    fn choose_split(&self) -> Split {
        let Shape { m, n, k } = self.shape;
        let flops = 2usize.saturating_mul(m).saturating_mul(n).saturating_mul(k);
        let enough = if self.is_vector() { PARALLEL_VECTOR_FLOPS } else { PARALLEL_FLOPS };
        if self.threads == 1 || flops.saturating_mul(self.batch) < enough {
            Split::Inline
        } else if self.batch > 1 && (flops < enough || self.layout(1).size <= BATCH_WORKSPACE_BYTES) {
            Split::Batch
        } else {
            Split::Tiles
        }
    }

    /// Bytes of workspace that [`Gemm::run`] needs, whatever the strides: a function of shape, batch and threads.
    pub fn workspace_bytes(&self) -> usize {
        match self.split {
            Split::Inline => self.layout(1).size,
            Split::Tiles => self.layout(self.threads).size,
            Split::Batch => self.layout(1).size * self.threads,
        }
    }

    /// The workspace of one product computed by `workers` threads.
    pub(super) fn layout(&self, workers: usize) -> Layout {
        if self.is_vector() {
            return Layout { packed_b: 0, packed_b_per_worker: 0, partial: 0, size: 0 };
        }
        let bytes = |elements: usize| (elements * size_of::<T>()).next_multiple_of(ALIGNMENT);
        let packed_b = if self.may_pack_a() { bytes(self.row_block * self.k_block) } else { 0 };
        let packed_b_per_worker = STRIP_HEADER_BYTES + 2 * bytes(self.packed_strip_elements());
        let partial = packed_b + packed_b_per_worker * workers;
        let partial_size = if self.k_blocks() > 1 { bytes(self.row_block * self.partial_columns) } else { 0 };
        Layout { packed_b, packed_b_per_worker, partial, size: partial + partial_size }
    }

    /// Whether m or n is 1: no operand element is used twice, so nothing is packed.
    pub(super) fn is_vector(&self) -> bool {
        self.shape.m == 1 || self.shape.n == 1
    }

    /// Columns of a full strip of B.
    pub(super) fn strip(&self) -> usize {
        self.kernels.lanes * VECTORS
    }

    /// Elements from one packed strip of a worker to the other.
    pub(super) fn packed_strip_elements(&self) -> usize {
        (self.strip() * self.k_block).next_multiple_of(ALIGNMENT / size_of::<T>())
    }

    /// Blocks of k, at least one: an empty sum is a block of no terms.
    pub(super) fn k_blocks(&self) -> usize {
        self.shape.k.div_ceil(self.k_block).max(1)
    }

    /// Whether A is used by more than one strip of B.
    pub(super) fn may_pack_a(&self) -> bool {
        self.shape.n > self.strip()
    }

    /// Elements that [`Gemm::pack_b`] writes; `None` where a packed operand gains nothing (m or n is 1).
    pub fn packed_b_elements(&self) -> Option<usize> {
        (!self.is_vector()).then(|| self.shape.n.next_multiple_of(self.kernels.lanes) * self.shape.k)
    }
}

impl<T> fmt::Debug for Gemm<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gemm")
            .field("shape", &self.shape)
            .field("batch", &self.batch)
            .field("threads", &self.threads)
            .field("split", &self.split)
            .field("k_block", &self.k_block)
            .field("row_block", &self.row_block)
            .field("partial_columns", &self.partial_columns)
            .finish()
    }
}
