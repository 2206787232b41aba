//! A device with another's rules and no memory: programs are compiled and counted for it, and nothing runs.

use crate::error::Result;
use std::sync::Arc;
use warploom_device::null::Null;
use warploom_device::{Around, Capabilities, Executor, Target};
use warploom_tensor::Device;

/// Plans as `device` would, without its memory.
///
/// # Errors
/// None that the device itself would not give.
pub fn dry_device(device: &Device) -> Result<Device> {
    let capabilities = Capabilities { memory_bytes: None, ..device.capabilities().clone() };
    let dry = Dry { like: device.executor().clone(), null: Null::new(capabilities) };
    Ok(Device::from_executor(Arc::new(dry)).with_precision(device.precision())?)
}

struct Dry {
    like: Arc<dyn Executor>,
    null: Null,
}

impl Around for Dry {
    fn inner(&self) -> &dyn Executor {
        &self.null
    }

    fn rules(&self) -> &dyn Target {
        self.like.target()
    }
}
