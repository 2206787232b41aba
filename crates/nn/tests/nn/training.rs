//! Training steps: the gate, the learning rate, state that moves, other dtypes.

use crate::common::{cpu, numbers};
use warploom_nn::schedules::Cosine;
use warploom_nn::{
    Adam, Dense, Dropout, Linear, Mode, Model, Module, Moment, Optimizer, Parameters, Schedule, Sequential,
    Sgd, TrainingStep, Update, Updater, layers, losses,
};
use warploom_tensor::{DType, Device, ElementwiseMethods, Error, InputSpec, Tensor, Variable, gradients};

fn model(device: &Device) -> Result<Model, Error> {
    Sequential::new([Dense::new(5).tanh(), Dense::new(2)]).seed(1).build([3], device)
}

fn batch(device: &Device, first: f32) -> [Tensor; 2] {
    device.scope(|| {
        [Tensor::from([[first, 0.5, -0.5], [1.0, 2.0, 0.1]]), Tensor::from([[1.0f32, 0.0], [0.5, -1.0]])]
    })
}

/// Everything a step may change.
fn state(model: &Model, step: &TrainingStep) -> Vec<Vec<u8>> {
    let parameters = model.parameters().into_iter();
    let all = parameters.chain(step.updater().state().into_iter().map(|v| v.variable));
    all.map(|v| v.value().to_bytes().expect("bytes")).collect()
}

fn skipped(step: &TrainingStep) -> u32 {
    step.gate().map_or(0, |gate| gate.skipped().value().item().expect("a count"))
}

#[test]
fn an_update_that_is_not_finite_does_not_happen() -> Result<(), Error> {
    for recorded in [false, true] {
        let device = cpu();
        let model = model(&device)?;
        let step = TrainingStep::new(&model, losses::mean_squared_error, Adam::new(0.1))?;
        let specs = [InputSpec::new(DType::F32, &[2, 3]), InputSpec::new(DType::F32, &[2, 2])];
        let body = |inputs: &[Tensor]| Ok(vec![step.record(&model, &inputs[0], &inputs[1])?.0]);
        let program = if recorded { Some(device.try_record(&specs, body)?) } else { None };
        let run = |[x, y]: [Tensor; 2]| match &program {
            Some(program) => program.run(&[&x, &y])?[0].item::<f32>(),
            None => step.record(&model, &x, &y)?.0.item::<f32>(),
        };
        assert!(run(batch(&device, 0.1))?.is_finite());
        let before = state(&model, &step);
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(run(batch(&device, bad))?.is_nan() || bad.is_infinite());
        }
        // An infinite input saturates tanh, but its gradient has infinity times 0.
        assert_eq!(before, state(&model, &step));
        assert_eq!(skipped(&step), 2);
        run(batch(&device, 0.1))?;
        assert_ne!(before, state(&model, &step));
        assert_eq!((skipped(&step), step.updater().step_count().value().item::<u32>()?), (2, 2));
    }
    Ok(())
}

#[test]
fn without_the_gate_it_happens() -> Result<(), Error> {
    let device = cpu();
    let model = model(&device)?;
    let step = TrainingStep::new(&model, losses::mean_squared_error, Sgd::new(0.1))?.ungated();
    let [x, y] = batch(&device, f32::NAN);
    step.record(&model, &x, &y)?.0.item::<f32>()?;
    assert!(numbers(&model.parameters()[0].value()).iter().any(|w| w.is_nan()));
    Ok(())
}

#[test]
fn a_learning_rate_changes_without_another_program() -> Result<(), Error> {
    let device = cpu();
    let model = model(&device)?;
    let step = TrainingStep::new(&model, losses::mean_squared_error, Sgd::new(0.1))?;
    let [x, y] = batch(&device, 0.1);
    let run = || step.record(&model, &x, &y)?.0.item::<f32>();
    let first = run()?;
    assert!(run()? < first);
    let compiled = device.compiled_programs();
    step.updater().learning_rate().assign(&device.scope(|| Tensor::from(0.0f32)))?;
    let (third, fourth) = (run()?, run()?);
    assert_eq!(third, fourth);
    // The assignment ran in a program of its own kind once.
    assert!(device.compiled_programs() <= compiled + 1);
    Ok(())
}

