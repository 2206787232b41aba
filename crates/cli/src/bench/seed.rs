//! W1 and W2: one unit on 100 fixed rows, Adam at 1e-3, 1000 steps from zeros.

use super::Setting;
use super::measure::{Samples, measure};
use super::row::{Row, emit};
use serde_json::{Map, Value, json};
use warploom::data::{self, Targets, Values};
use warploom::nn::losses::mean_squared_error;
use warploom::nn::{Adam, Dense, Initialiser, Sequential, Updater};
use warploom::tensor::{DType, Device, ElementwiseMethods, InputSpec, Tensor, Variable, gradients};
use warploom::train::{Fit, Training, metrics};
use warploom::{Error, Result};

const STEPS: usize = 1000;
const BATCHES: usize = 10;

/// The data on the device: `[100, 10]` and `[100, 1]`.
fn data_on(device: &Device) -> Result<(Tensor, Tensor)> {
    let data = data::logistic()?;
    match (data.features().values(), data.targets()) {
        (Values::F32(x), Targets::Values { values: y, .. }) => {
            Ok(device.scope(|| (Tensor::from_slice(x, &[100, 10]), Tensor::from_slice(y, &[100, 1]))))
        }
        _ => Err(Error::invalid("the benchmark's data are not numbers")),
    }
}

/// The unit with its optimizer.
struct Unit {
    w: Variable,
    b: Variable,
    adam: Updater,
    sigmoid: bool,
}

impl Unit {
    fn new(device: &Device, sigmoid: bool) -> Result<Unit> {
        let zeros = |shape: &[usize]| Variable::new(Tensor::zeros(shape, DType::F32));
        let (w, b) = device.scope(|| (zeros(&[10, 1]), zeros(&[1])));
        let adam = Updater::new(Adam::new(1e-3), [&w, &b])?;
        device.sync()?;
        Ok(Unit { w, b, adam, sigmoid })
    }

    fn loss(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let z = x.matmul(&self.w) + &self.b;
        mean_squared_error(&if self.sigmoid { z.sigmoid() } else { z }, y)
    }

    /// Records a step; returns its loss.
    fn step(&self, x: &Tensor, y: &Tensor) -> std::result::Result<Tensor, warploom::tensor::Error> {
        let loss = self.loss(x, y);
        self.adam.step(&gradients(&loss, &[&self.w, &self.b])?)?;
        Ok(loss)
    }

    /// Everything but the learning rate is 0 again.
    fn reset(&self) -> Result<()> {
        let state = self.adam.state().into_iter().map(|state| state.variable);
        let rate = self.adam.learning_rate().id();
        for variable in [self.w.clone(), self.b.clone()].into_iter().chain(state).filter(|v| v.id() != rate) {
            variable.assign(&variable.value().full_like(0.0))?;
        }
        Ok(self.w.device()?.sync()?)
    }
}

fn extra(samples: &Samples, final_loss: f64) -> Map<String, Value> {
    let us = samples.median() * 1e3 / STEPS as f64;
    let loss = (final_loss * 1e7).round() / 1e7;
    let mut extra = Map::new();
    extra.insert("steps".into(), json!(STEPS));
    extra.insert("final_loss".into(), json!(loss));
    extra.insert("us_per_step".into(), json!((us * 100.0).round() / 100.0));
    extra
}

/// W1: full batches.
pub fn logistic(setting: &Setting) -> Result<()> {
    let Setting { device, budget } = setting;
    let (x, y) = data_on(device)?;
    let unit = Unit::new(device, true)?;
    let row = |mode, compile_ms| {
        let batch = Some(100 * STEPS);
        Row { workload: "W1_seed_logistic", mode, phase: "train", batch, compile_ms }
    };

    let once = device.try_record(&[], |_| {
        unit.step(&x, &y)?;
        Ok(Vec::new())
    })?;
    let all = once.repeat(STEPS, &[])?;
    let mut bound = all.bind(1)?;
    let samples = measure(
        *budget,
        || unit.reset(),
        || {
            bound.launch(0)?;
            Ok(bound.wait(0)?)
        },
    )?;
    let loss = f64::from(unit.loss(&x, &y).item::<f32>()?);
    emit(&row("recorded", once.compile_ms() + all.compile_ms()), device, &samples, extra(&samples, loss));

    let samples = measure(
        *budget,
        || unit.reset(),
        || {
            for _ in 0..STEPS {
                unit.step(&x, &y)?.evaluate()?;
            }
            Ok(device.sync()?)
        },
    )?;
    let loss = f64::from(unit.loss(&x, &y).item::<f32>()?);
    emit(&row("plain", 0.0), device, &samples, extra(&samples, loss));
    Ok(())
}

/// W2: batches of 10 in order.
pub fn sequential(setting: &Setting) -> Result<()> {
    let Setting { device, budget } = setting;
    let (x, y) = data_on(device)?;
    let unit = Unit::new(device, false)?;
    let row = |mode, compile_ms| {
        let batch = Some(100 / BATCHES * STEPS);
        Row { workload: "W2_seed_sequential", mode, phase: "train", batch, compile_ms }
    };
    let rows = 100 / BATCHES;
    let specs = [InputSpec::new(DType::F32, &[rows, 10]), InputSpec::new(DType::F32, &[rows, 1])];
    let step = device.try_record(&specs, |inputs| {
        unit.step(&inputs[0], &inputs[1])?;
        Ok(Vec::new())
    })?;
    let epoch = step.repeat(BATCHES, &[true, true])?;
    let all = epoch.repeat(STEPS / BATCHES, &[false, false])?;
    let mut bound = all.bind(1)?;
    bound.upload(0, 0, &x.to_bytes()?)?;
    bound.upload(0, 1, &y.to_bytes()?)?;
    let samples = measure(
        *budget,
        || unit.reset(),
        || {
            bound.launch(0)?;
            Ok(bound.wait(0)?)
        },
    )?;
    let loss = f64::from(unit.loss(&x, &y).item::<f32>()?);
    let compile_ms = step.compile_ms() + epoch.compile_ms() + all.compile_ms();
    emit(&row("recorded", compile_ms), device, &samples, extra(&samples, loss));

    // Through fit: recording, gate and metrics included.
    let build = || -> Result<warploom::nn::Model> {
        let dense = Dense::new(1).weight(Initialiser::Zeros).bias(Initialiser::Zeros);
        let mut model = Sequential::new([dense]).build([10], device)?;
        model.compile(Adam::new(1e-3), mean_squared_error, [metrics::mean_absolute_error()])?;
        Ok(model)
    };
    let model = std::cell::RefCell::new(build()?);
    let prepare = || {
        *model.borrow_mut() = build()?;
        Ok(())
    };
    let samples = measure(*budget, prepare, || {
        let fit = Fit::epochs(STEPS / BATCHES).batch(rows).shuffle(false).quiet();
        model.borrow_mut().fit(&x, &y, fit)?;
        Ok(())
    })?;
    let loss = model.borrow().evaluate(&x, &y)?.get("loss").unwrap_or(f64::NAN);
    emit(&row("fit", 0.0), device, &samples, extra(&samples, loss));
    Ok(())
}
