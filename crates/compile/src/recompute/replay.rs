//! A schedule run through under a budget of bytes, without computing: what leaves memory when there is no room, and what is
//! made again where it is needed.

use super::facts::{Facts, outside};
use crate::lower::Buffers;
use warploom_device::Capabilities;

/// Most units made again, as a multiple of the units there are, before a budget counts as too small.
const MOST_AGAIN: usize = 4;

/// What a replay decided, in order.
pub(super) enum Action {
    /// The unit runs, as scheduled.
    Run(usize),
    /// The value is made again.
    Again(usize),
    /// The unit is a loop, and its body runs so.
    Within(usize, Vec<Action>),
}

/// There is no room.
pub(super) struct TooSmall;

pub(super) struct Replay<'a> {
    facts: &'a Facts<'a>,
    buffers: &'a Buffers,
    capabilities: &'a Capabilities,
    budget: usize,
    used: usize,
    /// The unit that is being made ready.
    now: usize,
    /// By value.
    resident: Vec<bool>,
    /// By value: how many need it to stay at this moment.
    locks: Vec<u32>,
    actions: Vec<Action>,
    made_again: usize,
}

/// Runs a region through.
pub(super) fn replay(
    facts: &Facts<'_>,
    buffers: &Buffers,
    capabilities: &Capabilities,
    budget: usize,
) -> Result<Vec<Action>, TooSmall> {
    let count = facts.values.len();
    let mut replay = Replay {
        facts,
        buffers,
        capabilities,
        budget,
        used: 0,
        now: 0,
        resident: vec![false; count],
        locks: vec![0; count],
        actions: Vec::new(),
        made_again: 0,
    };
    (0..facts.units.len()).try_for_each(|unit| replay.run(unit))?;
    Ok(replay.actions)
}

impl Replay<'_> {
    fn run(&mut self, unit: usize) -> Result<(), TooSmall> {
        let facts = self.facts;
        let moment = &facts.moments[unit];
        self.now = unit;
        moment.touches.iter().for_each(|value| self.locks[*value] += 1);
        let is_first = |value: &&usize| facts.values[**value].touches[0] == unit;
        for value in moment.touches.iter().filter(|v| !is_first(v)) {
            self.ensure(*value)?;
        }
        let made: usize = moment.touches.iter().filter(is_first).map(|v| facts.values[*v].bytes).sum();
        let fresh = made - moment.handed_on.iter().map(|(_, to)| facts.values[*to].bytes).sum::<usize>();
        let action = if self.make_room(fresh + moment.inner).is_ok() {
            Action::Run(unit)
        } else {
            self.make_room(fresh)?;
            self.within(unit, self.budget - self.used - fresh)?
        };
        for (from, _) in &moment.handed_on {
            self.leave(*from);
        }
        for value in moment.touches.iter().filter(is_first) {
            self.resident[*value] = true;
        }
        self.used += made;
        self.actions.push(action);
        self.now = unit + 1;
        for value in &moment.touches {
            self.unlock(*value);
        }
        Ok(())
    }

    /// The loop with a body that gets along with `budget`.
    fn within(&self, unit: usize, budget: usize) -> Result<Action, TooSmall> {
        let repeated = &self.facts.units[unit];
        if repeated.body.is_empty() {
            return Err(TooSmall);
        }
        let outer = outside(repeated, self.buffers);
        let facts = Facts::new(&repeated.body, self.buffers, self.capabilities, &outer);
        Ok(Action::Within(unit, replay(&facts, self.buffers, self.capabilities, budget)?))
    }

    /// The first unit from now on that touches a value.
    fn next(&self, value: usize) -> Option<usize> {
        let touches = &self.facts.values[value].touches;
        touches.get(touches.partition_point(|unit| *unit < self.now)).copied()
    }

    /// Small values stay after their last use while there is room: large ones are often made again from them.
    fn unlock(&mut self, value: usize) {
        self.locks[value] -= 1;
        let unused = self.locks[value] == 0 && self.next(value).is_none();
        if unused && self.resident[value] && !self.facts.values[value].small {
            self.leave(value);
        }
    }

    fn leave(&mut self, value: usize) {
        self.resident[value] = false;
        self.used -= self.facts.values[value].bytes;
    }

    /// Makes a value again if it has left memory.
    fn ensure(&mut self, value: usize) -> Result<(), TooSmall> {
        if self.resident[value] {
            return Ok(());
        }
        let found = &self.facts.values[value];
        if found.parts.is_empty() || found.until < self.now {
            return Err(TooSmall);
        }
        let sources = || found.parts.iter().flat_map(|part| &part.sources);
        sources().for_each(|source| self.locks[*source] += 1);
        for source in sources() {
            self.ensure(*source)?;
        }
        self.made_again += found.parts.len();
        if self.made_again > MOST_AGAIN * self.facts.units.len() {
            return Err(TooSmall);
        }
        let scratch = found.parts.iter().map(|part| part.scratch).max().unwrap_or(0);
        self.make_room(found.bytes + scratch)?;
        self.resident[value] = true;
        self.used += found.bytes;
        self.actions.push(Action::Again(value));
        for source in sources() {
            self.unlock(*source);
        }
        Ok(())
    }

    /// Lets values leave until `bytes` are free: first what saves most bytes, for longest, for the least time to make it
    /// again.
    fn make_room(&mut self, bytes: usize) -> Result<(), TooSmall> {
        while self.used + bytes > self.budget {
            let can_leave = (0..self.resident.len()).filter_map(|value| Some((value, self.gain(value)?)));
            let best = can_leave.max_by(|a, b| a.1.total_cmp(&b.1)).ok_or(TooSmall)?;
            self.leave(best.0);
        }
        Ok(())
    }

    /// How much it is worth that a value leaves; `None` where it must stay.
    fn gain(&self, value: usize) -> Option<f64> {
        if !self.resident[value] || self.locks[value] > 0 {
            return None;
        }
        let found = &self.facts.values[value];
        let Some(next) = self.next(value) else { return Some(0.0) };
        if found.parts.is_empty() || self.now <= found.complete || next > found.until {
            return None;
        }
        let mut seen = vec![false; self.resident.len()];
        let cost = self.cost(value, &mut seen);
        Some(found.bytes as f64 * (next - self.now + 1) as f64 / cost.max(1.0))
    }

    /// Time to make a value again from what is in memory now.
    fn cost(&self, value: usize, seen: &mut [bool]) -> f64 {
        if std::mem::replace(&mut seen[value], true) {
            return 0.0;
        }
        let found = &self.facts.values[value];
        let missing = found.parts.iter().flat_map(|part| &part.sources).filter(|s| !self.resident[**s]);
        found.cost + missing.map(|source| self.cost(*source, seen)).sum::<f64>()
    }
}