#[test]
fn schedules_follow_their_formulas() -> Result<(), Error> {
    let device = cpu();
    let schedule = Cosine { total: 100, warmup: 10, minimum: 0.01 };
    device.scope(|| {
        let base = Tensor::from(0.5f64);
        for step in [0u32, 4, 9, 10, 11, 55, 99, 100, 1000] {
            let t = step as f64;
            let fall = ((t - 10.0) / 90.0).min(1.0);
            let wanted = match step {
                0..10 => 0.5 * (t + 1.0) / 10.0,
                _ => 0.01 + 0.49 * (1.0 + (std::f64::consts::PI * fall).cos()) / 2.0,
            };
            let found = schedule.learning_rate(&base, &Tensor::from(t)).item::<f64>()?;
            assert!((found - wanted).abs() < 1e-12, "{step}: {found} for {wanted}");
            let found =
                schedule.learning_rate(&Tensor::from(0.5f32), &Tensor::from(t as f32)).item::<f32>()?;
            assert!((found as f64 / wanted - 1.0).abs() < 1e-6, "{step}: {found} for {wanted}");
        }
        Ok(())
    })
}

/// Adam's first steps have sizes near the learning rate, whatever the gradient: the corrections must keep their digits.
#[test]
fn bias_corrections_keep_their_digits() -> Result<(), Error> {
    cpu().scope(|| {
        let w = Variable::new([0.0f32]).named("w");
        let adam = Updater::new(Adam::new(1.0).epsilon(0.0), [&w])?;
        let gradient = Tensor::from([0.125f32]);
        for step in 1..=200 {
            adam.step(std::slice::from_ref(&gradient))?;
            let at = w.value().to_vec::<f32>()?[0] as f64;
            assert!((at + step as f64).abs() < 3e-7 * step as f64 + 1e-7, "step {step}: {at}");
        }
        let names: Vec<String> = adam.state().into_iter().map(|v| v.name).collect();
        assert_eq!(names, ["adam.step", "adam.learning_rate", "adam.m.w", "adam.v.w"]);
        Ok(())
    })
}

#[test]
fn expm1_and_log1p_keep_their_digits_near_zero() -> Result<(), Error> {
    cpu().scope(|| {
        let near: Vec<f32> = (-30..8).flat_map(|e| [1.0f32, 1.37, 1.9].map(|m| m * 2f32.powi(e))).collect();
        let x: Vec<f32> = near.iter().flat_map(|x| [*x, -*x]).chain([0.0, 1e6, -1e6]).collect();
        let tensor = Tensor::from(x.as_slice());
        let both = [tensor.expm1().to_vec::<f32>()?, tensor.log1p().to_vec::<f32>()?];
        for (found, exact) in both.iter().zip([f64::exp_m1, f64::ln_1p]) {
            for (x, found) in x.iter().zip(found) {
                let wanted = exact(*x as f64);
                let same = wanted.is_nan() && found.is_nan() || wanted as f32 == *found;
                let error = (*found as f64 - wanted).abs() / wanted.abs();
                assert!(same || error < 5e-7, "{x:e}: {found:e} for {wanted:e}");
            }
        }
        Ok(())
    })
}

#[test]
fn a_layer_by_hand_in_sixty_four_bits_learns() -> Result<(), Error> {
    cpu().scope(|| {
        let (x, target) =
            (Tensor::uniform(&[100, 10]).cast(DType::F64), Tensor::uniform(&[100, 1]).cast(DType::F64));
        let w = Variable::new(Tensor::zeros(&[10, 1], DType::F64)).named("W");
        let b = Variable::new(Tensor::zeros(&[1], DType::F64)).named("b");
        x.evaluate()?;
        target.evaluate()?;
        let adam = Updater::new(Adam::new(1e-2), [&w, &b])?;
        assert_eq!(adam.learning_rate().value().item::<f64>()?, 1e-2);
        let mut seen = Vec::new();
        for _ in 0..100 {
            let loss = losses::mean_squared_error(&(x.matmul(&w) + &b).sigmoid(), &target);
            adam.step(&gradients(&loss, &[&w, &b])?)?;
            seen.push(loss.item::<f64>()?);
        }
        assert!(seen[99] < seen[0], "{} {}", seen[0], seen[99]);
        Ok(())
    })
}

#[test]
fn training_goes_on_where_the_model_has_moved() -> Result<(), Error> {
    let (here, there) = (cpu(), cpu());
    let train = |model: &Model, step: &TrainingStep, rounds: usize| -> Result<f32, Error> {
        let [x, y] = batch(model.device(), 0.1);
        let mut last = 0.0;
        for _ in 0..rounds {
            last = step.record(model, &x, &y)?.0.item()?;
        }
        Ok(last)
    };
    let begin = || -> Result<(Model, TrainingStep), Error> {
        let model = model(&here)?;
        let step = TrainingStep::new(&model, losses::mean_squared_error, Adam::new(0.05))?;
        Ok((model, step))
    };
    let (model, step) = begin()?;
    train(&model, &step, 10)?;
    let wanted = (train(&model, &step, 10)?, state(&model, &step));
    let (mut model, mut step) = begin()?;
    train(&model, &step, 10)?;
    model.to(&there)?;
    step.move_to(&model, &there)?;
    assert_eq!((train(&model, &step, 10)?, state(&model, &step)), wanted);
    Ok(())
}

