//! Compile, fit, evaluate, predict on the CPU.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use warploom_cpu::Cpu;
use warploom_data::{Array, Dataset, Targets, Values, digits, logistic};
use warploom_nn::{Adam, Dense, Flatten, Initialiser, Model, Sequential, layers, losses};
use warploom_tensor::{Device, Tensor};
use warploom_train::{Fit, Training, metrics, weights};

fn cpu() -> Device {
    Device::from_executor(Arc::new(Cpu::new(Some(2))))
}

/// The data of the peers' W1 and W2 as tensors.
fn seed_tensors(device: &Device) -> (Tensor, Tensor) {
    let data = logistic().unwrap();
    let (Values::F32(x), Targets::Values { values: y, .. }) = (data.features().values(), data.targets())
    else {
        panic!("numbers");
    };
    device.scope(|| (Tensor::from_slice(x, &[100, 10]), Tensor::from_slice(y, &[100, 1])))
}

fn one_unit(device: &Device) -> Model {
    let dense = Dense::new(1).weight(Initialiser::Zeros).bias(Initialiser::Zeros);
    let mut model = Sequential::new([dense]).build([10], device).unwrap();
    model.compile(Adam::new(1e-3), losses::mean_squared_error, [metrics::mean_absolute_error()]).unwrap();
    model
}

#[test]
fn the_sequential_program_ends_where_pytorch_does() {
    let device = cpu();
    let (x, y) = seed_tensors(&device);
    let mut model = one_unit(&device);
    let history = model.fit(&x, &y, Fit::epochs(100).batch(10).shuffle(false).quiet()).unwrap();
    let loss = model.evaluate(&x, &y).unwrap()["loss"];
    assert!((loss / 0.0476201 - 1.0).abs() < 1e-5, "{loss}");
    assert_eq!(history["loss"].len(), 100);
    assert!(history["mean_absolute_error"][99] < history["mean_absolute_error"][0]);
    assert!(history.launches_per_step() <= 0.1, "{}", history.launches_per_step());

    let mut other = one_unit(&device);
    let data = logistic().unwrap();
    other.fit_data(&data, Fit::epochs(100).batch(10).shuffle(false).quiet()).unwrap();
    assert_eq!(
        other.evaluate_data(&data).unwrap()["loss"],
        loss,
        "a data set gives the same bits as tensors"
    );
}

#[test]
fn fitting_again_goes_on() {
    let device = cpu();
    let (x, y) = seed_tensors(&device);
    let (mut once, mut twice) = (one_unit(&device), one_unit(&device));
    once.fit(&x, &y, Fit::epochs(20).batch(30).quiet()).unwrap();
    twice.fit(&x, &y, Fit::epochs(15).batch(30).quiet()).unwrap();
    twice.fit(&x, &y, Fit::epochs(5).batch(30).quiet()).unwrap();
    assert_eq!(once.evaluate(&x, &y).unwrap(), twice.evaluate(&x, &y).unwrap());
}

#[test]
fn a_model_that_moves_takes_its_state_along() {
    let (here, there) = (cpu(), cpu());
    let (x, y) = seed_tensors(&here);
    let (mut once, mut moving) = (one_unit(&here), one_unit(&here));
    let fit = || Fit::epochs(10).batch(10).quiet();
    once.fit(&x, &y, fit()).unwrap();
    once.fit(&x, &y, fit()).unwrap();
    moving.fit(&x, &y, fit()).unwrap();
    moving.to(&there).unwrap();
    let error = moving.fit(&x, &y, fit()).unwrap_err().to_string();
    assert!(error.contains("hand in x.to(model.device())"), "{error}");
    let (x_there, y_there) = (x.to(&there), y.to(&there));
    moving.fit(&x_there, &y_there, fit()).unwrap();
    assert_eq!(once.evaluate(&x, &y).unwrap(), moving.evaluate(&x_there, &y_there).unwrap());
}

