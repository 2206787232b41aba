//! Where a number that is not finite began.

use std::sync::Arc;
use warploom_cpu::Cpu;
use warploom_nn::{
    Adam, Linear, Mode, Model, Module, Parameters, TrainingStep, in_module, initialise::seed_scope, losses,
};
use warploom_tensor::{DType, Device, Elementwise, ElementwiseMethods, InputSpec, Tensor, Variable};
use warploom_train::callbacks::TerminateOnNan;
use warploom_train::{Fit, Outcome, Stage, Training};

const ROWS: usize = 60;
const BATCH: usize = 4;

fn cpu() -> Device {
    Device::from_executor(Arc::new(Cpu::new(Some(2))))
}

#[derive(Parameters)]
struct Risky {
    first: Linear,
    last: Linear,
    /// The mean of what the middle gives, as normalisation keeps one.
    #[parameters(state)]
    running: Variable,
    #[parameters(skip)]
    middle: fn(&Tensor) -> Tensor,
}

impl Module for Risky {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let hidden = in_module("first", x, || self.first.forward(x, mode));
        let middle = in_module("middle", &hidden, || (self.middle)(x) + &hidden);
        let middle = in_module("drop", &middle, || warploom_nn::Dropout::new(0.2).forward(&middle, mode));
        if mode == Mode::Train {
            let next = &self.running * 0.9 + middle.mean_all() * 0.1;
            self.running.assign(&next).unwrap();
        }
        in_module("last", &middle, || self.last.forward(&middle, mode))
    }
}

fn risky(device: &Device, middle: fn(&Tensor) -> Tensor) -> Risky {
    let linear = || device.scope(|| Linear::new(3, 3)).unwrap();
    let running = device.scope(|| Variable::new(Tensor::from(0.5f32)));
    seed_scope(5, || Risky { first: linear(), last: linear(), running, middle })
}

fn model(device: &Device, middle: fn(&Tensor) -> Tensor) -> Model {
    let mut model = Model::new(risky(device, middle), [3], device).unwrap();
    model.compile(Adam::new(1e-2), losses::mean_squared_error, []).unwrap();
    model
}

/// Positive numbers but for one example.
fn examples(device: &Device, row: usize, outlier: f32) -> (Tensor, Tensor) {
    let mut x: Vec<f32> = (0..ROWS * 3).map(|i| 0.5 + (i * 7 % 13) as f32 / 13.0).collect();
    x[row * 3 + 1] = outlier;
    let y: Vec<f32> = (0..ROWS * 3).map(|i| (i * 5 % 11) as f32 / 11.0).collect();
    let make = |v: &[f32]| device.scope(|| Tensor::from_slice(v, &[ROWS, 3]));
    (make(&x), make(&y))
}

fn fit<'a>() -> Fit<'a> {
    Fit::epochs(3).batch(BATCH).shuffle(false).seed(9).quiet()
}

fn bits(model: &(impl Parameters + ?Sized)) -> Vec<u32> {
    let all = model.named_variables().into_iter();
    all.flat_map(|v| v.variable.value().to_vec::<f32>().unwrap()).map(f32::to_bits).collect()
}

#[test]
fn the_forward_pass_names_op_and_layer_and_training_is_not_disturbed() {
    let device = cpu();
    let (x, y) = examples(&device, 30, -1.0);
    let mut told = model(&device, |x| x.log());
    let history = told.fit(&x, &y, fit()).unwrap();
    let what = history.not_finite().unwrap();
    let found = what.found.as_ref().unwrap();
    assert_eq!((what.epoch, what.batch), (0, 30 / BATCH));
    assert_eq!((found.stage, &found.what[..], found.is_nan), (Stage::Forward, "log", true));
    assert_eq!(found.layer.as_deref(), Some("middle"));
    assert!(found.line.contains("not_finite.rs:"), "{}", found.line);
    let text = what.to_string();
    assert!(
        text.starts_with(
            "epoch 1, batch 8: the first NaN is made in the forward pass by `log` of layer middle"
        ),
        "{text}"
    );

    let named = fit().layer_names(|path| (path == "middle").then(|| "`model.layers.1`".into()));
    let history = model(&device, |x| x.log()).fit(&x, &y, named).unwrap();
    let text = history.not_finite().unwrap().to_string();
    assert!(text.contains("by `log` of layer `model.layers.1`, at"), "{text}");

    let (wanted, skipped) = one_by_one(|step| step, 30);
    assert_eq!(bits(&told), wanted);
    // Dropout may leave the outlier out.
    assert_eq!(history.skipped_steps(), u64::from(skipped));
    assert!((1..=3).contains(&skipped));
    assert!(wanted.iter().all(|bits| f32::from_bits(*bits).is_finite()), "running statistics as well");
}

