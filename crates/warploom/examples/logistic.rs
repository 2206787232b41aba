//! One layer by hand: sigmoid(xW + b), mean squared error, gradients from what was recorded, Adam.
//!
//! `cargo run --release -p warploom --example logistic [-- DEVICE]`
//!
//! The numbers are 64-bit and stay so; for a device that has no f64 they are cast to f32, in so many words. The targets are random, so there is nothing to learn: the loss comes down to the
//! variance of y, which a constant prediction of its mean reaches.

use std::time::Instant;
use warploom::prelude::*;

const ROUNDS: usize = 1000;

fn main() -> warploom::Result<()> {
    match std::env::args().nth(1) {
        Some(name) => Device::named(&name)?.scope(run),
        None => Device::best()?.scope(run),
    }
}

fn run() -> warploom::Result<()> {
    let device = Device::current()?;
    device.seed(1)?;
    let dtype = if device.capabilities().dtypes.contains(&DType::F64) { DType::F64 } else { DType::F32 };
    let x = Tensor::uniform(&[100, 10]).cast(dtype);
    let y = Tensor::uniform(&[100, 1]).cast(dtype);
    // Otherwise lazy: without this each round would draw anew.
    x.evaluate()?;
    y.evaluate()?;
    let variance = (&y - y.mean_all()).square().mean_all().cast(DType::F32).item::<f32>()?;

    let w = Variable::new(Tensor::normal(&[10, 1]).cast(dtype)).named("W");
    let b = Variable::new(Tensor::zeros(&[1], dtype)).named("b");
    let adam = Updater::new(Adam::new(1e-3), [&w, &b])?;

    println!("on {}, {} numbers", device.id(), x.dtype()?);
    let started = Instant::now();
    for round in 0..ROUNDS {
        let prediction = (x.matmul(&w) + &b).sigmoid();
        let loss = losses::mean_squared_error(&prediction, &y);
        adam.step(&gradients(&loss, &[&w, &b])?)?;
        if round % 100 == 0 || round + 1 == ROUNDS {
            let loss = loss.cast(DType::F32).item::<f32>()?;
            println!("round {round:4}  loss {loss:.6}  variance of y {variance:.6}");
        }
    }
    device.sync()?;
    println!("{:.1} µs a round", started.elapsed().as_secs_f64() * 1e6 / ROUNDS as f64);
    Ok(())
}
