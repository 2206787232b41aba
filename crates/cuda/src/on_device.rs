//! One of NVIDIA's libraries on one device: opened when the first shape wants it, and asked about each shape once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use warploom_device::DeviceError;

use crate::driver::Device;
use crate::search::Search;
use crate::vendor::Asked;

/// A library at work on a device.
pub(crate) trait Opens: Sized {
    /// What it may compute.
    type Shape: Clone + Eq + Hash;
    /// The same, ready to be queued.
    type Ready;

    /// Loads it.
    fn open(search: &Search, device: &Arc<Device>) -> Result<Self, String>;

    /// Asks it how it would compute a shape.
    fn ready(self: &Arc<Self>, shape: &Self::Shape) -> Result<Self::Ready, String>;
}

/// A library on one device, opened or not.
pub(crate) struct OnDevice<L: Opens> {
    search: Search,
    /// What the environment wants of it.
    pub asked: Asked,
    opened: OnceLock<Option<Arc<L>>>,
    /// What was decided once is decided for good: memory is planned by it.
    known: Mutex<HashMap<L::Shape, Option<Arc<L::Ready>>>>,
    // Last: everything above is the device's.
    device: Arc<Device>,
}

impl<L: Opens> OnDevice<L> {
    /// Not opened yet; `variable` is the environment's for it.
    pub(crate) fn new(
        search: &Search,
        device: &Arc<Device>,
        variable: &str,
    ) -> Result<OnDevice<L>, DeviceError> {
        Ok(OnDevice {
            search: search.clone(),
            asked: Asked::of_environment(variable)?,
            opened: OnceLock::new(),
            known: Mutex::default(),
            device: device.clone(),
        })
    }

    /// The shape ready to be queued, if the library computes it.
    pub(crate) fn get(&self, shape: &L::Shape) -> Option<Arc<L::Ready>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(shape) {
            return known.clone();
        }
        let opened = self.opened.get_or_init(|| L::open(&self.search, &self.device).ok().map(Arc::new));
        let made = opened.as_ref().and_then(|opened| opened.ready(shape).ok()).map(Arc::new);
        known.insert(shape.clone(), made.clone());
        made
    }
}
