//! The order of steps: what is read is made before; a state is updated in place after its last reader where no circle of
//! waiting results; among ready steps the one that leaves the least memory occupied goes first.

use crate::lower::{Buffers, Home, Unit, Update};
use smallvec::SmallVec;
use std::collections::HashMap;
use warploom_device::{BufferId, IndexMap, Instruction, Kernel, Step, Target};

pub(crate) fn schedule(
    mut units: Vec<Unit>,
    updates: &[Update],
    buffers: &mut Buffers,
    target: &dyn Target,
) -> Vec<Unit> {
    let mut waits = dependencies(&units);
    let targets: Vec<BufferId> = updates.iter().map(|u| u.target).collect();
    for update in updates {
        let makers: SmallVec<[usize; 2]> =
            (0..units.len()).filter(|u| units[*u].writes.contains(&update.fresh)).collect();
        let readers: Vec<usize> =
            (0..units.len()).filter(|u| units[*u].reads.contains(&update.target)).collect();
        let in_place = target.capabilities().in_place
            && makers.iter().all(|m| writes_in_place(&units[*m], update))
            && readers.iter().all(|r| makers.contains(r) || makers.iter().all(|m| !reaches(&waits, *m, *r)));
        if in_place {
            for maker in &makers {
                waits[*maker].extend(readers.iter().filter(|r| !makers.contains(r)));
            }
            buffers.list[update.fresh.0 as usize].home = Home::Alias(update.target);
        } else {
            let step = Step::Copy { source: update.fresh, destination: update.target };
            let reads = SmallVec::from_slice(&[update.fresh]);
            units.push(Unit {
                step,
                body: Vec::new(),
                reads,
                writes: SmallVec::from_slice(&[update.target]),
            });
            waits.push(makers.iter().chain(&readers).copied().collect());
        }
    }
    let order = order(&units, &waits, buffers, &targets);
    let mut slots: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
    let mut scheduled: Vec<Unit> = order.into_iter().filter_map(|i| slots[i].take()).collect();
    scheduled.retain(|unit| match unit.step {
        Step::Copy { source, destination } => buffers.root(source) != buffers.root(destination),
        _ => true,
    });
    scheduled
}

/// By unit: the units that must run before: all that write what it reads. Of two writers of one buffer the one that also
/// reads it so comes last.
fn dependencies(units: &[Unit]) -> Vec<Vec<usize>> {
    let mut makers: HashMap<BufferId, SmallVec<[usize; 2]>> = HashMap::new();
    for (i, unit) in units.iter().enumerate() {
        for buffer in &unit.writes {
            makers.entry(*buffer).or_default().push(i);
        }
    }
    let before = |(i, unit): (usize, &Unit)| {
        let mut before: Vec<usize> =
            unit.reads.iter().filter_map(|b| makers.get(b)).flatten().copied().collect();
        before.retain(|m| *m != i);
        before.sort_unstable();
        before.dedup();
        before
    };
    units.iter().enumerate().map(before).collect()
}

/// Whether `unit` may write `update.target` where it was to write `update.fresh`: it reads of the old content only the
/// element it is about to overwrite.
pub(crate) fn writes_in_place(unit: &Unit, update: &Update) -> bool {
    if !unit.reads.contains(&update.target) {
        return true;
    }
    match &unit.step {
        Step::Kernel(kernel) => reads_same(kernel, update),
        Step::Contraction(product) => {
            product.lhs.buffer != update.target
                && product.rhs.buffer != update.target
                && reads_same(&product.epilogue, update)
        }
        Step::Convolution(product) => {
            product.input.buffer != update.target
                && product.kernel.buffer != update.target
                && reads_same(&product.epilogue, update)
        }
        Step::Copy { .. } => true,
        Step::Scatter(_) | Step::Loop(_) | Step::Claimed { .. } => false,
    }
}

fn reads_same(kernel: &Kernel, update: &Update) -> bool {
    let stores: SmallVec<[&IndexMap; 2]> =
        kernel.stores.iter().filter(|s| s.buffer == update.fresh).map(|s| &s.map).collect();
    let [store] = stores[..] else { return false };
    let same = |instruction: &Instruction| match instruction {
        Instruction::Load { buffer, map, .. } => *buffer != update.target || map == store,
        Instruction::LoadAt { buffer, .. } => *buffer != update.target,
        Instruction::Random { seed, step, iteration, .. } => {
            ![seed, step, iteration].contains(&&update.target)
        }
        Instruction::Literal(_)
        | Instruction::Index { .. }
        | Instruction::Product(_)
        | Instruction::Apply { .. } => true,
    };
    // Within a reduction the body sweeps over elements of other points; only the tail is element by element.
    let body = if kernel.reductions.is_empty() {
        kernel.body.iter().all(same)
    } else {
        kernel.reads_in_body().all(|b| b != update.target)
    };
    body && kernel.tail.iter().all(same)
}

/// Whether `later` must wait for `earlier`.
fn reaches(waits: &[Vec<usize>], earlier: usize, later: usize) -> bool {
    let mut seen = vec![false; waits.len()];
    let mut stack = vec![later];
    while let Some(unit) = stack.pop() {
        if unit == earlier {
            return true;
        }
        if !std::mem::replace(&mut seen[unit], true) {
            stack.extend_from_slice(&waits[unit]);
        }
    }
    false
}

/// List scheduling by memory: bytes a unit makes less bytes of which it is the last reader.
fn order(units: &[Unit], waits: &[Vec<usize>], buffers: &Buffers, pinned: &[BufferId]) -> Vec<usize> {
    let mut readers_left: HashMap<BufferId, usize> = HashMap::new();
    for unit in units {
        for buffer in &unit.reads {
            *readers_left.entry(*buffer).or_default() += 1;
        }
    }
    let size = |buffer: &BufferId| -> i64 {
        let info = &buffers.list[buffer.0 as usize];
        if info.home == Home::Temporary && !pinned.contains(buffer) { info.bytes as i64 } else { 0 }
    };
    let mut missing: Vec<usize> = waits.iter().map(Vec::len).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); units.len()];
    for (i, before) in waits.iter().enumerate() {
        before.iter().for_each(|b| followers[*b].push(i));
    }
    let mut ready: Vec<usize> = (0..units.len()).filter(|i| missing[*i] == 0).collect();
    let mut order = Vec::with_capacity(units.len());
    while !ready.is_empty() {
        let cost = |i: usize| -> i64 {
            let made: i64 = units[i].writes.iter().map(size).sum();
            let freed: i64 = units[i].reads.iter().filter(|b| readers_left[*b] == 1).map(size).sum();
            made - freed
        };
        let best = (0..ready.len()).min_by_key(|r| (cost(ready[*r]), ready[*r])).unwrap_or(0);
        let unit = ready.swap_remove(best);
        for buffer in &units[unit].reads {
            readers_left.entry(*buffer).and_modify(|left| *left -= 1);
        }
        for follower in &followers[unit] {
            missing[*follower] -= 1;
            if missing[*follower] == 0 {
                ready.push(*follower);
            }
        }
        order.push(unit);
    }
    debug_assert_eq!(order.len(), units.len(), "no unit waits in a circle");
    order
}
