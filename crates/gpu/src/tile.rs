//! How a matrix product is cut: which part a workgroup computes, which part an invocation, and into how many parts the sums
//! are split.

use crate::limits::Limits;

/// Extents of a product: for each of `batch`, `rows` x `columns` sums of `terms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extents {
    pub batch: usize,
    pub rows: usize,
    pub columns: usize,
    pub terms: usize,
}

/// The part of a workgroup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tile {
    /// Rows and columns of the result.
    pub rows: u32,
    pub columns: u32,
    /// Terms that are held in shared memory at a time; `None` where invocations read operands themselves, for devices
    /// that keep shared memory where all other memory is and pay for every barrier.
    pub depth: Option<u32>,
    /// Rows and columns of one invocation, which it keeps in registers.
    pub own_rows: u32,
    pub own_columns: u32,
}

/// Devices that this many invocations fill run them one after another on a few cores.
const SOFTWARE: u32 = 4096;
/// Least terms of a part of split sums.
const SPLIT_TERMS: usize = 256;

impl Tile {
    /// By rule: the largest tile of which there are enough to fill the device and that is not mostly empty.
    pub(crate) fn choose(extents: Extents, limits: &Limits) -> Tile {
        let of = |rows, columns, depth, own_rows, own_columns| Tile {
            rows,
            columns,
            depth: Some(depth),
            own_rows,
            own_columns,
        };
        if limits.parallel <= SOFTWARE {
            let own_rows = if extents.rows > 4 { 4 } else { 1 };
            return Tile { rows: 4 * own_rows, columns: 32, depth: None, own_rows, own_columns: 4 };
        }
        let largest_first =
            [of(128, 128, 8, 8, 8), of(64, 64, 16, 4, 4), of(64, 32, 16, 4, 2), of(32, 32, 16, 2, 2)];
        let fits = |tile: &Tile| {
            tile.workgroup() <= limits.workgroup
                && tile.shared_bytes() <= limits.shared_bytes
                && extents.rows > tile.rows as usize / 2
                && extents.columns > tile.columns as usize / 2
                && tile.count(extents) * u64::from(tile.workgroup()) >= u64::from(limits.parallel)
        };
        largest_first.into_iter().find(fits).unwrap_or(of(16, 16, 16, 1, 1))
    }

    /// Invocations.
    pub(crate) fn workgroup(&self) -> u32 {
        self.rows / self.own_rows * (self.columns / self.own_columns)
    }

    /// Bytes of both operands in shared memory, rows and columns padded against bank conflicts.
    fn shared_bytes(&self) -> usize {
        (self.depth.unwrap_or(0) * (self.rows + self.columns + 2) * 4) as usize
    }

    /// Tiles along rows and columns.
    pub(crate) fn counts(&self, extents: Extents) -> [usize; 2] {
        [extents.rows.div_ceil(self.rows as usize), extents.columns.div_ceil(self.columns as usize)]
    }

    fn count(&self, extents: Extents) -> u64 {
        let [rows, columns] = self.counts(extents);
        (extents.batch * rows * columns) as u64
    }

    /// How many parts the sums are split into so that the device is full, and the terms of each part.
    pub(crate) fn splits(&self, extents: Extents, limits: &Limits) -> (usize, usize) {
        let running = self.count(extents).max(1) * u64::from(self.workgroup());
        let wanted = (u64::from(limits.parallel) / running) as usize;
        let splits = wanted.min(extents.terms / SPLIT_TERMS).max(1);
        let depth = self.depth.unwrap_or(1) as usize;
        let terms = extents.terms.div_ceil(splits).next_multiple_of(depth).max(1);
        (extents.terms.div_ceil(terms).max(1), terms)
    }
}

#[cfg(test)]
mod tests {
    use super::{Extents, Tile};
    use crate::Limits;

    fn limits(parallel: u32) -> Limits {
        Limits {
            workgroup: 256,
            groups: 65535,
            shared_bytes: 32768,
            arguments: 8,
            argument_bytes: 1 << 30,
            alignment: 256,
            parallel,
        }
    }

    /// The shapes with which the conformance suite runs every tile.
    #[test]
    fn tiles_follow_shapes() {
        let chosen = |parallel, rows, columns, terms| {
            let extents = Extents { batch: 1, rows, columns, terms };
            let tile = Tile::choose(extents, &limits(parallel));
            (tile.rows, tile.columns, tile.splits(extents, &limits(parallel)).0)
        };
        assert_eq!(chosen(5000, 600, 590, 20), (128, 128, 1));
        assert_eq!(chosen(5000, 300, 330, 40), (64, 64, 1));
        assert_eq!(chosen(5000, 250, 200, 17), (64, 32, 1));
        assert_eq!(chosen(5000, 130, 170, 33), (32, 32, 1));
        assert_eq!(chosen(5000, 70, 100, 50), (16, 16, 1));
        assert_eq!(chosen(5000, 9, 33, 2100), (16, 16, 6));
        assert_eq!(chosen(64, 600, 590, 20), (16, 32, 1));
    }
}
