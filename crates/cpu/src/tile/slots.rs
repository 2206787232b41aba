//! Where lanes of registers lie in a worker's scratch memory: slots are shared by registers that do not live at once.

use super::TILE;
use super::lower::{Lowered, Start};
use super::op::{Op, Place};

/// Gives each of `places` (with the bytes of a lane) a slot. A result never shares the slot of its operands.
pub(super) fn assign(lowered: &mut Lowered, places: &[(Place, usize)]) {
    let tile = lowered.tile.len();
    let ops: Vec<&Op> = lowered.tile.iter().chain(&lowered.step).collect();
    let mut last = vec![0; lowered.starts.len()];
    for (at, op) in ops.iter().enumerate() {
        for place in op.sources().into_iter().chain([op.target()]).flatten() {
            last[place as usize] = at;
        }
    }
    let mut lane = vec![0; lowered.starts.len()];
    for (place, bytes) in places {
        lane[*place as usize] = *bytes;
    }
    // What is computed once per tile must survive all of its steps, and operands outlive the ops.
    let has_steps = !lowered.step.is_empty();
    for (at, op) in ops.iter().enumerate() {
        if let Some(place) = op.target()
            && has_steps
            && at < tile
        {
            last[place as usize] = ops.len();
        }
    }
    for place in &lowered.operands {
        last[*place as usize] = ops.len();
    }

    let mut free: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
    let mut scratch = lowered.scratch.next_multiple_of(64);
    let mut starts = std::mem::take(&mut lowered.starts);
    for (at, op) in ops.iter().enumerate() {
        if let Some(to) = op.target().map(|to| to as usize)
            && lane[to] > 0
            && starts[to] == Start::Unset
        {
            let slot = free[lane[to] / 8].pop().unwrap_or_else(|| {
                scratch += TILE * lane[to];
                scratch - TILE * lane[to]
            });
            starts[to] = Start::Scratch(slot);
        }
        let mut ended = op.sources();
        ended.sort_unstable();
        for (i, place) in ended.iter().enumerate() {
            let Some(place) = place.map(|place| place as usize) else { continue };
            let is_repeated = i > 0 && ended[i - 1] == ended[i];
            if let Start::Scratch(slot) = starts[place]
                && lane[place] > 0
                && last[place] == at
                && !is_repeated
            {
                free[lane[place] / 8].push(slot);
            }
        }
    }
    lowered.starts = starts;
    lowered.scratch = scratch;
}
