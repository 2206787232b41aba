//! One layer by layers: compile, fit on the default device, fit the same model again on the first GPU, evaluate, predict.
//!
//! `cargo run --release -p warploom --example sequential [-- DEVICE | --cpu-only]`
//!
//! Without a GPU this ends with exit code 3, never with a second fit on the CPU in silence; `--cpu-only` leaves the GPU
//! out on purpose. Another second device can be named: `wgpu:0`.

use std::process::ExitCode;
use warploom::prelude::*;
use warploom::train::Cause;

fn main() -> ExitCode {
    match run(std::env::args().nth(1).as_deref().unwrap_or("gpu")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if error.cause() == Cause::Device { 3 } else { 2 })
        }
    }
}

fn run(second_device: &str) -> warploom::Result<()> {
    let device = Device::best()?;
    let (x, y) = data_on(&device)?;
    let rows = |tensor: &Tensor, from: isize, to: isize| tensor.slice(&[(from..to).into(), (..).into()]);
    let (x_train, y_train, x_test, y_test) =
        (rows(&x, 0, 80), rows(&y, 0, 80), rows(&x, 80, 100), rows(&y, 80, 100));

    let mut model = Sequential::new([Dense::new(1)]).seed(0).build([10], &device)?;
    model.compile(Adam::new(1e-3), losses::mean_squared_error, [metrics::mean_absolute_error()])?;
    let fit = || Fit::epochs(100).batch(10).seed(0).quiet();
    let first = model.fit(&x_train, &y_train, fit())?;
    report(&model, &first);
    println!("training split: {:?}", model.evaluate(&x_train, &y_train)?);
    println!("test split:     {:?}", model.evaluate(&x_test, &y_test)?);
    println!("predictions:    {:.3?}", model.predict(&rows(&x_test, 0, 3))?.to_vec::<f32>()?);
    if second_device == "--cpu-only" {
        println!("no fit on a GPU: --cpu-only");
        return Ok(());
    }

    // The same model goes on from its weights and optimizer state, moved there.
    let gpu = Device::named(second_device)?;
    model.to(&gpu)?;
    let second = model.fit(&x_train.to(&gpu), &y_train.to(&gpu), fit())?;
    report(&model, &second);
    println!("training split: {:?}", model.evaluate(&x_train.to(&gpu), &y_train.to(&gpu))?);
    println!("test split:     {:?}", model.evaluate(&x_test.to(&gpu), &y_test.to(&gpu))?);
    println!(
        "{:.1} ms on {} and {:.1} ms on {}: with 11 parameters a GPU has nothing to win; a launch takes longer than the work",
        first.seconds() * 1e3,
        device.id(),
        second.seconds() * 1e3,
        gpu.id()
    );
    Ok(())
}

fn report(model: &Model, history: &History) {
    let loss = &history["loss"];
    println!(
        "{}: 100 epochs in {:.1} ms, loss {:.4} to {:.4}",
        model.device().id(),
        history.seconds() * 1e3,
        loss[0],
        loss[loss.len() - 1]
    );
}

/// 100 rows of 10 numbers, and whether the sum of a row is positive.
fn data_on(device: &Device) -> warploom::Result<(Tensor, Tensor)> {
    let number = |i: usize| (i as f64).sin() as f32;
    let x: Vec<f32> = (0..1000).map(number).collect();
    let y: Vec<f32> = x.chunks(10).map(|row| f32::from(row.iter().sum::<f32>() > 0.0)).collect();
    Ok(device.scope(|| (Tensor::from_slice(&x, &[100, 10]), Tensor::from_slice(&y, &[100, 1]))))
}
