//! How a matrix product is cut: which part a workgroup computes, which part an invocation, and into how many parts the sums
//! are split.

use super::panel::Panel;
use crate::limits::Limits;
use crate::operands::Operands;
use warploom_graph::DType;

/// Extents of a product: for each of `batch`, `rows` x `columns` sums of `terms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extents {
    pub batch: usize,
    pub rows: usize,
    pub columns: usize,
    pub terms: usize,
}

/// How a product is cut, by the way in which it is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// Each invocation multiplies numbers.
    Tiles(Tile),
    /// Each warp multiplies small matrices.
    Units(UnitTile),
}

/// The part of a workgroup: rows and columns of the result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    pub rows: u32,
    pub columns: u32,
    /// Invocations.
    pub workgroup: u32,
}

/// The part of a workgroup whose invocations keep sums in registers.
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

/// The part of a workgroup whose warps keep sums in registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UnitTile {
    /// Rows and columns of the result.
    pub rows: u32,
    pub columns: u32,
    /// Rows and columns of one warp, multiples of 16.
    pub warp_rows: u32,
    pub warp_columns: u32,
    /// What is multiplied.
    pub unit: Unit,
}

/// Operands as matrix units take them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Bf16,
    F16,
    /// Of `f32`, rounded on the way from shared memory.
    Tf32,
}

/// Devices that this many invocations fill run them one after another on a few cores.
const SOFTWARE: u32 = 4096;
/// Words of terms that are held in shared memory at a time, for each row and each column.
pub(super) const DEPTH_WORDS: u32 = 16;
/// A device whose warps multiply matrices is full with this part of the invocations that it holds: each keeps so many sums
/// that there are no registers for more.
const UNITS_PART: u32 = 8;
/// Least terms of a part of split sums.
const SPLIT_TERMS: usize = 256;

impl Cut {
    /// By rule: with matrix units where there are any for the operands.
    pub(crate) fn choose(operands: Operands<'_>, limits: &Limits) -> Cut {
        let extents = operands.extents();
        let units = Unit::of(operands, limits).and_then(|unit| UnitTile::choose(extents, unit, limits));
        units.map_or_else(|| Cut::Tiles(Tile::choose(extents, operands.sum_dtype(), limits)), Cut::Units)
    }

    pub(crate) fn block(&self) -> Block {
        match self {
            Cut::Tiles(tile) => tile.block(),
            Cut::Units(tile) => tile.block(),
        }
    }

    /// How many parts the sums are split into so that the device is full, and the terms of each part.
    pub(crate) fn splits(&self, extents: Extents, limits: &Limits) -> (usize, usize) {
        let (full, depth) = match self {
            Cut::Tiles(tile) => (limits.parallel, tile.depth.unwrap_or(1)),
            Cut::Units(tile) => (limits.parallel / UNITS_PART, tile.depth()),
        };
        let wanted = (u64::from(full) / self.block().invocations(extents).max(1)) as usize;
        let splits = wanted.min(extents.terms / SPLIT_TERMS).max(1);
        let terms = extents.terms.div_ceil(splits).next_multiple_of(depth as usize).max(1);
        (extents.terms.div_ceil(terms).max(1), terms)
    }
}

impl Block {
    /// Tiles along rows and columns.
    pub(crate) fn counts(&self, extents: Extents) -> [usize; 2] {
        [extents.rows.div_ceil(self.rows as usize), extents.columns.div_ceil(self.columns as usize)]
    }

    /// Invocations of all of them.
    fn invocations(&self, extents: Extents) -> u64 {
        let [rows, columns] = self.counts(extents);
        (extents.batch * rows * columns) as u64 * u64::from(self.workgroup)
    }

    /// Whether a device allows it, more than half of it is used along both axes, and there are enough to make `full`
    /// invocations.
    fn suits(&self, extents: Extents, limits: &Limits, shared_bytes: usize, full: u32) -> bool {
        self.workgroup <= limits.workgroup
            && shared_bytes <= limits.shared_bytes
            && extents.rows > self.rows as usize / 2
            && extents.columns > self.columns as usize / 2
            && self.invocations(extents) >= u64::from(full)
    }
}

impl Tile {
    /// By rule: the largest tile of which there are enough to fill the device and that is not mostly empty.
    fn choose(extents: Extents, dtype: DType, limits: &Limits) -> Tile {
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
        let suits =
            |tile: &Tile| tile.block().suits(extents, limits, tile.shared_bytes(dtype), limits.parallel);
        // 64 sums of 8 bytes and what is added to them have no room in an invocation's registers.
        let too_large = usize::from(dtype == DType::F64);
        largest_first.into_iter().skip(too_large).find(suits).unwrap_or(of(16, 16, 16, 1, 1))
    }

    pub(super) fn block(&self) -> Block {
        let workgroup = self.rows / self.own_rows * (self.columns / self.own_columns);
        Block { rows: self.rows, columns: self.columns, workgroup }
    }

    /// Bytes of both operands in shared memory, rows and columns padded against bank conflicts.
    fn shared_bytes(&self, dtype: DType) -> usize {
        (self.depth.unwrap_or(0) * (self.rows + self.columns + 2)) as usize * dtype.bytes()
    }
}

impl UnitTile {
    /// By the same rule; `None` where the device allows none.
    fn choose(extents: Extents, unit: Unit, limits: &Limits) -> Option<UnitTile> {
        let of = |rows, columns, warp_rows, warp_columns| UnitTile {
            rows,
            columns,
            warp_rows,
            warp_columns,
            unit,
        };
        let smallest = of(32, 32, 16, 16);
        let full = limits.parallel / UNITS_PART;
        let suits = |tile: &UnitTile| tile.block().suits(extents, limits, tile.shared_bytes(), full);
        let is_allowed =
            smallest.block().workgroup <= limits.workgroup && smallest.shared_bytes() <= limits.shared_bytes;
        let largest_first = [of(128, 128, 64, 32), of(64, 64, 32, 32)];
        is_allowed.then(|| largest_first.into_iter().find(suits).unwrap_or(smallest))
    }

