//! The programs of one pass over examples, and the order in which they are launched.
//!
//! A pass has at most two batch sizes: the full one and the last. Where a step is small, one launch holds several steps of
//! full batches, as many as divide an epoch evenly.

use crate::error::Result;
use crate::examples::{Examples, Feed};
use std::sync::Arc;
use std::time::Instant;
use warploom_device::Program;
use warploom_tensor::{Bound, Device, Error, Planned, Tensor};

/// Multiply-adds of one forward pass up to which steps are put into one launch; a launch stays below some 10 ms.
const WORK: usize = 20_000_000;
/// Most steps in one launch.
const STEPS: usize = 128;
/// Most bytes of batches in one launch.
const BYTES: usize = 1 << 20;
/// Input sets of a program that is launched more than once an epoch: one is filled while another runs.
const SLOTS: usize = 2;

/// What is done to keep a fit within a memory limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Saving {
    /// Nothing.
    None,
    /// A launch holds one step, so that its input sets are smallest.
    Steps,
    /// That, and values are computed again where a program's arena would take more bytes than these.
    Arena(usize),
}

/// How examples are walked.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    /// Examples in a batch.
    pub batch: usize,
    /// Batches at most.
    pub steps: Option<usize>,
    /// Multiply-adds for one example.
    pub work: usize,
    /// Memory.
    pub saving: Saving,
}

/// The programs of a pass, compiled, of which nothing is on the device yet.
pub(crate) struct Draft {
    stages: Vec<Planned>,
    /// Steps and launches of each stage.
    extents: Vec<(usize, usize)>,
    /// One step on a full batch.
    pub step: Option<Arc<Program>>,
    /// The smallest arena that was reached, where one is larger than it may be.
    pub least_arena: Option<usize>,
    /// Time to record and compile them, in milliseconds.
    pub compile_ms: f64,
    batches: usize,
    examples: usize,
}

impl Draft {
    /// Plans `body` (features, targets, weights, rows).
    pub fn new(
        device: &Device,
        examples: &Examples,
        walk: Walk,
        body: impl Fn(&Tensor, &Tensor, Option<&Tensor>, usize) -> std::result::Result<(), Error>,
    ) -> Result<Draft> {
        let started = Instant::now();
        let batch = walk.batch;
        let most = walk.steps.map_or(usize::MAX, |steps| steps.saturating_mul(batch));
        let count = examples.len().min(most);
        let (full, last) = (count / batch, count % batch);
        let mut draft = Draft {
            stages: Vec::new(),
            extents: Vec::new(),
            step: None,
            least_arena: None,
            compile_ms: 0.0,
            batches: count.div_ceil(batch),
            examples: count,
        };
        for (rows, batches) in [(batch, full), (last, usize::from(last > 0))] {
            if batches == 0 || rows == 0 {
                continue;
            }
            let plan = || {
                device.try_plan(&examples.specs(rows), |inputs| {
                    let (x, y, weights) = examples.record(inputs);
                    body(&x, &y, weights.as_ref(), rows)?;
                    Ok(Vec::new())
                })
            };
            let mut planned = plan()?;
            draft.step.get_or_insert_with(|| planned.program().clone());
            let mut steps = 1;
            match walk.saving {
                Saving::None => {
                    steps = steps_in_a_launch(batches, most_steps(&planned, rows, walk.work));
                    if steps > 1 {
                        planned = planned.repeat(steps, &vec![true; planned.inputs().len()])?;
                    }
                }
                Saving::Steps => {}
                Saving::Arena(bytes) => planned = draft.within(device, planned, bytes, plan)?,
            }
            draft.stages.push(planned);
            draft.extents.push((steps, batches / steps));
        }
        draft.compile_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(draft)
    }

    /// The program again with an arena of at most so many bytes, or as it is where that cannot be.
    fn within(
        &mut self,
        device: &Device,
        planned: Planned,
        bytes: usize,
        plan: impl Fn() -> std::result::Result<Planned, Error>,
    ) -> Result<Planned> {
        let arena = planned.plan().arena;
        if arena <= bytes {
            return Ok(planned);
        }
        let beside = planned.plan().total() - arena;
        match device.with_memory_limit(Some(beside.saturating_add(bytes)), plan) {
            Err(Error::MemoryLimit { least, .. }) => {
                self.least_arena = self.least_arena.max(Some(least.saturating_sub(beside)));
                Ok(planned)
            }
            other => Ok(other?),
        }
    }

