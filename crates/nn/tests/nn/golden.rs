//! Against values that PyTorch gave; see golden/make.py.

use crate::common::{Golden, cpu, distance, numbers};
use warploom_nn::schedules::{Constant, Cosine, Exponential, MultiStep, OneCycle, Polynomial, Step};
use warploom_nn::{
    Activation, Adam, AdamW, Clipping, Dense, Mode, Model, Module, Optimizer, Parameters, RmsProp, Schedule,
    Sequential, Sgd, TrainingStep, losses,
};
use warploom_tensor::{DType, Device, InputSpec, Range, Tensor, Variable, gradients};

type Loss = fn(&Tensor, &Tensor) -> Tensor;

const TOLERANCE: f64 = 1e-5;
const STEPS: usize = 20;

fn loss_of(name: &str) -> Loss {
    match name {
        "mse" => losses::mean_squared_error,
        "mae" => losses::mean_absolute_error,
        "cross_entropy" => losses::cross_entropy,
        "bce" => losses::binary_cross_entropy_with_logits,
        "huber" => |p, t| losses::huber(p, t, 0.7),
        "smooth_l1" => |p, t| losses::smooth_l1(p, t, 0.5),
        "nll" => losses::negative_log_likelihood,
        "cross_entropy_smoothed" => |p, t| losses::cross_entropy_with(p, t, 0.1, None),
        "cross_entropy_weighted" => |p, t| losses::cross_entropy_with(p, t, 0.0, Some(&class_weights())),
        "cross_entropy_both" => |p, t| losses::cross_entropy_with(p, t, 0.3, Some(&class_weights())),
        "kl" => losses::kullback_leibler_divergence,
        "hinge" => losses::hinge,
        _ => panic!("{name}"),
    }
}

fn class_weights() -> Tensor {
    Tensor::from([0.5f32, 2.0, 1.25])
}

fn takes_labels(loss: &str) -> bool {
    loss.starts_with("cross_entropy") || loss == "nll"
}

fn rate_of(optimizer: &str) -> f64 {
    match optimizer {
        "sgd" | "clip_norm" | "clip_value" => 0.1,
        "momentum" | "dampened" | "nesterov" => 0.05,
        _ => 0.01,
    }
}

struct By(&'static str, f64);

impl Schedule for By {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        let total = STEPS as u32;
        match self.0 {
            "constant" => Constant.learning_rate(base, step),
            "cosine" => Cosine { total, warmup: 0, minimum: self.1 / 100.0 }.learning_rate(base, step),
            _ => Cosine { total, warmup: 5, minimum: self.1 * 0.1 }.learning_rate(base, step),
        }
    }
}

fn optimizer_of(name: &str, schedule: &'static str) -> Box<dyn Optimizer> {
    let rate = rate_of(name);
    let by = By(schedule, rate);
    match name {
        "sgd" => Box::new(Sgd::new(rate).weight_decay(0.01).schedule(by)),
        "momentum" => Box::new(Sgd::new(rate).momentum(0.9).schedule(by)),
        "nesterov" => Box::new(Sgd::new(rate).momentum(0.9).nesterov().weight_decay(0.001).schedule(by)),
        "dampened" => Box::new(Sgd::new(rate).momentum(0.9).dampening(0.3).schedule(by)),
        "clip_norm" | "clip_value" => Box::new(Sgd::new(rate).momentum(0.9).schedule(by)),
        "rmsprop" => Box::new(RmsProp::new(rate).schedule(by)),
        "rmsprop_centred" => {
            let centred = RmsProp::new(rate).smoothing(0.9).centred().momentum(0.8).weight_decay(0.01);
            Box::new(centred.schedule(by))
        }
        "adam" => Box::new(Adam::new(rate).schedule(by)),
        "adamw" => Box::new(AdamW::new(rate).schedule(by)),
        _ => panic!("{name}"),
    }
}

fn network(golden: &Golden, device: &Device) -> Model {
    let model =
        Sequential::new([Dense::new(16).tanh(), Dense::new(4)]).build([8], device).expect("a network");
    for found in model.named_variables() {
        let shape = found.variable.shape().expect("a shape");
        let value = device.scope(|| golden.tensor(&format!("start {}", found.name), &shape));
        found.variable.assign(&value).expect("an assignment");
    }
    model
}

fn batch(golden: &Golden, loss: &str) -> [Tensor; 2] {
    let target = format!("target {loss}");
    let target = match loss {
        "cross_entropy" => Tensor::from(golden.get(&target).iter().map(|x| *x as i32).collect::<Vec<i32>>()),
        _ => golden.tensor(&target, &[6, 4]),
    };
    [golden.tensor("x", &[6, 8]), target]
}

