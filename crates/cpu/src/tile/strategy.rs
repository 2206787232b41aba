//! How a kernel is walked: which axes form the vector axis, and along what reductions run. None of it changes bits.

use std::ops::Range;

use smallvec::SmallVec;
use warploom_device::{Instruction, Kernel};

use super::TILE;
use super::access::Walk;
use super::combine::WIDTH;

/// Axes join the vector axis until it is this long.
pub(super) const SHORT: usize = 64;
/// Most columns of a tile whose steps are the reduced elements: its accumulators stay in the nearest cache.
pub(super) const COLUMNS: usize = 256;

/// So few reduced elements are better taken one by one for many points than together point by point.
const FEW: usize = 4;

/// No axes.
const NONE: Range<usize> = 0..0;

/// How a kernel's reductions run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Strategy {
    /// There are none: every tile is computed and stored.
    Map,
    /// Point by point; the reduced elements of a point are the vector axis.
    Along,
    /// As `Along`, several points in a tile.
    Segments,
    /// Points are the vector axis; reduced elements are steps.
    Across,
    /// As `Across`, where there are at most [`WIDTH`] reduced elements: each has an accumulator of its own.
    Few,
    /// As `Across`, this many reduced elements in a tile; a power of two of at most [`WIDTH`].
    Rows(usize),
}

/// A strategy with its walks.
pub(super) struct Plan {
    pub strategy: Strategy,
    /// The walk of the body.
    pub body: Walk,
    /// Outer axes of the body's walk before those that are steps.
    pub first_step: usize,
    /// The walk of the points: of the tail, and of the body where there is no tail.
    pub points: Walk,
    /// Whether a load walks memory along the last outer axis rather than along the vector axis.
    pub is_interchanged: bool,
}

/// Decides for a simplified kernel.
pub(super) fn plan(kernel: &Kernel) -> Plan {
    let space = kernel.space.len();
    let rank = space + kernel.reduced.len();
    let mut split = space.saturating_sub(1);
    while split > 0 && kernel.space[split..].iter().product::<usize>() < SHORT {
        split -= 1;
    }
    let walk = |outer: [Range<usize>; 2], group: [Range<usize>; 2]| {
        let list = |[first, then]: [Range<usize>; 2]| first.chain(then).collect();
        let group: SmallVec<[usize; 4]> = list(group);
        let extent =
            |axis: usize| if axis < space { kernel.space[axis] } else { kernel.reduced[axis - space] };
        Walk { outer: list(outer), extents: group.iter().map(|axis| extent(*axis)).collect(), group }
    };
    let points = walk([0..split, NONE], [split..space, NONE]);
    let strategy = if kernel.reductions.is_empty() { Strategy::Map } else { choose(kernel, points.length()) };
    let body = match strategy {
        Strategy::Map => points.clone(),
        Strategy::Along => walk([0..space, NONE], [space..rank, NONE]),
        Strategy::Segments => walk([0..split, NONE], [split..space, space..rank]),
        Strategy::Across | Strategy::Few => walk([0..split, space..rank], [split..space, NONE]),
        Strategy::Rows(_) => walk([0..split, NONE], [space..rank, split..space]),
    };
    let first_step = match strategy {
        Strategy::Across | Strategy::Few => split,
        Strategy::Map | Strategy::Along | Strategy::Segments | Strategy::Rows(_) => body.outer.len(),
    };
    let is_interchanged =
        strategy == Strategy::Map && split > 0 && split + 1 == space && has_crossing(kernel, split);
    Plan { strategy, body, first_step, points, is_interchanged }
}

/// Whether neighbours along the axis before `axis` share cache lines in a load, and those along `axis` do not.
fn has_crossing(kernel: &Kernel, axis: usize) -> bool {
    kernel.body.iter().any(|instruction| match instruction {
        Instruction::Load { map, dtype, .. } => {
            let bytes = |axis: usize| map.strides[axis].unsigned_abs() as usize * dtype.bytes();
            bytes(axis) >= 64 && bytes(axis - 1) > 0 && bytes(axis - 1) <= 16
        }
        Instruction::Literal(_)
        | Instruction::LoadAt { .. }
        | Instruction::Index { .. }
        | Instruction::Random { .. }
        | Instruction::Product(_)
        | Instruction::Apply { .. } => false,
    })
}

fn choose(kernel: &Kernel, points: usize) -> Strategy {
    let sweep = kernel.sweep();
    let (space, rank) = (kernel.space.len(), kernel.space.len() + kernel.reduced.len());
    let is_along = if points <= 1 {
        true
    } else if rank == space {
        false
    } else {
        let (along, across) = (contiguous(kernel, rank - 1), contiguous(kernel, space - 1));
        along > across || along == across && sweep >= SHORT
    };
    let is_scattered = !is_along || sweep <= FEW || kernel.reduced.len() > 1;
    if (1..=WIDTH).contains(&sweep) && points >= WIDTH && is_scattered {
        Strategy::Few
    } else if is_along && (sweep >= SHORT || points <= 1 || sweep == 0) {
        Strategy::Along
    } else if is_along {
        Strategy::Segments
    } else {
        let rows = WIDTH.min(TILE / points.clamp(1, TILE));
        let rows = if rows == 0 { 1 } else { 1 << rows.ilog2() };
        if rows > 1 && points <= COLUMNS { Strategy::Rows(rows) } else { Strategy::Across }
    }
}

/// Loads whose neighbours along an axis are neighbours in memory, or the same.
fn contiguous(kernel: &Kernel, axis: usize) -> usize {
    let is_near = |instruction: &&Instruction| match instruction {
        Instruction::Load { map, .. } | Instruction::LoadAt { map, .. } => {
            map.strides.get(axis).is_none_or(|stride| stride.unsigned_abs() <= 1)
        }
        Instruction::Literal(_)
        | Instruction::Index { .. }
        | Instruction::Random { .. }
        | Instruction::Product(_)
        | Instruction::Apply { .. } => false,
    };
    kernel.body.iter().filter(is_near).count()
}
