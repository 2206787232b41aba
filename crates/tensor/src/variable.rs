//! State: a place on a device that holds one version of a value after another.

use crate::context;
use crate::device::Device;
use crate::error::Error;
use crate::evaluate;
use crate::launcher::keep_older;
use crate::node::{Content, Kind, next_id};
use crate::operand::Operand;
use crate::ring::Ring;
use crate::scope;
use crate::tensor::Tensor;
use smallvec::smallvec;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use warploom_device::Memory;
use warploom_graph::{DType, Dims, Origin, Type};

/// A variable's storage. Its memory stays the same for life.
pub(crate) struct Slot {
    pub id: u64,
    pub ty: Type,
    pub memory: Memory,
    pub name: OnceLock<Box<str>>,
    /// Whether the pending assignment is the variable's first value.
    initial: AtomicBool,
    versions: Mutex<Versions>,
}

pub(crate) struct Versions {
    /// The version in memory.
    pub current: Tensor,
    /// What was assigned since, not yet run.
    pub pending: Option<Tensor>,
}

impl Slot {
    pub fn new(ty: Type, memory: Memory, current: impl FnOnce(u64, &Memory) -> Tensor) -> Slot {
        let id = next_id();
        let versions = Versions { current: current(id, &memory), pending: None };
        Slot {
            id,
            ty,
            memory,
            name: OnceLock::new(),
            initial: AtomicBool::new(false),
            versions: Mutex::new(versions),
        }
    }

    pub fn is_initial(&self) -> bool {
        self.initial.load(Ordering::Relaxed)
    }

    pub fn set_initial(&self, initial: bool) {
        self.initial.store(initial, Ordering::Relaxed);
    }

