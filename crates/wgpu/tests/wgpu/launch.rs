//! Plans made by hand, on a real driver.

use std::thread;

use crate::support::{argument, dispatch, gather, increment, launch, open, plan, prepare, program, words};
use warploom_device::{DeviceError, Executor, Memory};
use warploom_gpu::{Argument, Node, Plan, Root};
use warploom_wgpu::Wgpu;

fn read(gpu: &Wgpu, memory: &Memory) -> Vec<u32> {
    let mut bytes = vec![0; memory.bytes()];
    gpu.download(memory, 0, &mut bytes).unwrap();
    words(&bytes)
}

#[test]
fn one_binding_is_read_and_written_in_order() {
    let Some(gpu) = open() else { return };
    let executable = increment(&gpu);
    let memory = gpu.allocate(256).unwrap();
    let initial: Vec<u8> = (0..64_u32).flat_map(u32::to_le_bytes).collect();
    gpu.upload(&memory, 0, &initial).unwrap();
    assert_eq!(gpu.submissions(), 0);
    for _ in 0..5 {
        launch(&executable, std::slice::from_ref(&memory)).unwrap();
    }
    assert_eq!(gpu.submissions(), 5, "what was staged goes with the first");
    assert_eq!(read(&gpu, &memory), (5..69).collect::<Vec<_>>());
}

#[test]
fn disjoint_parts_of_one_memory_are_written_by_one_dispatch() {
    let Some(gpu) = open() else { return };
    let step = gpu.adapter().limits.alignment / 4;
    let arguments =
        vec![argument(0, 0, 64, true), argument(0, step, 64, true), argument(0, 2 * step, 64, true)];
    let kernel = dispatch("parts", "a1[i] = a0[i] + 1u; a2[i] = a1[i] + 1u;", 1, arguments);
    let states = [3 * step];
    let executable = prepare(&gpu, &states, &plan(vec![Node::Dispatch(kernel)]));
    let memory = gpu.allocate(12 * step).unwrap();
    gpu.upload(&memory, 0, &7_u32.to_le_bytes().repeat(64)).unwrap();
    launch(&executable, std::slice::from_ref(&memory)).unwrap();
    let values = read(&gpu, &memory);
    assert_eq!((values[0], values[63], values[step], values[2 * step + 63]), (7, 7, 8, 9));
}

#[test]
fn a_loop_counts_on_the_device() {
    let Some(gpu) = open() else { return };
    let counter = Argument { root: Root::Counters, offset: 0, bytes: 4, writable: true };
    let start = dispatch("start", "if (i == 0u) { a0[0] = 0u; }", 1, vec![counter.clone()]);
    let next = dispatch("next", "if (i == 0u) { a0[0] = a0[0] + 1u; }", 1, vec![counter.clone()]);
    // Each time reads what the last one wrote: a missing barrier between dispatches shows.
    let arguments = vec![Argument { writable: false, ..counter }, argument(0, 0, 64, true)];
    let body = dispatch("body", "a1[i] = 3u * a1[i] + a0[0];", 1, arguments);
    let body = vec![Node::Dispatch(body), Node::Dispatch(next)];
    let made =
        Plan { nodes: vec![Node::Dispatch(start), Node::Repeat(10, body)], kernels: vec![], counters: 1 };
    let executable = prepare(&gpu, &[64], &made);
    let memory = gpu.allocate(256).unwrap();
    let mut expected = 0_u32;
    for _ in 0..2 {
        launch(&executable, std::slice::from_ref(&memory)).unwrap();
        expected = (0..10).fold(expected, |value, i| value.wrapping_mul(3).wrapping_add(i));
    }
    assert_eq!(read(&gpu, &memory), [expected; 64]);
}

