//! What happened when: spans of a run on one timeline.
//!
//! [`begin`] starts to collect, [`end`] gives what was collected. In between [`span`] notes how long something takes, on any
//! thread; before and after it costs a look at a flag. One timeline at a time is collected in a process.

mod write;

pub use write::BEGINNING;

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Spans that are kept; a file of so many has some 100 MB. Later ones are counted.
const MOST: usize = 1_000_000;

/// Whose time it is. Each is a row of the timeline; the host and the loader have one for each thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Track {
    /// The program: epochs, launches, waiting, checkpoints.
    Host,
    /// Threads that prepare batches.
    Loader,
    /// Copies between host and device, as the host sees them.
    Copies,
    /// Kernels.
    Device,
}

/// Something that took time.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Where it is shown.
    pub track: Track,
    /// The thread that noted it, numbered from 1 in the order in which threads do.
    pub thread: u32,
    /// What it is.
    pub name: Cow<'static, str>,
    /// From the timeline's begin.
    pub start: Duration,
    /// How long it took.
    pub length: Duration,
    /// Bytes that it moved, where it is a copy.
    pub bytes: Option<usize>,
}

/// What was collected.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Timeline {
    /// In the order in which they ended.
    pub events: Vec<Event>,
    /// How many more there were than are kept.
    pub left_out: usize,
}

struct Collection {
    began: Instant,
    timeline: Timeline,
}

static IS_ON: AtomicBool = AtomicBool::new(false);
static COLLECTION: Mutex<Option<Collection>> = Mutex::new(None);

fn collection() -> MutexGuard<'static, Option<Collection>> {
    COLLECTION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts to collect. What was collected before is dropped.
pub fn begin() {
    *collection() = Some(Collection { began: Instant::now(), timeline: Timeline::default() });
    IS_ON.store(true, Ordering::Release);
}

/// Whether spans are collected: names that are dear to make need not be made otherwise.
#[inline]
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// Ends collecting. Spans that are open are lost.
pub fn end() -> Timeline {
    IS_ON.store(false, Ordering::Release);
    collection().take().map(|collection| collection.timeline).unwrap_or_default()
}

/// A span from now until it is dropped.
#[must_use = "it ends when it is dropped"]
pub struct Span(Option<Open>);

struct Open {
    track: Track,
    name: Cow<'static, str>,
    start: Instant,
    bytes: Option<usize>,
}

/// Begins a span; the name is made only while spans are collected.
#[inline]
pub fn span<N: Into<Cow<'static, str>>>(track: Track, name: impl FnOnce() -> N) -> Span {
    Span(is_on().then(|| Open { track, name: name().into(), start: Instant::now(), bytes: None }))
}

/// Begins the span of a copy.
#[inline]
pub fn copy(name: &'static str, bytes: usize) -> Span {
    let open = || Open { track: Track::Copies, name: name.into(), start: Instant::now(), bytes: Some(bytes) };
    Span(is_on().then(open))
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            note(open.track, open.name, open.start, open.start.elapsed(), open.bytes);
        }
    }
}

/// Notes what somebody else measured, such as a device's own clock.
pub fn note(
    track: Track,
    name: impl Into<Cow<'static, str>>,
    start: Instant,
    length: Duration,
    bytes: Option<usize>,
) {
    let thread = thread();
    if let Some(Collection { began, timeline }) = collection().as_mut() {
        if timeline.events.len() >= MOST {
            timeline.left_out += 1;
            return;
        }
        let start = start.saturating_duration_since(*began);
        timeline.events.push(Event { track, thread, name: name.into(), start, length, bytes });
    }
}

fn thread() -> u32 {
    static THREADS: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static OWN: Cell<u32> = const { Cell::new(0) };
    }
    OWN.with(|own| {
        if own.get() == 0 {
            own.set(THREADS.fetch_add(1, Ordering::Relaxed) + 1);
        }
        own.get()
    })
}
