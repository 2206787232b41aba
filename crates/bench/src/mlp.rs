//! W3: 784-512-512-10 with relu, softmax cross-entropy, Adam at 1e-3; training at batch 128, inference at 1 and 128.

use crate::Bench;
use crate::measure::Samples;
use crate::row::Row;
use warploom::Result;
use warploom::prelude::*;
use warploom::tensor::Recorded;

const BATCH: usize = 128;

fn model(device: &Device) -> Result<Model> {
    let layers = [Dense::new(512).relu(), Dense::new(512).relu(), Dense::new(10)];
    Ok(Sequential::new(layers).seed(0).build([784], device)?)
}

/// The training step, without the finite gate: the peers have none.
fn training(model: &Model, device: &Device) -> Result<(Recorded, Tensor, Tensor)> {
    let step = TrainingStep::new(model, losses::cross_entropy, Adam::new(1e-3))?.ungated();
    let (x, y) = device.scope(|| (Tensor::normal(&[BATCH, 784]), Tensor::arange(BATCH, DType::I32)));
    let y = y.rem(&Tensor::full(&[BATCH], 10.0, DType::I32));
    x.evaluate()?;
    y.evaluate()?;
    let recorded = device.try_record(&[InputSpec::from(&x), InputSpec::from(&y)], |inputs| {
        let (loss, _) = step.record(model, &inputs[0], &inputs[1])?;
        Ok(vec![loss])
    })?;
    Ok((recorded, x, y))
}

pub(crate) fn mlp(bench: &Bench) -> Result<Vec<Row>> {
    let device = &bench.device;
    let model = model(device)?;
    let mut rows = Vec::new();
    let (recorded, x, y) = training(&model, device)?;
    let samples = Samples::take(
        bench.budget,
        || Ok(()),
        || {
            recorded.run(&[&x, &y])?;
            Ok(device.sync()?)
        },
    )?;
    let row = Row::new(bench, "W3_mlp", "train", "recorded", Some(BATCH), &samples)
        .with("compile_ms", recorded.compile_ms())
        .with("kernels", recorded.launches_per_run());
    rows.push(row);
    for batch in [1, BATCH] {
        let x = device.scope(|| Tensor::normal(&[batch, 784]));
        x.evaluate()?;
        let recorded = device.record(&[InputSpec::from(&x)], |inputs| {
            vec![model.module().forward(&inputs[0], Mode::Evaluate)]
        })?;
        let samples = Samples::take(
            bench.budget,
            || Ok(()),
            || {
                recorded.run(&[&x])?;
                Ok(device.sync()?)
            },
        )?;
        rows.push(Row::new(bench, "W3_mlp", "infer", "recorded", Some(batch), &samples));
    }
    Ok(rows)
}

pub(crate) fn first_step(device: &Device) -> Result<()> {
    let model = model(device)?;
    let (recorded, x, y) = training(&model, device)?;
    recorded.run(&[&x, &y])?;
    Ok(device.sync()?)
}
