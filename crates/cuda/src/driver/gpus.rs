//! The GPUs that a driver lists.

use std::ffi::CStr;

use cudarc::driver::sys::{CUdevice, CUdevice_attribute as Attribute};
use warploom_device::DeviceError;
use warploom_gpu::{Limits, MatrixUnits};

use super::error::{NO_DEVICE, advice, describe};
use super::{Driver, dotted};

/// A GPU and what the driver says of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Gpu {
    /// Its number, as the driver counts those that `CUDA_VISIBLE_DEVICES` shows.
    pub index: usize,
    /// Name of the hardware.
    pub name: String,
    /// What tells it, or the slice of one that it is, from all others: as `nvidia-smi -L` shows it, without its prefix.
    pub uuid: String,
    /// Compute capability: (9, 0) is an H100's.
    pub capability: (u32, u32),
    /// Whether it shares the processor's memory.
    pub is_integrated: bool,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// All of its memory, in bytes.
    pub memory_bytes: usize,
    /// The version of CUDA that the driver is of: `12.4`.
    pub driver: String,
    /// What shapes kernels.
    pub limits: Limits,
}

impl Gpu {
    /// The device's id: `cuda:0`.
    pub fn id(&self) -> String {
        format!("cuda:{}", self.index)
    }
}

/// Alignment of every buffer within a memory, in bytes: whole sectors of a cache line, and the widest loads.
const ALIGNMENT: usize = 256;

/// Pointers that one kernel takes: of the 4 KiB of parameters that all GPUs have, a quarter.
const ARGUMENTS: usize = 128;

/// Most bytes of one argument: kernels number elements by 32 bits, of which one may be a sign.
const ARGUMENT_BYTES: usize = 1 << 31;

impl Driver {
    /// How many GPUs there are.
    ///
    /// # Errors
    /// [`DeviceError::Missing`] where there is none.
    pub(crate) fn count(&self) -> Result<usize, DeviceError> {
        let mut count = 0;
        // SAFETY: the driver was started; `count` is written to.
        let answer = unsafe { (self.api.device_count)(&raw mut count) };
        self.missing_unless(answer, "to list its GPUs")?;
        if count < 1 {
            let advice = advice(NO_DEVICE);
            let why = format!("NVIDIA's driver {} is there, but lists no GPU: {advice}", self.path.display());
            return Err(DeviceError::Missing(why));
        }
        Ok(count as usize)
    }

    pub(crate) fn handle(&self, index: usize) -> Result<CUdevice, DeviceError> {
        let mut device = 0;
        // SAFETY: the driver was started; `device` is written to.
        let answer = unsafe { (self.api.device)(&raw mut device, index as i32) };
        self.missing_unless(answer, &format!("cuda:{index}"))?;
        Ok(device)
    }

    /// What the driver says of a GPU.
    ///
    /// # Errors
    /// [`DeviceError::Missing`] where there is none of this number, [`DeviceError::Failed`] where the driver does not say.
    pub(crate) fn gpu(&self, index: usize) -> Result<Gpu, DeviceError> {
        let count = self.count()?;
        if index >= count {
            let last = count - 1;
            let why = format!("no GPU has the number {index}; there are cuda:0 to cuda:{last}");
            return Err(DeviceError::Missing(why));
        }
        let device = self.handle(index)?;
        let failed = |answer, what: &str| {
            let text = describe(&self.api, answer);
            DeviceError::Failed(format!("cuda:{index} does not tell its {what}: {text}; {}", advice(answer)))
        };
        let attribute = |attribute: Attribute| -> Result<u32, DeviceError> {
            let mut value = 0;
            // SAFETY: `value` is written to.
            let answer = unsafe { (self.api.device_attribute)(&raw mut value, attribute as u32, device) };
            if answer == 0 { Ok(value.max(0) as u32) } else { Err(failed(answer, "properties")) }
        };
        let mut name = [0; 256];
        // SAFETY: the length handed over is the array's.
        let answer = unsafe { (self.api.device_name)(name.as_mut_ptr(), name.len() as i32, device) };
        if answer != 0 {
            return Err(failed(answer, "name"));
        }
        let name = name.map(|letter| letter as u8);
        let name = CStr::from_bytes_until_nul(&name).map_or_else(|_| "".into(), CStr::to_string_lossy);
        let mut uuid = [0; 16];
        // SAFETY: `uuid` is written to, all 16 bytes.
        let answer = unsafe { (self.api.device_uuid)(&raw mut uuid, device) };
        if answer != 0 {
            return Err(failed(answer, "UUID"));
        }
        let mut memory_bytes = 0;
        // SAFETY: `memory_bytes` is written to.
        let answer = unsafe { (self.api.device_memory)(&raw mut memory_bytes, device) };
        if answer != 0 {
            return Err(failed(answer, "memory"));
        }
        let multiprocessors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let resident = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)?;
        let axes = [
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z)?,
        ];
        let capability = (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        );
        Ok(Gpu {
            index,
            name: name.trim().into(),
            uuid: hyphenated(uuid),
            capability,
            is_integrated: attribute(Attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED)? != 0,
            multiprocessors,
            memory_bytes,
            driver: dotted(self.version),
            limits: Limits {
                workgroup: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
                groups: axes.into_iter().min().unwrap_or(0),
                shared_bytes: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK)? as usize,
                arguments: ARGUMENTS,
                argument_bytes: ARGUMENT_BYTES,
                alignment: ALIGNMENT,
                parallel: multiprocessors * resident,
                vector_bytes: 16,
                warp: 32,
                // Earlier ones have no units for bf16 and f32, and no copies to shared memory beside other work.
                matrix_units: if capability >= (8, 0) { MatrixUnits::ALL } else { MatrixUnits::NONE },
            },
        })
    }
}

/// `b2f5f1b6-0c9d-4d1c-8f4e-4a1f6e0f7a11`.
fn hyphenated(uuid: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (i, byte) in uuid.into_iter().enumerate() {
        let hyphen = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
        text += &format!("{hyphen}{byte:02x}");
    }
    text
}
