//! Memory and copies on a real driver.

mod rounds;
#[allow(dead_code, reason = "shared with the executor's other tests")]
#[path = "wgpu/support.rs"]
mod support;

use rounds::over_and_over;
use support::open;
use warploom_device::{DeviceError, Executor, Target};
use warploom_wgpu::Wgpu;

/// Bytes that differ from their neighbours.
fn noise(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (seed.wrapping_add(i).wrapping_mul(2_654_435_761) >> 11) as u8 | 1).collect()
}

fn download(gpu: &Wgpu, memory: &warploom_device::Memory, offset: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0xaa; length];
    gpu.download(memory, offset, &mut bytes).unwrap();
    bytes
}

#[test]
fn memory_is_zeroed_counted_and_checked() {
    let Some(gpu) = open() else { return };
    let gpu = gpu.with_memory_limit(1 << 20);
    let memory = gpu.allocate(1001).unwrap();
    assert_eq!(memory.bytes(), 1001);
    assert!(download(&gpu, &memory, 0, 1001).iter().all(|byte| *byte == 0));
    let other = gpu.allocate(999).unwrap();
    assert!(matches!(gpu.upload(&memory, 1000, &[1, 2]), Err(DeviceError::Binding(_))));
    assert!(matches!(gpu.upload(&memory, usize::MAX, &[1]), Err(DeviceError::Binding(_))));
    assert!(matches!(gpu.download(&memory, 1001, &mut [0]), Err(DeviceError::Binding(_))));
    assert!(matches!(gpu.copy(&memory, &other, 1000), Err(DeviceError::Binding(_))));
    let refused = gpu.allocate(1 << 20).unwrap_err();
    assert!(matches!(refused, DeviceError::OutOfMemory { held: 2000, .. }), "{refused}");
    drop(other);
    let statistics = gpu.statistics();
    assert_eq!((statistics.live_bytes, statistics.peak_bytes), (1001, 2000));
    assert_eq!((statistics.uploaded_bytes, statistics.downloaded_bytes), (0, 1001));
}

#[test]
fn every_range_goes_up_and_comes_back_and_nothing_around_it_changes() {
    let Some(gpu) = open() else { return };
    // The second size has a last word that is not whole.
    for size in [32, 35] {
        let memory = gpu.allocate(size).unwrap();
        let mut expected = vec![0; size];
        for offset in 0..9 {
            for length in (0..10).chain([size - offset]) {
                let bytes = noise(offset * 31 + length, length);
                gpu.upload(&memory, offset, &bytes).unwrap();
                expected[offset..offset + length].copy_from_slice(&bytes);
                assert_eq!(download(&gpu, &memory, offset, length), bytes, "{length} at {offset}");
                assert_eq!(download(&gpu, &memory, 0, size), expected, "{length} at {offset} of {size}");
            }
        }
        let tail = noise(7, 3);
        gpu.upload(&memory, size - 3, &tail).unwrap();
        expected[size - 3..].copy_from_slice(&tail);
        assert_eq!(download(&gpu, &memory, 0, size), expected);
    }
}

#[test]
fn parts_of_words_far_from_the_start_are_merged() {
    let Some(gpu) = open() else { return };
    let size = 100_003;
    let (from, to) = (gpu.allocate(size).unwrap(), gpu.allocate(size + 2).unwrap());
    let mut expected = noise(1, size);
    gpu.upload(&from, 0, &expected).unwrap();
    gpu.upload(&from, 77_777, &[3, 1, 4, 1, 5]).unwrap();
    expected[77_777..77_782].copy_from_slice(&[3, 1, 4, 1, 5]);
    gpu.copy(&from, &to, size).unwrap();
    expected.extend([0, 0]);
    assert_eq!(download(&gpu, &to, 0, size + 2), expected);
}

#[test]
fn copies_take_exactly_the_first_bytes() {
    let Some(gpu) = open() else { return };
    for size in [20, 23] {
        let (from, to) = (gpu.allocate(size + 5).unwrap(), gpu.allocate(size).unwrap());
        let source = noise(2, size + 5);
        gpu.upload(&from, 0, &source).unwrap();
        for bytes in 0..=size {
            let mut expected = noise(3, size);
            gpu.upload(&to, 0, &expected).unwrap();
            gpu.copy(&from, &to, bytes).unwrap();
            expected[..bytes].copy_from_slice(&source[..bytes]);
            assert_eq!(download(&gpu, &to, 0, size), expected, "{bytes} of {size}");
        }
        gpu.copy(&to, &to, size).unwrap();
        assert_eq!(download(&gpu, &to, 0, size), source[..size]);
    }
}

