//! Recomputation: where a program would take more memory than it may, values that wait long for their next reader leave
//! the arena, and the steps that made them run again right before they are needed.
//!
//! The schedule is run through under a budget, without computing ([`mod@replay`]). Where a step finds no room, those
//! values leave of which the bytes, times how long they would wait, are largest for the time it takes to make them again.
//! A value that is needed and is not there is made again from what is there, or from what is made again in turn: from
//! single elementwise chains to whole segments of a network, as the limit asks. This is the greedy rule of Kirisame et
//! al., *Dynamic tensor rematerialization* (ICLR 2021), with the future known; its segments are those of Chen et al.,
//! *Training deep nets with sublinear memory cost* (2016). The budget shrinks until what is placed fits.
//!
//! It works on steps, not on the graph: a step that runs again is the same kernel on other buffers, so that no other pass
//! can merge it with the first, and its bits are the same.

mod again;
mod facts;
mod replay;

use crate::error::Error;
use crate::lower::{Buffers, Home, Unit};
use crate::memory::place;
use again::rename;
use facts::{Facts, outside};
use replay::{Action, replay};
use std::collections::{HashMap, HashSet};
use std::fmt;
use warploom_device::{BufferId, BufferSpec, Capabilities};

/// Budgets shrink in steps of this part of the limit: more is lost between placed values than is foreseen.
const STEPS: usize = 64;

/// A schedule that fits.
pub(crate) struct Recomputed {
    pub units: Vec<Unit>,
    pub specs: Vec<BufferSpec>,
    pub slabs: Vec<usize>,
    pub cost: Recomputation,
}

/// What it costs to compute values again instead of keeping them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Recomputation {
    /// Values computed again.
    pub values: usize,
    /// Steps that run for that, beside those of before.
    pub steps: usize,
    /// Their operations, as a share of those of before.
    pub operations: f64,
    /// Bytes of the arena if every value were kept.
    pub arena_before: usize,
    /// Bytes of the arena.
    pub arena: usize,
}

impl fmt::Display for Recomputation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recomputation { values, steps, operations, arena_before, arena } = self;
        write!(
            f,
            "memory limit: {values} values recomputed by {steps} more steps, {:.1} % more operations; arena of \
             {arena_before} bytes made {arena}",
            100.0 * operations,
        )
    }
}

/// Why none fits.
pub(crate) enum Failure {
    /// Bytes of the smallest arena that was reached.
    TooLarge(usize),
    /// Placing failed.
    Place(Error),
}

/// Schedules anew such that the arena takes at most `limit` bytes instead of `before`.
pub(crate) fn recompute(
    units: &[Unit],
    buffers: &Buffers,
    capabilities: &Capabilities,
    before: usize,
    limit: usize,
) -> Result<Recomputed, Failure> {
    let facts = Facts::new(units, buffers, capabilities, &[]);
    let mut least = before;
    let mut attempt = |budget: usize| -> Result<Option<Recomputed>, Failure> {
        let Ok(actions) = replay(&facts, buffers, capabilities, budget) else { return Ok(None) };
        let mut writer =
            Writer { given: buffers, buffers: buffers.clone(), capabilities, tally: Tally::default() };
        let units = writer.write(&facts, &actions, 1.0);
        let (specs, slabs) = place(&units, &writer.buffers, capabilities).map_err(Failure::Place)?;
        let arena = slabs.iter().sum::<usize>();
        least = least.min(arena);
        let cost = writer.tally.cost(before, arena, facts.operations());
        Ok(Some(Recomputed { units, specs, slabs, cost }))
    };
    let size = |made: &Recomputed| made.slabs.iter().sum::<usize>();
    for tried in 0..STEPS {
        match attempt(limit - limit / STEPS * tried)? {
            Some(made) if size(&made) <= limit => return Ok(made),
            Some(_) => {}
            None if tried > 0 => break,
            None => {
                // The least budget that works, for the answer that none does.
                let (mut low, mut high) = (limit, before);
                while high - low > (before / STEPS).max(1) {
                    let middle = low + (high - low) / 2;
                    if attempt(middle)?.is_some() { high = middle } else { low = middle }
                }
                break;
            }
        }
    }
    Err(Failure::TooLarge(least))
}

/// What is made again.
#[derive(Default)]
struct Tally {
    values: HashSet<BufferId>,
    steps: usize,
    operations: f64,
}

impl Tally {
    fn cost(&self, arena_before: usize, arena: usize, operations: f64) -> Recomputation {
        Recomputation {
            values: self.values.len(),
            steps: self.steps,
            operations: self.operations / operations.max(1.0),
            arena_before,
            arena,
        }
    }
}

/// Writes units as a replay decided.
struct Writer<'a> {
    /// As they were for the replay.
    given: &'a Buffers,
    buffers: Buffers,
    capabilities: &'a Capabilities,
    tally: Tally,
}

impl Writer<'_> {
    /// `rounds` is how often the region runs.
    fn write(&mut self, facts: &Facts<'_>, actions: &[Action], rounds: f64) -> Vec<Unit> {
        let mut names: HashMap<BufferId, BufferId> = HashMap::new();
        let mut written = Vec::new();
        for action in actions {
            match action {
                Action::Run(unit) => {
                    for (from, to) in &facts.moments[*unit].handed_on {
                        let [from, to] = [from, to].map(|value| facts.values[*value].buffer);
                        let place = names.get(&from).copied().unwrap_or(from);
                        self.buffers.list[to.0 as usize].home = Home::Alias(place);
                    }
                    written.push(renamed(&facts.units[*unit], &names));
                }
                Action::Within(unit, inner) => {
                    let mut repeated = facts.units[*unit].clone();
                    let outer = outside(&repeated, self.given);
                    let body = &facts.units[*unit].body;
                    let within = Facts::new(body, self.given, self.capabilities, &outer);
                    repeated.body = self.write(&within, inner, rounds * iterations(&repeated));
                    written.push(renamed(&repeated, &names));
                }
                Action::Again(value) => {
                    let value = &facts.values[*value];
                    let fresh = self.like(value.buffer);
                    names.insert(value.buffer, fresh);
                    self.tally.values.insert(value.buffer);
                    for part in &value.parts {
                        for scratch in part.unit.writes.iter().filter(|b| **b != value.buffer) {
                            let fresh = self.like(*scratch);
                            names.insert(*scratch, fresh);
                        }
                        written.push(renamed(&part.unit, &names));
                        self.tally.steps += 1;
                        self.tally.operations += rounds * part.operations;
                    }
                }
            }
        }
        written
    }

    /// Memory for another copy.
    fn like(&mut self, buffer: BufferId) -> BufferId {
        let info = &self.buffers.list[buffer.0 as usize];
        let (ty, bytes) = (info.ty.clone(), info.bytes);
        let copy = self.buffers.add(ty, Home::Temporary);
        self.buffers.list[copy.0 as usize].bytes = bytes;
        copy
    }
}

fn renamed(unit: &Unit, names: &HashMap<BufferId, BufferId>) -> Unit {
    let mut unit = unit.clone();
    rename(&mut unit, &|buffer| names.get(&buffer).copied().unwrap_or(buffer));
    unit
}

fn iterations(unit: &Unit) -> f64 {
    if let warploom_device::Step::Loop(repeated) = &unit.step { repeated.iterations as f64 } else { 1.0 }
}
