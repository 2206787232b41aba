//! What cannot be, and how it is said.

use crate::common::{cpu, null};
use warploom_nn::{
    Adam, Dense, Dropout, Flatten, Linear, Mode, Module, Parameters, Sequential, Sgd, TrainingStep, Updater,
};
use warploom_nn::{layers, losses};
use warploom_tensor::{DType, Error, Tensor, Variable};

/// The error's text, which must contain all of `parts`.
#[track_caller]
pub fn says<T>(result: Result<T, Error>, parts: &[&str]) {
    let text = result.err().expect("an error").to_string();
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32)
}

#[test]
fn losses_never_broadcast() {
    null().scope(|| {
        let (wide, narrow) = (zeros(&[100, 10]), zeros(&[100, 1]));
        type Loss = fn(&Tensor, &Tensor) -> Tensor;
        let all: [(&str, Loss); 7] = [
            ("mean_squared_error", losses::mean_squared_error),
            ("mean_absolute_error", losses::mean_absolute_error),
            ("binary_cross_entropy_with_logits", losses::binary_cross_entropy_with_logits),
            ("huber", |p, t| losses::huber(p, t, 1.0)),
            ("smooth_l1", |p, t| losses::smooth_l1(p, t, 1.0)),
            ("kullback_leibler_divergence", losses::kullback_leibler_divergence),
            ("hinge", losses::hinge),
        ];
        for (name, loss) in all {
            says(loss(&wide, &narrow).shape(), &[name, "[100, 10]", "[100, 1]", "one unit"]);
            says(loss(&narrow, &zeros(&[100])).shape(), &[name, "reshape the target to [100, 1]"]);
        }
        says(losses::mean_squared_error(&wide, &narrow).shape(), &[&format!("errors.rs:{}", line!())]);

        let layer = Linear::new(3, 10).expect("a layer");
        let step = TrainingStep::new(&layer, losses::mean_squared_error, Sgd::new(0.1)).expect("a step");
        let x = zeros(&[100, 3]);
        says(step.record(&layer, &x, &narrow), &["[100, 10]", "[100, 1]", &format!("errors.rs:{}", line!())]);
    });
}

#[test]
fn cross_entropy_says_what_labels_it_takes() {
    null().scope(|| {
        let logits = zeros(&[6, 4]);
        let whole = |shape: &[usize]| Tensor::zeros(shape, DType::I32);
        let loss = |labels: &Tensor| losses::cross_entropy(&logits, labels).shape();
        says(loss(&whole(&[6, 1])), &["[6, 4]", "[6, 1]", "squeeze(1)"]);
        says(loss(&whole(&[6, 4])), &["[6, 4] and [6, 4]", "arg_max(1)"]);
        says(loss(&whole(&[5])), &["[6, 4] and [5]"]);
        says(loss(&zeros(&[6])), &["f32", "cast them to i32"]);
        assert!(loss(&Tensor::zeros(&[6], DType::U8)).is_ok());
        let labels = whole(&[6]);
        says(
            losses::negative_log_likelihood(&logits, &whole(&[5])).shape(),
            &["negative_log", "[6, 4] and [5]"],
        );
        let with = |smoothing, weights: Option<&Tensor>| {
            losses::cross_entropy_with(&logits, &labels, smoothing, weights).shape()
        };
        says(with(1.5, None), &["cross_entropy_with", "0 to 1", "1.5"]);
        says(with(0.0, Some(&zeros(&[3]))), &["weights [4]", "[3]"]);
        says(losses::huber(&logits, &logits, 0.0).shape(), &["huber", "delta above 0"]);
        says(losses::smooth_l1(&logits, &logits, f64::NAN).shape(), &["smooth_l1", "beta above 0", "NaN"]);
    });
}

#[test]
fn a_label_out_of_range_is_an_error_when_it_runs() {
    cpu().scope(|| {
        let loss = losses::cross_entropy(&zeros(&[2, 3]), &Tensor::from([0i32, 3]));
        says(loss.item::<f32>(), &["3"]);
    });
}

