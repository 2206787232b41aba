//! Models against values that PyTorch gave: names, shapes, three steps of training, evaluation; see golden/models.py.

use crate::common::{Golden, cpu, distance, null};
use warploom_nn::{Mode, Model, Module, Parameters, Sgd, TrainingStep, VisitorMut, losses, models};
use warploom_tensor::{DType, Device, Error, Tensor, Variable};

fn golden() -> Golden {
    Golden::new(include_str!("../golden/models.txt"))
}

fn lenet(device: &Device) -> Result<Model, Error> {
    models::lenet(10).build([1, 28, 28], device)
}

fn resnet18(device: &Device) -> Result<Model, Error> {
    Model::new(device.scope(|| models::resnet18(3, 10))?, [3, 32, 32], device)
}

/// As in golden/models.py.
fn scrambled(count: usize, salt: usize) -> Vec<f32> {
    let number = |position: usize| {
        let mut x = (position as u32).wrapping_mul(2_654_435_761).wrapping_add(salt as u32 * 40_503);
        x = (x ^ (x >> 16)).wrapping_mul(2_246_822_519);
        x = (x ^ (x >> 13)) >> 8;
        (x as f64 / (1 << 23) as f64 - 1.0) as f32
    };
    (0..count).map(number).collect()
}

/// As in golden/models.py, with floats of `dtype`.
fn start(model: &mut Model, dtype: DType) -> Result<(), Error> {
    let (device, mut salt, mut result) = (model.device().clone(), 0, Ok(()));
    model.visit_mut(&mut VisitorMut::new(&mut |name, variable, _| {
        let value = device.scope(|| first(name, variable, salt, dtype));
        result = result.clone().and(value.shape().map(|_| ()));
        *variable = Variable::new(value);
        salt += 1;
    }));
    result
}

fn first(name: &str, variable: &Variable, salt: usize, dtype: DType) -> Tensor {
    let value = variable.value();
    let Ok(shape) = value.shape() else { return value };
    if name.contains("tracked") {
        return value;
    }
    if name.contains("running") {
        return value.cast(dtype);
    }
    let norm = name.contains("bn") || name.contains("downsample");
    let (scale, shift) = match &shape[..] {
        [_, rest @ ..] if !rest.is_empty() => {
            let inputs: usize = rest.iter().product();
            ((3.0 / inputs as f64).sqrt().log2().round_ties_even().exp2() as f32, 0.0)
        }
        _ => (0.125, if norm && name.contains("weight") { 1.0 } else { 0.0 }),
    };
    let values: Vec<f32> =
        scrambled(shape.iter().product(), salt).iter().map(|x| x * scale + shift).collect();
    Tensor::from_slice(&values, &shape).cast(dtype)
}

/// The elements as f64.
fn doubles(value: &Tensor) -> Result<Vec<f64>, Error> {
    value.cast(DType::F64).to_vec()
}

/// What is stored of a variable.
fn summary(value: &Tensor) -> Result<Vec<f64>, Error> {
    let values = doubles(value)?;
    let squares = values.iter().map(|x| x * x).sum();
    Ok(vec![values.iter().sum(), squares, values[0], values[values.len() - 1]])
}

/// Three steps and an evaluation; losses and all else stay within the tolerances.
fn three_steps(
    name: &str,
    mut model: Model,
    shape: &[usize],
    dtype: DType,
    tolerances: [f64; 2],
) -> Result<(), Error> {
    let golden = golden();
    start(&mut model, dtype)?;
    let step = TrainingStep::new(&model, losses::cross_entropy, Sgd::new(0.01).momentum(0.9))?;
    let (x, labels) = model.device().scope(|| {
        let labels: Vec<i32> = (0..shape[0] as i32).map(|i| i * 7 % 10).collect();
        let x = Tensor::from_slice(&scrambled(shape.iter().product(), 2000), shape).cast(dtype);
        (x, Tensor::from(labels))
    });
    let program = model.device().try_record(&[(&x).into(), (&labels).into()], |inputs| {
        Ok(vec![step.record(&model, &inputs[0], &inputs[1])?.0])
    })?;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(doubles(&program.run(&[&x, &labels])?[0])?[0]);
    }
    let worst = distance(&seen, golden.get(&format!("{name} losses")));
    println!("{name} {dtype} losses {worst:.1e}");
    assert!(worst < tolerances[0], "losses {seen:?}: {worst:e}");
    let mut largest = 0.0f64;
    for found in model.named_variables() {
        let (got, wanted) =
            (summary(&found.variable.value())?, golden.get(&format!("{name} end {}", found.name)));
        // A sum is as exact as its terms are, whose size the squares tell.
        let count = found.variable.shape()?.iter().product::<usize>() as f64;
        let size = (wanted[1] / count).sqrt().max(1e-3);
        let worst = [(0, count * size), (1, count * size * size), (2, size), (3, size)]
            .map(|(i, scale)| (got[i] - wanted[i]).abs() / scale)
            .into_iter()
            .fold(0.0, f64::max);
        assert!(worst < tolerances[1], "{}: {worst:e}, {got:?} for {wanted:?}", found.name);
        largest = largest.max(worst);
    }
    let logits = doubles(&model.forward(&x, Mode::Evaluate))?;
    let worst = distance(&logits, golden.get(&format!("{name} logits")));
    println!("{name} {dtype} variables {largest:.1e} logits {worst:.1e}");
    assert!(worst < tolerances[1], "logits {worst:e}");
    Ok(())
}

#[test]
fn names_shapes_and_counts_are_pytorchs() -> Result<(), Error> {
    let golden = golden();
    for (name, model) in [("lenet", lenet(&null())?), ("resnet18", resnet18(&null())?)] {
        let variables = model.named_variables();
        assert_eq!(variables.len(), golden.names(&format!("{name} shape ")).count());
        for (found, wanted) in variables.iter().zip(golden.names(&format!("{name} shape "))) {
            assert_eq!(found.name, wanted);
            let shape: Vec<f64> = found.variable.shape()?.iter().map(|n| *n as f64).collect();
            assert_eq!(shape, golden.get(&format!("{name} shape {wanted}")), "{wanted}");
        }
        assert_eq!(model.parameter_count()? as f64, golden.get(&format!("{name} parameters"))[0]);
        assert_eq!(model.output_shape(), [10]);
    }
    assert_eq!(lenet(&null())?.parameter_count()?, 61_706);
    assert_eq!(resnet18(&null())?.parameter_count()?, 11_173_962);
    Ok(())
}

#[test]
fn lenet_trains_as_in_pytorch() -> Result<(), Error> {
    let shape = [16, 1, 28, 28];
    three_steps("lenet", lenet(&cpu())?, &shape, DType::F64, [1e-7, 1e-6])?;
    three_steps("lenet", lenet(&cpu())?, &shape, DType::F32, [1e-5, 1e-5])
}

#[test]
fn resnet18_trains_as_in_pytorch() -> Result<(), Error> {
    let shape = [4, 3, 32, 32];
    three_steps("resnet18", resnet18(&cpu())?, &shape, DType::F64, [1e-7, 1e-6])?;
    three_steps("resnet18", resnet18(&cpu())?, &shape, DType::F32, [1e-5, 1e-4])
}