#[test]
fn digits_are_learned_and_the_plan_is_the_peak() {
    let device = cpu();
    let (train, test) = digits(0, 1400).unwrap().split_off_stratified(0.25, 0).unwrap();
    let (train, validation) = train.split_off_stratified(0.1, 0).unwrap();
    let description =
        layers![Flatten::new(), Dense::new(64).relu(), warploom_nn::Dropout::new(0.1), Dense::new(10)];
    let mut model = Sequential::new(description).seed(1).build([1, 28, 28], &device).unwrap();
    model.compile(Adam::new(3e-3), losses::cross_entropy, [metrics::accuracy()]).unwrap();
    let before = device.statistics().live_bytes;
    let fit = Fit::epochs(6).batch(50).seed(3).validation_data(&validation).test_data(&test).quiet();
    let history = model.fit_data(&train, fit).unwrap();
    let test = history.test().unwrap()["accuracy"];
    assert!(test > 0.8 && history["val_accuracy"].len() == 6, "{history:?} {test}");
    assert_eq!(history.plan().device.total(), device.statistics().peak_bytes);
    assert!(before < device.statistics().peak_bytes);

    let file = std::env::temp_dir().join(format!("warploom-weights-{}", std::process::id()));
    weights::save(&file, &model, &[("name", "test")]).unwrap();
    let stored = std::fs::read(&file).unwrap();
    let read = safetensors::SafeTensors::deserialize(&stored).unwrap();
    assert_eq!(read.tensor("1.weight").unwrap().shape(), [64, 784]);
    assert_eq!(weights::about(&file).unwrap()["name"], "test");
    let description =
        layers![Flatten::new(), Dense::new(64).relu(), warploom_nn::Dropout::new(0.1), Dense::new(10)];
    let other = Sequential::new(description).seed(2).build([1, 28, 28], &device).unwrap();
    weights::load(&file, &other).unwrap();
    let pixels = device.scope(|| Tensor::from_slice(&vec![7u8; 300 * 784], &[300, 1, 28, 28]));
    let (a, b) = (model.predict(&pixels).unwrap(), other.predict(&pixels).unwrap());
    assert_eq!(a.to_vec::<f32>().unwrap(), b.to_vec::<f32>().unwrap());
    std::fs::write(&file, b"short").unwrap();
    assert!(weights::load(&file, &other).unwrap_err().to_string().contains("not a whole safetensors file"));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn validation_is_the_last_part() {
    let device = cpu();
    let (x, y) = seed_tensors(&device);
    let mut model = one_unit(&device);
    let history = model.fit(&x, &y, Fit::epochs(2).batch(16).validation_split(0.2).quiet()).unwrap();
    let last = |t: &Tensor| t.slice(&[(80isize..100).into(), (..).into()]);
    let scores = model.evaluate(&last(&x), &last(&y)).unwrap();
    assert!((history["val_loss"][1] - scores["loss"]).abs() < 1e-6);
    assert_eq!(history.plan().examples, [80, 20, 0]);
}

#[test]
fn mistakes_are_named() {
    let device = cpu();
    let (x, y) = seed_tensors(&device);
    let mut model = Sequential::new([Dense::new(1)]).build([10], &device).unwrap();
    let error = |model: &mut Model, fit: Fit<'_>| model.fit(&x, &y, fit).unwrap_err().to_string();
    assert!(error(&mut model, Fit::epochs(1)).contains("not compiled"));
    model.compile(Adam::new(1e-3), losses::mean_squared_error, []).unwrap();
    assert!(error(&mut model, Fit::epochs(0)).contains("0 epochs"));
    assert!(error(&mut model, Fit::epochs(1).batch(0)).contains("batch size is 0"));
    assert!(error(&mut model, Fit::epochs(1).validation_split(1.0)).contains("validation split"));
    let short = device.scope(|| Tensor::from_slice(&[0f32; 90], &[90, 1]));
    assert!(model.fit(&x, &short, Fit::epochs(1).quiet()).unwrap_err().to_string().contains("[90, 1]"));
    let wide = device.scope(|| Tensor::from_slice(&[0f32; 1100], &[100, 11]));
    let wrong = model.fit(&wide, &y, Fit::epochs(1).quiet()).unwrap_err().to_string();
    assert!(wrong.contains("[10]") && wrong.contains("[11]"), "{wrong}");

    let mut holed = x.to_vec::<f32>().unwrap();
    holed[37] = f32::NAN;
    let holed = device.scope(|| Tensor::from_slice(&holed, &[100, 10]));
    let nan = model.fit(&holed, &y, Fit::epochs(2).batch(10).quiet()).unwrap_err().to_string();
    assert!(nan.contains("x holds NaN in row 3, column 7"), "{nan}");
    let huge = device.scope(|| Tensor::from_slice(&[1e30f32; 1000], &[100, 10]));
    let diverges = model.fit(&huge, &y, Fit::epochs(2).batch(10).quiet()).unwrap_err().to_string();
    assert!(diverges.contains("10 of 10 updates") && diverges.contains("learning rate"), "{diverges}");
    assert!(model.evaluate(&x, &y).unwrap()["loss"].is_finite(), "the weights are unharmed");
}

#[test]
fn a_stop_ends_between_launches_and_a_report_may_end_it_too() {
    let device = cpu();
    let (x, y) = seed_tensors(&device);
    let mut model = one_unit(&device);
    let stop = AtomicBool::new(true);
    let history = model.fit(&x, &y, Fit::epochs(5).stop(&stop).quiet()).unwrap();
    assert!(history.interrupted() && history.epochs().is_empty());
    let mut told = 0;
    let ended = model.fit(
        &x,
        &y,
        Fit::epochs(5).quiet().on_epoch(|report| {
            told += 1;
            assert!(report.scores["loss"] > 0.0);
            if report.epoch == 2 { Err(warploom_train::Error::invalid("enough")) } else { Ok(()) }
        }),
    );
    assert_eq!((ended.unwrap_err().to_string().as_str(), told), ("enough", 2));
}

#[test]
fn features_and_targets_of_one_example_each() {
    let device = cpu();
    let features = Array::new(Values::F32(vec![1.0, 2.0]), &[2]).unwrap();
    let data = Dataset::new(features, Targets::numbered_classes(vec![1], 2).unwrap()).unwrap();
    let mut model = Sequential::new([Dense::new(2)]).build([2], &device).unwrap();
    model.compile(Adam::new(1e-1), losses::cross_entropy, [metrics::accuracy()]).unwrap();
    model.fit_data(&data, Fit::epochs(50).batch(8).quiet()).unwrap();
    assert_eq!(model.evaluate_data(&data).unwrap()["accuracy"], 1.0);
}
