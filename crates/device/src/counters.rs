//! What an executor counts, without a lock.

use crate::error::DeviceError;
use crate::executor::Statistics;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Counters of one executor, shared by its memories and executables. Memory within a limit stays within it however many
/// threads ask at once.
#[derive(Default, Debug)]
pub struct Counters {
    launches: AtomicU64,
    live: AtomicUsize,
    peak: AtomicUsize,
    uploaded: AtomicU64,
    downloaded: AtomicU64,
}

/// Bytes that count as held until this is dropped.
#[derive(Debug)]
pub struct Held {
    bytes: usize,
    counters: Arc<Counters>,
}

impl Counters {
    /// Holds `bytes` more for what `allocate` gives; when that fails nothing was held.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`] where more than `limit` would be held, before `allocate` is called; what `allocate` says,
    /// with its own numbers of bytes replaced where it is out of memory.
    pub fn hold<T>(
        self: &Arc<Self>,
        bytes: usize,
        limit: Option<usize>,
        allocate: impl FnOnce() -> Result<T, DeviceError>,
    ) -> Result<(T, Held), DeviceError> {
        let most = limit.unwrap_or(usize::MAX);
        let within = |live: usize| live.checked_add(bytes).filter(|sum| *sum <= most);
        let before = self.live.fetch_update(Relaxed, Relaxed, within);
        let live = before.map_err(|_| self.refused(bytes, format!("the limit is {most} bytes")))? + bytes;
        let held = Held { bytes, counters: self.clone() };
        match allocate() {
            Ok(made) => {
                self.peak.fetch_max(live, Relaxed);
                Ok((made, held))
            }
            Err(error) => {
                drop(held);
                Err(match error {
                    DeviceError::OutOfMemory { reason, .. } => self.refused(bytes, reason),
                    other => other,
                })
            }
        }
    }

    /// The error of an allocation of `asked` bytes that cannot be.
    pub fn refused(&self, asked: usize, reason: impl Into<String>) -> DeviceError {
        DeviceError::OutOfMemory { asked, held: self.live.load(Relaxed), reason: reason.into() }
    }

    /// Counts a launch and gives its number, from 1.
    pub fn launched(&self) -> u64 {
        self.launches.fetch_add(1, Relaxed) + 1
    }

    /// Counts bytes copied from host to device.
    pub fn uploaded(&self, bytes: usize) {
        self.uploaded.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts bytes copied from device to host.
    pub fn downloaded(&self, bytes: usize) {
        self.downloaded.fetch_add(bytes as u64, Relaxed);
    }

    /// All of them now.
    pub fn read(&self) -> Statistics {
        Statistics {
            launches: self.launches.load(Relaxed),
            live_bytes: self.live.load(Relaxed),
            peak_bytes: self.peak.load(Relaxed),
            uploaded_bytes: self.uploaded.load(Relaxed),
            downloaded_bytes: self.downloaded.load(Relaxed),
        }
    }
}

impl Held {
    /// How many.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counters.live.fetch_sub(self.bytes, Relaxed);
    }
}
