//! Training in other precisions: what is learned, what overflows, what a plan says, and going on from a checkpoint.

use crate::common::{StopAfter, folder};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use warploom_cpu::Cpu;
use warploom_data::digits;
use warploom_device::Target;
use warploom_device::null::Null;
use warploom_nn::{Adam, Dense, Flatten, Model, Parameters, Sequential, Sgd, layers, losses, models};
use warploom_tensor::{Device, Precision, Tensor};
use warploom_train::{Checkpoints, Error, Fit, History, Stage, Training, metrics};

fn cpu(precision: Precision) -> Device {
    let cpu = Device::from_executor(Arc::new(Cpu::new(Some(2))));
    cpu.with_precision(precision).expect("the CPU has it")
}

fn classifier(device: &Device) -> Model {
    let description = layers![Flatten::new(), Dense::new(32).relu(), Dense::new(10)];
    let mut model = Sequential::new(description).seed(3).build([1, 28, 28], device).unwrap();
    model.compile(Adam::new(2e-3), losses::cross_entropy, [metrics::accuracy()]).unwrap();
    model
}

fn bits(model: &Model) -> Vec<u32> {
    let all = model.named_variables().into_iter();
    all.flat_map(|v| v.variable.value().to_vec::<f32>().unwrap()).map(f32::to_bits).collect()
}

#[test]
fn it_learns_as_in_f32() {
    let (train, test) = (digits(0, 1500).unwrap(), digits(1, 1000).unwrap());
    let learned = |precision| {
        let mut model = classifier(&cpu(precision));
        let history = model.fit_data(&train, Fit::epochs(12).seed(1).test_data(&test).quiet()).unwrap();
        assert!(model.parameters().iter().all(|v| v.dtype().unwrap() == warploom_tensor::DType::F32));
        (history.test().and_then(|scores| scores.get("accuracy")).unwrap(), bits(&model))
    };
    let (wanted, plain) = learned(Precision::F32);
    assert!(wanted > 0.8, "{wanted}");
    // The CPU has no TF32, and runs f32.
    assert_eq!(learned(Precision::Tf32), (wanted, plain.clone()));
    for precision in [Precision::Bf16, Precision::F16] {
        let (accuracy, bits) = learned(precision);
        println!("{precision}: accuracy {accuracy}, in f32 {wanted}");
        assert!((accuracy - wanted).abs() < 0.03 && bits != plain, "{precision}: {accuracy} is not {wanted}");
    }
}

fn regression(device: &Device, middle: f32) -> (Model, Tensor, Tensor) {
    let mut model =
        Sequential::new([Dense::new(8).relu(), Dense::new(1)]).seed(1).build([2], device).unwrap();
    model.compile(Sgd::new(1e-5), losses::mean_squared_error, []).unwrap();
    let mut x: Vec<f32> = (0..160).map(|i| (i * 7 % 13) as f32 / 13.0).collect();
    x[101] = middle;
    let y: Vec<f32> = (0..80).map(|i| 300.0 + (i * 5 % 11) as f32).collect();
    let make = |v: &[f32], shape: &[usize]| device.scope(|| Tensor::from_slice(v, shape));
    (model, make(&x, &[80, 2]), make(&y, &[80, 1]))
}

fn fit<'a>() -> Fit<'a> {
    Fit::epochs(3).batch(4).shuffle(false).seed(9).quiet()
}

/// Errors of 300 times the first scale are beyond f16: updates are left out until the scale fits, and none of them is called
/// a number that is not finite.
#[test]
fn an_overflow_of_the_scaled_loss_is_no_failure() {
    let (mut model, x, y) = regression(&cpu(Precision::F16), 0.5);
    let history = model.fit(&x, &y, fit()).unwrap();
    assert!(history.not_finite().is_none(), "{:?}", history.not_finite());
    assert_eq!(history.skipped_steps(), 0);
    assert!((1..=16).contains(&history.overflowed_steps()), "{}", history.overflowed_steps());
    let (mut plain, x, y) = regression(&cpu(Precision::F32), 0.5);
    let wanted = plain.fit(&x, &y, fit()).unwrap();
    assert_eq!(wanted.overflowed_steps(), 0);
    let [got, want] = [&history, &wanted].map(|history: &History| history["loss"][2]);
    assert!((got / want - 1.0).abs() < 0.02, "{got} is not {want}");
}

