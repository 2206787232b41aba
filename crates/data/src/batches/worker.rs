//! The threads that fill buffers, and the order in which they do.

use super::LoaderOptions;
use super::batch::{Slot, reserve};
use super::fill::Scratch;
use super::ring::{Position, Ring};
use crate::error::{Error, Result};
use crate::random::{Purpose, Random};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use warploom_trace::{Track, span};

/// Which examples each batch of each epoch has.
pub(super) struct Order {
    options: LoaderOptions,
    batches: usize,
    examples: usize,
    /// The examples in the order of `epoch`; unused when they are not shuffled.
    rows: Vec<u32>,
    epoch: Option<u64>,
    /// Whether all epochs are the same.
    alike: bool,
}

impl Order {
    /// The order of `examples`; `None` when memory does not suffice.
    pub(super) fn new(examples: usize, options: &LoaderOptions, alike: bool) -> Option<Self> {
        let rows = reserve(if options.shuffle { examples } else { 0 })?;
        Some(Self {
            options: *options,
            batches: options.batches(examples),
            examples,
            rows,
            epoch: None,
            alike,
        })
    }

    /// The position after `position`: epochs follow each other.
    pub(super) fn after(&self, position: Position) -> Position {
        if position.batch + 1 < self.batches {
            return Position { batch: position.batch + 1, ..position };
        }
        let epoch = if self.alike { 0 } else { position.epoch.wrapping_add(1) };
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

/// Fills buffers until the ring is closed. A panic in `fill` is a failure that the caller learns.
pub(super) fn run(
    ring: &Ring,
    order: &Mutex<Order>,
    fill: &(dyn Fn(Position, &mut Slot, &mut Scratch) -> Result<()> + Send + Sync),
) {
    let mut scratch = Scratch::default();
    loop {
        // Under one lock, so that examples are looked up in the sequence of batches and each order is made once.
        let mut order_now = order.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut job) = ring.job(|position| order_now.after(position)) else { return };
        order_now.write(job.position, &mut job.slot.rows);
        let after = order_now.after(job.position);
        drop(order_now);
        let _span = span(Track::Loader, || "batch");
        let filled = catch_unwind(AssertUnwindSafe(|| fill(job.position, &mut job.slot, &mut scratch)));
        let filled = filled.unwrap_or_else(|panic| Err(Error::Worker { reason: reason(&*panic) }));
        ring.publish(job, after, filled);
    }
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it gave no reason").to_string()
}
