//! What a step of the loop of `logistic` costs when it is recorded anew each round, and when it is recorded once: on the
//! null device, which computes nothing, so that it is this crate's own cost, then on the CPU with one thread and with
//! all. The best of many short batches is printed, since other work on the machine only adds. With the argument `null`
//! only the first device is measured.

use std::sync::Arc;
use std::time::Instant;
use warploom_cpu::Cpu;
use warploom_device::null::Null;
use warploom_tensor::{DType, Device, ElementwiseMethods, Error, InputSpec, Tensor, Variable, gradients};

/// Short batches, of which some are not interrupted.
const BATCHES: usize = 1000;
const ROUNDS: usize = 50;

struct Model {
    parameters: [Variable; 2],
    moments: [[Variable; 2]; 2],
    count: Variable,
}

impl Model {
    fn new() -> Model {
        let shapes: [&[usize]; 2] = [&[10, 1], &[1]];
        let zeros = |i: usize| Variable::new(Tensor::zeros(shapes[i], DType::F32));
        let pair = |i: usize| [zeros(i), zeros(i)];
        Model { parameters: [zeros(0), zeros(1)], moments: [pair(0), pair(1)], count: Variable::new(0f32) }
    }

    fn step(&self, x: &Tensor, y: &Tensor) -> Result<Tensor, Error> {
        let [w, b] = &self.parameters;
        let loss = ((x.matmul(w) + b).sigmoid() - y).square().mean_all();
        let gradient = gradients(&loss, &[w, b])?;
        self.count.assign(&(&self.count + 1.0))?;
        let correction = |beta: f64| 1.0 - (&self.count * beta.ln()).exp();
        let rate = correction(0.999).sqrt() / correction(0.9) * 1e-3;
        for ((parameter, [m, v]), g) in self.parameters.iter().zip(&self.moments).zip(&gradient) {
            let first = m * 0.9 + g * 0.1;
            let second = v * 0.999 + g.square() * 0.001;
            parameter.assign(&(parameter - &rate * &first / (second.sqrt() + 1e-8)))?;
            m.assign(&first)?;
            v.assign(&second)?;
        }
        Ok(loss)
    }
}

fn best(rounds: usize, mut body: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let mut best = f64::INFINITY;
    for _ in 0..BATCHES {
        let started = Instant::now();
        for _ in 0..rounds {
            body()?;
        }
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / rounds as f64);
    }
    Ok(best)
}

fn measure(device: &Device) -> Result<(), Error> {
    device.scope(|| {
        let (x, y) =
            (Tensor::from_slice(&[0f32; 1000], &[100, 10]), Tensor::from_slice(&[0f32; 100], &[100, 1]));
        let model = Model::new();
        let plain = best(ROUNDS, || model.step(&x, &y)?.item::<f32>().map(|_| ()))?;
        println!("{}: plain loop {plain:.2} us a step", device.id());
        let specs = [InputSpec::from(&x), InputSpec::from(&y)];
        let step = device.try_record(&specs, |inputs| Ok(vec![model.step(&inputs[0], &inputs[1])?]))?;
        let run = best(10 * ROUNDS, || step.run(&[&x, &y]).map(|_| ()))?;
        println!("{}: recorded step {run:.3} us a run, {} kernels", device.id(), step.kernels_per_run());
        let mut bound = step.bind(2)?;
        let launch = best(10 * ROUNDS, || bound.launch(0).map(|_| ()))?;
        println!("{}: bound step {launch:.3} us a launch", device.id());
        Ok(())
    })
}

fn main() -> Result<(), Error> {
    measure(&Device::from_executor(Arc::new(Null::default())))?;
    if std::env::args().nth(1).as_deref() == Some("null") {
        return Ok(());
    }
    measure(&Device::from_executor(Arc::new(Cpu::new(Some(1)))))?;
    measure(&Device::from_executor(Arc::new(Cpu::new(None))))
}
