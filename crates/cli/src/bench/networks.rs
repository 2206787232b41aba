//! W3 to W5: networks with softmax cross-entropy, trained and asked.

use super::Setting;
use super::measure::{a_few_launches, measure_launches, noise};
use super::row::{Row, emit, peak_rss_mb};
use crate::output::line;
use serde_json::{Map, json};
use warploom::Result;
use warploom::nn::losses::cross_entropy;
use warploom::nn::models::{lenet, resnet18};
use warploom::nn::{Adam, Dense, Mode, Model, Module, Optimizer, Parameters, Sequential, Sgd, TrainingStep};
use warploom::tensor::{Bound, DType, Device, InputSpec, Recorded};

/// A network with the batches it is measured on.
struct Network {
    workload: &'static str,
    /// One example.
    input: &'static [usize],
    build: fn(&[usize], &Device) -> Result<Model>,
    optimizer: fn() -> Box<dyn Optimizer>,
    parameters: usize,
    train_batch: usize,
    infer_batches: [usize; 2],
}

const MLP: Network = Network {
    workload: "W3_mlp",
    input: &[784],
    build: |input, device| {
        let layers = [Dense::new(512).relu(), Dense::new(512).relu(), Dense::new(10)];
        Ok(Sequential::new(layers).seed(0).build(input, device)?)
    },
    optimizer: || Box::new(Adam::new(1e-3)),
    parameters: 669_706,
    train_batch: 128,
    infer_batches: [1, 128],
};

const LENET: Network = Network {
    workload: "W4_lenet",
    input: &[1, 28, 28],
    build: |input, device| Ok(lenet(10).seed(0).build(input, device)?),
    optimizer: || Box::new(Sgd::new(0.01).momentum(0.9)),
    parameters: 61_706,
    train_batch: 64,
    infer_batches: [1, 64],
};

const RESNET: Network = Network {
    workload: "W5_resnet18_cifar",
    input: &[3, 32, 32],
    build: |input, device| {
        let module = device.scope(|| resnet18(3, 10))?;
        Ok(Model::new(module, input, device)?)
    },
    optimizer: || Box::new(Sgd::new(0.01).momentum(0.9)),
    parameters: 11_173_962,
    train_batch: 32,
    infer_batches: [1, 32],
};

/// W3: a dense network.
pub fn mlp(setting: &Setting) -> Result<()> {
    MLP.run(setting)
}

/// W4: LeNet.
pub fn lenet5(setting: &Setting) -> Result<()> {
    LENET.run(setting)
}

/// W5: ResNet-18.
pub fn resnet(setting: &Setting) -> Result<()> {
    RESNET.run(setting)
}

impl Network {
    fn batch(&self, size: usize) -> Vec<usize> {
        [size].iter().chain(self.input).copied().collect()
    }

    /// A training step on a batch that is in its memory. The workload has no gate; with one, what `fit` runs is measured.
    fn training(&self, model: &Model, size: usize, gated: bool) -> Result<(Recorded, Bound)> {
        let step = TrainingStep::new(model, cross_entropy, (self.optimizer)())?;
        let step = if gated { step } else { step.ungated() };
        let shape = self.batch(size);
        let specs = [InputSpec::new(DType::F32, &shape), InputSpec::new(DType::I32, &[size])];
        let recorded = model.device().try_record(&specs, |inputs| {
            let (loss, _) = step.record(model, &inputs[0], &inputs[1])?;
            Ok(vec![loss])
        })?;
        let bound = recorded.bind(1)?;
        bound.upload(0, 0, &noise(0, shape.iter().product()))?;
        let labels: Vec<u8> = (0..size as i32).flat_map(|i| (i * 7 % 10).to_le_bytes()).collect();
        bound.upload(0, 1, &labels)?;
        Ok((recorded, bound))
    }

    /// Training and inference.
    fn run(&self, setting: &Setting) -> Result<()> {
        let device = &setting.device;
        let model = (self.build)(self.input, device)?;
        debug_assert_eq!(model.parameter_count()?, self.parameters);
        for (mode, gated) in [("recorded", false), ("gated", true)] {
            let (recorded, mut bound) = self.training(&model, self.train_batch, gated)?;
            let samples = measure_launches(setting, &mut bound)?;
            let compile_ms = recorded.compile_ms();
            let batch = Some(self.train_batch);
            let row = Row { workload: self.workload, mode, phase: "train", batch, compile_ms };
            let mut extra = Map::new();
            extra.insert("program_compile_ms".into(), json!((compile_ms * 1e3).round() / 1e3));
            extra.insert("planned_bytes".into(), json!(recorded.plan().total()));
            extra.insert("peak_bytes".into(), json!(device.statistics().peak_bytes));
            extra.insert("kernels".into(), json!(recorded.kernels_per_run()));
            emit(&row, device, &samples, extra);
        }
        for size in self.infer_batches {
            let shape = self.batch(size);
            let specs = [InputSpec::new(DType::F32, &shape)];
            let recorded = device.record(&specs, |inputs| vec![model.forward(&inputs[0], Mode::Evaluate)])?;
            let mut bound = recorded.bind(1)?;
            bound.upload(0, 0, &noise(0, shape.iter().product()))?;
            let samples = measure_launches(setting, &mut bound)?;
            let compile_ms = recorded.compile_ms();
            let batch = Some(size);
            let row = Row { workload: self.workload, mode: "recorded", phase: "infer", batch, compile_ms };
            emit(&row, device, &samples, Map::new());
        }
        Ok(())
    }
}

/// Training steps of W3 with growing batches, until one takes too long to go on.
pub fn sweep(setting: &Setting) -> Result<()> {
    let device = &setting.device;
    let model = (MLP.build)(MLP.input, device)?;
    for size in [1, 8, 64, 512, 4096] {
        let (recorded, mut bound) = MLP.training(&model, size, false)?;
        let samples = a_few_launches(&mut bound)?;
        let compile_ms = recorded.compile_ms();
        let row =
            Row { workload: MLP.workload, mode: "recorded", phase: "train", batch: Some(size), compile_ms };
        emit(&row, device, &samples, Map::new());
        if samples.median() > SLOW_MS {
            break;
        }
    }
    Ok(())
}

/// Milliseconds of a step after which a sweep ends.
const SLOW_MS: f64 = 100.0;

/// From nothing to the end of one training step of W3; says so with the peak of resident memory.
pub fn first_step(device: &Device) -> Result<()> {
    let model = (MLP.build)(MLP.input, device)?;
    let (_, mut bound) = MLP.training(&model, MLP.train_batch, false)?;
    bound.launch(0)?;
    let loss = bound.read::<f32>(0, 0)?;
    debug_assert!(loss[0].is_finite());
    line(format_args!("FIRST_STEP_DONE {}", peak_rss_mb().unwrap_or(f64::NAN)));
    Ok(())
}
