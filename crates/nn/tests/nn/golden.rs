//! Against values that PyTorch gave; see golden/make.py.

use crate::common::{Golden, cpu, distance, numbers};
use warploom_nn::schedules::{Constant, Cosine};
use warploom_nn::{
    Activation, Adam, AdamW, Dense, Mode, Model, Module, Optimizer, Parameters, Schedule, Sequential, Sgd,
    TrainingStep, losses,
};
use warploom_tensor::{Device, InputSpec, Tensor, Variable, gradients};

type Loss = fn(&Tensor, &Tensor) -> Tensor;

const TOLERANCE: f64 = 1e-5;
const STEPS: usize = 20;

fn loss_of(name: &str) -> Loss {
    match name {
        "mse" => losses::mean_squared_error,
        "mae" => losses::mean_absolute_error,
        "cross_entropy" => losses::cross_entropy,
        "bce" => losses::binary_cross_entropy_with_logits,
        _ => panic!("{name}"),
    }
}

fn rate_of(optimizer: &str) -> f64 {
    match optimizer {
        "sgd" => 0.1,
        "momentum" | "nesterov" => 0.05,
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

/// Runs 20 steps and returns the largest relative distance of losses and parameters.
fn run(optimizer: &str, schedule: &'static str, loss: &'static str, recorded: bool) -> f64 {
    let golden = Golden::new(include_str!("../golden/steps.txt"));
    let device = cpu();
    let model = network(&golden, &device);
    let step = TrainingStep::new(&model, loss_of(loss), optimizer_of(optimizer, schedule)).expect("a step");
    let [x, target] = device.scope(|| batch(&golden, loss));
    let mut seen = Vec::new();
    if recorded {
        let specs = [InputSpec::from(&x), InputSpec::from(&target)];
        let program =
            device.try_record(&specs, |inputs| Ok(vec![step.record(&model, &inputs[0], &inputs[1])?.0]));
        let program = program.expect("a program");
        for _ in 0..STEPS {
            let outputs = program.run(&[&x, &target]).expect("a run");
            seen.push(outputs[0].item::<f32>().expect("a loss") as f64);
        }
    } else {
        for _ in 0..STEPS {
            let (loss, _) = step.record(&model, &x, &target).expect("a step");
            seen.push(loss.item::<f32>().expect("a loss") as f64);
        }
    }
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

#[test]
fn optimizers_and_schedules_agree_with_pytorch() {
    for optimizer in ["sgd", "momentum", "nesterov", "adam", "adamw"] {
        for schedule in ["constant", "cosine", "warmup"] {
            let worst = run(optimizer, schedule, "cross_entropy", false);
            println!("{optimizer:>8} {schedule:>8} {worst:.1e}");
            assert!(worst < TOLERANCE, "{optimizer} {schedule}: {worst:e}");
        }
    }
}

#[test]
fn losses_train_as_in_pytorch() {
    for loss in ["mse", "mae", "cross_entropy", "bce"] {
        let worst = run("sgd", "constant", loss, false);
        println!("{loss:>13} {worst:.1e}");
        assert!(worst < TOLERANCE, "{loss}: {worst:e}");
    }
}

#[test]
fn a_recorded_step_agrees_too() {
    let worst = run("adam", "warmup", "cross_entropy", true);
    assert!(worst < TOLERANCE, "{worst:e}");
}

#[test]
fn losses_and_their_gradients_agree_with_pytorch() {
    let golden = Golden::new(include_str!("../golden/functions.txt"));
    for loss in ["mse", "mae", "cross_entropy", "bce"] {
        let get = |part: &str| format!("{loss} {part}");
        cpu().scope(|| {
            let prediction = Variable::new(golden.tensor(&get("prediction"), &[4, 3]));
            let target = match loss {
                "cross_entropy" => {
                    Tensor::from(golden.get(&get("target")).iter().map(|x| *x as i32).collect::<Vec<i32>>())
                }
                _ => golden.tensor(&get("target"), &[4, 3]),
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
fn activations_and_their_gradients_agree_with_pytorch() {
    let golden = Golden::new(include_str!("../golden/functions.txt"));
    let activations = [
        ("relu", Activation::Relu),
        ("sigmoid", Activation::Sigmoid),
        ("tanh", Activation::Tanh),
        ("gelu", Activation::Gelu),
        ("softmax", Activation::Softmax),
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