    /// The programs, each with how many sets of inputs and outputs it has.
    pub fn programs(&self) -> impl Iterator<Item = (&Planned, usize)> {
        self.stages.iter().zip(&self.extents).map(|(planned, (_, launches))| (planned, sets(*launches)))
    }

    /// Takes the memory of the programs.
    pub fn ready(self) -> Result<Pass> {
        let stages = self.stages.into_iter().zip(self.extents).map(|(planned, (steps, launches))| {
            Ok(Stage { bound: planned.ready()?.bind(sets(launches))?, steps, launches, slot: 0 })
        });
        let stages = stages.collect::<Result<_>>()?;
        Ok(Pass { stages, batches: self.batches, examples: self.examples })
    }

    /// Steps of an epoch.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// Examples of an epoch.
    pub fn examples(&self) -> usize {
        self.examples
    }
}

/// Recorded programs over some examples.
pub(crate) struct Pass {
    stages: Vec<Stage>,
    batches: usize,
    examples: usize,
}

struct Stage {
    bound: Bound,
    /// Steps in a launch.
    steps: usize,
    /// Launches an epoch.
    launches: usize,
    /// The input set to be filled next.
    slot: usize,
}

impl Pass {
    /// The programs with their memories.
    pub fn programs(&self) -> impl Iterator<Item = &Bound> {
        self.stages.iter().map(|stage| &stage.bound)
    }

    /// Launches by steps, over an epoch.
    pub fn launches_per_step(&self) -> f64 {
        self.stages.iter().map(|stage| stage.launches).sum::<usize>() as f64 / self.batches.max(1) as f64
    }

    /// Steps of an epoch.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// Examples of an epoch.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// The first batch of the launch that holds batch number `batch`.
    pub fn launch_of(&self, batch: usize) -> usize {
        let mut first = 0;
        for stage in &self.stages {
            let here = stage.launches * stage.steps;
            if batch < first + here {
                return batch - (batch - first) % stage.steps;
            }
            first += here;
        }
        batch
    }

    /// Runs an epoch from the launch that begins with batch `start`, or as much of it as `go_on` (told how many batches of
    /// the epoch were sent) allows. Returns how many were.
    pub fn run(
        &mut self,
        feed: &mut Feed,
        epoch: u64,
        start: usize,
        mut go_on: impl FnMut(usize) -> Result<bool>,
    ) -> Result<usize> {
        let mut batches = feed.epoch(epoch, start)?;
        let (mut first, mut sent) = (0, start);
        for stage in &mut self.stages {
            let done = sent.saturating_sub(first) / stage.steps;
            for _ in done..stage.launches {
                for step in 0..stage.steps {
                    batches.send(&stage.bound, stage.slot, step)?;
                }
                stage.bound.launch(stage.slot)?;
                stage.slot = (stage.slot + 1) % stage.bound.slots();
                sent += stage.steps;
                if !go_on(sent)? {
                    return Ok(sent);
                }
            }
            first += stage.launches * stage.steps;
        }
        Ok(sent)
    }
}

/// Input sets of a program with so many launches an epoch.
fn sets(launches: usize) -> usize {
    SLOTS.min(launches)
}

/// Most steps of a program that a launch may hold.
fn most_steps(planned: &Planned, rows: usize, work: usize) -> usize {
    let bytes: usize = planned.inputs().iter().map(|ty| ty.bytes()).sum();
    (WORK / rows.saturating_mul(work).max(1)).min(BYTES / bytes.max(1)).clamp(1, STEPS)
}

/// The largest divisor of an epoch's batches up to `most`.
fn steps_in_a_launch(batches: usize, most: usize) -> usize {
    (1..=most.min(batches)).rev().find(|steps| batches.is_multiple_of(*steps)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::steps_in_a_launch;

    #[test]
    fn launches_hold_even_parts_of_an_epoch() {
        assert_eq!(steps_in_a_launch(10, 128), 10);
        assert_eq!(steps_in_a_launch(59, 128), 59);
        assert_eq!(steps_in_a_launch(256, 128), 128);
        assert_eq!(steps_in_a_launch(254, 128), 127);
        assert_eq!(steps_in_a_launch(100, 1), 1);
        assert_eq!(steps_in_a_launch(131, 128), 1);
    }
}
