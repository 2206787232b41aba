//! What a lowered kernel does to a tile, step by step.

use super::access::Access;
use super::convert::{Indexed, Strided};
use super::lanes::Lanes;

/// An entry of the pointer table: where the lanes of a register, or an operand in memory, lie.
pub(super) type Place = u32;

/// One step. Pointers are looked up in the table of places.
#[derive(Debug)]
pub(super) enum Op {
    /// Runs a loop over lanes.
    Apply { run: Lanes, to: Place, from: [Place; 3] },
    /// Points a place at the tile's elements in memory, or at zeros out of bounds.
    Point { to: Place, access: Access },
    /// As `Point`, at an index that is the same for all lanes.
    PointAt { to: Place, access: Access, index: Place, stride: i64, extent: usize },
    /// Reads elements that are not next to each other.
    Gather { to: Place, access: Access, lane: usize, contiguous: Lanes, strided: Strided },
    /// Reads elements at an index per lane.
    GatherAt {
        to: Place,
        access: Access,
        lane: usize,
        index: Place,
        stride: i64,
        extent: usize,
        run: Indexed,
    },
    /// Writes the value of the map, for all lanes or for one.
    Index { to: Place, access: Access, one: bool },
    /// Writes random bits, for all lanes or for one.
    Random { to: Place, access: Access, one: bool, stream: u32, seed: usize, step: usize, iteration: usize },
    /// Writes lanes to elements that are not next to each other.
    Scatter { from: Place, access: Access, lane: usize, contiguous: Lanes, strided: Strided },
}

impl Op {
    /// The place that is written or set.
    pub(super) fn target(&self) -> Option<Place> {
        match self {
            Op::Apply { to, .. }
            | Op::Point { to, .. }
            | Op::PointAt { to, .. }
            | Op::Gather { to, .. }
            | Op::GatherAt { to, .. }
            | Op::Index { to, .. }
            | Op::Random { to, .. } => Some(*to),
            Op::Scatter { .. } => None,
        }
    }

    /// The places that are read.
    pub(super) fn sources(&self) -> [Option<Place>; 3] {
        match self {
            Op::Apply { from, .. } => from.map(Some),
            Op::PointAt { index, .. } | Op::GatherAt { index, .. } => [Some(*index), None, None],
            Op::Scatter { from, .. } => [Some(*from), None, None],
            Op::Point { .. } | Op::Gather { .. } | Op::Index { .. } | Op::Random { .. } => [None; 3],
        }
    }
}
