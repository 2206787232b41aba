//! Memory that is used again when nobody holds it any more.

use crate::device::Device;
use crate::error::Error;
use std::sync::Arc;
use warploom_device::Memory;

/// Most memories a ring keeps; what is held beyond that is freed when dropped.
pub(crate) const RING: usize = 4;

/// Memories of one size.
#[derive(Default)]
pub(crate) struct Ring(Vec<Memory>);

impl Ring {
    /// A memory that nobody else holds. Work that still reads it was launched before, and launches run in order.
    pub fn take(&mut self, device: &Device, bytes: usize) -> Result<Memory, Error> {
        if let Some(free) = self.0.iter().find(|memory| Arc::strong_count(memory) == 1) {
            return Ok(free.clone());
        }
        let memory = device.allocate(bytes)?;
        if self.0.len() < RING {
            self.0.push(memory.clone());
        }
        Ok(memory)
    }
}
