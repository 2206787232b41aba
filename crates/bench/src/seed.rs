//! W1 and W2: one unit on ten inputs, on data fixed to the bit. W1 is 1000 full-batch steps of a logistic unit, W2 100
//! epochs of ten batches of ten of a linear one; both by mean squared error and Adam at 1e-3 from zero.

use crate::Bench;
use crate::measure::Samples;
use crate::row::Row;
use warploom::Result;
use warploom::prelude::*;
use warploom::tensor::Recorded;

const STEPS: usize = 1000;

struct Setup {
    x: Tensor,
    y: Tensor,
    weight: Variable,
    bias: Variable,
    adam: Updater,
}

/// The data, and variables at zero.
fn setup(device: &Device) -> Result<Setup> {
    let numbers: Vec<f64> =
        (0..100).flat_map(|i| (0..10).map(move |j| f64::from(10 * i + j).sin())).collect();
    let targets: Vec<f32> =
        numbers.chunks(10).map(|row| if row.iter().sum::<f64>() > 0.0 { 1.0 } else { 0.0 }).collect();
    let numbers: Vec<f32> = numbers.iter().map(|x| *x as f32).collect();
    device.scope(|| {
        let weight = Variable::new(Tensor::zeros(&[10, 1], DType::F32)).named("W");
        let bias = Variable::new(Tensor::zeros(&[1], DType::F32)).named("b");
        let adam = Updater::new(Adam::new(1e-3), [&weight, &bias])?;
        let (x, y) = (Tensor::from_slice(&numbers, &[100, 10]), Tensor::from_slice(&targets, &[100, 1]));
        Ok(Setup { x, y, weight, bias, adam })
    })
}

impl Setup {
    fn loss(&self, x: &Tensor, y: &Tensor, sigmoid: bool) -> Tensor {
        let z = x.matmul(&self.weight) + &self.bias;
        losses::mean_squared_error(&if sigmoid { z.sigmoid() } else { z }, y)
    }

    /// One step on a batch; returns the loss before it.
    fn step(&self, x: &Tensor, y: &Tensor, sigmoid: bool) -> Result<Tensor> {
        let loss = self.loss(x, y, sigmoid);
        self.adam.step(&gradients(&loss, &[&self.weight, &self.bias])?)?;
        Ok(loss)
    }

    /// Variables and optimizer state back at zero.
    fn reset(&self) -> Result<()> {
        let state = self.adam.state();
        let rate = self.adam.learning_rate().id();
        let variables = state.iter().map(|v| &v.variable).filter(|v| v.id() != rate);
        for variable in variables.chain([&self.weight, &self.bias]) {
            variable.assign(&Tensor::zeros(&variable.shape()?, variable.dtype()?))?;
        }
        self.weight.value().evaluate()?;
        Ok(())
    }

    fn record(&self, batch: usize, sigmoid: bool) -> Result<Recorded> {
        let specs = [InputSpec::new(DType::F32, &[batch, 10]), InputSpec::new(DType::F32, &[batch, 1])];
        Ok(self.x.device()?.try_record(&specs, |inputs| {
            self.step(&inputs[0], &inputs[1], sigmoid)
                .map_err(|e| warploom::tensor::Error::new("record", e.to_string()))?;
            Ok(vec![])
        })?)
    }
}

fn row(bench: &Bench, workload: &str, mode: &str, samples: &Samples, loss: f32, batch: usize) -> Row {
    Row::new(bench, workload, "train", mode, Some(STEPS * batch), samples)
        .with("steps", STEPS)
        .with("final_loss", (f64::from(loss) * 1e7).round() / 1e7)
        .with("us_per_step", (samples.median() * 1e5 / STEPS as f64).round() / 100.0)
}

pub(crate) fn logistic(bench: &Bench) -> Result<Vec<Row>> {
    let s = setup(&bench.device)?;
    let repeated = s.record(100, true)?.repeat(STEPS, &[false, false])?;
    let samples = Samples::take(
        bench.budget,
        || s.reset(),
        || {
            repeated.run(&[&s.x, &s.y])?;
            Ok(bench.device.sync()?)
        },
    )?;
    let loss = || -> Result<f32> { Ok(s.loss(&s.x, &s.y, true).item()?) };
    let mut rows = vec![row(bench, "W1_seed_logistic", "recorded", &samples, loss()?, 100)];
    let plain = Samples::take(
        bench.budget,
        || s.reset(),
        || {
            for _ in 0..STEPS {
                s.step(&s.x, &s.y, true)?;
            }
            s.weight.value().evaluate()?;
            Ok(bench.device.sync()?)
        },
    )?;
    rows.push(row(bench, "W1_seed_logistic", "plain", &plain, loss()?, 100));
    Ok(rows)
}

pub(crate) fn sequential(bench: &Bench) -> Result<Vec<Row>> {
    let s = setup(&bench.device)?;
    let epoch = s.record(10, false)?.repeat(10, &[true, true])?;
    let (x, y) = (s.x.reshape([10, 10, 10]), s.y.reshape([10, 10, 1]));
    x.evaluate()?;
    y.evaluate()?;
    let samples = Samples::take(
        bench.budget,
        || s.reset(),
        || {
            for _ in 0..STEPS / 10 {
                epoch.run(&[&x, &y])?;
            }
            Ok(bench.device.sync()?)
        },
    )?;
    let loss = s.loss(&s.x, &s.y, false).item()?;
    Ok(vec![row(bench, "W2_seed_sequential", "recorded", &samples, loss, 10)])
}