#[test]
fn a_launch_of_many_dispatches_is_several_submissions_in_order() {
    let Some(gpu) = open() else { return };
    let kernel =
        dispatch("step", "if (i == 0u) { a0[0] = 5u * a0[0] + 1u; }", 1, vec![argument(0, 0, 1, true)]);
    let inner = Node::Repeat(101, vec![Node::Dispatch(kernel)]);
    let executable = prepare(&gpu, &[1], &plan(vec![Node::Repeat(205, vec![inner])]));
    let memory = gpu.allocate(4).unwrap();
    let token = launch(&executable, std::slice::from_ref(&memory)).unwrap();
    assert_eq!(token.0, 3, "20,705 dispatches");
    gpu.wait(token).unwrap();
    let expected = (0..205 * 101).fold(0_u32, |value, _| value.wrapping_mul(5).wrapping_add(1));
    assert_eq!(read(&gpu, &memory), [expected]);
}

#[test]
fn dispatches_of_nothing_are_left_out() {
    let Some(gpu) = open() else { return };
    let kernel = dispatch("nothing", "a0[i] = 1u;", 0, vec![argument(0, 0, 64, true)]);
    let executable = prepare(&gpu, &[64], &plan(vec![Node::Repeat(2, vec![Node::Dispatch(kernel)])]));
    let memory = gpu.allocate(256).unwrap();
    let token = launch(&executable, std::slice::from_ref(&memory)).unwrap();
    gpu.wait(token).unwrap();
    assert_eq!(read(&gpu, &memory), [0; 64]);
}

#[test]
fn a_rejected_kernel_is_named_with_its_lines() {
    let Some(gpu) = open() else { return };
    for (body, line) in [("let a = 1u;\na0[i] = 1.5;", 6), ("a0[i] = oops(i);", 5), ("a0[i] = ;", 5)] {
        let kernel = dispatch("softmax", body, 1, vec![argument(0, 0, 64, true)]);
        let error = gpu.prepare_plan(program(&[64]), &plan(vec![Node::Dispatch(kernel)])).err().unwrap();
        let DeviceError::Unsupported(text) = &error else { panic!("{error}") };
        let marked = format!("\n>{line:5} | ");
        assert!(text.contains("softmax") && text.contains(&marked), "{text}");
        assert!(text.contains("fn kernel_main"), "{text}");
    }
    let mut kernel = dispatch("huge", "a0[i] = 1u;", 1, vec![argument(0, 0, 64, true)]);
    kernel.source = kernel.source.replace("@workgroup_size(64)", "@workgroup_size(64, 1000)");
    let error = gpu.prepare_plan(program(&[64]), &plan(vec![Node::Dispatch(kernel)])).err().unwrap();
    assert!(matches!(&error, DeviceError::Unsupported(text) if text.contains("huge")), "{error}");
    // The device goes on.
    increment(&gpu);
}

#[test]
fn a_kernel_beyond_the_limits_is_named() {
    let Some(gpu) = open() else { return };
    let refuse = |change: &dyn Fn(&mut warploom_gpu::Dispatch), what: &str| {
        let mut kernel = dispatch("wide", "a0[i] = 1u;", 1, vec![argument(0, 0, 64, true)]);
        change(&mut kernel);
        let error = gpu.prepare_plan(program(&[64]), &plan(vec![Node::Dispatch(kernel)])).err().unwrap();
        let DeviceError::Unsupported(text) = &error else { panic!("{error}") };
        assert!(text.contains("wide") && text.contains(what), "{text}");
    };
    refuse(&|kernel| kernel.groups[1] = 1 << 20, "1048576 workgroups");
    refuse(&|kernel| kernel.shared_bytes = 1 << 30, "bytes shared");
    refuse(&|kernel| kernel.arguments[0].bytes = 1 << 40, "bytes of an argument");
    refuse(&|kernel| kernel.arguments[0].offset = 4, "alignment");
    refuse(&|kernel| kernel.arguments = vec![kernel.arguments[0].clone(); 5000], "5000 arguments");
}