/// How the 20 steps are taken.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Plain,
    Recorded,
    /// In micro-batches of two examples, each a launch of its own.
    Accumulated,
    /// In micro-batches of two examples, all of them in one launch.
    AccumulatedInOneLaunch,
}

/// Runs 20 steps and returns the largest relative distance of losses and parameters.
fn run(optimizer: &str, schedule: &'static str, loss: &'static str, way: Way) -> f64 {
    let golden = Golden::new(include_str!("../golden/steps.txt"));
    let device = cpu();
    let model = network(&golden, &device);
    let mut step =
        TrainingStep::new(&model, loss_of(loss), optimizer_of(optimizer, schedule)).expect("a step");
    match optimizer {
        "clip_norm" => step = step.clip(Clipping::Norm(0.5)),
        "clip_value" => step = step.clip(Clipping::Value(0.05)),
        _ => {}
    }
    let [x, target] = device.scope(|| batch(&golden, loss));
    let seen = match way {
        Way::Plain => plain(&step, &model, &x, &target),
        Way::Recorded => recorded(&step, &model, &x, &target),
        Way::Accumulated | Way::AccumulatedInOneLaunch => {
            step = step.accumulate(3).expect("a step");
            accumulated(&step, &model, &x, &target, way == Way::AccumulatedInOneLaunch)
        }
    };
    let name = format!("{optimizer} {schedule} {loss}");
    let mut worst = distance(&seen, golden.get(&format!("{name} loss")));
    for found in model.named_variables() {
        let values = numbers(&found.variable.value());
        worst = worst.max(distance(&values, golden.get(&format!("{name} {}", found.name))));
    }
    assert_eq!(step.updater().step_count().value().item::<u32>().expect("a count"), STEPS as u32);
    assert_eq!(step.gate().expect("a gate").skipped().value().item::<u32>().expect("a count"), 0);
    worst
}

fn plain(step: &TrainingStep, model: &Model, x: &Tensor, target: &Tensor) -> Vec<f64> {
    let one = |_| {
        let (loss, _) = step.record(model, x, target).expect("a step");
        loss.item::<f32>().expect("a loss") as f64
    };
    (0..STEPS).map(one).collect()
}

fn recorded(step: &TrainingStep, model: &Model, x: &Tensor, target: &Tensor) -> Vec<f64> {
    let specs = [InputSpec::from(x), InputSpec::from(target)];
    let program =
        model.device().try_record(&specs, |inputs| Ok(vec![step.record(model, &inputs[0], &inputs[1])?.0]));
    let program = program.expect("a program");
    let one = |_| program.run(&[x, target]).expect("a run")[0].item::<f32>().expect("a loss") as f64;
    (0..STEPS).map(one).collect()
}

/// The mean loss of three micro-batches, for each step.
fn accumulated(step: &TrainingStep, model: &Model, x: &Tensor, target: &Tensor, together: bool) -> Vec<f64> {
    let part = |t: &Tensor, i: isize| t.slice(&[Range::new(2 * i, 2 * i + 2)]);
    let specs = [(DType::F32, &[2usize, 8][..]), (DType::I32, &[2][..])].map(|(d, s)| InputSpec::new(d, s));
    let program =
        model.device().try_record(&specs, |inputs| Ok(vec![step.record(model, &inputs[0], &inputs[1])?.0]));
    let program = program.expect("a program");
    let mut seen = Vec::new();
    let whole = together.then(|| program.repeat(3, &[true, true]).expect("a program"));
    for _ in 0..STEPS {
        let losses: Vec<f64> = match &whole {
            Some(whole) => {
                let (x, target) = (x.reshape([3, 2, 8]), target.reshape([3, 2]));
                numbers(&whole.run(&[&x, &target]).expect("a run")[0])
            }
            None => (0..3)
                .map(|i| numbers(&program.run(&[&part(x, i), &part(target, i)]).expect("a run")[0])[0])
                .collect(),
        };
        seen.push(losses.iter().sum::<f64>() / 3.0);
    }
    seen
}

#[test]
fn optimizers_and_schedules_agree_with_pytorch() {
    for optimizer in ["sgd", "momentum", "nesterov", "adam", "adamw"] {
        for schedule in ["constant", "cosine", "warmup"] {
            let worst = run(optimizer, schedule, "cross_entropy", Way::Plain);
            println!("{optimizer:>8} {schedule:>8} {worst:.1e}");
            assert!(worst < TOLERANCE, "{optimizer} {schedule}: {worst:e}");
        }
    }
}

