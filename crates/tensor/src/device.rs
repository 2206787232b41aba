//! A device with what this crate keeps on it: programs, pending assignments, arena, random state.

use crate::error::Error;
use crate::launcher::Launcher;
use crate::registry;
use crate::trace::Trace;
use crate::variable::Slot;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use warploom_compile::Precision;
use warploom_device::{Capabilities, Executor, Memory, Statistics, Verification, Verifying};
use warploom_graph::DType;

/// A compute device. Cheap to clone; a clone is the same device.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    executor: Arc<dyn Executor>,
    /// The executor once more, where it checks another.
    verifying: Option<Arc<Verifying>>,
    /// In which numbers programs compiled for it multiply.
    precision: Precision,
    /// One launch at a time, with what launches share. Taken before `trace` and before any variable's lock.
    launcher: Mutex<Launcher>,
    /// One walk over the lazy nodes at a time; they are marked while walked.
    trace: Mutex<Trace>,
    /// Variables whose newest assignment has not run.
    pending: Mutex<Vec<Weak<Slot>>>,
    has_pending: AtomicBool,
}

impl Device {
    /// A device of its own around an executor, for tests and for executors that are not registered.
    pub fn from_executor(executor: Arc<dyn Executor>) -> Device {
        Device::new(executor, None, Precision::F32)
    }

    /// A device of its own on the same hardware that checks each kernel against the reference the first time it runs, by the
    /// rules of [`Verifying`]: the first kernel that differs fails what launched it, by name. Tensors of this device are
    /// not on it; what is checked must be made there.
    pub fn verified(&self) -> Device {
        let verifying = Arc::new(Verifying::new(self.0.executor.clone()));
        Device::new(verifying.clone(), Some(verifying), self.0.precision)
    }

    /// What was checked so far on a device that [`Device::verified`] made; `None` on any other.
    pub fn verification(&self) -> Option<Verification> {
        self.0.verifying.as_ref().map(|verifying| verifying.verification())
    }

    /// A device of its own on the same hardware whose programs multiply in `precision`: factors of products and convolutions
    /// of f32 are rounded, and everything else stays as it is recorded, weights, sums and updates in f32;
    /// [`Precision::table`] says which op runs in what. Tensors of this device are not on it.
    ///
    /// Gradients in f16 need a scaled loss. TF32 on a device that has none is f32, which is more exact; programs note it.
    ///
    /// # Errors
    /// A precision that the device does not compute with; says which it has.
    pub fn with_precision(&self, precision: Precision) -> Result<Device, Error> {
        precision.on(self.capabilities())?;
        Ok(Device::new(self.0.executor.clone(), self.0.verifying.clone(), precision))
    }

    /// In which numbers programs compiled for it multiply.
    pub fn precision(&self) -> Precision {
        self.0.precision
    }

    fn new(executor: Arc<dyn Executor>, verifying: Option<Arc<Verifying>>, precision: Precision) -> Device {
        Device(Arc::new(Inner {
            executor,
            verifying,
            precision,
            launcher: Mutex::default(),
            trace: Mutex::default(),
            pending: Mutex::default(),
            has_pending: AtomicBool::new(false),
        }))
    }

    /// The device of a name: a registered kind such as `cpu`, with a number where there are several (`cuda:0`);
    /// `gpu` or `gpu:0` for a GPU of whatever kind; `best` for what [`Device::best`] gives. The same name gives the same
    /// device.
    ///
    /// # Errors
    /// [`Error::NoDevice`] with the reason and the devices that are there.
    pub fn named(name: &str) -> Result<Device, Error> {
        registry::named(name)
    }

    /// The first GPU, else the CPU.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where no kind of device is registered.
    pub fn best() -> Result<Device, Error> {
        registry::named("best")
    }

    /// The device on which new tensors are made: that of the innermost [`Device::scope`], else [`Device::best`].
    ///
    /// # Errors
    /// As [`Device::best`].
    pub fn current() -> Result<Device, Error> {
        registry::current()
    }

    /// Runs `body` with this device as the one on which new tensors are made.
    pub fn scope<R>(&self, body: impl FnOnce() -> R) -> R {
        registry::scope(self, body)
    }

    /// What runs programs there.
    pub fn executor(&self) -> &Arc<dyn Executor> {
        &self.0.executor
    }