    pub(super) fn block(&self) -> Block {
        Block { rows: self.rows, columns: self.columns, workgroup: 32 * self.warps() }
    }

    pub(super) fn warps(&self) -> u32 {
        self.rows / self.warp_rows * (self.columns / self.warp_columns)
    }

    /// Terms that are held in shared memory at a time.
    pub(super) fn depth(&self) -> u32 {
        DEPTH_WORDS * self.unit.elements()
    }

    /// Most bytes of shared memory, whatever the layout of operands there.
    fn shared_bytes(&self) -> usize {
        let most = |width| {
            Panel::LAYOUTS
                .map(|layout| 2 * Panel { width, layout, unit: self.unit }.words())
                .into_iter()
                .max()
        };
        4 * (most(self.rows).unwrap_or(0).max(self.scratch_words()) + most(self.columns).unwrap_or(0))
            as usize
    }

    /// Words from one row of finished sums to the next, padded against bank conflicts.
    pub(super) fn scratch_stride(&self) -> u32 {
        self.warp_columns + 4
    }

    /// Words in which warps put 16 rows of finished sums each.
    pub(super) fn scratch_words(&self) -> u32 {
        self.warps() * 16 * self.scratch_stride()
    }
}

impl Unit {
    /// That for a product's operands, by their dtype alone: what fills matrices, such as strides, changes no sum.
    fn of(operands: Operands<'_>, limits: &Limits) -> Option<Unit> {
        let units = limits.matrix_units;
        match operands.dtype() {
            DType::BF16 if units.bf16 => Some(Unit::Bf16),
            DType::F16 if units.f16 => Some(Unit::F16),
            DType::F32 if units.tf32 && operands.is_tf32() => Some(Unit::Tf32),
            _ => None,
        }
    }

    /// Elements of a word.
    pub(super) fn elements(self) -> u32 {
        match self {
            Unit::Bf16 | Unit::F16 => 2,
            Unit::Tf32 => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cut, Extents, Tile, Unit, UnitTile};
    use crate::{Limits, MatrixUnits};
    use warploom_graph::DType;

    fn limits(parallel: u32) -> Limits {
        Limits {
            workgroup: 256,
            groups: 65535,
            shared_bytes: 48 << 10,
            arguments: 8,
            argument_bytes: 1 << 30,
            alignment: 256,
            parallel,
            vector_bytes: 16,
            warp: 32,
            matrix_units: MatrixUnits::ALL,
        }
    }

    /// The shapes with which the conformance suite runs every tile.
    #[test]
    fn tiles_follow_shapes() {
        let shape = |cut: Cut, extents: Extents, limits: &Limits| {
            (cut.block().rows, cut.block().columns, cut.splits(extents, limits).0)
        };
        let chosen_of = |dtype, parallel, rows, columns, terms| {
            let extents = Extents { batch: 1, rows, columns, terms };
            let limits = Limits { shared_bytes: 32 << 10, ..limits(parallel) };
            shape(Cut::Tiles(Tile::choose(extents, dtype, &limits)), extents, &limits)
        };
        let chosen = |parallel, rows, columns, terms| chosen_of(DType::F32, parallel, rows, columns, terms);
        assert_eq!(chosen(5000, 600, 590, 20), (128, 128, 1));
        assert_eq!(chosen(5000, 300, 330, 40), (64, 64, 1));
        assert_eq!(chosen(5000, 250, 200, 17), (64, 32, 1));
        assert_eq!(chosen(5000, 130, 170, 33), (32, 32, 1));
        assert_eq!(chosen(5000, 70, 100, 50), (16, 16, 1));
        assert_eq!(chosen(5000, 9, 33, 2100), (16, 16, 6));
        assert_eq!(chosen(64, 600, 590, 20), (16, 32, 1));
        assert_eq!(chosen_of(DType::F64, 5000, 600, 590, 20), (64, 64, 1));
        assert_eq!(chosen_of(DType::F64, 5000, 9, 33, 2100), (16, 16, 6));
        let chosen = |parallel, rows, columns, terms| {
            let extents = Extents { batch: 1, rows, columns, terms };
            let tile = UnitTile::choose(extents, Unit::Bf16, &limits(parallel)).expect("it is allowed");
            shape(Cut::Units(tile), extents, &limits(parallel))
        };
        assert_eq!(chosen(1 << 18, 2048, 2048, 20), (128, 128, 1));
        assert_eq!(chosen(5000, 300, 330, 40), (128, 128, 1));
        assert_eq!(chosen(5000, 40, 300, 90), (64, 64, 1));
        assert_eq!(chosen(5000, 9, 33, 2100), (32, 32, 2));
        assert_eq!(chosen(1 << 18, 9, 33, 2100), (32, 32, 8));
    }

    #[test]
    fn units_are_left_where_they_do_not_fit() {
        let extents = Extents { batch: 1, rows: 600, columns: 590, terms: 20 };
        let narrow = Limits { workgroup: 32, ..limits(5000) };
        assert_eq!(UnitTile::choose(extents, Unit::Bf16, &narrow), None);
        let little = Limits { shared_bytes: 32 << 10, ..limits(5000) };
        let tile = UnitTile::choose(extents, Unit::Bf16, &little).expect("it is allowed");
        assert_eq!((tile.rows, tile.columns), (64, 64));
    }
}