#[test]
fn a_fit_whose_every_update_is_left_out_has_learned_nothing() {
    let (mut model, x, y) = regression(&cpu(Precision::F16), 0.5);
    let few = || Fit::epochs(1).batch(40).shuffle(false).seed(9).quiet();
    let error = model.fit(&x, &y, few()).unwrap_err();
    assert!(matches!(&error, Error::Diverged(why) if why.contains("all 2 updates were left out")), "{error}");
    // The scale goes on from where it stands, and then they are no longer all.
    let history = model.fit(&x, &y, fit()).unwrap();
    assert!(history.overflowed_steps() < 16, "{}", history.overflowed_steps());
}

/// What no scale makes finite is found and named as ever: here a feature that overflows f16 in the forward pass.
#[test]
fn a_value_beyond_f16_is_named() {
    let (mut model, x, y) = regression(&cpu(Precision::F16), 1e6);
    let history = model.fit(&x, &y, fit()).unwrap();
    let what = history.not_finite().expect("a product overflows");
    assert_eq!((what.epoch, what.batch), (0, 12));
    assert_eq!(what.found.as_ref().map(|found| found.stage), Some(Stage::Forward), "{what}");
    assert!(history.skipped_steps() > 0);
}

#[test]
fn the_scale_goes_on_from_a_checkpoint() {
    let device = cpu(Precision::F16);
    let (mut whole, x, y) = regression(&device, 0.5);
    let wanted = whole.fit(&x, &y, fit()).unwrap();
    let folder = folder("precision");
    let kept = || fit().checkpoints(Checkpoints::new(&folder).resume());
    let stop = AtomicBool::new(false);
    let (mut first, ..) = regression(&device, 0.5);
    let history = first.fit(&x, &y, kept().stop(&stop).callback(StopAfter(1, &stop))).unwrap();
    assert!(history.interrupted());
    let (mut second, ..) = regression(&device, 0.5);
    let history = second.fit(&x, &y, kept()).unwrap();
    assert_eq!(bits(&second), bits(&whole));
    assert!(wanted.overflowed_steps() > 1);
    assert_eq!(history.overflowed_steps(), wanted.overflowed_steps(), "those of both processes");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn activations_take_less_memory() {
    type Build = fn(&Device) -> Model;
    let bytes = |precision: Precision, model: Build, shape: [usize; 3], batch: usize| {
        let null = Null::default();
        assert!(!null.capabilities().tf32);
        let device = Device::from_executor(Arc::new(null)).with_precision(precision).unwrap();
        let mut model = model(&device);
        model.compile(Sgd::new(0.1), losses::cross_entropy, []).unwrap();
        let array = warploom_data::Array::new(
            warploom_data::Values::F32(vec![0.0; shape.iter().product::<usize>() * batch]),
            &shape,
        );
        let targets = warploom_data::Targets::numbered_classes(vec![0; batch], 10).unwrap();
        let data = warploom_data::Dataset::new(array.unwrap(), targets).unwrap();
        let (_, step) = model.plan_data(&data, &Fit::epochs(1).batch(batch).quiet()).unwrap();
        step.program().plan(1).arena
    };
    let lenet = |device: &Device| models::lenet(10).seed(3).build([1, 28, 28], device).unwrap();
    let resnet = |device: &Device| {
        Model::new(device.scope(|| models::resnet18(3, 10)).unwrap(), [3, 32, 32], device).unwrap()
    };
    let cases: [(&str, Build, [usize; 3], usize, f64); 2] =
        [("lenet", lenet, [1, 28, 28], 128, 0.65), ("resnet18", resnet, [3, 32, 32], 64, 0.65)];
    for (name, model, shape, batch, most) in cases {
        let [plain, narrow] =
            [Precision::F32, Precision::Bf16].map(|precision| bytes(precision, model, shape, batch));
        println!("{name}, batches of {batch}: arena {plain} bytes in f32, {narrow} in bf16");
        assert!((narrow as f64) < most * plain as f64, "{name}: {narrow} of {plain} bytes");
    }
}
