//! Strips of B: read in place, or packed by the worker that uses them, the next one while the present one is in use.

use super::Right;
use super::drive::Block;
use super::kernels::Element;
use super::pack::PackCall;
use super::plan::STRIP_HEADER_BYTES;
use super::simd::prefetch_near;
use super::tile::{ROWS_AHEAD, Rows};

/// Column and term of a packed strip.
type Name = (usize, usize);
const NO_STRIP: Name = (usize::MAX, usize::MAX);

/// One strip of B as a tile kernel reads it.
pub(super) struct Strip<T> {
    pub data: *const T,
    /// From one term to the next.
    pub row: isize,
}

/// A strip of B that is packed while another is used.
pub(super) struct Next<T> {
    from: *const T,
    /// From one term to the next.
    row: isize,
    to: *mut T,
    width: usize,
    terms: usize,
    /// Terms packed so far.
    done: usize,
    /// Where to write down which strip it is.
    name: *mut Name,
    column: usize,
}

impl<T> Next<T> {
    /// The next `rows` rows for a kernel to pack; at the end some for the second time.
    pub(super) fn take(&mut self, rows: usize) -> Option<Rows<T>> {
        if self.done == self.terms || rows == 0 {
            return None;
        }
        let first = self.done.min(self.terms - rows);
        self.done = first + rows;
        Some(Rows {
            from: self.from.wrapping_offset(first as isize * self.row),
            row: self.row,
            to: self.to.wrapping_add(first * self.width),
        })
    }
}

impl<T: Element> Block<'_, T> {
    /// Forgets the strips that a worker packed.
    ///
    /// # Safety
    /// The worker runs no task.
    pub(super) unsafe fn forget_strips(&self, slot: usize) {
        // SAFETY: the header is a part of the workspace that only this worker's tasks use.
        unsafe { self.header(slot).write([NO_STRIP; 2]) };
    }

    /// `count` columns of B, packed or in place.
    ///
    /// # Safety
    /// The columns lie in B, and the caller is the worker of `slot`.
    pub(super) unsafe fn right(&self, column: usize, count: usize, slot: usize) -> Strip<T> {
        let width = count.next_multiple_of(self.gemm.kernels.lanes) as isize;
        let b = match self.b {
            Right::Packed { data, .. } => {
                let data = data.wrapping_add(self.gemm.packed_offset(self.term, self.terms, column));
                return Strip { data, row: width };
            }
            Right::Strided(b) => b,
        };
        if !self.pack_b {
            let offset = self.term as isize * b.row + column as isize * b.column;
            return Strip { data: b.data.wrapping_offset(offset), row: b.row };
        }
        // SAFETY: this part of the workspace belongs to this worker.
        let names = unsafe { &mut *self.header(slot) };
        let wanted = (column, self.term);
        let known = names.iter().position(|name| *name == wanted);
        let to = self.half(slot, known.unwrap_or(0));
        if known.is_none() {
            names[0] = wanted;
            // SAFETY: the strip lies inside B, and `to` belongs to this worker.
            unsafe { self.gemm.pack_strip(b, column, count, self.term, self.terms, to) };
        }
        Strip { data: to, row: width }
    }

    /// The header of a worker's packed strips: which they are.
    fn header(&self, slot: usize) -> *mut [Name; 2] {
        self.packed_b.wrapping_add(slot * self.packed_b_per_worker).cast()
    }

    /// One of a worker's two packed strips.
    fn half(&self, slot: usize, half: usize) -> *mut T {
        let strips = self.header(slot).cast::<u8>().wrapping_add(STRIP_HEADER_BYTES);
        strips.cast::<T>().wrapping_add(half * self.gemm.packed_strip_elements())
    }

    /// The strip that this worker will most likely need next, if it can be packed in passing, beside the one at `used`.
    pub(super) fn next(&self, inside: usize, slot: usize, used: *const T) -> Option<Next<T>> {
        let Right::Strided(b) = self.b else { return None };
        let is_full = inside + self.gemm.strip() <= self.columns;
        if !self.pack_b || self.packed_a.is_null() || b.column != 1 || !is_full {
            return None;
        }
        let column = self.column + inside;
        let half = usize::from(self.half(slot, 0).cast_const() == used);
        let from = b.data.wrapping_offset(self.term as isize * b.row + column as isize);
        for row in 0..ROWS_AHEAD.min(self.terms) {
            for line in (0..self.gemm.strip()).step_by(self.gemm.kernels.lanes) {
                prefetch_near(from.wrapping_offset(row as isize * b.row).wrapping_add(line));
            }
        }
        let name = self.header(slot).cast::<Name>().wrapping_add(half);
        Some(Next {
            from,
            row: b.row,
            to: self.half(slot, half),
            width: self.gemm.strip(),
            terms: self.terms,
            done: 0,
            name,
            column,
        })
    }

    /// Packs what is left of the next strip, unless nothing of it has been packed.
    ///
    /// # Safety
    /// The caller is the worker that got `next`, and has packed what it took.
    pub(super) unsafe fn finish(&self, next: Next<T>) {
        if next.done == 0 {
            return;
        }
        let call = PackCall {
            from: next.from.wrapping_offset(next.done as isize * next.row),
            line: 1,
            term: next.row,
            count: next.width,
            k: next.terms - next.done,
            to: next.to.wrapping_add(next.done * next.width),
            width: next.width,
        };
        // SAFETY: the strip lies inside B, and the packed strip belongs to the calling worker.
        unsafe {
            (self.gemm.kernels.pack)(&call);
            next.name.write((next.column, self.term));
        }
    }
}
