//! Where finished elements of C go.

use super::Matrix;
use super::kernels::Element;

/// A finished part of C, still in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Tile<T> {
    /// The pool's worker that holds the tile; may index the epilogue's scratch memory.
    pub worker: usize,
    /// Which product of the batch.
    pub batch: usize,
    /// The row of C at which the tile begins.
    pub row: usize,
    /// The column of C at which the tile begins.
    pub column: usize,
    /// Number of rows, at least 1.
    pub rows: usize,
    /// Number of columns, at least 1.
    pub columns: usize,
    /// Element `(i, j)` of the tile is at `values + i * stride + j`; the epilogue may overwrite it.
    pub values: *mut T,
    /// Elements from row to row.
    pub stride: usize,
}

/// Takes the finished elements of C, tile by tile, from several threads: bias, activation, store, optimizer update.
pub trait Epilogue<T>: Sync {
    /// Takes one tile. Every element of C comes exactly once; the order of tiles is not fixed.
    fn finish(&self, tile: &Tile<T>);
}

/// What becomes of the product.
#[derive(Clone, Copy)]
pub enum Output<'a, T> {
    /// It is written to C.
    Store {
        /// `[m, n]`; distinct elements do not overlap.
        c: Matrix<*mut T>,
        /// Adds to what C holds.
        accumulate: bool,
    },
    /// It is handed to an epilogue.
    Finish(&'a dyn Epilogue<T>),
}

impl<T: Element> Output<'_, T> {
    /// C, when tiles can be computed in place: rows are contiguous.
    pub(super) fn in_place(&self) -> Option<(Matrix<*mut T>, bool)> {
        match *self {
            Output::Store { c, accumulate } if c.column == 1 => Some((c, accumulate)),
            Output::Store { .. } | Output::Finish(_) => None,
        }
    }

    /// Hands over a tile that was computed elsewhere, C's old values included (see [`Output::fetch`]).
    ///
    /// # Safety
    /// The tile is readable, C is writable, and no other thread touches this part of it.
    pub(super) unsafe fn deliver(&self, tile: &Tile<T>) {
        match *self {
            Output::Finish(epilogue) => epilogue.finish(tile),
            // SAFETY: the elements lie in the tile and in C.
            Output::Store { c, .. } => tile.each(c, |value, to| unsafe { *to = *value }),
        }
    }

    /// Fills a tile that will be computed elsewhere with what the product is added to; whether there is such.
    ///
    /// # Safety
    /// The tile is writable, C is readable, and no other thread touches this part of it.
    pub(super) unsafe fn fetch(&self, tile: &Tile<T>) -> bool {
        match *self {
            Output::Store { c, accumulate: true } => {
                // SAFETY: the elements lie in the tile and in C.
                tile.each(c, |value, from| unsafe { *value = *from });
                true
            }
            Output::Store { .. } | Output::Finish(_) => false,
        }
    }
}

impl<T> Tile<T> {
    /// Visits each element of the tile together with its place in C.
    fn each(&self, c: Matrix<*mut T>, visit: impl Fn(*mut T, *mut T)) {
        let c_data = c.data.wrapping_offset(
            self.batch as isize * c.batch + self.row as isize * c.row + self.column as isize * c.column,
        );
        for i in 0..self.rows {
            for j in 0..self.columns {
                let place = c_data.wrapping_offset(i as isize * c.row + j as isize * c.column);
                visit(self.values.wrapping_add(i * self.stride + j), place);
            }
        }
    }
}