#[test]
fn uploads_are_ordered_and_survive_what_they_were_copied_from() {
    let Some(gpu) = open() else { return };
    let (a, b) = (gpu.allocate(8).unwrap(), gpu.allocate(8).unwrap());
    gpu.upload(&a, 0, &[1; 8]).unwrap();
    gpu.copy(&a, &b, 8).unwrap();
    let token = gpu.upload(&a, 0, &[2; 8]).unwrap();
    gpu.wait(token).unwrap();
    gpu.upload(&a, 3, &[9; 2]).unwrap();
    assert_eq!(download(&gpu, &a, 0, 8), [2, 2, 2, 9, 9, 2, 2, 2]);
    drop(a);
    assert_eq!(download(&gpu, &b, 0, 8), [1; 8]);
}

#[test]
fn a_large_upload_goes_in_pieces() {
    let Some(gpu) = open() else { return };
    let size = (100 << 20) + 2;
    let memory = gpu.allocate(size).unwrap();
    let bytes = noise(5, size);
    gpu.upload(&memory, 0, &bytes).unwrap();
    assert!(download(&gpu, &memory, 0, size) == bytes);
}

#[test]
fn too_much_memory_is_an_error_that_names_the_limit() {
    let Some(gpu) = open() else { return };
    let most = gpu.adapter().buffer_bytes;
    for bytes in [most as usize + 1, 1 << 62, usize::MAX] {
        let error = gpu.allocate(bytes).unwrap_err();
        assert!(matches!(error, DeviceError::OutOfMemory { held: 0, .. }), "{error}");
        assert!(error.to_string().contains(&most.to_string()), "{error}");
    }
    assert_eq!(gpu.statistics().live_bytes, 0);
    // The device goes on.
    let memory = gpu.allocate(4).unwrap();
    assert_eq!(download(&gpu, &memory, 0, 4), [0; 4]);
}

/// Runs in a process of its own, which the test below gives little address space.
#[test]
#[ignore = "a part of the test below"]
fn allocate_until_the_driver_refuses() {
    let Some(gpu) = open() else { return };
    let piece = 1 << 30;
    let mut held = Vec::new();
    while let Ok(memory) = gpu.allocate(piece) {
        held.push(memory);
        assert!(held.len() < 64, "the driver refuses nothing");
    }
    let bytes = held.len() * piece;
    over_and_over("refused by the driver", 100, |_| {
        let error = gpu.allocate(piece).unwrap_err();
        assert!(
            matches!(&error, DeviceError::OutOfMemory { asked, held, reason }
                if *asked == piece && *held == bytes && reason.contains(&gpu.adapter().name)),
            "{error}"
        );
        assert_eq!(gpu.statistics().live_bytes, bytes);
    });
    // What was refused leaves the device as it was, and what is dropped can be had again.
    held.clear();
    let memory = gpu.allocate(piece).unwrap();
    assert_eq!(download(&gpu, &memory, 0, 4), [0; 4]);
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_driver_refuses_is_an_error() {
    let Some(gpu) = open() else { return };
    if !gpu.adapter().is_software() {
        println!("skipped: the adapter has memory of its own");
        return;
    }
    let limited = "ulimit -v 12000000 && exec \"$0\" --ignored allocate_until_the_driver_refuses";
    let test = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh").arg("-c").arg(limited).arg(test).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn memory_of_another_device_is_refused() {
    let (Some(gpu), Some(other)) = (open(), open()) else { return };
    let memory = other.allocate(4).unwrap();
    let error = gpu.upload(&memory, 0, &[0; 4]).unwrap_err();
    assert!(matches!(&error, DeviceError::Binding(text) if text.contains("another device")), "{error}");
}

#[test]
fn capabilities_are_those_of_the_adapter() {
    let Some(gpu) = open() else { return };
    let capabilities = gpu.capabilities();
    assert_eq!(capabilities.id, "wgpu:0");
    // That of the machine, of which there is more than the largest buffer takes.
    let memory = capabilities.memory_bytes;
    assert!(!gpu.adapter().is_software() || memory > Some(capabilities.slab_bytes), "{memory:?}");
    assert_eq!(capabilities.name, gpu.adapter().name);
    assert!(capabilities.in_place && capabilities.alignment >= 256);
    assert!(capabilities.slab_bytes >= 128 << 20, "{}", capabilities.slab_bytes);
    assert_eq!(gpu.with_memory_limit(5).capabilities().memory_bytes, Some(5));
}

#[test]
fn a_lost_device_says_so_each_time() {
    let Some(gpu) = open() else { return };
    let memory = gpu.allocate(64).unwrap();
    let token = gpu.upload(&memory, 0, &[1; 64]).unwrap();
    gpu.lose();
    for _ in 0..3 {
        let errors = [
            gpu.allocate(4).err(),
            gpu.upload(&memory, 0, &[0; 4]).err(),
            gpu.download(&memory, 0, &mut [0; 4]).err(),
            gpu.copy(&memory, &memory, 4).err(),
            gpu.wait(token).err(),
        ];
        for error in errors {
            let error = error.expect("a lost device does nothing").to_string();
            assert!(error.contains("lost"), "{error}");
        }
    }
    drop(memory);
    assert_eq!(gpu.statistics().live_bytes, 0);
}