#[test]
fn a_layer_that_does_not_fit_names_its_path_and_the_users_line() {
    let model = Sequential::new([Dense::new(4).relu(), Dense::new(1)]).build([10], null()).expect("a model");
    let x = model.device().scope(|| zeros(&[5, 9]));
    let line = line!() + 1;
    let y = model.forward(&x, Mode::Train);
    says(y.shape(), &["linear", "[batch, …, 10]", "[5, 9]", &format!("errors.rs:{line} (in 0)")]);

    #[derive(Parameters)]
    struct Encoder {
        first: Linear,
        stages: Vec<Linear>,
    }
    null().scope(|| {
        let layer = |inputs, outputs| Linear::new(inputs, outputs).expect("a layer");
        let encoder = Encoder { first: layer(3, 4), stages: vec![layer(4, 5), layer(4, 5)] };
        encoder.parameters();
        let y = encoder.first.forward(&zeros(&[1, 3]), Mode::Train);
        let line = line!() + 1;
        let y = encoder.stages[1].forward(&encoder.stages[0].forward(&y, Mode::Train), Mode::Train);
        says(y.shape(), &["takes", "[1, 5]", &format!("errors.rs:{line} (in stages.1)")]);
    });
}

#[test]
fn shapes_that_cannot_be_built_are_refused() {
    let scalars: [i32; 0] = [];
    says(
        Sequential::new([Dense::new(7)]).build(scalars, null()),
        &["7 units", "at least one axis", "(in 0)"],
    );
    says(Sequential::new([Dense::new(7)]).build([3, 0], null()), &["[3, 0]"]);
    says(Sequential::new([Dense::new(7)]).build([-1], null()), &["[-1]"]);
    let model =
        Sequential::new(layers![Flatten::new(), Dense::new(2)]).build([4, 4], null()).expect("a model");
    let other = model.device().scope(|| zeros(&[2, 5, 5]));
    says(model.forward(&other, Mode::Train).shape(), &["16", "[2, 25]", "(in 1)"]);
    let ready = null().scope(|| Linear::new(9, 1).expect("a layer"));
    says(Sequential::new(layers![Dense::new(7), ready]).build([3], null()), &["", "(in 1)"]);
    says(Sequential::new([Dropout::new(1.0)]).build([3], null()), &["[0, 1)", "found 1"]);
    says(Sequential::new([Dense::new(1).dtype(DType::I32)]).build([3], null()), &["weight", "i32"]);
}

#[test]
fn optimizers_refuse_what_they_cannot_change() {
    null().scope(|| {
        let w = Variable::new(zeros(&[3])).named("w");
        let counts = Variable::new(Tensor::from([1i32])).named("counts");
        says(Updater::new(Adam::new(0.1), [&w, &counts]).map(|_| ()), &["adam", "counts", "i32"]);
        says(Updater::new(Sgd::new(0.1), Vec::<Variable>::new()).map(|_| ()), &["sgd", "no parameters"]);
        let updater = Updater::new(Sgd::new(0.1), [&w]).expect("an updater");
        says(updater.step(&[]), &["0 gradients for 1"]);
        says(updater.step(&[zeros(&[4])]), &["[3]", "[4]"]);
    });
}

#[test]
fn a_parameter_that_the_loss_does_not_need_is_named() {
    #[derive(Parameters)]
    struct Half {
        used: Linear,
        forgotten: Linear,
    }
    impl Module for Half {
        fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
            self.used.forward(x, mode)
        }
    }
    null().scope(|| {
        let half = Half {
            used: Linear::new(2, 2).expect("a layer"),
            forgotten: Linear::new(2, 2).expect("a layer"),
        };
        assert_eq!(half.forgotten.weight.name(), None);
        let step = TrainingStep::new(&half, losses::mean_squared_error, Sgd::new(0.1)).expect("a step");
        let x = zeros(&[1, 2]);
        says(step.record(&half, &x, &x), &["forgotten.weight", "does not depend"]);
    });
}
