//! One layer by hand: sigmoid(xW + b), mean squared error, gradients from the recorded computation, Adam written in
//! tensor operations. Random targets teach nothing: the loss ends at the variance of y, which is printed beside it.

use std::sync::Arc;
use std::time::Instant;
use warploom_cpu::Cpu;
use warploom_tensor::{DType, Device, ElementwiseMethods, Error, Tensor, Variable, gradients};

const ROUNDS: usize = 1000;
const RATE: f64 = 1e-3;
const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// A parameter with Adam's moments (Kingma and Ba, 2015).
struct Adam {
    parameter: Variable,
    first: Variable,
    second: Variable,
}

impl Adam {
    fn new(parameter: &Variable) -> Result<Adam, Error> {
        let zeros = || -> Result<Variable, Error> {
            Ok(Variable::new(Tensor::zeros(&parameter.shape()?, parameter.dtype()?)))
        };
        Ok(Adam { parameter: parameter.clone(), first: zeros()?, second: zeros()? })
    }

    /// One step; `rate` has the corrections for the moments' start at zero in it.
    fn step(&self, gradient: &Tensor, rate: &Tensor) -> Result<(), Error> {
        let first = &self.first * BETA[0] + gradient * (1.0 - BETA[0]);
        let second = &self.second * BETA[1] + gradient.square() * (1.0 - BETA[1]);
        self.parameter.assign(&(&self.parameter - rate * &first / (second.sqrt() + EPSILON)))?;
        self.first.assign(&first)?;
        self.second.assign(&second)
    }
}

fn train(rounds: usize, print: bool) -> Result<(), Error> {
    let (x, y) = (Tensor::uniform(&[100, 10]).cast(DType::F64), Tensor::uniform(&[100, 1]).cast(DType::F64));
    x.evaluate()?;
    let variance = (&y - y.mean_all()).square().mean_all().item::<f64>()?;
    let w = Variable::new(Tensor::normal(&[10, 1]).cast(DType::F64)).named("W");
    let b = Variable::new(Tensor::zeros(&[1], DType::F64)).named("b");
    let (w_adam, b_adam) = (Adam::new(&w)?, Adam::new(&b)?);
    let count = Variable::new(0.0f64);

    let started = Instant::now();
    let (mut first, mut last) = (0.0, 0.0);
    for round in 0..rounds {
        let prediction = (x.matmul(&w) + &b).sigmoid();
        let loss = (prediction - &y).square().mean_all();
        let gradient = gradients(&loss, &[&w, &b])?;
        count.assign(&(&count + 1.0))?;
        let correction = |beta: f64| 1.0 - (&count * beta.ln()).exp();
        let rate = correction(BETA[1]).sqrt() / correction(BETA[0]) * RATE;
        w_adam.step(&gradient[0], &rate)?;
        b_adam.step(&gradient[1], &rate)?;
        last = loss.item::<f64>()?;
        if round == 0 {
            first = last;
        }
        if print && round % 100 == 0 {
            println!("round {round:4}  loss {last:.6}  variance of y {variance:.6}");
        }
    }
    let each = started.elapsed().as_secs_f64() * 1e6 / rounds as f64;
    println!(
        "{rounds} rounds: loss {first:.6} to {last:.6}, variance of y {variance:.6}; {each:.1} us a round"
    );
    Ok(())
}

fn main() -> Result<(), Error> {
    let device = Device::from_executor(Arc::new(Cpu::new(None)));
    device.scope(|| {
        train(ROUNDS, true)?;
        train(10 * ROUNDS, false)
    })
}
