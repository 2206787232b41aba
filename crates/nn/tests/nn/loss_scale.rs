//! Dynamic loss scaling against a scaler written out by hand, with the rules of torch.amp.GradScaler.

use crate::common::{cpu, numbers};
use crate::errors::says;
use warploom_nn::{
    Dense, Initialiser, LossScaling, Model, Parameters, Sequential, Sgd, TrainingStep, losses,
};
use warploom_tensor::{Device, Error, Precision, Tensor};

const SCALING: LossScaling = LossScaling { initial: 8.0, growth: 2.0, backoff: 0.5, interval: 3, floor: 1.0 };

fn model(device: &Device) -> Result<Model, Error> {
    let layer = Dense::new(1).no_bias().weight(Initialiser::Ones);
    Sequential::new([layer]).build([1], device)
}

fn step(model: &Model, scaling: LossScaling) -> Result<TrainingStep, Error> {
    TrainingStep::new(model, losses::mean_squared_error, Sgd::new(1e-38))?.scale_loss(scaling)
}

/// A loss of 0 whose gradient is x; scaled it overflows f32 where `scale x` does.
fn run(step: &TrainingStep, model: &Model, x: f32) -> Result<(), Error> {
    let weight = model.parameters()[0].value();
    let x = model.device().scope(|| Tensor::from(x));
    step.update(&((&weight - weight.stop_gradient()).sum([0, 1]) * x))?;
    model.device().sync()
}

fn scale(step: &TrainingStep) -> f32 {
    step.loss_scale().expect("the loss is scaled").scale().value().item().expect("a number")
}

/// Updates that did not happen: for an overflow, and for a number that no scale makes finite.
fn missed(step: &TrainingStep) -> (u32, u32) {
    let left_out = step.loss_scale().expect("the loss is scaled").left_out().value().item();
    let skipped = step.gate().expect("a gate").skipped().value().item();
    (left_out.expect("a count"), skipped.expect("a count"))
}

#[test]
fn the_scale_is_that_of_the_rules() -> Result<(), Error> {
    let model = model(&cpu())?;
    let step = step(&model, SCALING)?;
    let (mut want, mut good, mut missing) = (SCALING.initial, 0, (0, 0));
    let (large, most) = (f32::MAX / 3.0, f32::MAX);
    let gradients = [
        1.0,
        1.0,
        1.0,
        1.0,
        large,
        large,
        1.0,
        1.0,
        large,
        large,
        1.0,
        2.0,
        most,
        most,
        most,
        most,
        1.0,
        f32::NAN,
        f32::INFINITY,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        large,
        1.0,
    ];
    for (i, x) in gradients.into_iter().enumerate() {
        let before = numbers(&model.parameters()[0].value());
        run(&step, &model, x)?;
        let happens = (want * x).is_finite();
        assert_eq!(
            numbers(&model.parameters()[0].value()) != before,
            happens && x.abs() > 1e30,
            "update {i}"
        );
        if happens {
            good += 1;
            if good == SCALING.interval {
                (want, good) = (want * SCALING.growth, 0);
            }
        } else if x.is_finite() && want > SCALING.floor {
            (want, good) = ((want * SCALING.backoff).max(SCALING.floor), 0);
            missing.0 += 1;
        } else {
            missing.1 += 1;
        }
        assert_eq!((scale(&step), missed(&step)), (want, missing), "update {i} by {x}");
    }
    assert!(missing.0 >= 5 && missing.1 == 2, "{missing:?}");
    Ok(())
}

#[test]
fn at_the_floor_an_overflow_is_a_failure() -> Result<(), Error> {
    let model = model(&cpu())?;
    let step = step(&model, LossScaling { initial: 4.0, floor: 2.0, ..SCALING })?;
    for (want, missing) in [(2.0, (1, 0)), (2.0, (1, 1)), (2.0, (1, 2))] {
        run(&step, &model, f32::MAX)?;
        assert_eq!((scale(&step), missed(&step)), (want, missing));
    }
    Ok(())
}

