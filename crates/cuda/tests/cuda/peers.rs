//! Copies from one GPU to another, against a driver that lists two and records what it is asked for: streams 1 and 4 compute,
//! 2 and 5 upload, of the first and the second.

use std::thread;

use crate::support::{Outcome, again, fail_each_call, machine, tell};
use warploom_cuda::Cuda;
use warploom_device::{DeviceError, Executor, Memory, Verifying};

const TWO: (&str, &str) = ("FAKE_DEVICES", "2");

const BYTES: usize = 1000;

fn pattern(seed: usize) -> Vec<u8> {
    (0..BYTES).map(|i| ((i * 7 + seed) % 251) as u8).collect()
}

fn download(gpu: &dyn Executor, memory: &Memory) -> Result<Vec<u8>, DeviceError> {
    let mut bytes = vec![0; BYTES];
    gpu.download(memory, 0, &mut bytes)?;
    Ok(bytes)
}

/// There, overwritten here at once, and there again, from memory that is dropped at once.
fn go() -> Result<(), DeviceError> {
    let [first, second] = [Cuda::open(Some(0))?, Cuda::open(Some(1))?];
    let (source, destination) = (first.allocate(BYTES)?, second.allocate(BYTES)?);
    first.upload(&source, 0, &pattern(1))?;
    if second.receive(&source, &destination, BYTES)?.is_none() {
        println!("through the host");
        return Ok(());
    }
    first.upload(&source, 0, &pattern(2))?;
    let one = download(&second, &destination)?;
    let token = second.receive(&source, &destination, BYTES)?.expect("as before");
    drop(source);
    second.wait(token)?;
    assert!(one == pattern(1) && download(&second, &destination)? == pattern(2));
    Ok(())
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_go() {
    tell(go());
}

fn gone(environment: &[(&str, &str)]) -> Option<Outcome> {
    let outcome = again("peers::scenario_go", machine()?, &[&[TWO], environment].concat());
    assert!(outcome.succeeded && outcome.printed.contains("done"), "{}", outcome.printed);
    outcome.assert_clean();
    Some(outcome)
}

#[test]
fn a_copy_waits_for_the_source_and_the_source_for_the_copy() {
    let Some(outcome) = gone(&[]) else { return };
    let of = [
        "reaches",
        "pool_open",
        "copy_in",
        "event_record",
        "stream_wait",
        "copy_between",
        "copy_out",
        "memory_free s1",
    ];
    let log = outcome.log.iter().filter(|line| of.iter().any(|prefix| line.starts_with(prefix)));
    let order: Vec<&str> = log.map(String::as_str).skip_while(|line| !line.starts_with("copy_in")).collect();
    let expected = [
        "copy_in s2 1000",
        "event_record s2 #1",
        "reaches gpu1 gpu0",
        "pool_open gpu0 to gpu1",
        // The upload comes before whatever computes with the memory, and so before the copy.
        "stream_wait s1 for s2#1",
        "event_record s1 #2",
        "stream_wait s4 for s1#2",
        "copy_between s4 1000 gpu0 to gpu1",
        "event_record s4 #2",
        "event_record s4 #3",
        "stream_wait s1 for s4#2",
        "event_record s1 #3",
        // What overwrites the source waits until it waited for the copy.
        "stream_wait s2 for s1#3",
        "copy_in s2 1000",
        "event_record s2 #2",
        "copy_out s4",
        "event_record s4 #4",
        "stream_wait s1 for s2#2",
        "event_record s1 #4",
        "stream_wait s4 for s1#4",
        "copy_between s4 1000 gpu0 to gpu1",
        "event_record s4 #5",
        "event_record s4 #6",
        "stream_wait s1 for s4#5",
        "event_record s1 #5",
        "memory_free s1",
    ];
    assert_eq!(order[..expected.len()], expected, "{order:#?}");
}

#[test]
fn gpus_that_do_not_reach_each_other_are_not_let_at_memory() {
    let Some(outcome) = gone(&[("FAKE_PEERS", "0")]) else { return };
    assert_eq!((outcome.count("reaches"), outcome.count("pool_open")), (1, 0));
    assert_eq!(outcome.count("copy_between"), 2, "the driver takes them through the host itself");
}

#[test]
fn each_call_that_fails_is_a_clean_error() {
    let Some(folder) = machine() else { return };
    let calls = fail_each_call("peers::scenario_go", folder, &[TWO]);
    assert!(calls > 100, "{calls}");
}

#[test]
fn a_gpu_that_is_lost_on_the_way_leaves_nothing() {
    let Some(whole) = gone(&[]) else { return };
    for call in ["copy_between", "stream_wait s4", "event_record s4 #2", "stream_wait s1 for s4"] {
        let number = 1 + whole.log.iter().position(|line| line.starts_with(call)).unwrap();
        let failing = [TWO, ("FAKE_FAIL", &number.to_string()), ("FAKE_CODE", "700")];
        let outcome = again("peers::scenario_go", machine().unwrap(), &failing);
        assert!(outcome.error().contains("was lost"), "{call}: {}", outcome.printed);
        outcome.assert_clean();
    }
}

#[test]
fn a_driver_that_has_no_such_copies_leaves_them_to_the_host() {
    let Some(whole) = gone(&[]) else { return };
    let number = |call: &str| 1 + whole.log.iter().position(|line| line.starts_with(call)).unwrap();
    for (call, copies, host) in [("pool_open", 2, 0), ("copy_between", 1, 1)] {
        let number = number(call).to_string();
        for code in ["217", "801"] {
            let outcome = gone(&[("FAKE_FAIL", &number), ("FAKE_CODE", code)]).unwrap();
            let told = outcome.printed.matches("through the host").count();
            assert_eq!((outcome.count("copy_between"), told), (copies, host), "{call} {code}");
        }
    }
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_around() {
    let [first, again, second] = [0, 0, 1].map(|index| Cuda::open(Some(index)).unwrap());
    let memory = |gpu: &Cuda, seed| {
        let memory = gpu.allocate(BYTES).unwrap();
        gpu.upload(&memory, 0, &pattern(seed)).unwrap();
        memory
    };
    // Two executors of one GPU, and one.
    let (here, there) = (memory(&first, 1), memory(&again, 2));
    let token = again.receive(&here, &there, BYTES).unwrap().unwrap();
    again.wait(token).unwrap();
    let same = memory(&first, 3);
    assert!(first.receive(&here, &same, BYTES).unwrap().is_some());
    assert!(
        download(&again, &there).unwrap() == pattern(1) && download(&first, &same).unwrap() == pattern(1)
    );
    // What is too much, and what is not the executor's.
    let small = second.allocate(10).unwrap();
    for (source, destination) in [(&here, &small), (&small, &here), (&here, &there)] {
        let error = second.receive(source, destination, BYTES).unwrap_err();
        assert!(matches!(error, DeviceError::Binding(_)), "{error}");
    }
    let other = warploom_cpu::Cpu::new(Some(1));
    let foreign = other.allocate(10).unwrap();
    assert_eq!(second.receive(&foreign, &small, 10).unwrap(), None);
    assert_eq!(other.receive(&small, &foreign, 10).unwrap(), None);
    // Around another executor.
    let verifying = Verifying::new(std::sync::Arc::new(second));
    let checked = verifying.allocate(BYTES).unwrap();
    assert!(verifying.receive(&here, &checked, BYTES).unwrap().is_some());
    assert!(download(&verifying, &checked).unwrap() == pattern(1));
    println!("done");
}

#[test]
fn executors_of_one_gpu_and_around_another_receive() {
    let Some(folder) = machine() else { return };
    let outcome = again("peers::scenario_around", folder, &[TWO]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    outcome.assert_clean();
    let counts = ["copy_within", "copy_between", "reaches"].map(|call| outcome.count(call));
    assert_eq!(counts, [2, 1, 1]);
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_both_ways() {
    let gpus = [0, 1].map(|index| Cuda::open(Some(index)).unwrap());
    let sources = [0, 1].map(|index: usize| {
        let memory = gpus[index].allocate(BYTES).unwrap();
        gpus[index].upload(&memory, 0, &pattern(index)).unwrap();
        memory
    });
    thread::scope(|scope| {
        for (index, gpu) in gpus.iter().enumerate() {
            let source = &sources[1 - index];
            scope.spawn(move || {
                for _ in 0..200 {
                    let memory = gpu.allocate(BYTES).unwrap();
                    assert!(gpu.receive(source, &memory, BYTES).unwrap().is_some());
                    assert!(download(gpu, &memory).unwrap() == pattern(1 - index));
                }
            });
        }
    });
    println!("done");
}

#[test]
fn copies_in_both_directions_do_not_wait_for_each_other() {
    let Some(folder) = machine() else { return };
    let outcome = again("peers::scenario_both_ways", folder, &[TWO]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    outcome.assert_clean();
    assert_eq!((outcome.count("copy_between"), outcome.count("pool_open")), (400, 2));
}