    /// What the device can do.
    pub fn capabilities(&self) -> &Capabilities {
        self.0.executor.target().capabilities()
    }

    /// The device's id, such as `cpu` or `cuda:0`.
    pub fn id(&self) -> &str {
        &self.capabilities().id
    }

    /// Launches, bytes held, bytes copied.
    pub fn statistics(&self) -> Statistics {
        self.0.executor.statistics()
    }

    /// Runs pending assignments and returns when all work is done.
    ///
    /// # Errors
    /// What failed in work that was launched earlier, or in this.
    #[track_caller]
    pub fn sync(&self) -> Result<(), Error> {
        crate::evaluate::flush(self, std::panic::Location::caller())?;
        self.launcher().queue.wait_all(self)
    }

    /// Sets the seed of the random numbers drawn on this device and starts their steps at 0. Values recorded before and
    /// not yet run draw with the new seed.
    ///
    /// # Errors
    /// What fails in pending work, or in writing the seed.
    #[track_caller]
    pub fn seed(&self, seed: u64) -> Result<(), Error> {
        crate::evaluate::flush(self, std::panic::Location::caller())?;
        self.launcher().set_random_state(self, [seed as u32, (seed >> 32) as u32, 0])
    }

    /// Seed (two words, low first) and step of the random numbers drawn on this device; `None` where nothing has drawn or
    /// seeded yet. Waits for what runs.
    ///
    /// # Errors
    /// What fails in pending work, or in reading the state.
    #[track_caller]
    pub fn random_state(&self) -> Result<Option<[u32; 3]>, Error> {
        self.sync()?;
        self.launcher().random_state(self)
    }

    /// Goes on drawing from a state that [`Device::random_state`] gave.
    ///
    /// # Errors
    /// What fails in pending work, or in writing the state.
    #[track_caller]
    pub fn restore_random_state(&self, state: [u32; 3]) -> Result<(), Error> {
        crate::evaluate::flush(self, std::panic::Location::caller())?;
        self.launcher().set_random_state(self, state)
    }

    /// Forgets the compiled programs of plain code and gives back the arena. What is needed again is made again.
    pub fn release_unused(&self) {
        self.launcher().release_unused();
        self.trace().templates.clear();
    }

    /// Number of compiled programs kept for plain code.
    pub fn cached_programs(&self) -> usize {
        self.launcher().cache.len()
    }

    /// How many programs plain code has had compiled so far.
    pub fn compiled_programs(&self) -> u64 {
        self.launcher().cache.misses()
    }

    pub(crate) fn launcher(&self) -> MutexGuard<'_, Launcher> {
        self.0.launcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trace(&self) -> MutexGuard<'_, Trace> {
        self.0.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_pending(&self, slot: &Arc<Slot>) {
        let mut pending = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push(Arc::downgrade(slot));
        self.0.has_pending.store(true, Ordering::Release);
    }

    pub(crate) fn has_pending(&self) -> bool {
        self.0.has_pending.load(Ordering::Acquire)
    }

    /// Moves the variables with a pending assignment to `into`, in the order of their assignments.
    pub(crate) fn take_pending(&self, into: &mut Vec<Arc<Slot>>) {
        if self.has_pending() {
            let mut pending = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
            into.extend(pending.drain(..).filter_map(|slot| slot.upgrade()));
            self.0.has_pending.store(false, Ordering::Release);
        }
    }

    /// Memory for `bytes` bytes; never empty, which some devices cannot do.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<Memory, Error> {
        Ok(self.0.executor.allocate(bytes.max(1))?)
    }

    /// Whether it computes with `dtype`, or what to do.
    pub(crate) fn check_dtype(&self, dtype: DType) -> Result<(), String> {
        let capabilities = self.capabilities();
        if capabilities.dtypes.contains(&dtype) {
            return Ok(());
        }
        let cast = match dtype {
            DType::F64 => "F32",
            DType::F16 | DType::BF16 => "F32",
            DType::Bool | DType::U8 | DType::I32 | DType::U32 | DType::F32 => "I32",
        };
        Err(format!(
            "{} has no {dtype}; make the tensor on the CPU and move it after .cast(DType::{cast}), or convert the \
             numbers before",
            capabilities.id
        ))
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Device) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {}", self.id())
    }
}
