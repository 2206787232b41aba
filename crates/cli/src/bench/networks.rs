//! W3: a dense network 784-512-512-10 with relu, softmax cross-entropy, Adam at 1e-3.

use super::Setting;
use super::measure::{measure_launches, noise};
use super::row::{Row, emit, peak_rss_mb};
use crate::output::line;
use serde_json::{Map, json};
use warploom::Result;
use warploom::nn::losses::cross_entropy;
use warploom::nn::{Adam, Dense, Mode, Model, Module, Parameters, Sequential, TrainingStep};
use warploom::tensor::{Bound, DType, Device, InputSpec, Recorded};

const TRAIN_BATCH: usize = 128;
const INFER_BATCHES: [usize; 2] = [1, 128];
const PARAMETERS: usize = 669_706;

fn network(device: &Device) -> Result<Model> {
    let layers = [Dense::new(512).relu(), Dense::new(512).relu(), Dense::new(10)];
    Ok(Sequential::new(layers).seed(0).build([784], device)?)
}

/// A training step on a batch that is in its memory. The workload has no gate; with one, what `fit` runs is measured.
fn training(model: &Model, gated: bool) -> Result<(Recorded, Bound)> {
    let step = TrainingStep::new(model, cross_entropy, Adam::new(1e-3))?;
    let step = if gated { step } else { step.ungated() };
    let specs = [InputSpec::new(DType::F32, &[TRAIN_BATCH, 784]), InputSpec::new(DType::I32, &[TRAIN_BATCH])];
    let recorded = model.device().try_record(&specs, |inputs| {
        let (loss, _) = step.record(model, &inputs[0], &inputs[1])?;
        Ok(vec![loss])
    })?;
    let bound = recorded.bind(1)?;
    bound.upload(0, 0, &noise(0, TRAIN_BATCH * 784))?;
    let labels: Vec<u8> = (0..TRAIN_BATCH as i32).flat_map(|i| (i * 7 % 10).to_le_bytes()).collect();
    bound.upload(0, 1, &labels)?;
    Ok((recorded, bound))
}

/// Training and inference.
pub fn run(setting: &Setting) -> Result<()> {
    let Setting { device, budget } = setting;
    let model = network(device)?;
    debug_assert_eq!(model.parameter_count()?, PARAMETERS);
    for (mode, gated) in [("recorded", false), ("gated", true)] {
        let (recorded, mut bound) = training(&model, gated)?;
        let samples = measure_launches(*budget, &mut bound)?;
        let compile_ms = recorded.compile_ms();
        let row = Row { workload: "W3_mlp", mode, phase: "train", batch: Some(TRAIN_BATCH), compile_ms };
        let mut extra = Map::new();
        extra.insert("program_compile_ms".into(), json!((compile_ms * 1e3).round() / 1e3));
        extra.insert("planned_bytes".into(), json!(recorded.plan().total()));
        emit(&row, device, &samples, extra);
    }
    for batch in INFER_BATCHES {
        let specs = [InputSpec::new(DType::F32, &[batch, 784])];
        let recorded = device.record(&specs, |inputs| vec![model.forward(&inputs[0], Mode::Evaluate)])?;
        let mut bound = recorded.bind(1)?;
        bound.upload(0, 0, &noise(0, batch * 784))?;
        let samples = measure_launches(*budget, &mut bound)?;
        let compile_ms = recorded.compile_ms();
        let row =
            Row { workload: "W3_mlp", mode: "recorded", phase: "infer", batch: Some(batch), compile_ms };
        emit(&row, device, &samples, Map::new());
    }
    Ok(())
}

/// From nothing to the end of one training step; says so with the peak of resident memory.
pub fn first_step(device: &Device) -> Result<()> {
    let model = network(device)?;
    let (_, mut bound) = training(&model, false)?;
    bound.launch(0)?;
    let loss = bound.read::<f32>(0, 0)?;
    debug_assert!(loss[0].is_finite());
    line(format_args!("FIRST_STEP_DONE {}", peak_rss_mb().unwrap_or(f64::NAN)));
    Ok(())
}