/// An overflow in one micro-batch holds back the update that it is part of, and is counted once.
#[test]
fn micro_batches_share_their_update() -> Result<(), Error> {
    let model = model(&cpu())?;
    let step = step(&model, SCALING)?.accumulate(2)?;
    let weight = || numbers(&model.parameters()[0].value())[0];
    for (x, want, missing, updates) in [
        (1.0, 8.0, (0, 0), 0),
        (1.0, 8.0, (0, 0), 1),
        (f32::MAX, 4.0, (0, 0), 1),
        (1.0, 4.0, (1, 0), 1),
        (1.0, 4.0, (1, 0), 1),
        (f32::NAN, 4.0, (1, 1), 1),
        (1.0, 4.0, (1, 1), 1),
        (1.0, 4.0, (1, 1), 2),
    ] {
        run(&step, &model, x)?;
        assert!(weight().is_finite());
        assert_eq!((scale(&step), missed(&step)), (want, missing), "after {x}");
        assert_eq!(step.updater().step_count().value().item::<u32>()?, updates, "after {x}");
    }
    Ok(())
}

#[test]
fn scale_and_counts_are_state_and_move() -> Result<(), Error> {
    let (here, there) = (cpu(), cpu());
    let mut model = model(&here)?;
    let mut step = step(&model, SCALING)?;
    run(&step, &model, f32::MAX)?;
    run(&step, &model, 1.0)?;
    let names: Vec<String> = step.state().into_iter().map(|v| v.name).collect();
    let wanted = "sgd.step sgd.learning_rate gate.skipped loss_scale.scale loss_scale.good \
                  loss_scale.overflowed loss_scale.left_out";
    assert_eq!(names.join(" "), wanted);
    model.to(&there)?;
    step.move_to(&model, &there)?;
    assert_eq!((scale(&step), missed(&step)), (4.0, (1, 0)));
    run(&step, &model, 1.0)?;
    assert_eq!(scale(&step), 4.0);
    run(&step, &model, 1.0)?;
    assert_eq!(scale(&step), 8.0, "three good updates, one of them before the move");
    Ok(())
}

#[test]
fn what_is_no_scale_is_refused() -> Result<(), Error> {
    let model = model(&cpu())?;
    for wrong in [
        LossScaling { initial: 0.5, ..SCALING },
        LossScaling { floor: 0.0, ..SCALING },
        LossScaling { backoff: f32::NAN, ..SCALING },
        LossScaling { growth: 0.5, ..SCALING },
        LossScaling { interval: 0, ..SCALING },
    ] {
        says(step(&model, wrong).map(|_| ()), &["scale_loss", "0 < floor"]);
    }
    let ungated = TrainingStep::new(&model, losses::mean_squared_error, Sgd::new(0.1))?.ungated();
    says(ungated.scale_loss(SCALING).map(|_| ()), &["no gate"]);
    Ok(())
}

/// In f16 a gradient of 1e-9 is 0; of a scaled loss it is not.
#[test]
fn small_gradients_stay_in_the_range_of_f16() -> Result<(), Error> {
    let mut weights = Vec::new();
    for (precision, scaled) in [(Precision::F32, false), (Precision::F16, false), (Precision::F16, true)] {
        let device = cpu().with_precision(precision)?;
        let layer = Dense::new(3).no_bias().weight(Initialiser::Ones);
        let model = Sequential::new([layer]).build([4], &device)?;
        let step = TrainingStep::new(&model, losses::mean_squared_error, Sgd::new(1e9))?;
        let step = if scaled { step.scale_loss(LossScaling::default())? } else { step };
        let x = device.scope(|| Tensor::from([[0.5f32, 1.0, -1.0, 0.25], [1.5, -0.5, 2.0, 1.0]]));
        let prediction = warploom_nn::Module::forward(&model, &x, warploom_nn::Mode::Train);
        step.update(&(prediction.sum([0, 1]) * 1e-9))?;
        weights.push(numbers(&model.parameters()[0].value()));
    }
    assert!(weights[1].iter().all(|w| *w == 1.0), "the gradient is lost: {:?}", weights[1]);
    for (got, want) in weights[2].iter().zip(&weights[0]) {
        assert!((got - want).abs() < 2e-3 && (want - 1.0).abs() > 0.4, "{got} is not {want}");
    }
    Ok(())
}
