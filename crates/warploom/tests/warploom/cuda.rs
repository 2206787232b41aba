//! NVIDIA's GPUs by name, on a machine whose driver has none but says so.
#![cfg(feature = "cuda")]

#[allow(dead_code, reason = "shared with the executor's own tests")]
#[path = "../../../cuda/tests/cuda/support/machine.rs"]
mod machine;

use std::fs::OpenOptions;
use std::io::Write;

use machine::{Folder, again, machine};
use warploom::nn::models::{lenet, resnet18};
use warploom::prelude::*;

#[test]
#[ignore = "run in a process of its own"]
fn scenario_names() {
    for name in ["cuda:0", "cuda", "gpu", "best"] {
        match Device::named(name) {
            Ok(device) => println!("{name} is {}, {}", device.id(), device.capabilities().name),
            Err(error) => println!("{name} error: {error}"),
        }
    }
}

#[test]
fn a_driver_with_a_gpu_is_chosen_first() {
    let Some(folder) = machine() else { return };
    let outcome = again("cuda::scenario_names", folder, &[]);
    for name in ["cuda:0", "cuda", "gpu", "best"] {
        assert!(outcome.printed.contains(&format!("{name} is cuda:0, Fake GPU")), "{}", outcome.printed);
    }
    assert_eq!(outcome.count("context_retain"), 4, "each name is asked once");
}

#[test]
fn without_a_driver_the_name_says_what_is_missing() {
    let empty = Folder::new();
    let outcome = again("cuda::scenario_names", empty.path(), &[]);
    assert!(outcome.succeeded, "{}", outcome.printed);
    assert!(outcome.printed.contains("cuda:0 error: "), "{}", outcome.printed);
    assert!(outcome.printed.contains("install NVIDIA's driver"), "{}", outcome.printed);
    assert!(!outcome.printed.contains("best is cuda"), "{}", outcome.printed);
}

/// Bytes that a device's tensors came by from the host and went to it.
fn through_the_host(device: &Device) -> (u64, u64) {
    let statistics = device.statistics();
    (statistics.uploaded_bytes, statistics.downloaded_bytes)
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_moves() {
    let [cpu, first, second] = ["cpu", "cuda:0", "cuda:1"].map(|name| Device::named(name).unwrap());
    let values: Vec<f32> = (0..1000).map(|i| i as f32).collect();
    let there = cpu.scope(|| Tensor::from_slice(&values, &[1000])).to(&first);
    let beyond = there.to(&second);
    drop(there);
    println!("{:?} {:?}", through_the_host(&first), through_the_host(&second));
    let back = beyond.to(&cpu);
    assert_eq!((back.to_vec::<f32>().unwrap(), beyond.device().unwrap()), (values, second));
    println!("done");
}

#[test]
fn tensors_move_between_gpus_past_the_host_where_the_driver_can() {
    let Some(folder) = machine() else { return };
    let moved = |more: &[(&str, &str)]| {
        let outcome = again("cuda::scenario_moves", folder, &[&[("FAKE_DEVICES", "2")], more].concat());
        assert!(outcome.printed.contains("done"), "{}", outcome.printed);
        outcome
    };
    let whole = moved(&[]);
    assert!(whole.printed.contains("(4000, 0) (0, 0)"), "{}", whole.printed);
    let number = 1 + whole.log.iter().position(|line| line.starts_with("copy_between")).unwrap();
    let without = moved(&[("FAKE_FAIL", &number.to_string()), ("FAKE_CODE", "217")]);
    assert!(without.printed.contains("(4000, 4000) (4000, 0)"), "{}", without.printed);
}

/// Training steps with softmax cross-entropy, as the training loop runs them: two sets of inputs, one of which is filled while
/// the other is computed with. A line in the driver's log separates them from what comes before and after.
fn steps<O: Optimizer + 'static>(model: &Model, optimizer: O, shape: &[usize]) {
    let step = TrainingStep::new(model, losses::cross_entropy, optimizer).unwrap();
    let specs = [InputSpec::new(DType::F32, shape), InputSpec::new(DType::I32, &shape[..1])];
    let recorded = model
        .device()
        .try_record(&specs, |inputs| Ok(vec![step.record(model, &inputs[0], &inputs[1])?.0]))
        .unwrap();
    let mut bound = recorded.bind(2).unwrap();
    let (pixels, labels) = (vec![0; 4 * shape.iter().product::<usize>()], vec![0; 4 * shape[0]]);
    let mut run = |slot| {
        bound.upload(slot, 0, &pixels).unwrap();
        bound.upload(slot, 1, &labels).unwrap();
        bound.launch(slot).unwrap();
    };
    // Each set once: variables get their initial values, and launches are recorded.
    run(0);
    run(1);
    model.device().sync().unwrap();
    let mut log = OpenOptions::new().append(true).open(std::env::var_os("FAKE_LOG").unwrap()).unwrap();
    writeln!(log, "steps").unwrap();
    (0..STEPS).for_each(|i| run(i % 2));
    writeln!(log, "steps").unwrap();
    model.device().sync().unwrap();
}

const STEPS: usize = 4;

#[test]
#[ignore = "run in a process of its own"]
fn scenario_steps() {
    let device = Device::named("cuda:0").unwrap();
    let layers = [Dense::new(512).relu(), Dense::new(512).relu(), Dense::new(10)];
    let model = Sequential::new(layers).seed(0).build([784], &device).unwrap();
    steps(&model, Adam::new(1e-3), &[128, 784]);
    let model = lenet(10).seed(0).build([1, 28, 28], &device).unwrap();
    steps(&model, Sgd::new(0.01).momentum(0.9), &[64, 1, 28, 28]);
    let module = device.scope(|| resnet18(3, 10)).unwrap();
    let model = Model::new(module, [3, 32, 32], &device).unwrap();
    steps(&model, Sgd::new(0.01).momentum(0.9), &[8, 3, 32, 32]);
}

#[test]
fn a_training_step_is_one_launch_and_the_copies_of_its_inputs() {
    let Some(folder) = machine() else { return };
    let outcome = again("cuda::scenario_steps", folder, &[]);
    assert!(outcome.succeeded, "{}", outcome.printed);
    let parts: Vec<&[String]> = outcome.log.split(|line| line == "steps").collect();
    assert_eq!(parts.len(), 7);
    for (part, model) in [1, 3, 5].into_iter().zip(["dense", "LeNet", "ResNet-18"]) {
        let count = |prefix: &str| parts[part].iter().filter(|line| line.starts_with(prefix)).count();
        assert_eq!((count("graph_launch"), count("copy_in")), (STEPS, 2 * STEPS), "{model}");
        // What kernels noted about indices out of range is read and cleared.
        assert_eq!((count("copy_out"), count("fill")), (STEPS, STEPS), "{model}");
        // Nothing is allocated, recorded, compiled or waited for but the staging of uploads.
        let queued = ["graph_launch", "copy_in", "copy_out", "fill", "event_record", "stream_wait"];
        let allowed = [&queued[..], &["context_set", "event_synchronize s2"]].concat();
        let others: Vec<&String> =
            parts[part].iter().filter(|line| !allowed.iter().any(|name| line.starts_with(name))).collect();
        assert!(others.is_empty(), "{model}: {others:?}");
    }
}
