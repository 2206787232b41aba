//! Which values can still be looked at after a run: what somebody outside the walk holds, and what that needs.

use crate::tensor::Tensor;
use crate::trace::Trace;
use std::sync::Arc;

/// Flags by position; the lists are used again.
#[derive(Default)]
pub(crate) struct Alive {
    uses: Vec<u32>,
    needed: Vec<bool>,
    made: Vec<bool>,
}

impl Alive {
    /// Whether somebody needs the value later.
    pub fn contains(&self, position: usize) -> bool {
        self.needed[position]
    }

    /// Whether somebody needs it later and it is not there after the run, so that it will have to be made again.
    pub fn is_made_again(&self, position: usize) -> bool {
        self.needed[position] && !self.made[position]
    }

    /// Marks what is needed later. `made` are there after the run and need their operands no more; each of `held` is
    /// held once by the caller.
    pub fn mark<'t>(
        &mut self,
        trace: &Trace,
        made: impl Iterator<Item = &'t Tensor>,
        held: impl Iterator<Item = &'t Tensor>,
    ) {
        let count = trace.entries.len();
        for flags in [&mut self.needed, &mut self.made] {
            flags.clear();
            flags.resize(count, false);
        }
        // Holders that are known: the walk, its edges, the caller.
        self.uses.clear();
        self.uses.resize(count, 1);
        for position in 0..count {
            trace.inputs(position).iter().for_each(|input| self.uses[*input as usize] += 1);
        }
        held.filter_map(|t| trace.find(t)).for_each(|position| self.uses[position as usize] += 1);
        for position in made.filter_map(|t| trace.find(t)) {
            self.made[position as usize] = true;
            // A version's value becomes an alias of the version.
            self.made[trace.entries[position as usize].same as usize] = true;
        }
        for position in trace.order().rev() {
            let holders = Arc::strong_count(&trace.entries[position].tensor.0);
            if holders > self.uses[position] as usize {
                self.needed[position] = true;
            }
            if self.is_made_again(position) {
                trace.inputs(position).iter().for_each(|input| self.needed[*input as usize] = true);
            }
        }
    }
}
