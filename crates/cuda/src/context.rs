//! An opened GPU: two queues, and the order of what is in them.
//!
//! Kernels, copies on the device and downloads go one after another through the queue of computation. Uploads have a queue of
//! their own, so that they travel while kernels run. A memory says which work of either queue touched it last, and only where
//! the other queue has not passed that yet does one wait for the other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys::CUstream;
use warploom_device::counters::Counters;
use warploom_device::{DeviceError, Token};

use crate::driver::{Api, Device, Event, Graph, Stream};
use crate::faults::Expected;

/// Pieces of work of a queue that can be waited for one by one; older ones are waited for together.
const REMEMBERED: usize = 1024;

/// What an executor, its memories and its executables share.
pub(crate) struct Context {
    pub counters: Arc<Counters>,
    /// What launches may have noted.
    pub expected: Expected,
    queues: Mutex<Queues>,
    computation: Stream,
    uploads: Stream,
    /// Where launches are recorded, one at a time, while others run.
    recording: Mutex<Stream>,
    memories: AtomicU64,
    // Last: everything above is the device's.
    pub device: Arc<Device>,
}

/// Which work touched a memory last, by number; 0 before the first. Changed under the lock of the queues.
#[derive(Default)]
pub(crate) struct Touched {
    computed: AtomicU64,
    uploaded: AtomicU64,
}

#[derive(Default)]
struct Queues {
    /// The number of the last piece of work, of either queue.
    count: u64,
    computation: Queue,
    uploads: Queue,
    free: Vec<Arc<Event>>,
}

/// What is known of a queue.
#[derive(Default)]
struct Queue {
    recent: VecDeque<(u64, Arc<Event>)>,
    /// Work up to this number is done.
    done: u64,
    /// Work up to this number is not among the recent ones, done or not.
    dropped: u64,
    /// Work of the other queue up to this number is waited for by what comes next.
    awaits: u64,
}

impl Context {
    pub(crate) fn new(device: Arc<Device>) -> Result<Context, DeviceError> {
        let (computation, uploads) = (Stream::new(&device)?, Stream::new(&device)?);
        let recording = Mutex::new(Stream::new(&device)?);
        let (counters, expected, queues, memories) = Default::default();
        Ok(Context { counters, expected, queues, computation, uploads, recording, memories, device })
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no other memory of the device has or had.
    pub(crate) fn next_memory(&self) -> u64 {
        self.memories.fetch_add(1, Relaxed)
    }

    /// The token of all that was queued.
    pub(crate) fn latest(&self) -> Token {
        Token(self.queues().count)
    }

    /// Queues computation on memories, after what was queued for them before.
    pub(crate) fn compute<'a>(
        &self,
        touched: impl IntoIterator<Item = &'a Touched> + Clone,
        work: impl FnOnce(&Api, CUstream) -> Result<(), DeviceError>,
    ) -> Result<Token, DeviceError> {
        let api = self.device.enter()?;
        let mut queues = self.queues();
        let uploaded = touched.clone().into_iter().map(|memory| memory.uploaded.load(Relaxed)).max();
        let Queues { computation, uploads, .. } = &mut *queues;
        self.await_other(computation, &self.computation, uploads, uploaded.unwrap_or(0))?;
        let number = self.queue(
            &mut queues,
            &self.computation,
            |queues| &mut queues.computation,
            || work(api, self.computation.raw),
        )?;
        touched.into_iter().for_each(|memory| memory.computed.store(number, Relaxed));
        Ok(Token(number))
    }

    /// Queues an upload to a memory, after the computation on it that was queued before.
    pub(crate) fn upload(
        &self,
        touched: &Touched,
        work: impl FnOnce(&Api, CUstream) -> Result<(), DeviceError>,
    ) -> Result<Token, DeviceError> {
        let api = self.device.enter()?;
        let mut queues = self.queues();
        let Queues { computation, uploads, .. } = &mut *queues;
        self.await_other(uploads, &self.uploads, computation, touched.computed.load(Relaxed))?;
        let number = self.queue(
            &mut queues,
            &self.uploads,
            |queues| &mut queues.uploads,
            || work(api, self.uploads.raw),
        )?;
        touched.uploaded.store(number, Relaxed);
        Ok(Token(number))
    }

