//! Batches prepared by threads beside the computation.
//!
//! The threads fill a ring of buffers that are allocated once and come back when their batch is
//! dropped. They run ahead until the ring is full, also over the end of an epoch, and then wait. Each
//! fills a whole batch; batches come in their order, with the same bits whatever the number of threads.

mod batch;
mod fill;
mod ring;
mod worker;

pub use batch::{Batch, FeatureView, TargetView};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use batch::Slot;
use fill::Scratch;
use ring::{Position, Ring};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use worker::Order;

/// The most buffers a ring may have.
const MAX_RING: usize = 1024;
/// The most threads that are started unless more are asked for.
const MAX_THREADS: usize = 4;

/// How a [`Loader`] forms and prepares batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Examples in a batch. More than there are gives one smaller batch an epoch: see
    /// [`LoaderOptions::is_oversized`].
    pub batch: usize,
    /// Whether each epoch has an order of its own, fixed by `seed` and the epoch's number.
    pub shuffle: bool,
    /// What fixes the orders and the augmentation.
    pub seed: u64,
    /// Buffers in the ring, those that the caller holds included: 1 prepares a batch only after the
    /// last was dropped, 3 keeps one in use, one ready and one in preparation.
    pub ring: usize,
    /// Whether the smaller batch at the end of an epoch is left out.
    pub drop_last: bool,
    /// Threads that prepare batches, never more than the ring has buffers. 0: one where examples are only copied; one for
    /// each processor, at most 4, where they are read, augmented or scaled.
    pub threads: usize,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self { batch: 32, shuffle: true, seed: 0, ring: 3, drop_last: false, threads: 0 }
    }
}

impl LoaderOptions {
    /// Whether a batch would hold more than all of `examples`, so that an epoch is one smaller batch.
    pub fn is_oversized(&self, examples: usize) -> bool {
        self.batch > examples
    }

    /// Batches in an epoch of `examples`.
    pub fn batches(&self, examples: usize) -> usize {
        let batch = self.batch.max(1);
        if self.drop_last { examples / batch } else { examples.div_ceil(batch) }
    }

    /// Bytes of host memory that a loader of `dataset` allocates when made: its ring and the order of
    /// an epoch. The data set itself is not counted, nor are the threads' stacks and the picture each works on.
    pub fn planned_bytes(&self, dataset: &Dataset) -> u64 {
        let features = dataset.features();
        let number = if dataset.is_bytes() { 1 } else { 4 };
        let numbers = (features.example_len() as u64).saturating_mul(number);
        let targets = (dataset.targets().width() as u64).saturating_mul(4);
        let weight = if dataset.weights().is_some() { 4 } else { 0 };
        // Four more for the number of the example.
        let example = numbers.saturating_add(targets).saturating_add(4 + weight);
        let slot = example.saturating_mul(self.batch.min(dataset.len()) as u64);
        let order = if self.shuffle { 4 * dataset.len() as u64 } else { 0 };
        slot.saturating_mul(self.ring as u64).saturating_add(order)
    }

    /// How many threads a loader of `dataset` starts.
    pub fn threads_for(&self, dataset: &Dataset) -> usize {
        let wanted = match self.threads {
            0 if fill::is_copy(dataset) => 1,
            0 => thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS),
            threads => threads,
        };
        wanted.min(self.ring)
    }

    fn check(&self, examples: usize) -> Result<()> {
        if self.batch == 0 {
            return Err(Error::invalid("The batch size is 0", "Give at least 1"));
        }
        if self.ring == 0 || self.ring > MAX_RING {
            return Err(Error::invalid(
                format!("The loader's ring is to have {} buffers", self.ring),
                format!("Give 1 to {MAX_RING}"),
            ));
        }
        if examples == 0 {
            return Err(Error::invalid("The data set has no examples", "Give data with at least one"));
        }
        if self.batches(examples) == 0 {
            return Err(Error::invalid(
                format!("Batches of {} from {examples} examples leave none with drop_last", self.batch),
                "Make batches smaller or keep the last",
            ));
        }
        Ok(())
    }
}

/// Serves the examples of a [`Dataset`] as batches, epoch by epoch.
///
/// Dropping it ends the threads, also in the middle of an epoch; batches still held stay valid.
#[derive(Debug)]
pub struct Loader {
    ring: Arc<Ring>,
    threads: Vec<JoinHandle<()>>,
    /// Whether all epochs are the same.
    alike: bool,
    options: LoaderOptions,
    batches: usize,
    planned_bytes: u64,
}