#[test]
fn what_is_bound_is_checked() {
    let Some(gpu) = open() else { return };
    let executable = increment(&gpu);
    let small = gpu.allocate(252).unwrap();
    assert!(matches!(launch(&executable, &[small]), Err(DeviceError::Binding(_))));
    assert!(matches!(launch(&executable, &[]), Err(DeviceError::Binding(_))));
    // A plan that sees more than its program says.
    let kernel = dispatch("beyond", "a0[i] = 1u;", 1, vec![argument(0, 0, 128, true)]);
    let executable = prepare(&gpu, &[64], &plan(vec![Node::Dispatch(kernel)]));
    let memory = gpu.allocate(256).unwrap();
    let error = launch(&executable, &[memory]).unwrap_err();
    assert!(matches!(&error, DeviceError::Binding(text) if text.contains("State(0)")), "{error}");
    // The same memory read as one and written as another.
    let arguments = vec![argument(0, 0, 64, false), argument(1, 0, 64, true)];
    let kernel = dispatch("copy", "a1[i] = a0[i];", 1, arguments);
    let executable = prepare(&gpu, &[64, 64], &plan(vec![Node::Dispatch(kernel)]));
    let memory = gpu.allocate(256).unwrap();
    assert!(launch(&executable, &[memory.clone(), memory.clone()]).is_err());
    // The device goes on.
    launch(&increment(&gpu), std::slice::from_ref(&memory)).unwrap();
    assert_eq!(read(&gpu, &memory), [1; 64]);
}

#[test]
fn an_index_out_of_range_is_told_once() {
    let Some(gpu) = open() else { return };
    let executable = gather(&gpu);
    let memory = gpu.allocate(4).unwrap();
    let good = launch(&executable, std::slice::from_ref(&memory)).unwrap();
    gpu.upload(&memory, 0, &(-3_i32).to_le_bytes()).unwrap();
    let bad = launch(&executable, std::slice::from_ref(&memory)).unwrap();
    gpu.upload(&memory, 0, &5_u32.to_le_bytes()).unwrap();
    let after = launch(&executable, std::slice::from_ref(&memory)).unwrap();
    assert!(good < bad && bad < after);
    gpu.wait(good).unwrap();
    let expected = DeviceError::IndexOutOfRange { kernel: "gather rows".into(), index: -3, extent: 10 };
    assert_eq!(gpu.wait(after).unwrap_err(), expected);
    gpu.wait(bad).unwrap();
    gpu.wait(after).unwrap();
    assert_eq!(read(&gpu, &memory), [5]);
    // A download tells it too.
    gpu.upload(&memory, 0, &77_u32.to_le_bytes()).unwrap();
    launch(&executable, std::slice::from_ref(&memory)).unwrap();
    let error = gpu.download(&memory, 0, &mut [0; 4]).unwrap_err();
    assert!(matches!(error, DeviceError::IndexOutOfRange { index: 77, .. }), "{error}");
    assert_eq!(read(&gpu, &memory), [77]);
}

#[test]
fn many_launches_hold_no_more_memory() {
    let Some(gpu) = open() else { return };
    let (executable, checked) = (increment(&gpu), gather(&gpu));
    let ring: Vec<Memory> = (0..3).map(|_| gpu.allocate(256).unwrap()).collect();
    let held = gpu.statistics().live_bytes;
    for i in 0..1000 {
        launch(&executable, &ring[i % 3..][..1]).unwrap();
        if i % 100 == 0 {
            let other = gpu.allocate(256).unwrap();
            launch(&executable, std::slice::from_ref(&other)).unwrap();
            launch(&checked, std::slice::from_ref(&other)).unwrap();
        }
    }
    assert_eq!(read(&gpu, &ring[0]), [334; 64]);
    let statistics = gpu.statistics();
    assert_eq!((statistics.live_bytes, statistics.peak_bytes), (held, held + 256));
    assert_eq!(statistics.launches, 1020);
}

