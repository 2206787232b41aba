//! Every byte of a run, known before its first batch.

use crate::diagnose::draws;
use std::collections::HashSet;
use std::sync::Arc;
use warploom_device::{Plan, Program};
use warploom_graph::Type;
use warploom_tensor::{Error, Recomputation, Variable};

/// The memory a fit uses, by kind, and what was compiled for it.
#[derive(Clone, Debug, Default)]
pub struct RunPlan {
    /// On the device.
    pub device: Plan,
    /// On the host, to prepare batches: the loader's ring.
    pub host_ring: u64,
    /// Numbers that training changes.
    pub parameters: usize,
    /// Time to compile all programs, in milliseconds.
    pub compile_ms: f64,
    /// One training step on a full batch, where there are examples to learn from.
    pub step: Option<Arc<Program>>,
    /// Examples learned from, watched, tested.
    pub examples: [usize; 3],
    /// Training steps in an epoch.
    pub steps: usize,
    /// Examples in a batch.
    pub batch: usize,
    /// The limit on [`RunPlan::planned_bytes`] that was set.
    pub memory_limit: Option<u64>,
    /// What the limit costs a training step, where values are computed again.
    pub recomputation: Option<Recomputation>,
}

impl RunPlan {
    /// All bytes, on the device and for the loader.
    pub fn planned_bytes(&self) -> u64 {
        self.device.total() as u64 + self.host_ring
    }

    /// Bytes by kind, as `plan` prints them; the loader's ring is with the rings.
    pub fn by_kind(&self) -> [(&'static str, u64); 4] {
        let Plan { state, arena, rings, derived } = self.device;
        [
            ("state", state as u64),
            ("arena", arena as u64),
            ("rings", rings as u64 + self.host_ring),
            ("derived", derived as u64),
        ]
    }
}

/// Adds up programs that live side by side.
#[derive(Default)]
pub(crate) struct Sum {
    plan: Plan,
    slabs: Vec<usize>,
    captured: HashSet<usize>,
    draws: bool,
}

/// The state of a device's random numbers.
const RANDOM_STATE_BYTES: usize = 12;

impl Sum {
    /// Counts variables, each once.
    pub fn variables<'a>(&mut self, variables: impl Iterator<Item = &'a Variable>) -> Result<(), Error> {
        let mut seen = HashSet::new();
        for variable in variables {
            if seen.insert(variable.id()) {
                self.plan.state += variable.shape()?.iter().product::<usize>() * variable.dtype()?.bytes();
            }
        }
        Ok(())
    }

    pub fn state(&mut self, bytes: usize) {
        self.plan.state += bytes;
    }

    /// Counts what a program has of its own, with so many sets of inputs and outputs.
    pub fn program(&mut self, program: &Program, inputs: &[Type], sets: usize) {
        let bytes = |types: &[Type]| types.iter().map(Type::bytes).sum::<usize>();
        self.plan.rings += sets * (bytes(inputs) + bytes(&program.outputs));
        self.plan.derived += program.plan(0).derived;
        self.draws |= draws(program);
        self.slabs(&program.slabs);
    }

    /// Makes room in the arena.
    fn slabs(&mut self, slabs: &[usize]) {
        for (position, bytes) in slabs.iter().enumerate() {
            // A slab is never empty.
            let bytes = (*bytes).max(1);
            match self.slabs.get_mut(position) {
                Some(slab) => *slab = (*slab).max(bytes),
                None => self.slabs.push(bytes),
            }
        }
    }

    /// Counts tensors that were on the device before.
    pub fn given(&mut self, bytes: usize, id: usize) {
        if self.captured.insert(id) {
            self.plan.rings += bytes;
        }
    }

    /// The sum; `seeded` where the device's random state was set.
    pub fn total(mut self, seeded: bool) -> Plan {
        self.plan.arena = self.slabs.iter().sum();
        if seeded || self.draws {
            self.plan.state += RANDOM_STATE_BYTES;
        }
        self.plan
    }
}
