//! Devices by name. Executors are registered by whoever links them; this crate knows none.

use crate::device::Device;
use crate::error::Error;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warploom_device::{DeviceError, Executor};

/// Opens the device of one kind with a number; without one, the kind's first.
pub type Open = fn(index: Option<usize>) -> Result<Arc<dyn Executor>, DeviceError>;

/// So many devices of a kind that open by number alone are looked for: only messages list them.
const NAMED: usize = 8;

#[derive(Default)]
struct Registry {
    /// Kinds in the order of their registration, which is the order in which `best` and `gpu` try them.
    kinds: Vec<(&'static str, Open)>,
    /// Opened devices by id, as the executor says it, and by every name they were asked by.
    opened: HashMap<String, Device>,
}

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

thread_local! {
    static SCOPES: RefCell<Vec<Device>> = const { RefCell::new(Vec::new()) };
}

/// Adds a kind of device under a name such as `cpu`, `cuda` or `wgpu`. Every kind but `cpu` counts as a GPU; GPUs are
/// tried in the order of registration. Registering a kind again changes nothing.
pub fn register(kind: &'static str, open: Open) {
    with(|registry| {
        if registry.kinds.iter().all(|(name, _)| *name != kind) {
            registry.kinds.push((kind, open));
        }
    });
}

fn with<R>(body: impl FnOnce(&mut Registry) -> R) -> R {
    let mut guard: MutexGuard<'_, Option<Registry>> = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    body(guard.get_or_insert_default())
}

pub(crate) fn named(name: &str) -> Result<Device, Error> {
    with(|registry| {
        if let Some(device) = registry.opened.get(name) {
            return Ok(device.clone());
        }
        let device = registry.open(name).map_err(|reason| Error::NoDevice {
            asked: name.into(),
            reason,
            present: registry.present(),
        })?;
        registry.opened.insert(name.into(), device.clone());
        Ok(device)
    })
}

impl Registry {
    fn open(&mut self, name: &str) -> Result<Device, String> {
        let (kind, index) = match name.split_once(':') {
            None => (name, None),
            Some((kind, number)) => {
                let index = number.parse().map_err(|_| format!("`{number}` is not a device number"))?;
                (kind, Some(index))
            }
        };
        // The first GPU is whichever kind has one that is hardware; numbers belong to kinds.
        let index = match (kind, index) {
            ("gpu" | "best", Some(0)) => None,
            ("gpu" | "best", Some(_)) => {
                return Err("only kinds have numbers; name one, such as `wgpu:1`".into());
            }
            (_, index) => index,
        };
        let is_cpu = |kind: &str| kind == "cpu";
        let kinds: Vec<(&'static str, Open)> = match kind {
            "best" => {
                let (cpus, gpus): (Vec<_>, Vec<_>) = self.kinds.iter().partition(|(kind, _)| is_cpu(kind));
                gpus.into_iter().chain(cpus).collect()
            }
            "gpu" => self.kinds.iter().copied().filter(|(kind, _)| !is_cpu(kind)).collect(),
            _ => self.kinds.iter().copied().filter(|(name, _)| *name == kind).collect(),
        };
        if kinds.is_empty() {
            let known: Vec<&str> = self.kinds.iter().map(|(name, _)| *name).collect();
            return Err(match kind {
                "gpu" => "no GPU: this build has no kind of device but the CPU".into(),
                "best" => "this build has no kind of device".into(),
                _ => format!("an unknown kind; known are {}, gpu and best", known.join(", ")),
            });
        }
        let mut reasons = Vec::new();
        for (kind, open) in kinds {
            match open(index) {
                Ok(executor) => return Ok(self.adopt(executor)),
                Err(DeviceError::Missing(reason)) => reasons.push((kind, reason)),
                Err(error) => reasons.push((kind, error.to_string())),
            }
        }
        if let [(_, only)] = reasons.as_slice() {
            return Err(only.clone());
        }
        let reasons: Vec<String> = reasons.into_iter().map(|(kind, why)| format!("{kind}: {why}")).collect();
        Err(reasons.join("; "))
    }

    /// The device of an executor's id; the first executor of an id stays.
    fn adopt(&mut self, executor: Arc<dyn Executor>) -> Device {
        let id = executor.target().capabilities().id.clone();
        self.opened.entry(id).or_insert_with(|| Device::from_executor(executor)).clone()
    }

    /// Ids of the devices that can be opened, one of each kind at least; what opens by its number alone is said to.
    fn present(&mut self) -> Vec<String> {
        let mut named = Vec::new();
        for (_, open) in self.kinds.clone() {
            match open(None) {
                Ok(executor) => drop(self.adopt(executor)),
                Err(_) => named.extend((0..NAMED).map_while(|index| open(Some(index)).ok())),
            }
        }
        let named: Vec<String> =
            named.iter().map(|executor| executor.target().capabilities().id.clone()).collect();
        let mut ids: Vec<String> = self.opened.values().map(|device| device.id().to_owned()).collect();
        ids.retain(|id| !named.contains(id));
        ids.sort();
        ids.dedup();
        ids.extend(named.iter().map(|id| format!("{id} (software, used only when named)")));
        ids
    }
}

pub(crate) fn current() -> Result<Device, Error> {
    match SCOPES.with_borrow(|scopes| scopes.last().cloned()) {
        Some(device) => Ok(device),
        None => named("best"),
    }
}

pub(crate) fn scope<R>(device: &Device, body: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            SCOPES.with_borrow_mut(|scopes| scopes.pop());
        }
    }
    SCOPES.with_borrow_mut(|scopes| scopes.push(device.clone()));
    let _leave = Leave;
    body()
}