#[test]
fn two_threads_launch() {
    let Some(gpu) = open() else { return };
    let shared = increment(&gpu);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let own = increment(&gpu);
                let memories = [(&shared, gpu.allocate(256).unwrap()), (&own, gpu.allocate(256).unwrap())];
                for i in 0..100 {
                    for (executable, memory) in &memories {
                        let token = launch(executable, std::slice::from_ref(memory)).unwrap();
                        if i % 10 == 0 {
                            gpu.wait(token).unwrap();
                            drop(gpu.allocate(64).unwrap());
                        }
                    }
                }
                for (_, memory) in &memories {
                    assert_eq!(read(&gpu, memory), [100; 64]);
                }
            });
        }
    });
    assert_eq!(gpu.statistics().live_bytes, 0);
}

#[test]
fn memory_may_be_dropped_while_a_launch_uses_it() {
    let Some(gpu) = open() else { return };
    let arguments = vec![argument(0, 0, 64, true), argument(1, 0, 64, true)];
    let body = "var x = a0[i];\nfor (var k = 0u; k < 100000u; k++) { x = x * 3u + k; }\na1[i] = a1[i] + 1u + (x & 0u);";
    let kernel = dispatch("slow", body, 1, arguments);
    let executable = prepare(&gpu, &[64, 64], &plan(vec![Node::Dispatch(kernel)]));
    let kept = gpu.allocate(256).unwrap();
    for _ in 0..20 {
        let passing = gpu.allocate(256).unwrap();
        gpu.upload(&passing, 0, &[1; 256]).unwrap();
        launch(&executable, &[passing, kept.clone()]).unwrap();
    }
    drop(executable);
    assert_eq!(read(&gpu, &kept), [20; 64]);
    assert_eq!(gpu.statistics().live_bytes, 256);
    drop(kept);
    drop(gpu);
}

#[test]
fn launches_on_a_lost_device_fail() {
    let Some(gpu) = open() else { return };
    let (executable, checked) = (increment(&gpu), gather(&gpu));
    let memory = gpu.allocate(256).unwrap();
    let token = launch(&checked, std::slice::from_ref(&memory)).unwrap();
    gpu.lose();
    for _ in 0..3 {
        let error = launch(&executable, std::slice::from_ref(&memory)).unwrap_err();
        assert!(matches!(&error, DeviceError::Failed(text) if text.contains("lost")), "{error}");
        assert!(gpu.wait(token).is_err());
        assert!(gpu.prepare_plan(program(&[]), &plan(vec![])).is_err());
    }
}

#[test]
fn kernels_are_timed_by_name() {
    let Some(gpu) = open() else { return };
    if !gpu.adapter().features.contains(&"timestamps") {
        println!("skipped: no timestamps");
        return;
    }
    let arguments = vec![argument(0, 0, 64, true)];
    let quick = dispatch("quick", "a0[i] = a0[i] + 1u;", 1, arguments.clone());
    let body = "var x = a0[i];\nfor (var k = 0u; k < 300000u; k++) { x = x * 3u + k; }\na0[i] = x;";
    let slow = dispatch("slow", body, 1, arguments);
    let nodes = vec![Node::Dispatch(slow), Node::Repeat(3000, vec![Node::Dispatch(quick)])];
    let executable = prepare(&gpu, &[64], &plan(nodes));
    let memory = gpu.allocate(256).unwrap();
    let ((), timings) = gpu.profile(|| launch(&executable, std::slice::from_ref(&memory)).map(drop)).unwrap();
    assert_eq!(timings.len(), 3001);
    assert_eq!((timings[0].name.as_str(), timings[3000].name.as_str()), ("slow", "quick"));
    assert_eq!(timings[0].start, 0.0);
    // The quickest, since any may be interrupted.
    let quickest = timings[1..].iter().map(|timing| timing.seconds).fold(f64::INFINITY, f64::min);
    assert!(timings[0].seconds > 20.0 * quickest, "{} and {quickest}", timings[0].seconds);
    assert!(timings.windows(2).all(|pair| pair[0].start <= pair[1].start));
    let ((), timings) = gpu.profile(|| Ok(())).unwrap();
    assert!(timings.is_empty());
}
