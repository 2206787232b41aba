//! The ring that passes buffers between the threads that fill them and the caller that empties them, in order.

use super::batch::Slot;
use crate::error::{Error, Result};
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
    /// Its place among the batches of its seek.
    sequence: u64,
}

/// A batch that was filled, or why it was not.
#[derive(Debug)]
struct Ready {
    sequence: u64,
    outcome: Result<Slot>,
    /// The position that follows.
    after: Position,
}

/// Free and filled buffers, and where in the sequence each side stands.
#[derive(Debug)]
pub(super) struct Ring {
    state: Mutex<State>,
    /// Wakes a thread: there is a buffer to fill, or it is to end.
    to_fill: Condvar,
    /// Wakes the caller: there is a batch, or a failure.
    to_take: Condvar,
    size: usize,
}

#[derive(Debug)]
struct State {
    free: Vec<Slot>,
    /// In the order of completion; as many as the ring has buffers, and failures.
    ready: Vec<Ready>,
    /// Buffers in the caller's hands.
    held: usize,
    /// What is filled next; `None` until the first seek, and after a failure until the next.
    fill: Option<Position>,
    /// What the caller takes next; `None` until the first seek, and after a failure until the next.
    take: Option<Position>,
    seek: u64,
    /// The sequence of what is filled next.
    fill_sequence: u64,
    /// The sequence of what is taken next.
    take_sequence: u64,
    closed: bool,
}

impl Ring {
    pub(super) fn new(slots: Vec<Slot>) -> Self {
        let size = slots.len();
        let state = State {
            free: slots,
            ready: Vec::with_capacity(size),
            held: 0,
            fill: None,
            take: None,
            seek: 0,
            fill_sequence: 0,
            take_sequence: 0,
            closed: false,
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
        state.take_sequence = state.fill_sequence;
        while let Some(ready) = state.ready.pop() {
            state.free.extend(ready.outcome.ok());
        }
        self.to_fill.notify_one();
    }

    /// For the caller: waits for the next batch.
    pub(super) fn take(&self) -> Result<Slot> {
        let mut state = self.lock();
        loop {
            let next = state.take_sequence;
            if let Some(place) = state.ready.iter().position(|ready| ready.sequence == next) {
                let ready = state.ready.swap_remove(place);
                state.take_sequence += 1;
                state.take = ready.outcome.is_ok().then_some(ready.after);
                state.held += usize::from(ready.outcome.is_ok());
                return ready.outcome;
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

    /// For the caller: ends the threads, each when it asks for its next buffer.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.to_fill.notify_one();
    }

    /// For a thread: waits for a buffer to fill; `None` when it is to end. `after` gives the position
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
                let sequence = state.fill_sequence;
                state.fill_sequence += 1;
                return Some(Job { slot, position, seek: state.seek, sequence });
            }
            state = self.to_fill.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For a thread: passes on a buffer that was filled, or why it could not be. `after` is the position that follows.
    /// After a failure nothing more is filled until the next seek.
    pub(super) fn publish(&self, job: Job, after: Position, filled: Result<()>) {
        let mut state = self.lock();
        if job.seek != state.seek {
            state.free.push(job.slot);
            self.to_fill.notify_one();
            return;
        }
        let outcome = match filled {
            Ok(()) => Ok(job.slot),
            Err(error) => {
                state.free.push(job.slot);
                state.fill = None;
                Err(error)
            }
        };
        state.ready.push(Ready { sequence: job.sequence, outcome, after });
        self.to_take.notify_one();
    }
}
