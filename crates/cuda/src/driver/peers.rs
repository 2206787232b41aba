//! What a GPU does with the memory of another.

use std::sync::PoisonError;

use cudarc::driver::sys::{CUmemAccess_flags, CUmemAccessDesc, CUmemLocation, CUmemLocationType, CUstream};
use warploom_device::DeviceError;

use super::{Device, error};

impl Device {
    /// Lets this GPU at the memory of another, once, where the two are connected. Where they are not, the driver itself takes
    /// copies through the host.
    pub(crate) fn reach(&self, other: &Device) -> Result<(), DeviceError> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.raw == other.raw || peers.contains(&other.raw) {
            return Ok(());
        }
        let api = self.enter()?;
        let mut reaches = 0;
        // SAFETY: `reaches` is written to.
        let answer = unsafe { (api.reaches)(&raw mut reaches, self.raw, other.raw) };
        self.done("to tell what GPUs it reaches", answer)?;
        if reaches != 0 {
            other.open_to(self)?;
        }
        peers.insert(other.raw);
        Ok(())
    }

    /// Lets another GPU at this one's memory. Memory of a pool follows the pool's list of devices, not `cuCtxEnablePeerAccess`
    /// (CUDA programming guide, stream-ordered memory allocator).
    fn open_to(&self, other: &Device) -> Result<(), DeviceError> {
        let pool = self.pool()?;
        let type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
        let access = CUmemAccessDesc {
            location: CUmemLocation { type_, id: other.raw },
            // There is no lesser access for devices.
            flags: CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        };
        // SAFETY: one description, read during the call.
        let answer = unsafe { (self.driver.api.pool_open)(pool, &raw const access, 1) };
        if error::is_unsupported(answer) {
            return Ok(());
        }
        self.done("to let another GPU at its memory", answer)
    }

    /// Queues a copy of another GPU's bytes on a stream of this one; false where the driver has none between the two.
    ///
    /// # Safety
    /// Both addresses have as many bytes, `to` on this GPU and `from` on the other, until the copy is done.
    pub(crate) unsafe fn copy_from(
        &self,
        other: &Device,
        [to, from]: [u64; 2],
        bytes: usize,
        stream: CUstream,
    ) -> Result<bool, DeviceError> {
        let api = self.enter()?;
        let answer = if self.raw == other.raw {
            // SAFETY: as the caller says.
            unsafe { (api.copy_within)(to, from, bytes, stream) }
        } else {
            // SAFETY: as the caller says; both contexts live.
            unsafe { (api.copy_between)(to, self.context, from, other.context, bytes, stream) }
        };
        if error::is_unsupported(answer) {
            return Ok(false);
        }
        self.done("a copy from another GPU", answer).map(|()| true)
    }
}