    /// Gives memory back once all that was queued for it is done.
    pub(crate) fn release(&self, touched: &Touched, pointer: u64) {
        let mut queues = self.queues();
        let Queues { computation, uploads, .. } = &mut *queues;
        let uploaded = touched.uploaded.load(Relaxed);
        if !self.device.health.is_lost()
            && self.await_other(computation, &self.computation, uploads, uploaded).is_err()
        {
            // The wait that cannot be queued is done here.
            let _ = self.uploads.synchronize();
        }
        // SAFETY: allocated from this queue's pool and given back once; what was queued for it goes before.
        self.device.free(|api| unsafe { (api.memory_free)(pointer, self.computation.raw) });
    }

    /// Records a launch on a queue of its own.
    pub(crate) fn record(
        &self,
        work: impl FnOnce(&Api, CUstream) -> Result<(), DeviceError>,
    ) -> Result<Graph, DeviceError> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner).capture(work)
    }

    /// Lets what comes next in a queue wait for work of the other.
    fn await_other(
        &self,
        queue: &mut Queue,
        stream: &Stream,
        other: &Queue,
        number: u64,
    ) -> Result<(), DeviceError> {
        if number <= queue.awaits.max(other.done) {
            return Ok(());
        }
        let Some((number, event)) = other.at_least(number) else { return Ok(()) };
        event.hold(&self.device, stream.raw)?;
        queue.awaits = number;
        Ok(())
    }

    /// Does some queueing and marks its end.
    fn queue(
        &self,
        queues: &mut Queues,
        stream: &Stream,
        which: impl Fn(&mut Queues) -> &mut Queue,
        work: impl FnOnce() -> Result<(), DeviceError>,
    ) -> Result<u64, DeviceError> {
        let event = match queues.free.pop() {
            Some(event) => event,
            None => Arc::new(Event::new(&self.device)?),
        };
        let marked = work().and_then(|()| {
            let api = &self.device.driver.api;
            // SAFETY: both live, and this thread has entered the context.
            self.device.done("to mark its work", unsafe { (api.event_record)(event.raw, stream.raw) })
        });
        if let Err(error) = marked {
            // What was queued has no number to wait by, so it is waited for now; the error that counts is the first.
            let _ = stream.synchronize();
            return Err(error);
        }
        queues.count += 1;
        let number = queues.count;
        let queue = which(queues);
        queue.recent.push_back((number, event));
        if queue.recent.len() > REMEMBERED
            && let Some((dropped, event)) = queue.recent.pop_front()
        {
            queue.dropped = dropped;
            queues.free.push(event);
        }
        Ok(number)
    }

    /// Returns when all work up to a token is done, with what failed in it.
    pub(crate) fn wait(&self, token: Token) -> Result<(), DeviceError> {
        self.device.health.check()?;
        self.settle(token)?;
        self.expected.check(token)
    }

    /// Returns when all work up to a token is done.
    pub(crate) fn settle(&self, token: Token) -> Result<(), DeviceError> {
        self.settle_uploads(token)?;
        self.settle_queue(token, |queues| &mut queues.computation)
    }

    /// Returns when all uploads up to a token are done.
    pub(crate) fn settle_uploads(&self, token: Token) -> Result<(), DeviceError> {
        self.settle_queue(token, |queues| &mut queues.uploads)
    }

    fn settle_queue(
        &self,
        token: Token,
        which: impl Fn(&mut Queues) -> &mut Queue,
    ) -> Result<(), DeviceError> {
        let last = which(&mut self.queues()).last(token.0);
        let Some((number, event)) = last else { return Ok(()) };
        event.wait()?;
        let mut queues = self.queues();
        let passed = which(&mut queues).forget(number);
        queues.free.extend(passed);
        Ok(())
    }
}

impl Queue {
    /// The first work that is done no earlier than that of a number.
    fn at_least(&self, number: u64) -> Option<(u64, &Arc<Event>)> {
        let position = self.recent.partition_point(|(other, _)| *other < number);
        self.recent.get(position).map(|(number, event)| (*number, event))
    }

    /// The work to wait for so that all up to a number is done; nothing when it is.
    fn last(&self, number: u64) -> Option<(u64, Arc<Event>)> {
        let position = self.recent.partition_point(|(other, _)| *other <= number);
        match position.checked_sub(1) {
            Some(position) => self.recent.get(position).cloned(),
            None if self.dropped > self.done => self.recent.front().cloned(),
            None => None,
        }
    }

    /// Work up to a number is done.
    fn forget(&mut self, number: u64) -> Vec<Arc<Event>> {
        self.done = self.done.max(number);
        let passed = self.recent.partition_point(|(other, _)| *other <= number);
        self.recent.drain(..passed).map(|(_, event)| event).collect()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if !self.device.health.is_lost() {
            // Nobody is left to tell.
            let _ = self.uploads.synchronize().and_then(|()| self.computation.synchronize());
        }
    }
}
