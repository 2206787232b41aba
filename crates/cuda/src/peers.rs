//! Copies from one GPU to another, past the host.

use std::sync::{Mutex, PoisonError};

use warploom_device::{DeviceError, Token};

use crate::driver::Event;
use crate::memory::GpuMemory;

/// Who copies holds the queues of two devices, which two that copy in opposite directions must not take in turn.
static COPYING: Mutex<()> = Mutex::new(());

/// Copies the first `bytes` bytes of memory that another executor made, as [`warploom_device::Executor::receive`].
///
/// The copy runs on the destination's queue of computation after what was queued for both memories, and what comes next on the
/// source's queue waits for it, so that the source is neither written nor given back before.
pub(crate) fn receive(
    source: &GpuMemory,
    destination: &GpuMemory,
    bytes: usize,
) -> Result<Option<Token>, DeviceError> {
    let addresses = [destination.at(0, bytes)?, source.at(0, bytes)?];
    let (source, destination) = (&source.block, &destination.block);
    let (from, to) = (&source.context, &destination.context);
    to.device.health.check()?;
    if bytes == 0 {
        return Ok(Some(to.latest()));
    }
    to.device.reach(&from.device)?;
    let (ready, copied) = (Event::new(&from.device)?, Event::new(&to.device)?);
    let _copying = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut token, mut is_copied) = (Token(0), false);
    from.compute([&source.touched], |_, reading| {
        ready.record(reading)?;
        token = to.compute([&destination.touched], |_, writing| {
            ready.hold(&to.device, writing)?;
            // SAFETY: `at` gave both addresses for as many bytes; memory is given back after what its queue holds, which
            // waits for the copy.
            is_copied = unsafe { to.device.copy_from(&from.device, addresses, bytes, writing) }?;
            copied.record(writing)
        })?;
        copied.hold(&from.device, reading).inspect_err(|_| {
            // The wait that cannot be queued is done here.
            let _ = to.settle(token);
        })
    })?;
    Ok(is_copied.then_some(token))
}
