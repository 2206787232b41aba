//! An opened device: its queue, the order of what was submitted, and what failed.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use warploom_device::counters::Counters;
use warploom_device::{DeviceError, Token};

use crate::adapters::Adapter;
use crate::health::Health;
use crate::profile::Profile;
use crate::ready::ready;

/// Submissions whose completion can be waited for one by one; older ones are waited for together.
const REMEMBERED: usize = 1024;

/// Bytes staged for upload after which they are sent without waiting for a launch.
const STAGED_BYTES: usize = 64 << 20;

/// What an executor, its memories and its executables share.
pub(crate) struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub adapter: Adapter,
    pub counters: Arc<Counters>,
    pub health: Arc<Health>,
    pub profile: Profile,
    submissions: Mutex<Submissions>,
    /// Memories so far.
    memories: AtomicU64,
}

#[derive(Default)]
struct Submissions {
    /// How many there were: the number of the last.
    count: u64,
    /// Those up to this one are known to be done.
    done: u64,
    recent: VecDeque<(u64, wgpu::SubmissionIndex)>,
    /// Bytes that go with the next one.
    staged: usize,
}

impl Context {
    pub(crate) fn open(adapter: Adapter, device: &wgpu::Adapter) -> Result<Context, DeviceError> {
        let wanted = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("warploom"),
            required_features: device.features() & wanted,
            required_limits: device.limits(),
            // A plan's bytes should be what is taken: blocks for many small memories stay small.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = ready(device.request_device(&descriptor)).map_err(|error| {
            DeviceError::Failed(format!("{} ({}) does not open: {error}", adapter.id(), adapter.name))
        })?;
        let health = Arc::<Health>::default();
        let uncaptured = health.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            uncaptured.fail(DeviceError::Failed(error.to_string()));
        }));
        let lost = health.clone();
        device.set_device_lost_callback(move |reason, text| lost.lose(&format!("{reason:?}: {text}")));
        let (counters, profile, submissions, memories) = Default::default();
        Ok(Context { device, queue, adapter, counters, health, profile, submissions, memories })
    }

    fn submissions(&self) -> MutexGuard<'_, Submissions> {
        self.submissions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no other memory of the device has or had.
    pub(crate) fn next_memory(&self) -> u64 {
        self.memories.fetch_add(1, Ordering::Relaxed)
    }

    /// Does something that wgpu answers by an error scope. `what` completes "the driver refused …".
    pub(crate) fn scoped<T>(
        &self,
        what: &str,
        asked: usize,
        work: impl FnOnce() -> T,
    ) -> Result<T, DeviceError> {
        let scopes =
            [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory]
                .map(|filter| self.device.push_error_scope(filter));
        let value = work();
        let mut error = None;
        for scope in scopes.into_iter().rev() {
            error = ready(scope.pop()).or(error);
        }
        match error {
            None => Ok(value),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(self
                .counters
                .refused(asked, format!("the driver of {} refused {what}", self.adapter.name))),
            Some(error) => Err(DeviceError::Failed(format!(
                "the driver of {} refused {what}: {error}",
                self.adapter.name
            ))),
        }
    }

    /// Submits commands in order, nothing of others between them, after all that was staged.
    pub(crate) fn submit(&self, commands: impl IntoIterator<Item = wgpu::CommandBuffer>) -> Token {
        let mut submissions = self.submissions();
        for command in commands {
            let index = self.queue.submit([command]);
            submissions.push(index);
        }
        Token(submissions.count)
    }

    /// Submissions so far.
    pub(crate) fn submission_count(&self) -> u64 {
        self.submissions().count
    }

    /// Notes that bytes were staged, and returns the token of the submission that they go with.
    pub(crate) fn staged(&self, bytes: usize) -> Token {
        let mut submissions = self.submissions();
        submissions.staged += bytes;
        if submissions.staged >= STAGED_BYTES {
            self.flush(&mut submissions);
            return Token(submissions.count);
        }
        Token(submissions.count + 1)
    }

    fn flush(&self, submissions: &mut Submissions) {
        let index = self.queue.submit([]);
        submissions.push(index);
    }

    /// Returns when all work up to a token is done, with what failed in it.
    pub(crate) fn wait(&self, token: Token) -> Result<(), DeviceError> {
        self.health.check()?;
        let index = {
            let mut submissions = self.submissions();
            if token.0 > submissions.count && submissions.staged > 0 {
                self.flush(&mut submissions);
            }
            submissions.find(token)
        };
        if let Some((number, index)) = index {
            // With a timeout, wgpu asserts what does not hold when another thread sees the work done first.
            self.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None })?;
            self.submissions().forget(number);
        } else {
            self.poll(wgpu::PollType::Poll)?;
        }
        // What another thread submitted may be done before that thread has asked to read its faults.
        self.health.check_through(token, || drop(self.poll(wgpu::PollType::Poll)))
    }

    /// Lets wgpu tell of what is done.
    fn poll(&self, poll: wgpu::PollType) -> Result<(), DeviceError> {
        // wgpu panics where the driver answers with the device's loss.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(poll))) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                self.health.check()?;
                Err(DeviceError::Failed(format!("waiting for {} failed: {error}", self.adapter.name)))
            }
            Err(_) => {
                self.health.lose("while waiting for its work");
                self.health.check()
            }
        }
    }
}

impl Submissions {
    fn push(&mut self, index: wgpu::SubmissionIndex) {
        self.count += 1;
        self.staged = 0;
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((self.count, index));
    }

    /// The first submission that completes no earlier than a token's; nothing when that is done.
    fn find(&self, token: Token) -> Option<(u64, wgpu::SubmissionIndex)> {
        if token.0 <= self.done {
            return None;
        }
        let position = self.recent.partition_point(|(number, _)| *number < token.0);
        self.recent.get(position.min(self.recent.len().saturating_sub(1))).cloned()
    }

    /// Submissions up to a number are done.
    fn forget(&mut self, number: u64) {
        self.done = self.done.max(number);
        while self.recent.front().is_some_and(|(first, _)| *first <= number) {
            self.recent.pop_front();
        }
    }
}