impl Loader {
    /// Allocates the ring and starts the threads, which wait for the first [`Loader::epoch`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a batch size of 0, a ring of 0 or above 1,024 buffers, data without
    /// examples, a `drop_last` that leaves no batch, or a ring that does not fit into memory;
    /// [`Error::Worker`] when a thread cannot be started.
    pub fn new(dataset: &Dataset, options: LoaderOptions) -> Result<Self> {
        let data = dataset.clone();
        let seed = options.seed;
        Self::with_fill(dataset, options, move |position, slot, scratch| {
            fill::fill(&data, seed, position.epoch, slot, scratch)
        })
    }

    /// A loader whose threads fill buffers, in which the examples are noted, by `fill`.
    fn with_fill(
        dataset: &Dataset,
        options: LoaderOptions,
        fill: impl Fn(Position, &mut Slot, &mut Scratch) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        options.check(dataset.len())?;
        let planned_bytes = options.planned_bytes(dataset);
        let too_large = || {
            Error::invalid(
                format!("The loader's ring takes {planned_bytes} bytes, which could not be allocated"),
                "Make batches smaller or the ring shorter",
            )
        };
        let capacity = options.batch.min(dataset.len());
        let slots: Option<Vec<Slot>> =
            (0..options.ring).map(|_| Slot::with_capacity(dataset, capacity)).collect();
        let alike = !options.shuffle && dataset.augmentation().is_none();
        let order = Order::new(dataset.len(), &options, alike).ok_or_else(too_large)?;
        let ring = Arc::new(Ring::new(slots.ok_or_else(too_large)?));
        let batches = options.batches(dataset.len());
        let mut loader = Self { ring, threads: Vec::new(), alike, options, batches, planned_bytes };
        let (order, fill) = (Arc::new(Mutex::new(order)), Arc::new(fill));
        for number in 0..options.threads_for(dataset) {
            let (ring, order, fill) = (Arc::clone(&loader.ring), Arc::clone(&order), Arc::clone(&fill));
            let thread = thread::Builder::new()
                .name(format!("batches-{number}"))
                .spawn(move || worker::run(&ring, &order, &*fill))
                .map_err(|source| Error::Worker { reason: format!("it could not be started ({source})") })?;
            loader.threads.push(thread);
        }
        Ok(loader)
    }

    /// The batches of epoch number `epoch` from batch `start` on, both counted from 0.
    ///
    /// A batch depends on options, epoch and index alone, so a run that stopped goes on exactly where
    /// it was. `start` may equal the number of batches; then none comes.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `start` lies beyond the end of the epoch.
    pub fn epoch(&mut self, epoch: u64, start: usize) -> Result<Epoch<'_>> {
        if start > self.batches {
            return Err(Error::invalid(
                format!("Batch {start} was asked for, but an epoch has {} batches", self.batches),
                "Start at a batch of the epoch; check that data and batch size are those of the first run",
            ));
        }
        if start < self.batches {
            // Where all epochs are alike, what was prepared for another will do.
            let epoch = if self.alike { 0 } else { epoch };
            self.ring.seek(Position { epoch, batch: start });
        }
        Ok(Epoch { loader: self, epoch, next: start })
    }

    /// Batches in a whole epoch.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// The options it was made with.
    pub fn options(&self) -> &LoaderOptions {
        &self.options
    }

    /// Bytes of host memory allocated when it was made: [`LoaderOptions::planned_bytes`].
    pub fn planned_bytes(&self) -> u64 {
        self.planned_bytes
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.ring.close();
        for thread in self.threads.drain(..) {
            // Threads catch what panics and report it with the batch they failed to make.
            let _ = thread.join();
        }
    }
}

/// The batches of one epoch: see [`Loader::epoch`].
///
/// When the next batch is asked for, fewer batches than the ring has buffers may still be held; else
/// [`Error::RingHeld`] comes instead of a batch. After an error no more batches come.
#[derive(Debug)]
pub struct Epoch<'a> {
    loader: &'a mut Loader,
    epoch: u64,
    next: usize,
}

impl Iterator for Epoch<'_> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        if self.next >= self.loader.batches {
            return None;
        }
        let taken = self.loader.ring.take();
        let index = self.next;
        self.next = if taken.is_ok() { index + 1 } else { self.loader.batches };
        Some(taken.map(|slot| Batch::new(slot, Arc::clone(&self.loader.ring), self.epoch, index)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.batches - self.next;
        (left.min(1), Some(left))
    }
}

#[cfg(test)]
mod changed;
#[cfg(test)]
mod tests;
