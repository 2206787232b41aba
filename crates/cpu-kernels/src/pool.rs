//! A small thread pool for kernels: dispatch in about a microsecond, no allocation and no lock per run.
//!
//! A run is published in one word, `Shared::gate`: run number, an open bit, and how many workers are inside. A
//! worker enters by adding itself while the gate is open; the caller works too, and when no task is left it shuts the
//! gate and waits for those inside. So a worker whose core was taken away delays nobody unless it holds a task.

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long an idle worker spins before it parks: longer than what lies between two parallel kernels of a step and between
/// two steps. A worker that has to be woken comes too late for most kernels, and on a busy machine it may be woken on the
/// caller's own core.
const IDLE_SPIN: Duration = Duration::from_millis(1);
/// How long the caller spins for the last worker before it yields its core between looks.
const JOIN_SPIN: Duration = Duration::from_micros(50);
/// Looks between two readings of the clock.
const LOOKS_PER_READING: u32 = 16;

/// Gate layout: run number in the high half, then the open bit, then the number of workers inside.
const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;
const RUN_SHIFT: u32 = 32;

type Task = dyn Fn(usize, usize) + Sync;

/// Keeps what one core writes off the cache lines of others (two lines: the prefetcher fetches pairs).
#[repr(align(128))]
struct Padded<T>(T);

/// One worker's part of a run, the tasks `next..end` (`end` in the high half). The worker takes the first, others take
/// the last when theirs are done, so that a worker's tasks stay neighbours.
struct Share(AtomicU64);

impl Share {
    const HALF: u32 = 32;

    fn set(&self, next: usize, end: usize) {
        self.0.store((end as u64) << Share::HALF | next as u64, Ordering::Relaxed);
    }

    fn take(&self, first: bool) -> Option<usize> {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let (next, end) = (now & u64::from(u32::MAX), now >> Share::HALF);
            if next >= end {
                return None;
            }
            let (task, left) = if first { (next, now + 1) } else { (end - 1, now - (1 << Share::HALF)) };
            match self.0.compare_exchange_weak(now, left, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(task as usize),
                Err(changed) => now = changed,
            }
        }
    }
}

struct Shared {
    gate: Padded<AtomicU64>,
    task: UnsafeCell<Option<*const Task>>,
    shares: Box<[Padded<Share>]>,
    parked: Box<[Padded<AtomicBool>]>,
    closing: AtomicBool,
    panicked: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `task` is written only by the caller that holds `Pool::busy` while the gate is shut and nobody is inside, and
// read only by workers inside; entering the gate orders the read after the write. The task itself is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `task` is used only while `Pool::run`, which borrows the task, is on the stack.
unsafe impl Send for Shared {}

/// A pool of `threads - 1` workers; the thread that calls [`Pool::run`] is the last.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    busy: AtomicBool,
}

impl Pool {
    /// As [`Pool::start`].
    ///
    /// # Panics
    /// When the system refuses a thread.
    pub fn new(threads: usize) -> Pool {
        Pool::start(threads).expect("the system refused a worker thread")
    }

