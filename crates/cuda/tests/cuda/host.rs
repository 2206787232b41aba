//! The host's side against a driver that records what it is asked for, in processes of their own.

use std::path::Path;

use crate::support::{
    Folder, Outcome, again, build, dispatch, fail_each_call, gather, increment, is_of_the_end, launch,
    machine, program, step, tell,
};
use warploom_cuda::Cuda;
use warploom_device::{DeviceError, EnergyCounter, Executor, Memory};
use warploom_gpu::{Node, Plan};
use warploom_trace as trace;

fn download(gpu: &Cuda, memory: &Memory) -> Result<u32, DeviceError> {
    let mut bytes = [0; 4];
    gpu.download(memory, 0, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Steps of a training: two sets of the input ring, each filled while the other is used.
fn train() -> Result<(), DeviceError> {
    let gpu = Cuda::open(None)?;
    let state = gpu.allocate(4)?;
    let ring = [gpu.allocate(4)?, gpu.allocate(4)?];
    gpu.upload(&state, 0, &100_u32.to_le_bytes())?;
    let executable = step(&gpu, vec![increment(1), Node::Repeat(5, vec![increment(2)]), gather(1000)])?;
    let mut tokens = Vec::new();
    gpu.upload(&ring[0], 0, &0_u32.to_le_bytes())?;
    for batch in 0..4_u32 {
        tokens.push(launch(&executable, &state, &ring[batch as usize % 2])?);
        gpu.upload(&ring[(batch as usize + 1) % 2], 0, &batch.to_le_bytes())?;
        if let Some(before) = (batch as usize).checked_sub(1) {
            gpu.wait(tokens[before])?;
        }
    }
    gpu.wait(tokens[3])?;
    let copied = gpu.allocate(4)?;
    gpu.copy(&state, &copied, 4)?;
    assert_eq!(download(&gpu, &copied)?, 100 + 4 * 11);
    let statistics = gpu.statistics();
    assert_eq!((statistics.launches, statistics.live_bytes, statistics.uploaded_bytes), (4, 16, 24));
    Ok(())
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_train() {
    tell(train());
}

fn trained(environment: &[(&str, &str)]) -> Option<Outcome> {
    let outcome = again("host::scenario_train", machine()?, environment);
    assert!(outcome.succeeded, "{}\n{}", outcome.printed, outcome.log.join("\n"));
    Some(outcome)
}

#[test]
fn a_training_asks_the_driver_for_one_launch_and_one_copy_a_step() {
    let Some(outcome) = trained(&[]) else { return };
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    outcome.assert_clean();
    assert_eq!(outcome.count("graph_launch"), 4);
    assert_eq!(outcome.count("copy_in"), 4 + 2);
    assert_eq!(outcome.count("capture_begin"), 2, "one for each set of the ring");
    assert_eq!(outcome.count("kernel "), 2 * 7, "only recorded");
    assert_eq!(outcome.count("module_load"), 3, "one for each source");
    let recorded = outcome.log.iter().filter(|line| line.starts_with("kernel "));
    assert!(recorded.clone().all(|line| line == "kernel s3 2x1x1 of 64x1x1"), "{recorded:?}");
}

/// What orders the queues: 1 computes, 2 uploads.
#[test]
fn uploads_travel_while_the_step_before_runs() {
    let Some(outcome) = trained(&[]) else { return };
    let ordering = ["graph_launch", "copy_in", "stream_wait", "event_synchronize"];
    let from = outcome.log.iter().position(|line| line.starts_with("graph_launch")).unwrap();
    let until = outcome.log.iter().position(|line| line.starts_with("copy_within")).unwrap();
    // The first launch waits for the upload of its input, queued before.
    let before = outcome.log[..from].iter().rev().find(|line| line.starts_with("stream_wait"));
    assert_eq!(before.map(String::as_str), Some("stream_wait s1 for s2#2"));
    let order: Vec<&str> = outcome.log[from..until]
        .iter()
        .filter(|line| ordering.iter().any(|prefix| line.starts_with(prefix)))
        .map(String::as_str)
        .collect();
    let expected = [
        "graph_launch s1",
        // The other set of the ring waits for nothing but its clearing, the third work of the queue.
        "stream_wait s2 for s1#3",
        "copy_in s2 4",
        "stream_wait s1 for s2#3",
        "graph_launch s1",
        // The set that the first launch reads waits for that one, the sixth, while the second runs on.
        "stream_wait s2 for s1#6",
        "copy_in s2 4",
        // The host waits for the first launch and the upload before it.
        "event_synchronize s2#2",
        "event_synchronize s1#6",
        "stream_wait s1 for s2#4",
        "graph_launch s1",
    ];
    assert_eq!(order[..expected.len()], expected, "{order:?}");
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_traced() {
    trace::begin();
    tell(train());
    let timeline = trace::end();
    let kernels = timeline.events.iter().filter(|event| event.track == trace::Track::Device);
    for event in kernels.filter(|event| event.name != "copy") {
        println!("traced {} {} ms", event.name, event.length.as_millis());
    }
}

#[test]
fn a_timeline_has_the_time_of_every_kernel() {
    let Some(folder) = machine() else { return };
    let whole = again("host::scenario_traced", folder, &[]);
    assert!(whole.printed.contains("done"), "{}", whole.printed);
    whole.assert_clean();
    let traced = |name: &str| whole.printed.matches(&format!("traced {name} 1 ms")).count();
    assert_eq!((traced("increment"), traced("gather")), (4 * 6, 4), "{}", whole.printed);
    assert_eq!((whole.count("graph_launch"), whole.count("kernel s1")), (0, 4 * 7));
    let is_call = |line: &&String| !line.starts_with("left") && !line.starts_with("compile");
    let calls: Vec<&String> = whole.log.iter().filter(is_call).collect();
    for call in ["event_elapsed", "kernel s1", "event_create"] {
        let number = 1 + calls.iter().rposition(|line| line.starts_with(call)).unwrap();
        let outcome = again("host::scenario_traced", folder, &[("FAKE_FAIL", &number.to_string())]);
        assert!(outcome.error().contains("refused"), "{call}: {}", outcome.printed);
        outcome.assert_clean();
    }
}

#[test]
fn memory_is_given_back_after_what_uses_it() {
    let Some(outcome) = trained(&[]) else { return };
    let last = |prefix: &str| outcome.log.iter().rposition(|line| line.starts_with(prefix)).unwrap();
    let first = |prefix: &str| outcome.log.iter().position(|line| line.starts_with(prefix)).unwrap();
    assert!(
        outcome
            .log
            .iter()
            .filter(|line| line.starts_with("memory_free"))
            .all(|line| line == "memory_free s1")
    );
    assert!(first("memory_free") > last("graph_launch"));
    assert!(
        first("module_unload") > last("event_synchronize") || first("module_unload") > last("graph_launch")
    );
    let order = ["event_destroy", "stream_destroy", "context_release"];
    assert!(order.map(last).is_sorted(), "{:?}", outcome.log);
}

#[test]
fn each_call_that_fails_is_a_clean_error() {
    let Some(folder) = machine() else { return };
    let calls = fail_each_call("host::scenario_train", folder, &[]);
    assert!(calls > 100, "{calls}");
}

#[test]
fn a_device_that_is_lost_takes_no_more_work_and_leaves_nothing() {
    let Some(whole) = trained(&[]) else { return };
    for prefix in ["graph_launch", "copy_in", "event_synchronize", "capture_end", "copy_out", "kernel "] {
        let calls: Vec<&String> = whole.log.iter().filter(|line| !line.starts_with("compile")).collect();
        let number = 1 + calls.iter().position(|line| line.starts_with(prefix)).unwrap();
        let Some(outcome) = trained(&[("FAKE_FAIL", &number.to_string()), ("FAKE_CODE", "700")]) else {
            return;
        };
        outcome.assert_clean();
        let error = outcome.error();
        for part in ["was lost", "Fake GPU", "CUDA_ERROR_ILLEGAL_ADDRESS", "--verify", "checkpoint"] {
            assert!(error.contains(part), "{prefix}: {error}");
        }
        // What comes after only frees; what was begun is ended.
        let after = outcome.log.iter().skip_while(|line| !line.ends_with("= 700"));
        let frees = |line: &String| is_of_the_end(line) || line.starts_with("capture_end");
        assert!(after.clone().skip(1).all(frees), "{prefix}: {:?}", after.collect::<Vec<_>>());
    }
}

#[test]
fn kernels_are_compiled_once_for_all_processes() {
    let folder = Folder::new();
    let cache = folder.path().to_str().unwrap();
    let compiled = || Some(trained(&[("WARPLOOM_CACHE", cache)])?.count("compile "));
    let Some(first) = compiled() else { return };
    assert_eq!((first, compiled()), (3, Some(0)));
    let entries = std::fs::read_dir(folder.path().join("cuda")).unwrap();
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(paths.len(), 3);
    std::fs::write(&paths[1], "wlcubin1 and something else").unwrap();
    assert_eq!((compiled(), compiled()), (Some(1), Some(0)), "the damaged one is made again");
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_refusals() {
    let gpu = Cuda::open(Some(0)).unwrap().with_memory_limit(4096);
    let error = gpu.allocate(8192).unwrap_err();
    assert!(matches!(&error, DeviceError::OutOfMemory { asked: 8192, held: 0, .. }), "{error}");
    let gpu = Cuda::open(Some(0)).unwrap();
    let memory = gpu.allocate(10).unwrap();
    let error = gpu.allocate(2 << 30).unwrap_err();
    assert!(
        matches!(&error, DeviceError::OutOfMemory { asked, held: 10, reason } if *asked == 2 << 30 && reason.contains("OUT_OF_MEMORY")),
        "{error}"
    );
    let error = gpu.upload(&memory, 8, &[1; 3]).unwrap_err();
    assert!(matches!(&error, DeviceError::Binding(text) if text.contains("3 bytes at 8")), "{error}");
    let other = Cuda::open(Some(0)).unwrap().allocate(4).unwrap();
    assert!(matches!(gpu.copy(&other, &memory, 4), Err(DeviceError::Binding(_))));
    // Parts of any length at any place, in pieces.
    let large = gpu.allocate(20 << 20).unwrap();
    let pattern: Vec<u8> = (0..(20 << 20) - 5).map(|i| (i % 251) as u8).collect();
    gpu.upload(&large, 3, &pattern).unwrap();
    let mut bytes = vec![9; 20 << 20];
    gpu.download(&large, 0, &mut bytes).unwrap();
    assert!(
        bytes[..3] == [0; 3]
            && bytes[3..pattern.len() + 3] == pattern
            && bytes[pattern.len() + 3..] == [0; 2]
    );
    let rejected = Node::Dispatch(dispatch("sum of squares", "\nreject this\n", vec![]));
    let plan = |node| Plan { nodes: vec![node], kernels: vec![], counters: 0 };
    let error = gpu.prepare_plan(program(&[], &[]), &plan(rejected)).err().unwrap();
    for part in ["sum of squares", "line 2", "this is rejected", ">    2 | reject this"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let Node::Dispatch(mut wide) = increment(1) else { unreachable!() };
    wide.workgroup = 2048;
    let error = gpu.prepare_plan(program(&[1], &[1]), &plan(Node::Dispatch(wide))).err().unwrap();
    assert!(
        error.to_string().contains("2048 invocations of a workgroup; Fake GPU takes at most 1024"),
        "{error}"
    );
    let counter = EnergyCounter::Nvidia("00112233-4455-6677-8899-aabbccddeeff".into());
    assert_eq!(gpu.energy_counter(), counter);
    assert!(Cuda::open(Some(3)).err().unwrap().to_string().contains("no GPU has the number 3"));
    println!("done");
}

#[test]
fn what_is_refused_is_said() {
    let Some(folder) = machine() else { return };
    let outcome = again("host::scenario_refusals", folder, &[]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    outcome.assert_clean();
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_faults() {
    let gpu = Cuda::open(None).unwrap();
    let (state, input) = (gpu.allocate(4).unwrap(), gpu.allocate(4).unwrap());
    let executable = step(&gpu, vec![gather(10)]).unwrap();
    let go = |value: u32| {
        gpu.upload(&input, 0, &value.to_le_bytes()).unwrap();
        launch(&executable, &state, &input).unwrap()
    };
    let (fine, wrong, late) = (go(3), go(12), go(4));
    gpu.wait(fine).unwrap();
    let error = gpu.wait(late).unwrap_err();
    let expected = DeviceError::IndexOutOfRange { kernel: "gather rows".into(), index: 12, extent: 10 };
    assert_eq!(error, expected);
    gpu.wait(wrong).unwrap();
    // More launches than slots, none of them waited for.
    let tokens: Vec<_> = (0..200).map(|i| go(if i == 20 { 77 } else { 0 })).collect();
    gpu.wait(tokens[19]).unwrap();
    assert!(matches!(gpu.wait(tokens[199]), Err(DeviceError::IndexOutOfRange { index: 77, .. })));
    gpu.wait(tokens[199]).unwrap();
    println!("done");
}

#[test]
fn indices_out_of_range_are_told_when_their_launch_is_waited_for() {
    let Some(folder) = machine() else { return };
    let outcome = again("host::scenario_faults", folder, &[]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    outcome.assert_clean();
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_rings() {
    let gpu = Cuda::open(None).unwrap();
    let state = gpu.allocate(4).unwrap();
    let rings: Vec<Memory> = (0..9).map(|_| gpu.allocate(4).unwrap()).collect();
    // 3 rounds of a program that is more than one recording: 1 + 2 × 4,000 rounds of 1, and what remains.
    let executable = step(&gpu, vec![increment(1), Node::Repeat(9000, vec![increment(2)])]).unwrap();
    for _ in 0..3 {
        launch(&executable, &state, &rings[0]).unwrap();
    }
    assert_eq!(download(&gpu, &state).unwrap(), 3 * 18_001);
    let small = step(&gpu, vec![increment(1)]).unwrap();
    for ring in rings.iter().chain(&rings) {
        launch(&small, &state, ring).unwrap();
    }
    assert_eq!(download(&gpu, &state).unwrap(), 3 * 18_001 + 18);
    println!("done");
}

#[test]
fn loops_are_unrolled_up_to_a_bound_and_recordings_are_kept_for_some_sets_of_memories() {
    let Some(folder) = machine() else { return };
    let outcome = again("host::scenario_rings", folder, &[]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    outcome.assert_clean();
    // One kernel before the loop, 2 launches of 4,096 rounds, 808 rounds after.
    assert_eq!(outcome.count("graph_launch"), 3 * 4 + 18);
    // Nine sets in turn, of which eight are kept: each is recorded again.
    assert_eq!(outcome.count("capture_begin"), 3 + 18);
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_open() {
    tell(Cuda::open(None).map(drop));
}

fn opened(libraries: &Path, environment: &[(&str, &str)]) -> String {
    let outcome = again("host::scenario_open", libraries, environment);
    assert!(outcome.succeeded, "{}", outcome.printed);
    if !outcome.log.is_empty() {
        outcome.assert_clean();
    }
    assert!(!outcome.error().is_empty(), "{}", outcome.printed);
    outcome.error().to_owned()
}

fn assert_says(error: &str, parts: &[&str]) {
    assert!(error.starts_with("no such device: "), "{error}");
    for part in parts {
        assert!(error.contains(part), "no {part:?} in: {error}");
    }
}

#[test]
fn machines_that_lack_something_are_told_what_and_what_to_do() {
    let Some(whole) = machine() else { return };
    let (empty, only_driver, broken) = (Folder::new(), Folder::new(), Folder::new());
    build(only_driver.path(), &[("driver.c", "libcuda.so.1")]).unwrap();
    build(broken.path(), &[("nvrtc.c", "libcuda.so.1")]).unwrap();
    let folder = empty.path().display().to_string();
    assert_says(
        &opened(empty.path(), &[]),
        &["no NVIDIA driver", "libcuda.so", &folder, "install NVIDIA's driver"],
    );
    let without = opened(whole, &[("FAKE_INIT", "100")]);
    assert_says(&without, &["CUDA_ERROR_NO_DEVICE", "nvidia-smi -L", "CUDA_VISIBLE_DEVICES"]);
    assert_says(&opened(whole, &[("FAKE_DEVICES", "0")]), &["lists no GPU", "nvidia-smi -L"]);
    let mismatch = opened(whole, &[("FAKE_INIT", "803")]);
    assert_says(&mismatch, &["library and kernel module of the driver differ", "restart"]);
    let old = opened(whole, &[("FAKE_VERSION", "11080")]);
    assert_says(&old, &["it is of CUDA 11.8", "CUDA 12.0 or newer", "update the driver"]);
    let lacks = opened(broken.path(), &[]);
    assert_says(&lacks, &["no function cuInit", "update the driver"]);
    let compiler = opened(only_driver.path(), &[]);
    assert_says(&compiler, &["kernels cannot be compiled", "libnvrtc.so", "pip install nvidia-cuda-nvrtc"]);
    let newer = opened(whole, &[("FAKE_VERSION", "12040")]);
    assert_says(&newer, &["of CUDA 13.0", "too old", "nvidia-cuda-nvrtc-cu12"]);
    // A file that does not load is passed over where another does.
    let mixed = std::env::join_paths([broken.path(), whole]).unwrap();
    let outcome = again("host::scenario_open", Path::new(&mixed), &[]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    let (both, older) = (Folder::new(), "libnvrtc.so.12");
    build(both.path(), &[("driver.c", "libcuda.so.1"), ("nvrtc.c", older)]).unwrap();
    let outcome =
        again("host::scenario_open", both.path(), &[("FAKE_VERSION", "12040"), ("FAKE_NVRTC_VERSION", "12")]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
}
