//! The programs of one pass over examples, and the order in which they are launched.
//!
//! A pass has at most two batch sizes: the full one and the last. Where a step is small, one launch holds several steps of
//! full batches, as many as divide an epoch evenly.

use crate::error::Result;
use crate::examples::{Examples, Feed};
use warploom_tensor::{Bound, Device, Error, Tensor};

/// Multiply-adds of one forward pass up to which steps are put into one launch; a launch stays below some 10 ms.
const WORK: usize = 20_000_000;
/// Most steps in one launch.
const STEPS: usize = 128;
/// Most bytes of batches in one launch.
const BYTES: usize = 1 << 20;
/// Input sets of a program: one is filled while another runs.
const SLOTS: usize = 2;

/// Recorded programs over some examples.
pub(crate) struct Pass {
    stages: Vec<Stage>,
    /// Slabs of every program that was compiled for it.
    pub slabs: Vec<Vec<usize>>,
    pub compile_ms: f64,
    /// Kernels of one step on a full batch.
    pub kernels: usize,
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

/// How examples are walked.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    /// Examples in a batch.
    pub batch: usize,
    /// Batches at most.
    pub steps: Option<usize>,
}

impl Pass {
    /// Records `body` (features, targets, weights, rows). `work` is multiply-adds for one example.
    pub fn record(
        device: &Device,
        examples: &Examples,
        walk: Walk,
        work: usize,
        body: impl Fn(&Tensor, &Tensor, Option<&Tensor>, usize) -> std::result::Result<(), Error>,
    ) -> Result<Pass> {
        let batch = walk.batch;
        let most = walk.steps.map_or(usize::MAX, |steps| steps.saturating_mul(batch));
        let count = examples.len().min(most);
        let (full, last) = (count / batch, count % batch);
        let mut pass = Pass {
            stages: Vec::new(),
            slabs: Vec::new(),
            compile_ms: 0.0,
            kernels: 0,
            batches: count.div_ceil(batch),
            examples: count,
        };
        for (rows, batches) in [(batch, full), (last, usize::from(last > 0))] {
            if batches == 0 || rows == 0 {
                continue;
            }
            let mut recorded = device.try_record(&examples.specs(rows), |inputs| {
                let (x, y, weights) = examples.record(inputs);
                body(&x, &y, weights.as_ref(), rows)?;
                Ok(Vec::new())
            })?;
            if pass.kernels == 0 {
                pass.kernels = recorded.launches_per_run();
            }
            let bytes: usize = recorded.inputs().iter().map(|ty| ty.bytes()).sum();
            let most = (WORK / rows.saturating_mul(work).max(1)).min(BYTES / bytes.max(1)).clamp(1, STEPS);
            let steps = steps_in_a_launch(batches, most);
            pass.note(&recorded);
            if steps > 1 {
                recorded = recorded.repeat(steps, &vec![true; recorded.inputs().len()])?;
                pass.note(&recorded);
            }
            let bound = recorded.bind(SLOTS)?;
            pass.stages.push(Stage { bound, steps, launches: batches / steps, slot: 0 });
        }
        Ok(pass)
    }

    fn note(&mut self, recorded: &warploom_tensor::Recorded) {
        self.slabs.push(recorded.program().slabs.clone());
        self.compile_ms += recorded.compile_ms();
    }

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
                stage.slot = (stage.slot + 1) % SLOTS;
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