/// Two parts with a dropout, by hand.
#[derive(Parameters)]
struct Classifier {
    hidden: Linear,
    dropout: Dropout,
    output: Linear,
}

impl Module for Classifier {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let hidden = self.dropout.forward(&self.hidden.forward(x, mode).relu(), mode);
        self.output.forward(&hidden, mode)
    }
}

#[test]
fn a_struct_trains_as_a_sequential_does_and_a_recorded_step_as_a_plain_one() -> Result<(), Error> {
    let device = cpu();
    let x = device.scope(|| Tensor::from([[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]));
    let labels = device.scope(|| Tensor::from([0i32, 1, 1, 0]));
    let by_hand = device.scope(|| {
        let classifier = Classifier {
            hidden: Linear::new(2, 32)?,
            dropout: Dropout::new(0.1),
            output: Linear::new(32, 2)?,
        };
        Model::new(classifier, [2], &device)
    })?;
    let described = Sequential::new(layers![Dense::new(32).relu(), Dropout::new(0.1), Dense::new(2)]);
    for model in [by_hand, described.build([2], &device)?] {
        let step = TrainingStep::new(&model, losses::cross_entropy, Adam::new(0.02))?;
        let program = device.try_record(&[(&x).into(), (&labels).into()], |inputs| {
            let (loss, predictions) = step.record(&model, &inputs[0], &inputs[1])?;
            Ok(vec![loss, predictions])
        })?;
        for _ in 0..300 {
            program.run(&[&x, &labels])?;
        }
        let (loss, predictions) = step.evaluate(&model, &x, &labels);
        assert!(loss.item::<f32>()? < 0.05, "exclusive or is learnt");
        assert_eq!(predictions.arg_max(1).to_vec::<i32>()?, [0, 1, 1, 0]);
    }
    Ok(())
}

#[test]
fn twenty_steps_in_one_launch_give_the_same_bits() -> Result<(), Error> {
    let mut results = Vec::new();
    for together in [false, true] {
        let device = cpu();
        device.seed(3)?;
        let description = layers![Dense::new(16).relu(), Dropout::new(0.2), Dense::new(2)];
        let model = Sequential::new(description).seed(2).build([3], &device)?;
        let adam = Adam::new(0.05).schedule(Cosine { total: 20, warmup: 4, minimum: 0.0 });
        let step = TrainingStep::new(&model, losses::mean_squared_error, adam)?;
        let [x, y] = batch(&device, 0.1);
        let program = device.try_record(&[(&x).into(), (&y).into()], |inputs| {
            Ok(vec![step.record(&model, &inputs[0], &inputs[1])?.0])
        })?;
        let losses = if together {
            program.repeat(20, &[false, false])?.run(&[&x, &y])?[0].to_vec::<f32>()?
        } else {
            (0..20).map(|_| program.run(&[&x, &y])?[0].item()).collect::<Result<_, _>>()?
        };
        results.push((losses, state(&model, &step)));
    }
    assert_eq!(results[0], results[1]);
    Ok(())
}

/// An optimizer of one's own: steps by the gradient's sign.
struct SignDescent(f64, warploom_nn::schedules::Constant);

impl Optimizer for SignDescent {
    fn name(&self) -> &'static str {
        "sign"
    }

    fn learning_rate(&self) -> f64 {
        self.0
    }

    fn schedule(&self) -> &dyn Schedule {
        &self.1
    }

    fn slots(&self) -> &'static [&'static str] {
        &[]
    }

    fn shared(&self, now: &Moment) -> Vec<Tensor> {
        vec![now.learning_rate.clone()]
    }

    fn update(&self, parameter: &Tensor, gradient: &Tensor, _: &[Tensor], shared: &[Tensor]) -> Update {
        Update { parameter: parameter - &shared[0] * gradient.sign(), slots: Vec::new() }
    }
}

#[test]
fn an_optimizer_of_ones_own_is_a_formula() -> Result<(), Error> {
    cpu().scope(|| {
        let w = Variable::new([1.0f32, -1.0]);
        let updater = Updater::new(SignDescent(0.25, Default::default()), [&w])?;
        let loss = w.value().square().sum_all();
        updater.step(&gradients(&loss, &[&w])?)?;
        assert_eq!(w.value().to_vec::<f32>()?, [0.75, -0.75]);
        Ok(())
    })
}