/// The same steps launched one by one, with a gate that pauses nothing: what is left, and how many were held back.
fn one_by_one(settings: fn(TrainingStep) -> TrainingStep, outlier: usize) -> (Vec<u32>, u32) {
    let device = cpu();
    let (x, y) = examples(&device, outlier, -1.0);
    let module = risky(&device, |x| x.log());
    let step = settings(TrainingStep::new(&module, losses::mean_squared_error, Adam::new(1e-2)).unwrap());
    let batch = InputSpec::new(DType::F32, &[BATCH, 3]);
    let recorded = device
        .try_record(&[batch.clone(), batch], |inputs| {
            Ok(vec![step.record(&module, &inputs[0], &inputs[1])?.0])
        })
        .unwrap();
    device.seed(9).unwrap();
    let rows =
        |t: &Tensor, first: usize| t.slice(&[(first as isize..(first + BATCH) as isize).into(), (..).into()]);
    for _ in 0..3 {
        for first in (0..ROWS).step_by(BATCH) {
            recorded.run(&[&rows(&x, first), &rows(&y, first)]).unwrap();
        }
    }
    (bits(&module), step.gate().unwrap().skipped().value().item::<u32>().unwrap())
}

#[test]
fn a_micro_batch_is_named_and_its_update_held_back() {
    let device = cpu();
    // Batch 7 is the second of the three that make an update.
    let (x, y) = examples(&device, 30, -1.0);
    let mut model = Model::new(risky(&device, |x| x.log()), [3], &device).unwrap();
    let loss = losses::mean_squared_error;
    model.compile_with(Adam::new(1e-2), loss, [], |step| step.accumulate(3)).unwrap();
    let history = model.fit(&x, &y, fit()).unwrap();
    let what = history.not_finite().unwrap();
    assert_eq!((what.epoch, what.batch, &what.found.as_ref().unwrap().what[..]), (0, 7, "log"));
    let (wanted, skipped) = one_by_one(|step| step.accumulate(3).unwrap(), 30);
    assert_eq!((bits(&model), history.skipped_steps()), (wanted, u64::from(skipped)));
}

#[test]
fn a_gradient_is_named_where_the_forward_pass_is_finite() {
    let device = cpu();
    let root = |x: &Tensor| (x * x).sqrt();
    // The derivative of the root at 0 is infinite; times that of the square, NaN.
    #[derive(Parameters)]
    struct Root {
        last: Linear,
        scale: Linear,
        #[parameters(skip)]
        root: fn(&Tensor) -> Tensor,
    }
    impl Module for Root {
        fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
            let scaled = in_module("scale", x, || self.scale.forward(x, mode));
            let scaled = &scaled - &scaled.stop_gradient() + x;
            let root = in_module("root", &scaled, || (self.root)(&scaled));
            in_module("last", &root, || self.last.forward(&root, mode))
        }
    }
    let linear = || device.scope(|| Linear::new(3, 3)).unwrap();
    let module = seed_scope(1, || Root { last: linear(), scale: linear(), root });
    let mut model = Model::new(module, [3], &device).unwrap();
    model.compile(Adam::new(1e-2), losses::mean_squared_error, []).unwrap();
    let (x, y) = examples(&device, 9, 0.0);
    let history = model.fit(&x, &y, fit()).unwrap();
    let what = history.not_finite().unwrap();
    let found = what.found.as_ref().unwrap();
    assert_eq!(
        (what.batch, found.stage, found.layer.as_deref()),
        (2, Stage::Gradients, Some("root")),
        "{what}"
    );
}

#[test]
fn what_a_selection_leaves_out_is_not_blamed() {
    let device = cpu();
    let (x, y) = examples(&device, 17, -1e4);
    let guarded = |x: &Tensor| {
        let positive = x.compare(Elementwise::GREATER, 0.0);
        let masked = positive.select(&x.log(), &x.full_like(f64::NEG_INFINITY)).exp();
        masked + (x * -1.0).exp()
    };
    let history = model(&device, guarded).fit(&x, &y, fit()).unwrap();
    let what = history.not_finite().unwrap();
    let found = what.found.as_ref().unwrap();
    assert_eq!((what.batch, &found.what[..], found.is_nan), (4, "exp", false), "{what}");
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    let device = cpu();
    let (x, y) = examples(&device, 0, 1.0);
    let mut model = model(&device, |x| x.log());
    let weight = &model.named_variables()[2];
    let mut values = weight.variable.value().to_vec::<f32>().unwrap();
    values[4] = f32::INFINITY;
    weight.variable.assign(&device.scope(|| Tensor::from_slice(&values, &[3, 3]))).unwrap();
    let error = model.fit(&x, &y, fit()).unwrap_err().to_string();
    assert!(error.contains("`last.weight` holds infinity") && error.contains("15 of 15 updates"), "{error}");
}

#[test]
fn training_may_end_at_the_first() {
    let device = cpu();
    let (x, y) = examples(&device, 30, -1.0);
    let mut model = model(&device, |x| x.log());
    let history = model.fit(&x, &y, fit().callback(TerminateOnNan)).unwrap();
    assert_eq!((history.outcome(), history.epochs().len()), (Outcome::Stopped, 1));
    assert!(bits(&model).iter().all(|bits| f32::from_bits(*bits).is_finite()));
    // The next fit goes on as if nothing had been.
    let (x, y) = examples(&device, 30, 1.0);
    assert_eq!(model.fit(&x, &y, fit()).unwrap().skipped_steps(), 0);
}