#[test]
fn other_optimizers_and_clipping_agree_with_pytorch() {
    for optimizer in ["dampened", "rmsprop", "rmsprop_centred", "clip_norm", "clip_value"] {
        let worst = run(optimizer, "constant", "cross_entropy", Way::Plain);
        println!("{optimizer:>15} {worst:.1e}");
        assert!(worst < TOLERANCE, "{optimizer}: {worst:e}");
    }
}

#[test]
fn micro_batches_do_what_one_large_batch_does() {
    for optimizer in ["adam", "clip_norm"] {
        for way in [Way::Accumulated, Way::AccumulatedInOneLaunch] {
            let worst = run(optimizer, "constant", "cross_entropy", way);
            assert!(worst < TOLERANCE, "{optimizer}: {worst:e}");
        }
    }
}

#[test]
fn schedules_agree_with_pytorch() {
    let golden = Golden::new(include_str!("../golden/rates.txt"));
    let schedules: [(&str, Box<dyn Schedule>); 7] = [
        ("step", Box::new(Step { every: 7, factor: 0.3 })),
        ("multi_step", Box::new(MultiStep { milestones: vec![3, 11, 11, 20], factor: 0.5 })),
        ("exponential", Box::new(Exponential { factor: 0.9 })),
        ("polynomial", Box::new(Polynomial { total: 20, power: 2.0, minimum: 0.0 })),
        ("linear", Box::new(Polynomial { total: 20, power: 1.0, minimum: 0.0 })),
        ("one_cycle", Box::new(OneCycle::new(25))),
        ("one_cycle_short", Box::new(OneCycle { total: 25, rise: 0.4, start: 5.0, end: 100.0 })),
    ];
    for (name, schedule) in schedules {
        cpu().scope(|| {
            let wanted = golden.get(name);
            let rates = |steps: &Tensor, base: Tensor| schedule.learning_rate(&base, steps);
            let single = rates(&Tensor::arange(wanted.len(), DType::F32), Tensor::from(0.5f32));
            let double = rates(&Tensor::arange(wanted.len(), DType::F64), Tensor::from(0.5f64));
            for (step, want) in wanted.iter().enumerate() {
                let (single, double) = (numbers(&single)[step], double.to_vec::<f64>().expect("rates")[step]);
                assert!((double - want).abs() < 1e-9 + 1e-8 * want, "{name} {step}: {double} for {want}");
                assert!((single - want).abs() < 2e-7 + 2e-6 * want, "{name} {step}: {single} for {want}");
            }
        });
    }
}

#[test]
fn losses_train_as_in_pytorch() {
    for loss in ["mse", "mae", "cross_entropy", "bce"] {
        let worst = run("sgd", "constant", loss, Way::Plain);
        println!("{loss:>13} {worst:.1e}");
        assert!(worst < TOLERANCE, "{loss}: {worst:e}");
    }
}

#[test]
fn a_recorded_step_agrees_too() {
    let worst = run("adam", "warmup", "cross_entropy", Way::Recorded);
    assert!(worst < TOLERANCE, "{worst:e}");
}

#[test]
fn losses_and_their_gradients_agree_with_pytorch() {
    let golden = Golden::new(include_str!("../golden/functions.txt"));
    let losses = [
        "mse",
        "mae",
        "huber",
        "smooth_l1",
        "cross_entropy",
        "cross_entropy_smoothed",
        "cross_entropy_weighted",
        "cross_entropy_both",
        "nll",
        "bce",
        "kl",
        "hinge",
    ];
    for loss in losses {
        let get = |part: &str| format!("{loss} {part}");
        cpu().scope(|| {
            let prediction = Variable::new(golden.tensor(&get("prediction"), &[4, 3]));
            let target = match takes_labels(loss) {
                true => {
                    Tensor::from(golden.get(&get("target")).iter().map(|x| *x as i32).collect::<Vec<i32>>())
                }
                false => golden.tensor(&get("target"), &[4, 3]),
            };
            let value = loss_of(loss)(&prediction.value(), &target);
            let gradient = gradients(&value, &[&prediction]).expect("a gradient").swap_remove(0);
            assert!(distance(&numbers(&value), golden.get(&get("loss"))) < 1e-6, "{loss} {value:?}");
            let worst = distance(&numbers(&gradient), golden.get(&get("gradient")));
            assert!(worst < 1e-6, "gradient of {loss}: {worst:e}");
        });
    }
}

