//! A training step on a GPU is one submission to the driver, what was uploaded for it included, of few kernels. Skipped without any adapter,
//! unless `WARPLOOM_REQUIRE_GPU` is set.
#![cfg(feature = "wgpu")]

use std::sync::Arc;
use warploom::nn::models::{lenet, resnet18};
use warploom::prelude::*;
use warploom::wgpu::{Wgpu, adapters};

/// A GPU, and once more as a device.
fn open() -> Option<(Arc<Wgpu>, Device)> {
    match adapters().first() {
        Some(adapter) => {
            let gpu = Arc::new(Wgpu::open(Some(adapter.index)).unwrap());
            Some((gpu.clone(), Device::from_executor(gpu)))
        }
        None => {
            assert!(std::env::var_os("WARPLOOM_REQUIRE_GPU").is_none(), "no adapter");
            println!("skipped: no adapter");
            None
        }
    }
}

/// Kernels of a training step with softmax cross-entropy, with and without the gate that holds back updates that are not
/// finite.
fn kernels<O: Optimizer + 'static>(model: &Model, optimizer: impl Fn() -> O, shape: &[usize]) -> [usize; 2] {
    let specs = [InputSpec::new(DType::F32, shape), InputSpec::new(DType::I32, &shape[..1])];
    [true, false].map(|gated| {
        let step = TrainingStep::new(model, losses::cross_entropy, optimizer()).unwrap();
        let step = if gated { step } else { step.ungated() };
        let record = |inputs: &[Tensor]| Ok(vec![step.record(model, &inputs[0], &inputs[1])?.0]);
        model.device().try_record(&specs, record).unwrap().kernels_per_run()
    })
}

/// Submissions of `steps` training steps with softmax cross-entropy, as the training loop runs them: two sets of inputs, one of
/// which is filled while the other is computed with.
fn submissions<O: Optimizer + 'static>(
    gpu: &Wgpu,
    model: &Model,
    optimizer: O,
    shape: &[usize],
    steps: usize,
) -> u64 {
    let step = TrainingStep::new(model, losses::cross_entropy, optimizer).unwrap();
    let specs = [InputSpec::new(DType::F32, shape), InputSpec::new(DType::I32, &shape[..1])];
    let recorded = model
        .device()
        .try_record(&specs, |inputs| Ok(vec![step.record(model, &inputs[0], &inputs[1])?.0]))
        .unwrap();
    let mut bound = recorded.bind(2).unwrap();
    let pixels: Vec<u8> = (0..shape.iter().product::<usize>())
        .flat_map(|i| ((i * 37 % 101) as f32 / 101.0).to_le_bytes())
        .collect();
    let labels: Vec<u8> = (0..shape[0] as i32).flat_map(|i| (i * 7 % 10).to_le_bytes()).collect();
    let mut run = |slot| {
        bound.upload(slot, 0, &pixels).unwrap();
        bound.upload(slot, 1, &labels).unwrap();
        bound.launch(slot).unwrap();
    };
    // The first also gives variables their initial values.
    run(0);
    model.device().sync().unwrap();
    let before = gpu.submissions();
    (0..steps).for_each(|i| run(i % 2));
    let count = gpu.submissions() - before;
    let loss = bound.read::<f32>(0, 0).unwrap()[0];
    assert!(loss > 0.0 && loss.is_finite(), "{loss}");
    count
}

#[test]
fn a_step_of_a_dense_network_is_one_submission() {
    let Some((gpu, device)) = open() else { return };
    let layers = [Dense::new(512).relu(), Dense::new(512).relu(), Dense::new(10)];
    let model = Sequential::new(layers).seed(0).build([784], &device).unwrap();
    assert_eq!(submissions(&gpu, &model, Adam::new(1e-3), &[128, 784], 3), 3);
    // Eight products, the loss with its gradient, and what waits for nothing.
    let [gated, ungated] = kernels(&model, || Adam::new(1e-3), &[128, 784]);
    println!("{gated} kernels, {ungated} without the gate");
    assert!(ungated <= 14, "{ungated} kernels");
}

#[test]
fn a_step_of_lenet_is_one_submission() {
    let Some((gpu, device)) = open() else { return };
    let model = lenet(10).seed(0).build([1, 28, 28], &device).unwrap();
    let count = submissions(&gpu, &model, Sgd::new(0.01).momentum(0.9), &[64, 1, 28, 28], 3);
    assert_eq!(count, 3);
    println!("{:?} kernels", kernels(&model, || Sgd::new(0.01).momentum(0.9), &[64, 1, 28, 28]));
}

/// In a batch of one, which takes a software driver seconds.
#[test]
fn a_step_of_resnet_is_one_submission() {
    let Some((gpu, device)) = open() else { return };
    let module = device.scope(|| resnet18(3, 10)).unwrap();
    let model = Model::new(module, [3, 32, 32], &device).unwrap();
    let count = submissions(&gpu, &model, Sgd::new(0.01).momentum(0.9), &[1, 3, 32, 32], 1);
    assert_eq!(count, 1);
    println!("{:?} kernels", kernels(&model, || Sgd::new(0.01).momentum(0.9), &[1, 3, 32, 32]));
}
