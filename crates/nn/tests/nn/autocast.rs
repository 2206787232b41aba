//! Training in bf16 against PyTorch's autocast; see golden/autocast.py. Both round factors and keep f32 weights, but not at
//! the same places: PyTorch also rounds what lies between, and gradients of weights.

use crate::common::{Golden, cpu, distance, numbers};
use warploom_nn::{AdamW, Dense, Optimizer, Parameters, Sequential, Sgd, TrainingStep, losses};
use warploom_tensor::{Error, Precision, Tensor};

type Loss = fn(&Tensor, &Tensor) -> Tensor;

/// Losses of 20 steps and the parameters after them, by name.
fn trained(precision: Precision, optimizer: &str, loss: &str) -> Result<Vec<(String, Vec<f64>)>, Error> {
    let golden = Golden::new(include_str!("../golden/steps.txt"));
    let device = cpu().with_precision(precision)?;
    let model = Sequential::new([Dense::new(16).tanh(), Dense::new(4)]).build([8], &device)?;
    for found in model.named_variables() {
        let shape = found.variable.shape()?;
        found.variable.assign(&device.scope(|| golden.tensor(&format!("start {}", found.name), &shape)))?;
    }
    let optimizer: Box<dyn Optimizer> = match optimizer {
        "momentum" => Box::new(Sgd::new(0.05).momentum(0.9)),
        _ => Box::new(AdamW::new(0.01)),
    };
    let of: Loss = if loss == "mse" { losses::mean_squared_error } else { losses::cross_entropy };
    let step = TrainingStep::new(&model, of, optimizer)?;
    let [x, target] = device.scope(|| {
        let target = golden.get(&format!("target {loss}"));
        let labels = || Tensor::from(target.iter().map(|x| *x as i32).collect::<Vec<i32>>());
        let numbers = || golden.tensor("target mse", &[6, 4]);
        [golden.tensor("x", &[6, 8]), if loss == "mse" { numbers() } else { labels() }]
    });
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(f64::from(step.record(&model, &x, &target)?.0.item::<f32>()?));
    }
    let parameters = model.named_variables().into_iter().map(|v| (v.name, numbers(&v.variable.value())));
    Ok(std::iter::once(("loss".to_owned(), seen)).chain(parameters).collect())
}

#[test]
fn twenty_steps_in_bf16_are_near_those_of_autocast() -> Result<(), Error> {
    let golden = Golden::new(include_str!("../golden/autocast.txt"));
    for optimizer in ["momentum", "adamw"] {
        for loss in ["mse", "cross_entropy"] {
            let [narrow, plain] =
                [Precision::Bf16, Precision::F32].map(|precision| trained(precision, optimizer, loss));
            for ((name, got), (_, plain)) in narrow?.into_iter().zip(plain?) {
                let want = golden.get(&format!("{optimizer} {loss} {name}"));
                let apart = distance(&got, want);
                println!("{optimizer} {loss} {name}: {apart:.1e}, f32 {:.1e}", distance(&plain, want));
                assert!(apart < 1e-2, "{optimizer} {loss} {name}: {apart:e}");
                assert!(got != plain, "bf16 rounds nothing");
            }
        }
    }
    Ok(())
}
