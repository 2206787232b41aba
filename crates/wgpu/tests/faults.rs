//! What fails, over and over: a clean error each time, and nothing is left of it. A download that fails is beside
//! `transfer`, which tells where it can be made to fail.

mod rounds;
#[allow(dead_code, reason = "shared with the executor's other tests")]
#[path = "wgpu/support.rs"]
mod support;

use std::thread;

use rounds::over_and_over;
use support::{argument, dispatch, gather, increment, launch, open, plan, program, words};
use warploom_device::{DeviceError, Executor};
use warploom_gpu::Node;

/// Bytes of a memory, enough that one of each round would be noticed.
const BYTES: usize = 256 << 10;

#[test]
fn allocations_that_are_refused() {
    let Some(gpu) = open() else { return };
    let gpu = gpu.with_memory_limit(3 * BYTES);
    let _held = gpu.allocate(BYTES).unwrap();
    let most = gpu.adapter().buffer_bytes as usize;
    over_and_over("allocation refused", 500, |_| {
        let second = gpu.allocate(2 * BYTES).unwrap();
        for asked in [1, BYTES, most + 1, usize::MAX] {
            let error = gpu.allocate(asked).unwrap_err();
            assert!(matches!(error, DeviceError::OutOfMemory { held, .. } if held == 3 * BYTES), "{error}");
        }
        drop(second);
        assert_eq!(gpu.statistics().live_bytes, BYTES);
    });
}

#[test]
fn kernels_that_are_rejected() {
    let Some(gpu) = open() else { return };
    let executable = increment(&gpu);
    let memory = gpu.allocate(256).unwrap();
    let mut done = 0;
    over_and_over("kernel rejected", 100, |round| {
        // Another source each time: nothing may be kept of those before.
        let filler = format!("// {}\n", "x".repeat(BYTES / 8));
        for (body, workgroup) in [("a0[i] = oops(i);", 64), ("a0[i] = ", 64), ("a0[i] = 1u;", 1 << 20)] {
            let name = format!("round {round}");
            let mut kernel = dispatch(&name, &format!("{body}\n{filler}"), 1, vec![argument(0, 0, 64, true)]);
            kernel.source = kernel.source.replace("(64)", &format!("({workgroup})"));
            kernel.source += &format!("// {name}");
            let error = gpu.prepare_plan(program(&[64]), &plan(vec![Node::Dispatch(kernel)])).err().unwrap();
            assert!(matches!(&error, DeviceError::Unsupported(text) if text.contains(&name)), "{error}");
        }
        launch(&executable, std::slice::from_ref(&memory)).unwrap();
        assert_eq!(gpu.statistics().live_bytes, 256);
        done += 1;
    });
    let mut bytes = [0; 256];
    gpu.download(&memory, 0, &mut bytes).unwrap();
    assert_eq!(words(&bytes), [done; 64]);
}

#[test]
fn devices_that_are_lost() {
    if open().is_none() {
        return;
    }
    over_and_over("device lost", 40, |round| {
        let Some(gpu) = open() else { return };
        let (executable, checked) = (increment(&gpu), gather(&gpu));
        let memories = [gpu.allocate(BYTES).unwrap(), gpu.allocate(BYTES).unwrap()];
        let [memory, other] = &memories;
        let mut bytes = vec![0; BYTES];
        let result = match round % 4 {
            0 => {
                gpu.upload(memory, 0, &vec![1; BYTES]).unwrap();
                gpu.lose();
                launch(&executable, &memories).map(drop)
            }
            1 => {
                let token = launch(&checked, &memories).unwrap();
                gpu.lose();
                gpu.wait(token)
            }
            2 => {
                launch(&executable, &memories).unwrap();
                gpu.lose();
                gpu.download(memory, 0, &mut bytes)
            }
            // At any moment of work that another thread waits for.
            _ => thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(std::time::Duration::from_micros(200 * (round as u64 % 7)));
                    gpu.lose();
                });
                loop {
                    let mut work = || {
                        launch(&executable, &memories)?;
                        gpu.copy(memory, other, BYTES)?;
                        gpu.download(other, 0, &mut bytes)
                    };
                    if let Err(error) = work() {
                        break Err(error);
                    }
                }
            }),
        };
        let errors = [result.err(), gpu.allocate(4).err(), gpu.copy(memory, other, 4).err()];
        for error in errors {
            let error = error.expect("a lost device does nothing").to_string();
            assert!(error.contains("lost") && error.contains("checkpoint"), "round {round}: {error}");
        }
        drop(memories);
        assert_eq!(gpu.statistics().live_bytes, 0);
    });
}
