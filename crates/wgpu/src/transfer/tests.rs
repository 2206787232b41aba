//! Downloads that the driver does not show.

#[path = "../../tests/rounds/mod.rs"]
mod rounds;

use std::sync::Arc;

use warploom_device::DeviceError;

use super::{Transfer, read_through};
use crate::adapters::choose;
use crate::context::Context;
use crate::memory::GpuMemory;
use rounds::over_and_over;

const BYTES: usize = 256 << 10;

/// The first adapter. Without one the test passes and says so, unless WARPLOOM_REQUIRE_GPU is set.
fn open() -> Option<Arc<Context>> {
    let required = std::env::var_os("WARPLOOM_REQUIRE_GPU").is_some_and(|value| value == "1");
    match choose(Some(0)) {
        Ok((adapter, driver)) => Some(Arc::new(Context::open(adapter, &driver).unwrap())),
        Err(error) if required => panic!("{error}"),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// A download in which something happens between the copy and the mapping of what was copied.
fn interrupted(
    context: &Context,
    transfer: &Transfer,
    memory: &GpuMemory,
    happens: impl FnOnce(&wgpu::Buffer),
) -> DeviceError {
    let (reader, size) = (transfer.reader(BYTES as u64).unwrap(), BYTES as u64);
    let submit = || {
        let mut encoder = context.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&memory.buffer, 0, &reader, 0, size);
        let token = context.submit([encoder.finish()]);
        happens(&reader);
        token
    };
    read_through(context, &reader, size, submit, |_| panic!("something was shown")).unwrap_err()
}

#[test]
fn memory_that_cannot_be_mapped() {
    let Some(context) = open() else { return };
    let transfer = Transfer::new(context.clone());
    let memory = GpuMemory::new(&context, BYTES, None).unwrap();
    transfer.upload(&memory, 0, &[7; BYTES]).unwrap();
    let mut bytes = vec![0; BYTES];
    over_and_over("map failed", 200, |_| {
        let error = interrupted(&context, &transfer, &memory, wgpu::Buffer::destroy);
        let name = &context.adapter.name;
        assert!(
            matches!(&error, DeviceError::Failed(text) if text.contains("a download") && text.contains(name)),
            "{error}"
        );
        // The device goes on, and nothing of the error is told a second time.
        bytes.fill(0);
        transfer.download(&memory, 0, &mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 7));
        assert_eq!(context.counters.read().live_bytes, BYTES);
    });
}

#[test]
fn memory_of_a_device_that_is_lost_before_it_is_mapped() {
    if open().is_none() {
        return;
    }
    over_and_over("lost before mapping", 40, |round| {
        let Some(context) = open() else { return };
        let transfer = Transfer::new(context.clone());
        let memory = GpuMemory::new(&context, BYTES, None).unwrap();
        let error = interrupted(&context, &transfer, &memory, |_| context.device.destroy());
        let text = error.to_string();
        assert!(text.contains("lost") && text.contains("checkpoint"), "round {round}: {text}");
        let again = transfer.download(&memory, 0, &mut [0; 4]).unwrap_err().to_string();
        assert!(again.contains("lost"), "{again}");
        drop(memory);
        assert_eq!(context.counters.read().live_bytes, 0);
    });
}
