//! Indices out of range, which kernels note in memory of the executable and which are told when the launch is waited for.

use std::sync::{Arc, Mutex, PoisonError};

use warploom_device::{DeviceError, Token};
use warploom_gpu::FAULT_WORDS;

use crate::context::Context;
use crate::health::Health;
use crate::memory::buffer;

const BYTES: u64 = 4 * FAULT_WORDS as u64;

/// Where the kernels of one executable note, and how the host reads it.
pub(crate) struct Faults {
    pub words: wgpu::Buffer,
    /// Kernels by ordinal.
    kernels: Arc<[String]>,
    /// Buffers that no launch uses now.
    readers: Arc<Mutex<Vec<wgpu::Buffer>>>,
}

impl Faults {
    pub(crate) fn new(context: &Context, kernels: &[String]) -> Result<Faults, DeviceError> {
        let words = context
            .scoped("memory for faults", BYTES as usize, || buffer(&context.device, BYTES as usize))?;
        Ok(Faults { words, kernels: kernels.into(), readers: Arc::default() })
    }

    /// Ends a launch's commands: what was noted goes to a buffer that the host reads, and the next launch starts clean.
    pub(crate) fn collect(&self, context: &Context, encoder: &mut wgpu::CommandEncoder) -> wgpu::Buffer {
        let free = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = free.unwrap_or_else(|| {
            context.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: BYTES,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        encoder.copy_buffer_to_buffer(&self.words, 0, &reader, 0, BYTES);
        encoder.clear_buffer(&self.words, 0, None);
        reader
    }

    /// After that launch was submitted: reads what it noted when it is done.
    pub(crate) fn expect(&self, context: &Context, token: Token, reader: wgpu::Buffer) {
        context.health.expect(token);
        let expected = Expected { health: context.health.clone(), token, fault: None };
        let (kernels, readers, mapped) = (self.kernels.clone(), self.readers.clone(), reader.clone());
        reader.map_async(wgpu::MapMode::Read, .., move |done| {
            // Moves the whole of it in, so that it is dropped here.
            let mut expected = expected;
            // Where mapping fails the device is lost, which is told by itself.
            if done.is_ok() {
                if let Ok(view) = mapped.get_mapped_range(..) {
                    expected.fault = fault(&view, &kernels);
                }
                mapped.unmap();
                readers.lock().unwrap_or_else(PoisonError::into_inner).push(mapped);
            }
        });
    }
}

fn fault(bytes: &[u8], kernels: &[String]) -> Option<DeviceError> {
    let (words, _) = bytes.as_chunks::<4>();
    let [flag, kernel, index, extent] =
        <[[u8; 4]; FAULT_WORDS]>::try_from(words).ok()?.map(u32::from_le_bytes);
    (flag != 0).then(|| DeviceError::IndexOutOfRange {
        kernel: kernels.get(kernel as usize).cloned().unwrap_or_else(|| format!("kernel {kernel}")),
        index: i64::from(index.cast_signed()),
        extent: extent as usize,
    })
}

/// Settles a launch even where wgpu drops the callback instead of calling it.
struct Expected {
    health: Arc<Health>,
    token: Token,
    fault: Option<DeviceError>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.health.settle(self.token, self.fault.take());
    }
}