#[test]
fn a_loss_of_each_example_is_that_of_a_batch_of_it_alone() {
    let golden = Golden::new(include_str!("../golden/functions.txt"));
    let losses =
        ["mse", "mae", "huber", "smooth_l1", "cross_entropy", "cross_entropy_smoothed", "nll", "bce", "kl"];
    for loss in losses.into_iter().chain(["hinge"]) {
        let get = |part: &str| format!("{loss} {part}");
        cpu().scope(|| {
            let prediction = Variable::new(golden.tensor(&get("prediction"), &[4, 3]));
            let target = match takes_labels(loss) {
                true => {
                    Tensor::from(golden.get(&get("target")).iter().map(|x| *x as i32).collect::<Vec<i32>>())
                }
                false => golden.tensor(&get("target"), &[4, 3]),
            };
            let each = losses::each_example(|| loss_of(loss)(&prediction.value(), &target));
            let gradient = gradients(&each.mean_all(), &[&prediction]).expect("a gradient").swap_remove(0);
            assert_eq!(each.shape().expect("a shape")[..], [4], "{loss}");
            let row = |t: &Tensor, i: isize| match t.rank().expect("a rank") {
                1 => t.slice(&[Range::new(i, i + 1)]),
                _ => t.slice(&[Range::new(i, i + 1), Range::new(0, 3)]),
            };
            let alone: Vec<f64> = (0..4)
                .map(|i| numbers(&loss_of(loss)(&row(&prediction.value(), i), &row(&target, i)))[0])
                .collect();
            assert!(distance(&numbers(&each), &alone) < 1e-6, "{loss} {each:?} {alone:?}");
            let worst = distance(&numbers(&gradient), golden.get(&get("gradient")));
            assert!(worst < 1e-6, "gradient of {loss}: {worst:e}");
        });
    }
}

#[test]
fn weights_of_classes_multiply_the_loss_of_each_example() {
    let golden = Golden::new(include_str!("../golden/functions.txt"));
    for loss in ["cross_entropy_weighted", "cross_entropy_both"] {
        let get = |part: &str| golden.get(&format!("{loss} {part}"));
        cpu().scope(|| {
            let logits = golden.tensor(&format!("{loss} prediction"), &[4, 3]);
            let labels: Vec<i32> = get("target").iter().map(|x| *x as i32).collect();
            let weight: f64 = labels.iter().map(|label| [0.5, 2.0, 1.25][*label as usize]).sum();
            let each = losses::each_example(|| loss_of(loss)(&logits, &Tensor::from(labels)));
            // PyTorch's mean is the sum over the weights of the labels.
            let mean = numbers(&each).iter().sum::<f64>() / weight;
            assert!(distance(&[mean], get("loss")) < 1e-6, "{loss}: {mean}");
        });
    }
}

#[test]
fn activations_and_their_gradients_agree_with_pytorch() {
    let golden = Golden::new(include_str!("../golden/functions.txt"));
    let activations = [
        ("relu", Activation::Relu),
        ("leaky_relu", Activation::LeakyRelu { slope: 0.2 }),
        ("elu", Activation::Elu { alpha: 1.3 }),
        ("selu", Activation::Selu),
        ("celu", Activation::Celu { alpha: 1.3 }),
        ("gelu", Activation::Gelu),
        ("gelu_tanh", Activation::GeluTanh),
        ("silu", Activation::Silu),
        ("mish", Activation::Mish),
        ("softplus", Activation::Softplus),
        ("softsign", Activation::Softsign),
        ("relu6", Activation::Relu6),
        ("hardtanh", Activation::Hardtanh { low: -0.5, high: 2.0 }),
        ("hardsigmoid", Activation::Hardsigmoid),
        ("hardswish", Activation::Hardswish),
        ("sigmoid", Activation::Sigmoid),
        ("tanh", Activation::Tanh),
        ("softmax", Activation::Softmax),
        ("log_softmax", Activation::LogSoftmax),
    ];
    for (name, activation) in activations {
        cpu().scope(|| {
            let get = |part: &str| golden.tensor(&format!("{name} {part}"), &[4, 5]);
            let x = Variable::new(get("x"));
            let y = activation.forward(&x.value(), Mode::Evaluate);
            let gradient =
                gradients(&(&y * get("upstream")).sum_all(), &[&x]).expect("a gradient").swap_remove(0);
            assert!(distance(&numbers(&y), golden.get(&format!("{name} y"))) < 1e-6, "{name}");
            let worst = distance(&numbers(&gradient), golden.get(&format!("{name} gradient")));
            assert!(worst < 2e-6, "gradient of {name}: {worst:e}");
        });
    }
}
