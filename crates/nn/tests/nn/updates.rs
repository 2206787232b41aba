//! Clipping, and one update for several batches.

use crate::common::{cpu, null, numbers};
use crate::errors::says;
use warploom_nn::{
    Adam, BatchNormalization, Clipping, Dense, Parameters, RmsProp, Sequential, Sgd, TrainingStep, Updater,
    clipping, layers, losses,
};
use warploom_tensor::{DType, Error, Tensor, Variable};

#[test]
fn clipping_keeps_the_direction_or_each_element() -> Result<(), Error> {
    cpu().scope(|| {
        let gradients = [Tensor::from([3.0f32, -4.0]), Tensor::from([[12.0f64]])];
        assert!((clipping::norm(&gradients)?.item::<f64>()? - 13.0).abs() < 1e-9);
        let clipped = Clipping::Norm(1.3).apply(&gradients)?;
        assert!((clipping::norm(&clipped)?.item::<f64>()? - 1.3).abs() < 1e-6);
        assert!((clipped[1].item::<f64>()? - 1.2).abs() < 1e-6);
        let untouched = Clipping::Norm(14.0).apply(&gradients)?;
        assert_eq!(numbers(&untouched[0]), [3.0, -4.0]);
        let clipped = Clipping::Value(3.5).apply(&gradients)?;
        assert_eq!((numbers(&clipped[0]), clipped[1].item::<f64>()?), (vec![3.0, -3.5], 3.5));
        for bound in [0.0, -1.0, f64::NAN] {
            says(Clipping::Norm(bound).apply(&gradients), &["clip", "above 0"]);
        }
        says(clipping::norm(&[]), &["at least one"]);
        Ok(())
    })
}

#[test]
fn an_update_comes_with_the_last_micro_batch_and_not_before() -> Result<(), Error> {
    let device = cpu();
    let layer = Dense::new(1).no_bias().weight(warploom_nn::Initialiser::Ones);
    let model = Sequential::new([layer]).build([1], &device)?;
    let step = TrainingStep::new(&model, losses::mean_squared_error, Sgd::new(0.125))?.accumulate(2)?;
    let weight = || numbers(&model.parameters()[0].value())[0];
    // The loss (w x)² has the gradient 2 w x².
    let run = |x: f32| -> Result<f64, Error> {
        let (x, y) = device.scope(|| (Tensor::from([[x]]), Tensor::from([[0.0f32]])));
        step.record(&model, &x, &y)?.0.item::<f32>()?;
        Ok(weight())
    };
    let skipped = || step.gate().map_or(Ok(0), |gate| gate.skipped().value().item::<u32>());
    assert_eq!(run(1.0)?, 1.0);
    assert_eq!(run(2.0)?, 1.0 - 0.125 * (2.0 + 8.0) / 2.0);
    // One of two is not finite: the update they are part of does not happen, the next does.
    let before = weight();
    run(f32::NAN)?;
    assert_eq!((run(1.0)?, skipped()?), (before, 1));
    run(1.0)?;
    assert_eq!((run(1.0)?, skipped()?), (before * 0.75, 1));
    assert_eq!(step.updater().step_count().value().item::<u32>()?, 2);
    let names: Vec<String> = step.state().into_iter().map(|v| v.name).collect();
    let wanted =
        "sgd.step sgd.learning_rate gate.skipped accumulated.count accumulated.loss accumulated.0.weight";
    assert_eq!(names.join(" "), wanted);
    says(
        TrainingStep::new(&model, losses::mean_squared_error, Sgd::new(0.1))?.accumulate(0).map(|_| ()),
        &["found 0"],
    );
    Ok(())
}

#[test]
fn sums_move_with_the_model() -> Result<(), Error> {
    let (here, there) = (cpu(), cpu());
    let mut ends = Vec::new();
    for moves in [false, true] {
        let mut model = Sequential::new(layers![Dense::new(3), BatchNormalization::new(), Dense::new(1)])
            .seed(1)
            .build([2], &here)?;
        let mut step = TrainingStep::new(&model, losses::mean_squared_error, Adam::new(0.1))?
            .clip(Clipping::Norm(1.0))
            .accumulate(2)?;
        for round in 0..4 {
            if moves && round == 1 {
                model.to(&there)?;
                step.move_to(&model, &there)?;
            }
            let (x, y) = model.device().scope(|| {
                let x = Tensor::from([[1.0f32, round as f32], [0.5, -1.0], [2.0, 0.0]]);
                (x, Tensor::from([[1.0f32], [0.0], [2.0]]))
            });
            step.record(&model, &x, &y)?.0.item::<f32>()?;
        }
        let all = model.named_variables().into_iter().chain(step.state());
        ends.push(all.map(|v| v.variable.value().to_bytes()).collect::<Result<Vec<_>, _>>()?);
    }
    assert_eq!(ends[0], ends[1]);
    Ok(())
}

#[test]
fn optimizers_refuse_numbers_they_cannot_compute_with() {
    null().scope(|| {
        let w = Variable::new(Tensor::zeros(&[3], DType::F32)).named("w");
        let refused = |optimizer: Box<dyn warploom_nn::Optimizer>, parts: &[&str]| {
            says(Updater::new(optimizer, [&w]).map(|_| ()), parts);
        };
        refused(Box::new(Adam::new(0.1).betas(0.9, 1.0)), &["adam", "beta2", "found 1"]);
        refused(Box::new(RmsProp::new(0.1).smoothing(-0.5)), &["rmsprop", "smoothing", "-0.5"]);
        let dampened = Sgd::new(0.1).momentum(0.9).nesterov().dampening(0.1);
        refused(Box::new(dampened), &["sgd", "Nesterov", "0.1"]);
    });
}
