//! The thread that fills buffers, and the order in which it does.

use super::LoaderOptions;
use super::batch::{Slot, reserve};
use super::ring::{Position, Ring};
use crate::random::{Purpose, Random};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Which examples each batch of each epoch has.
pub(super) struct Order {
    options: LoaderOptions,
    batches: usize,
    examples: usize,
    /// The examples in the order of `epoch`; unused when they are not shuffled.
    rows: Vec<u32>,
    epoch: Option<u64>,
}

impl Order {
    /// The order of `examples`; `None` when memory does not suffice.
    pub(super) fn new(examples: usize, options: &LoaderOptions) -> Option<Self> {
        let rows = reserve(if options.shuffle { examples } else { 0 })?;
        Some(Self { options: *options, batches: options.batches(examples), examples, rows, epoch: None })
    }

    /// The position after `position`: epochs follow each other, all alike when not shuffled.
    pub(super) fn after(&self, position: Position) -> Position {
        if position.batch + 1 < self.batches {
            return Position { batch: position.batch + 1, ..position };
        }
        let epoch = if self.options.shuffle { position.epoch.wrapping_add(1) } else { 0 };
        Position { epoch, batch: 0 }
    }

    /// Writes the examples of the batch at `position` to `rows`.
    pub(super) fn write(&mut self, position: Position, rows: &mut Vec<u32>) {
        let start = position.batch.saturating_mul(self.options.batch).min(self.examples);
        let end = start.saturating_add(self.options.batch).min(self.examples);
        rows.clear();
        if !self.options.shuffle {
            rows.extend(start as u32..end as u32);
            return;
        }
        if self.epoch != Some(position.epoch) {
            // From the same start each time, so that an order does not depend on those before it.
            self.rows.clear();
            self.rows.extend(0..self.examples as u32);
            Random::new(self.options.seed, Purpose::Shuffle, position.epoch).shuffle(&mut self.rows);
            self.epoch = Some(position.epoch);
        }
        rows.extend_from_slice(&self.rows[start..end]);
    }
}

/// Fills buffers until the ring is closed or `fill` panics, which the caller then learns.
pub(super) fn run(ring: &Ring, mut order: Order, mut fill: impl FnMut(&mut Slot)) {
    while let Some(mut job) = ring.job(|position| order.after(position)) {
        let prepared = catch_unwind(AssertUnwindSafe(|| {
            order.write(job.position, &mut job.slot.rows);
            fill(&mut job.slot);
        }));
        match prepared {
            Ok(()) => {
                let after = order.after(job.position);
                ring.publish(job, after);
            }
            Err(panic) => return ring.fail(reason(&*panic)),
        }
    }
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it gave no reason").to_string()
}