    /// Starts `threads - 1` workers (`threads` is at least 1).
    ///
    /// # Errors
    /// What the system says where it refuses a thread; those that had started have ended then.
    pub fn start(threads: usize) -> io::Result<Pool> {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            gate: Padded(AtomicU64::new(0)),
            task: UnsafeCell::new(None),
            shares: (0..threads).map(|_| Padded(Share(AtomicU64::new(0)))).collect(),
            parked: (0..threads).map(|_| Padded(AtomicBool::new(false))).collect(),
            closing: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let mut pool =
            Pool { shared, workers: Vec::with_capacity(threads - 1), busy: AtomicBool::new(false) };
        for worker in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let named = thread::Builder::new().name(format!("warploom-{worker}"));
            pool.workers.push(named.spawn(move || shared.serve(worker))?);
        }
        Ok(pool)
    }

    /// How many threads work on a run, the caller included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(i, worker)` for every `i` in `0..tasks` and returns when all are done.
    ///
    /// `worker` is below [`Pool::threads`] and names the thread for the length of the run, so it may index scratch
    /// memory. Neighbouring tasks tend to stay on one worker from run to run, which keeps its cache warm; which worker
    /// runs a task is not fixed. A call from inside a task, or while another thread's run is under way, runs all tasks
    /// on the calling thread as worker 0.
    ///
    /// # Panics
    /// When there are 2³² tasks or more. With the first panic of a task, after every worker has left the run; tasks not
    /// yet begun are dropped.
    pub fn run(&self, tasks: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        assert!(u32::try_from(tasks).is_ok(), "{tasks} tasks in one run");
        if tasks <= 1 || self.workers.is_empty() || self.busy.swap(true, Ordering::Acquire) {
            for i in 0..tasks {
                task(i, 0);
            }
            return;
        }
        let panic = self.run_shared(tasks, task);
        self.busy.store(false, Ordering::Release);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// One run with all workers; the caller holds `busy`.
    fn run_shared(&self, tasks: usize, task: &(dyn Fn(usize, usize) + Sync)) -> Option<Box<dyn Any + Send>> {
        let shared = &*self.shared;
        let threads = self.threads();
        for (worker, share) in shared.shares.iter().enumerate() {
            share.0.set(worker * tasks / threads, (worker + 1) * tasks / threads);
        }
        // SAFETY: only the lifetime changes; every worker has left the gate before this function returns.
        let erased =
            unsafe { std::mem::transmute::<*const (dyn Fn(usize, usize) + Sync + '_), *const Task>(task) };
        // SAFETY: the gate is shut and nobody is inside, so nobody else reads or writes `task`.
        unsafe { *shared.task.get() = Some(erased) };
        let run = (shared.gate.0.load(Ordering::Relaxed) >> RUN_SHIFT).wrapping_add(1);
        // Sequentially consistent, as is the load of `parked`: of a worker going to sleep and a caller publishing, at
        // least one sees the other.
        shared.gate.0.store(run << RUN_SHIFT | OPEN, Ordering::SeqCst);
        self.wake(tasks - 1);

        shared.work(0, task);

        shared.gate.0.fetch_and(!OPEN, Ordering::AcqRel);
        let mut wait = Wait::new(JOIN_SPIN);
        while shared.gate.0.load(Ordering::Acquire) & INSIDE != 0 {
            if wait.is_over() {
                thread::yield_now();
            }
        }
        if !shared.panicked.load(Ordering::Acquire) {
            return None;
        }
        shared.panicked.store(false, Ordering::Relaxed);
        shared.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take()
    }

    /// Wakes parked workers until `wanted` are awake.
    fn wake(&self, wanted: usize) {
        for (worker, handle) in self.workers.iter().enumerate().take(wanted) {
            if self.shared.parked[worker + 1].0.load(Ordering::SeqCst) {
                handle.thread().unpark();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches its tasks' panics, so it cannot have died of one.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// A worker's life: wait for a run, enter, work, leave.
    fn serve(&self, worker: usize) {
        let mut seen = 0;
        while let Some(gate) = self.await_run(worker, seen) {
            seen = gate >> RUN_SHIFT;
            if !self.enter(seen) {
                continue;
            }
            // SAFETY: inside the gate the caller keeps the task alive and `task` unchanged.
            let task = unsafe { (*self.task.get()).map(|task| &*task) };
            if let Some(task) = task {
                self.work(worker, task);
            }
            self.gate.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Spins, then parks, until the gate is open for a run after `seen`; `None` when the pool closes.
    fn await_run(&self, worker: usize, seen: u64) -> Option<u64> {
        let ready = |gate: u64| gate & OPEN != 0 && gate >> RUN_SHIFT != seen;
        let mut wait = Wait::new(IDLE_SPIN);
        loop {
            let gate = self.gate.0.load(Ordering::Acquire);
            if ready(gate) {
                return Some(gate);
            }
            if self.closing.load(Ordering::Relaxed) {
                return None;
            }
            if wait.is_over() {
                let parked = &self.parked[worker].0;
                parked.store(true, Ordering::SeqCst);
                if !ready(self.gate.0.load(Ordering::SeqCst)) && !self.closing.load(Ordering::SeqCst) {
                    thread::park();
                }
                parked.store(false, Ordering::Relaxed);
                wait = Wait::new(IDLE_SPIN);
            }
        }
    }

    /// Steps inside run `run` unless it has been shut meanwhile.
    fn enter(&self, run: u64) -> bool {
        let mut gate = self.gate.0.load(Ordering::Relaxed);
        while gate & OPEN != 0 && gate >> RUN_SHIFT == run {
            match self.gate.0.compare_exchange_weak(gate, gate + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => gate = now,
            }
        }
        false
    }

    /// Takes tasks, its own share first, until none is left anywhere.
    fn work(&self, worker: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        let all = catch_unwind(AssertUnwindSafe(|| {
            for offset in 0..self.shares.len() {
                let share = &self.shares[(worker + offset) % self.shares.len()].0;
                while let Some(i) = share.take(offset == 0) {
                    task(i, worker);
                }
            }
        }));
        if let Err(panic) = all {
            for share in &self.shares {
                share.0.set(0, 0);
            }
            self.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(panic);
            self.panicked.store(true, Ordering::Release);
        }
    }
}

/// A bounded wait: spin-loop hints until the time is over.
struct Wait {
    limit: Duration,
    since: Option<Instant>,
    looks: u32,
}

impl Wait {
    fn new(limit: Duration) -> Wait {
        Wait { limit, since: None, looks: 0 }
    }

    /// Lets a moment pass; whether the limit has been reached.
    fn is_over(&mut self) -> bool {
        spin_loop();
        self.looks += 1;
        if !self.looks.is_multiple_of(LOOKS_PER_READING) {
            return false;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= self.limit
    }
}
