//! The two programs that must read simply, and what they say to each mistake.

use warploom::prelude::*;

/// Random data in 64 bits, as a user has it.
fn x_and_y() -> (Tensor, Tensor) {
    let x = Tensor::uniform(&[100, 10]).cast(DType::F64);
    let y = Tensor::uniform(&[100, 1]).cast(DType::F64);
    x.evaluate().unwrap();
    y.evaluate().unwrap();
    (x, y)
}

fn sigmoid_loss(x: &Tensor, y: &Tensor, w: &Variable, b: &Variable) -> Tensor {
    losses::mean_squared_error(&(x.matmul(w) + b).sigmoid(), y)
}

#[test]
fn sixty_four_bits_stay_and_random_targets_teach_nothing() {
    let (x, y) = x_and_y();
    let w = Variable::new(Tensor::zeros(&[10, 1], DType::F64)).named("W");
    let b = Variable::new(Tensor::zeros(&[1], DType::F64)).named("b");
    let adam = Updater::new(Adam::new(1e-3), [&w, &b]).unwrap();
    let variance = (&y - y.mean_all()).square().mean_all().item::<f64>().unwrap();
    let mut last = f64::NAN;
    for _ in 0..1000 {
        let loss = sigmoid_loss(&x, &y, &w, &b);
        adam.step(&gradients(&loss, &[&w, &b]).unwrap()).unwrap();
        last = loss.item::<f64>().unwrap();
    }
    assert_eq!((w.dtype().unwrap(), b.dtype().unwrap()), (DType::F64, DType::F64));
    assert!(last > 0.7 * variance && last < 1.2 * variance, "{last} beside a variance of {variance}");
}

#[test]
fn the_fixed_data_end_where_pytorch_does() {
    let data = data::logistic().unwrap();
    let (data::Values::F32(x), data::Targets::Values { values: y, .. }) =
        (data.features().values(), data.targets())
    else {
        panic!("numbers");
    };
    let (x, y) = (Tensor::from_slice(x, &[100, 10]), Tensor::from_slice(y, &[100, 1]));
    let w = Variable::new(Tensor::zeros(&[10, 1], DType::F32)).named("W");
    let b = Variable::new(Tensor::zeros(&[1], DType::F32)).named("b");
    let adam = Updater::new(Adam::new(1e-3), [&w, &b]).unwrap();
    for _ in 0..1000 {
        let loss = sigmoid_loss(&x, &y, &w, &b);
        adam.step(&gradients(&loss, &[&w, &b]).unwrap()).unwrap();
    }
    let loss = f64::from(sigmoid_loss(&x, &y, &w, &b).item::<f32>().unwrap());
    assert!((loss / 0.0432529 - 1.0).abs() < 1e-5, "{loss}");
}

#[test]
fn weights_that_lie_the_wrong_way() {
    let (x, y) = x_and_y();
    let w = Variable::new(Tensor::zeros(&[1, 10], DType::F64)).named("W");
    let b = Variable::new(Tensor::zeros(&[1], DType::F64)).named("b");
    let error = sigmoid_loss(&x, &y, &w, &b).item::<f64>().unwrap_err().to_string();
    for part in ["[100, 10]", "[1, 10]", "W", "[10, 1]", "transpose", "programs.rs"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    let error = gradients(&sigmoid_loss(&x, &y, &w, &b), &[&w, &b]).unwrap_err().to_string();
    assert!(error.contains("[1, 10]"), "{error}");
}

#[test]
fn weights_that_are_no_variable() {
    let (x, y) = x_and_y();
    let w = Tensor::zeros(&[10, 1], DType::F64).named("W");
    let b = Variable::new(Tensor::zeros(&[1], DType::F64)).named("b");
    let loss = losses::mean_squared_error(&(x.matmul(&w) + &b).sigmoid(), &y);
    let error = gradients(&loss, &[&w, &b]).unwrap_err().to_string();
    assert!(error.contains("W") && error.contains("is not a Variable"), "{error}");
}

#[test]
fn mixing_widths_is_an_error_with_a_way_out() {
    let (x, _) = x_and_y();
    let w = Variable::new(Tensor::zeros(&[10, 1], DType::F32)).named("W");
    let error = x.matmul(&w).to_vec::<f64>().unwrap_err().to_string();
    assert!(error.contains("f64") && error.contains("f32") && error.contains("cast"), "{error}");
}

#[test]
fn a_gpu_that_is_not_there_is_never_the_cpu() {
    if Device::named("gpu").is_ok() {
        return println!("skipped: this machine has a GPU");
    }
    for name in ["gpu", "gpu:0", "cuda", "cuda:0", "wgpu"] {
        let error = Device::named(name).unwrap_err();
        assert!(matches!(error, warploom::tensor::Error::NoDevice { .. }), "{error}");
        assert_eq!(warploom::Error::from(error.clone()).cause(), warploom::train::Cause::Device);
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("devices here:") && text.contains("cpu"), "{text}");
    }
    let mut model = Sequential::new([Dense::new(1)]).build([10], Device::best()).unwrap();
    assert!(model.to(Device::named("gpu")).is_err());
    assert_eq!(model.device().id(), "cpu", "the model stays where it was");
    let built = Sequential::new([Dense::new(1)]).build([10], Device::named("gpu"));
    assert!(built.is_err());
}
