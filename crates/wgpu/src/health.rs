//! What went wrong on a device, kept until somebody can be told.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use warploom_device::{DeviceError, Token};

/// How long to wait until wgpu is asked again.
const TURN: Duration = Duration::from_millis(1);

/// Failures of one device.
#[derive(Default)]
pub(crate) struct Health {
    /// What the driver said when the device was lost; nothing works after that.
    lost: OnceLock<String>,
    /// An error that no call was there to take.
    failure: Mutex<Option<DeviceError>>,
    /// By token, launches that may have read an index out of range: not known yet, or what they read.
    faults: Mutex<BTreeMap<u64, Option<DeviceError>>>,
    known: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Health {
    pub(crate) fn lose(&self, text: &str) {
        let text = if text.trim().is_empty() { "the driver gives no reason" } else { text.trim() };
        // A second loss says less than the first.
        let _ = self.lost.set(text.into());
    }

    pub(crate) fn fail(&self, error: DeviceError) {
        lock(&self.failure).get_or_insert(error);
    }

    /// What failed and was not told yet; the loss of the device each time.
    pub(crate) fn check(&self) -> Result<(), DeviceError> {
        if let Some(text) = self.lost.get() {
            return Err(DeviceError::Failed(format!(
                "the device was lost ({text}) and takes no more work; start the program again from its last checkpoint. \
                 If it happens again, lower the batch size (drivers end kernels that take seconds) or update the driver"
            )));
        }
        lock(&self.failure).take().map_or(Ok(()), Err)
    }

    /// As [`Health::check`], and the first index out of range of launches up to `token`, once. Meanwhile `poll` lets wgpu
    /// tell of what is done.
    pub(crate) fn check_through(&self, token: Token, poll: impl Fn()) -> Result<(), DeviceError> {
        let mut faults = lock(&self.faults);
        while faults.range(..=token.0).any(|(_, fault)| fault.is_none()) {
            drop(faults);
            poll();
            let waited = self.known.wait_timeout(lock(&self.faults), TURN);
            faults = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let later = faults.split_off(&(token.0 + 1));
        let passed = std::mem::replace(&mut *faults, later);
        drop(faults);
        self.check()?;
        passed.into_values().flatten().next().map_or(Ok(()), Err)
    }

    /// A launch will tell whether it read an index out of range, by [`Health::settle`].
    pub(crate) fn expect(&self, token: Token) {
        lock(&self.faults).insert(token.0, None);
    }

    pub(crate) fn settle(&self, token: Token, fault: Option<DeviceError>) {
        let mut faults = lock(&self.faults);
        match fault {
            Some(fault) => faults.insert(token.0, Some(fault)),
            None => faults.remove(&token.0),
        };
        self.known.notify_all();
    }
}
