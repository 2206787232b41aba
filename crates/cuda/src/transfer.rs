//! Copies between host and device, through memory that the GPU reads by itself, and on the device.

use std::sync::{Arc, Mutex, PoisonError};

use warploom_device::{DeviceError, Token};

use crate::context::Context;
use crate::driver::Pinned;
use crate::memory::GpuMemory;

/// Bytes of an upload or download that are staged at once.
const PIECE: usize = 8 << 20;

/// Pieces that wait to travel, at most.
const SLOTS: usize = 4;

/// Least bytes of a slot.
const LEAST: usize = 64 << 10;

/// Copies for one device.
pub(crate) struct Transfer {
    context: Arc<Context>,
    ring: Mutex<Ring>,
    /// What the last download was read through.
    reader: Mutex<Option<Pinned>>,
}

/// Where uploads are staged, in turn.
#[derive(Default)]
struct Ring {
    slots: [Option<Slot>; SLOTS],
    next: usize,
}

struct Slot {
    pinned: Pinned,
    /// What reads it.
    until: Token,
}

impl Transfer {
    pub(crate) fn new(context: Arc<Context>) -> Transfer {
        Transfer { context, ring: Mutex::default(), reader: Mutex::default() }
    }

    /// Host to device, after what was queued for the memory before. Returns when the bytes are staged.
    pub(crate) fn upload(
        &self,
        memory: &GpuMemory,
        offset: usize,
        bytes: &[u8],
    ) -> Result<Token, DeviceError> {
        let mut address = memory.at(offset, bytes.len())?;
        self.context.device.health.check()?;
        let mut token = self.context.latest();
        for piece in bytes.chunks(PIECE) {
            token = self.send(memory, address, piece)?;
            address += piece.len() as u64;
        }
        self.context.counters.uploaded(bytes.len());
        Ok(token)
    }

    fn send(&self, memory: &GpuMemory, address: u64, piece: &[u8]) -> Result<Token, DeviceError> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let position = ring.next;
        ring.next = (position + 1) % SLOTS;
        let device = &self.context.device;
        let place = &mut ring.slots[position];
        if let Some(slot) = place {
            self.context.settle_uploads(slot.until)?;
        }
        let slot = match place.take().filter(|slot| slot.pinned.bytes() >= piece.len()) {
            Some(slot) => slot,
            None => {
                let bytes = piece.len().next_power_of_two().max(LEAST);
                Slot { pinned: Pinned::new(device, bytes)?, until: Token(0) }
            }
        };
        let slot = place.insert(slot);
        slot.pinned.write(piece);
        let (from, bytes) = (slot.pinned.raw, piece.len());
        slot.until = self.context.upload(&memory.block.touched, |api, stream| {
            // SAFETY: the slot stays until `until`; the address has as many bytes in memory that lives until then.
            device.done("an upload", unsafe { (api.copy_in)(address, from.cast(), bytes, stream) })
        })?;
        Ok(slot.until)
    }

    /// Device to device, the first `bytes` bytes.
    pub(crate) fn copy(
        &self,
        source: &GpuMemory,
        destination: &GpuMemory,
        bytes: usize,
    ) -> Result<Token, DeviceError> {
        let (from, to) = (source.at(0, bytes)?, destination.at(0, bytes)?);
        let device = &self.context.device;
        device.health.check()?;
        if source.id == destination.id || bytes == 0 {
            return Ok(self.context.latest());
        }
        self.context.compute([&source.block.touched, &destination.block.touched], |api, stream| {
            // SAFETY: both have as many bytes, and live until this is done.
            device.done("a copy", unsafe { (api.copy_within)(to, from, bytes, stream) })
        })
    }

    /// Device to host, after what was queued before.
    pub(crate) fn download(
        &self,
        memory: &GpuMemory,
        offset: usize,
        bytes: &mut [u8],
    ) -> Result<(), DeviceError> {
        let mut address = memory.at(offset, bytes.len())?;
        let device = &self.context.device;
        device.health.check()?;
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.chunks_mut(PIECE) {
            let wanted = piece.len();
            let pinned = match reader.take().filter(|pinned| pinned.bytes() >= wanted) {
                Some(pinned) => reader.insert(pinned),
                None => reader.insert(Pinned::new(device, wanted.next_power_of_two().max(LEAST))?),
            };
            let to = pinned.raw;
            let token = self.context.compute([&memory.block.touched], |api, stream| {
                // SAFETY: both have as many bytes; the reader is locked until this is done.
                device.done("a download", unsafe { (api.copy_out)(to.cast(), address, wanted, stream) })
            })?;
            self.context.settle(token)?;
            pinned.read(0, piece);
            address += wanted as u64;
        }
        self.context.counters.downloaded(bytes.len());
        Ok(())
    }
}
