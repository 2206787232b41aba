//! The two programs on a GPU, or on a software driver where there is one. Skipped without any adapter, unless
//! `WARPLOOM_REQUIRE_GPU` is set.
#![cfg(feature = "wgpu")]

use warploom::nn::{Parameters as _, in_module, initialise::seed_scope};
use warploom::prelude::*;
use warploom::train::{NotFinite, Stage};

fn gpu() -> Option<Device> {
    match Device::named("wgpu:0") {
        Ok(device) => Some(device),
        Err(error) => {
            assert!(std::env::var_os("WARPLOOM_REQUIRE_GPU").is_none(), "{error}");
            println!("skipped: {error}");
            None
        }
    }
}

/// Sigmoid of one linear layer by hand on fixed data, in f32; the loss after 100 rounds and the weights.
fn by_hand() -> (f32, Vec<f32>) {
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
    let loss = || losses::mean_squared_error(&(x.matmul(&w) + &b).sigmoid(), &y);
    for _ in 0..100 {
        adam.step(&gradients(&loss(), &[&w, &b]).unwrap()).unwrap();
    }
    (loss().item::<f32>().unwrap(), w.value().to_vec::<f32>().unwrap())
}

#[test]
fn by_hand_it_gives_the_losses_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let (loss, weights) = gpu.scope(by_hand);
    let (wanted, wanted_weights) = Device::named("cpu").unwrap().scope(by_hand);
    assert!((loss / wanted - 1.0).abs() < 1e-5, "{loss} for {wanted}");
    for (got, want) in weights.iter().zip(&wanted_weights) {
        assert!((got - want).abs() < 1e-5, "{got} for {want}");
    }
}

#[test]
fn by_layers_the_second_fit_goes_on_where_the_first_stopped() {
    let Some(gpu) = gpu() else { return };
    let cpu = Device::named("cpu").unwrap();
    let data = data::logistic().unwrap();
    let fit = || Fit::epochs(3).batch(10).seed(0).quiet();
    let model = |device: &Device| {
        let mut model = Sequential::new([Dense::new(1)]).seed(0).build([10], device).unwrap();
        let metrics = [metrics::mean_absolute_error()];
        model.compile(Adam::new(1e-2), losses::mean_squared_error, metrics).unwrap();
        model
    };
    let mut moved = model(&cpu);
    moved.fit_data(&data, fit()).unwrap();
    moved.to(&gpu).unwrap();
    assert_eq!(moved.device().id(), gpu.id());
    let second = moved.fit_data(&data, fit()).unwrap();
    let mut stayed = model(&cpu);
    stayed.fit_data(&data, fit()).unwrap();
    let wanted = stayed.fit_data(&data, fit()).unwrap();
    for (got, want) in second["loss"].iter().zip(&wanted["loss"]) {
        assert!((got / want - 1.0).abs() < 1e-5, "{got} for {want}");
    }
    moved.to(&cpu).unwrap();
    let (got, want) = (moved.evaluate_data(&data).unwrap(), stayed.evaluate_data(&data).unwrap());
    assert!((got["loss"] / want["loss"] - 1.0).abs() < 1e-5);
}

#[test]
fn what_a_gpu_does_not_hold_is_an_error_with_a_way_out() {
    let Some(gpu) = gpu() else { return };
    let error = gpu.scope(|| Tensor::zeros(&[3], DType::F64).to_vec::<f64>()).unwrap_err().to_string();
    assert!(error.contains("f64") && error.contains("cast(DType::F32)"), "{error}");
}

#[test]
fn an_index_out_of_range_is_reported() {
    let Some(gpu) = gpu() else { return };
    let error = gpu.scope(|| {
        let table = Tensor::zeros(&[5, 2], DType::F32);
        let indices = Tensor::from_slice(&[0i32, 7, 2], &[3]);
        table.gather(0, &indices).to_vec::<f32>()
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains('7') && error.contains('5'), "{error}");
}

/// Two linear layers around an op that is not finite for every input.
#[derive(Parameters)]
struct Risky {
    first: Linear,
    last: Linear,
    #[parameters(skip)]
    middle: fn(&Tensor) -> Tensor,
}

impl Module for Risky {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let first = in_module("first", x, || self.first.forward(x, mode));
        // The values of the input, the gradients of the layer.
        let hidden = &first - &first.stop_gradient() + x;
        let middle = in_module("middle", &hidden, || (self.middle)(&hidden));
        in_module("last", &middle, || self.last.forward(&middle, mode))
    }
}

/// What training says of the first number that is not finite, where one example is an outlier.
fn not_finite(device: &Device, middle: fn(&Tensor) -> Tensor, row: usize, outlier: f32) -> NotFinite {
    let linear = || device.scope(|| Linear::new(3, 3)).unwrap();
    let module = seed_scope(5, || Risky { first: linear(), last: linear(), middle });
    let mut model = Model::new(module, [3], device).unwrap();
    model.compile(Adam::new(1e-2), losses::mean_squared_error, []).unwrap();
    let mut x: Vec<f32> = (0..180).map(|i| 0.5 + (i * 7 % 13) as f32 / 13.0).collect();
    x[row * 3 + 1] = outlier;
    let y: Vec<f32> = (0..180).map(|i| (i * 5 % 11) as f32 / 11.0).collect();
    let (x, y) = device.scope(|| (Tensor::from_slice(&x, &[60, 3]), Tensor::from_slice(&y, &[60, 3])));
    let fit = Fit::epochs(2).batch(4).shuffle(false).seed(9).quiet();
    let history = model.fit(&x, &y, fit).unwrap();
    for variable in model.named_variables() {
        let values = variable.variable.value().to_vec::<f32>().unwrap();
        assert!(values.iter().all(|value| value.is_finite()), "{}", variable.name);
    }
    history.not_finite().expect("an outlier").clone()
}

#[test]
fn a_number_that_is_not_finite_is_traced_to_where_the_cpu_finds_it() {
    let Some(gpu) = gpu() else { return };
    let cpu = Device::named("cpu").unwrap();
    let cases: [(fn(&Tensor) -> Tensor, _, _, _, _, _); 3] = [
        (|x| x.log(), 30, -1.0, Stage::Forward, "log", true),
        (|x| (x * 10.0).exp(), 17, 20.0, Stage::Forward, "exp", false),
        // The derivative of the root at 0 is infinite.
        (|x| (x * x).sqrt(), 9, 0.0, Stage::Gradients, "", true),
    ];
    for (middle, row, outlier, stage, what, is_nan) in cases {
        let wanted = not_finite(&cpu, middle, row, outlier);
        let found = wanted.found.as_ref().unwrap();
        assert_eq!((wanted.epoch, wanted.batch, found.stage), (0, row / 4, stage), "{wanted}");
        assert_eq!(found.layer.as_deref(), Some("middle"), "{wanted}");
        if stage == Stage::Forward {
            assert_eq!((&found.what[..], found.is_nan), (what, is_nan), "{wanted}");
        }
        assert_eq!(not_finite(&gpu, middle, row, outlier), wanted);
    }
}
