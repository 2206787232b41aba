//! The ring that passes buffers between the thread that fills them and the caller that empties them.

use super::batch::Slot;
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A batch's place in the sequence of all batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) epoch: u64,
    pub(super) batch: usize,
}

/// A buffer to be filled.
pub(super) struct Job {
    pub(super) slot: Slot,
    pub(super) position: Position,
    /// Which seek it belongs to: what an earlier seek asked for is thrown away.
    seek: u64,
}

/// Free and filled buffers, and where in the sequence each side stands.
#[derive(Debug)]
pub(super) struct Ring {
    state: Mutex<State>,
    /// Wakes the thread: there is a buffer to fill, or it is to end.
    to_fill: Condvar,
    /// Wakes the caller: there is a batch, or the thread failed.
    to_take: Condvar,
    size: usize,
}

#[derive(Debug)]
struct State {
    free: Vec<Slot>,
    /// Filled buffers in order, with the position after each.
    ready: VecDeque<(Slot, Position)>,
    /// Buffers in the caller's hands.
    held: usize,
    /// What the thread fills next; `None` until the first seek.
    fill: Option<Position>,
    /// What the caller takes next; `None` until the first seek.
    take: Option<Position>,
    seek: u64,
    closed: bool,
    failure: Option<String>,
}

impl Ring {
    pub(super) fn new(slots: Vec<Slot>) -> Self {
        let size = slots.len();
        let state = State {
            free: slots,
            ready: VecDeque::with_capacity(size),
            held: 0,
            fill: None,
            take: None,
            seek: 0,
            closed: false,
            failure: None,
        };
        Self { state: Mutex::new(state), to_fill: Condvar::new(), to_take: Condvar::new(), size }
    }

    /// No code that can panic runs under the lock, so a poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the caller: makes `position` the next batch to take. What was prepared is kept when it is
    /// already the next.
    pub(super) fn seek(&self, position: Position) {
        let mut state = self.lock();
        if state.take == Some(position) {
            return;
        }
        state.seek += 1;
        state.fill = Some(position);
        state.take = Some(position);
        while let Some((slot, _)) = state.ready.pop_front() {
            state.free.push(slot);
        }
        self.to_fill.notify_one();
    }

    /// For the caller: waits for the next batch.
    pub(super) fn take(&self) -> Result<Slot> {
        let mut state = self.lock();
        loop {
            if let Some((slot, after)) = state.ready.pop_front() {
                state.take = Some(after);
                state.held += 1;
                return Ok(slot);
            }
            if let Some(reason) = &state.failure {
                return Err(Error::Worker { reason: reason.clone() });
            }
            if state.held == self.size {
                return Err(Error::RingHeld { ring: self.size });
            }
            state = self.to_take.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For the caller: returns an emptied buffer.
    pub(super) fn give_back(&self, slot: Slot) {
        let mut state = self.lock();
        state.held -= 1;
        state.free.push(slot);
        self.to_fill.notify_one();
    }

    /// For the caller: ends the thread.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.to_fill.notify_one();
    }

    /// For the thread: waits for a buffer to fill; `None` when it is to end. `after` gives the position
    /// that follows another.
    pub(super) fn job(&self, after: impl Fn(Position) -> Position) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(position) = state.fill
                && let Some(slot) = state.free.pop()
            {
                state.fill = Some(after(position));
                return Some(Job { slot, position, seek: state.seek });
            }
            state = self.to_fill.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For the thread: passes a filled buffer on. `after` is the position that follows.
    pub(super) fn publish(&self, job: Job, after: Position) {
        let mut state = self.lock();
        if job.seek == state.seek {
            state.ready.push_back((job.slot, after));
            self.to_take.notify_one();
        } else {
            state.free.push(job.slot);
        }
    }

    /// For the thread: tells the caller why no more batches come.
    pub(super) fn fail(&self, reason: String) {
        self.lock().failure = Some(reason);
        self.to_take.notify_one();
    }
}