    pub fn versions(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value that changes: a weight, or an optimizer's moments. A clone is the same variable.
///
/// Reading it takes its current version; [`Variable::assign`] makes the next. Assignments wait until a value of the
/// device is looked at, and then run together with what is looked at, in one program. They change the memory in place,
/// unless an older version can still be looked at; that one then gets memory of its own.
#[derive(Clone)]
pub struct Variable(Arc<Inner>);

enum Inner {
    Here { slot: Arc<Slot>, device: Device, origin: Origin },
    Failed(Tensor),
}

impl Variable {
    /// A variable on the value's device that begins as `value`. One whose value is a failed tensor carries the error on.
    #[track_caller]
    pub fn new(value: impl Into<Tensor>) -> Variable {
        let value = value.into();
        let origin = scope::origin();
        if value.is_failed() {
            return Variable(Arc::new(Inner::Failed(value)));
        }
        Variable::place(value, origin)
            .unwrap_or_else(|error| Variable(Arc::new(Inner::Failed(Tensor::failed(error)))))
    }

    fn place(mut value: Tensor, origin: Origin) -> Result<Variable, Error> {
        let device = value.device()?;
        let ty = value.ty().clone();
        let leaf = |id: u64, memory: &Memory| {
            Tensor::leaf(ty.clone(), memory.clone(), Some(id), origin.clone(), Some(device.clone()))
        };
        let name = value.name().map(Box::from);
        // A value that is here and that nobody else holds gives the variable its memory.
        let sole = match Arc::get_mut(&mut value.0) {
            Some(node) => match &*node.content() {
                Content::Ready { memory, state: None, .. } if Arc::strong_count(memory) == 1 => {
                    Some(memory.clone())
                }
                _ => None,
            },
            None => None,
        };
        let slot = if let Some(memory) = sole {
            drop(value);
            Arc::new(Slot::new(ty.clone(), memory, leaf))
        } else {
            let slot = Arc::new(Slot::new(ty.clone(), device.allocate(ty.bytes())?, leaf));
            slot.set_initial(true);
            slot.versions().pending = Some(version(value, &origin, &device));
            device.add_pending(&slot);
            slot
        };
        let variable = Variable(Arc::new(Inner::Here { slot, device, origin }));
        Ok(match name {
            Some(name) => variable.named(&name),
            None => variable,
        })
    }

    /// Gives the variable a name, by which errors call it. The first name stays.
    pub fn named(self, name: &str) -> Variable {
        if let Inner::Here { slot, .. } = &*self.0 {
            let _ = slot.name.set(name.into());
        }
        self
    }

    /// The name, if it has one.
    pub fn name(&self) -> Option<&str> {
        match &*self.0 {
            Inner::Here { slot, .. } => slot.name.get().map(|name| &**name),
            Inner::Failed(_) => None,
        }
    }

    /// The current version: what was last assigned, run or not.
    pub fn value(&self) -> Tensor {
        match &*self.0 {
            Inner::Failed(failed) => failed.clone(),
            Inner::Here { slot, device, origin } => {
                if let Some(tensor) = context::read(slot, device, origin) {
                    return tensor;
                }
                let versions = slot.versions();
                versions.pending.as_ref().unwrap_or(&versions.current).clone()
            }
        }
    }

    /// Makes `value` the next version. It runs with the next look at a value of the device; if an earlier assignment to
    /// this variable is still waiting, that one runs now, so that a loop that never looks does not grow. Within
    /// [`Device::record`] the assignment is recorded instead, and runs with every run of the recording.
    ///
    /// # Errors
    /// The error that `value` carries; another dtype, shape or device than the variable's. The variable keeps its value.
    #[track_caller]
    pub fn assign(&self, value: &impl Operand) -> Result<(), Error> {
        let value = value.tensor();
        if let Some(error) = value.error() {
            return Err(error);
        }
        let (slot, device) = match &*self.0 {
            Inner::Failed(failed) => {
                return Err(failed.error().unwrap_or_else(|| Error::new("assign", "failed")));
            }
            Inner::Here { slot, device, .. } => (slot, device),
        };
        let origin = scope::origin();
        if *value.ty() != slot.ty {
            let message = format!("{} is {}, found {}", self.described(), slot.ty, value.ty());
            return Err(Error::at("assign", message, &origin));
        }
        if value.0.device.as_ref().is_some_and(|other| other != device) {
            let message =
                format!("{} is on {}; move the value with .to(&device)", self.described(), device.id());
            return Err(Error::at("assign", message, &origin));
        }
        let next = version(value, &origin, device);
        let Some(next) = context::assign(slot, next, &origin)? else { return Ok(()) };
        loop {
            let mut versions = slot.versions();
            if versions.pending.is_none() {
                versions.pending = Some(next);
                drop(versions);
                device.add_pending(slot);
                return Ok(());
            }
            drop(versions);
            evaluate::flush(device, Location::caller())?;
        }
    }

    /// Writes stored bytes (elements in row-major order, little-endian) straight into the variable's memory: no program,
    /// and no memory beside it unless an older version can still be looked at; that one gets memory of its own. What was
    /// assigned before and has not run yet runs first.
    ///
    /// # Errors
    /// Another number of bytes than the variable has; a bool that is neither 0 nor 1; within a recording; what fails in
    /// pending work; what the device reports.
    #[track_caller]
    pub fn upload(&self, bytes: &[u8]) -> Result<(), Error> {
        let origin = scope::origin();
        let fail = |message: String| Err(Error::at("upload", message, &origin));
        let (slot, device) = match &*self.0 {
            Inner::Failed(failed) => {
                return Err(failed.error().unwrap_or_else(|| Error::new("upload", "failed")));
            }
            Inner::Here { slot, device, .. } => (slot, device),
        };
        if !context::is_plain() {
            return fail("bytes cannot be written within a recording; write them before it".into());
        }
        let wanted = slot.ty.bytes();
        if bytes.len() != wanted {
            let described = self.described();
            return fail(format!("{described} is {}, {wanted} bytes, found {}", slot.ty, bytes.len()));
        }
        if slot.ty.dtype == DType::Bool && bytes.iter().any(|byte| *byte > 1) {
            return fail("a bool is stored as 0 or 1".into());
        }
        evaluate::flush(device, Location::caller())?;
        // Held while writing: a launch might read the memory.
        let _launcher = device.launcher();
        keep_older(device, slot, &mut Ring::default())?;
        device.executor().upload(&slot.memory, 0, bytes)?;
        Ok(())
    }

    /// A number that no other variable of this process has.
    pub fn id(&self) -> u64 {
        match &*self.0 {
            Inner::Here { slot, .. } => slot.id,
            Inner::Failed(failed) => failed.0.id,
        }
    }

    /// The extents, outermost axis first.
    ///
    /// # Errors
    /// The error of the initial value.
    pub fn shape(&self) -> Result<Dims, Error> {
        self.value().shape()
    }

    /// The element type.
    ///
    /// # Errors
    /// As [`Variable::shape`].
    pub fn dtype(&self) -> Result<DType, Error> {
        self.value().dtype()
    }

    /// The device it lives on.
    ///
    /// # Errors
    /// As [`Variable::shape`].
    pub fn device(&self) -> Result<Device, Error> {
        self.value().device()
    }

    /// Where it was made.
    pub fn origin(&self) -> &Origin {
        match &*self.0 {
            Inner::Here { origin, .. } => origin,
            Inner::Failed(failed) => failed.origin(),
        }
    }

    pub(crate) fn described(&self) -> String {
        match self.name() {
            Some(name) => format!("`{name}`"),
            None => format!("the variable made at {}", self.origin()),
        }
    }
}

/// A variable's version that holds `value`.
fn version(value: Tensor, origin: &Origin, device: &Device) -> Tensor {
    let ty = Type::new(value.ty().dtype, value.extents());
    Tensor::lazy(Kind::Version, ty, smallvec![value], origin.clone(), Some(device.clone()))
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Inner::Here { slot, .. } => write!(f, "variable {} {}", self.described(), slot.ty),
            Inner::Failed(failed) => write!(f, "{failed:?}"),
        }
    }
}
