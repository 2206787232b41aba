//! Metrics and weights against values of scikit-learn and PyTorch (`golden/make.py`).

use std::sync::Arc;
use warploom_cpu::Cpu;
use warploom_data::{Array, Dataset, Targets, Values};
use warploom_nn::{Dense, Initialiser, Model, Parameters, Sequential, Sgd, losses};
use warploom_tensor::{Device, Tensor};
use warploom_train::{Average, Evaluate, Fit, Metric, Scores, Training, metrics};

const CLASSES: usize = 5;

#[rustfmt::skip]
const LOGITS: [f32; 115] = [
    0.0, 0.3, -0.27, -0.89, -0.45, -0.99, 0.06, 1.34, -0.49, -0.62, 0.49, 0.36,
    0.11, -0.93, -0.03, 0.7, -1.34, -0.46, -1.9, -1.29, -1.84, -0.24, -1.27, 0.27,
    0.16, -0.19, -2.52, -0.54, -0.05, 0.11, -1.53, -0.48, -0.98, -0.81, 1.06, -0.81,
    -0.03, 0.88, -0.58, -0.11, 0.11, 0.06, -1.23, 0.08, 1.36, -1.55, 0.86, 0.12,
    -0.64, 2.0, 0.76, -1.2, 0.07, 0.58, -0.19, 0.68, -0.07, 0.67, 1.44, -0.68,
    0.2, -0.46, 0.13, -1.19, -0.58, -0.2, 0.9, 1.15, -1.32, -0.79, 0.65, -1.99,
    -0.46, -0.1, 1.26, 0.69, -0.33, -0.37, -0.25, 1.52, -0.43, -0.3, 0.35, -0.12,
    -0.2, -1.11, -0.01, -0.44, 1.17, 0.65, -0.02, 0.67, -0.34, 1.05, -0.01, 0.58,
    -1.29, 0.35, -1.69, -2.04, -0.3, -0.9, 0.16, 2.24, -0.83, -0.62, 0.21, 0.49,
    -0.18, -0.21, 0.7, 0.52, -1.03, -0.08, 0.04,
];
const LABELS: [i32; 23] = [2, 3, 2, 0, 3, 1, 3, 3, 3, 0, 3, 2, 1, 3, 3, 2, 0, 2, 0, 0, 0, 0, 3];
#[rustfmt::skip]
const PREDICTION: [f32; 23] = [
    -0.69, -0.33, -0.56, 0.01, -0.38, -0.3, -1.38, -0.81, 1.65, -0.67, -1.05, 0.34,
    1.41, -1.45, -0.21, -0.63, -1.76, 0.73, -0.02, 0.07, -0.75, 0.45, -0.54,
];
#[rustfmt::skip]
const TARGET: [f32; 23] = [
    0.85, -1.75, 0.76, -0.85, 0.78, 0.13, -1.54, 1.25, 1.44, -0.07, -0.27, -0.16,
    -0.98, 1.1, -0.54, -0.05, -0.79, -0.63, -1.28, 1.26, -0.15, 0.97, 0.01,
];
#[rustfmt::skip]
const X: [f32; 24] = [
    -0.14, -1.11, -1.22, 1.34, -0.51, 0.29, -0.03, -0.44, -0.51, 0.63, -0.3, -0.15,
    0.02, 1.18, 0.68, 0.38, -0.56, -1.38, 0.95, 0.97, -0.14, 0.54, 0.78, 0.83,
];

fn cpu() -> Device {
    Device::from_executor(Arc::new(Cpu::new(Some(2))))
}

/// A model that passes its input on.
fn identity(
    width: usize,
    device: &Device,
    loss: fn(&Tensor, &Tensor) -> Tensor,
    metrics: Vec<Metric>,
) -> Model {
    let dense = Dense::new(width).weight(Initialiser::Zeros).bias(Initialiser::Zeros);
    let mut model = Sequential::new([dense]).build([width], device).unwrap();
    let unit: Vec<f32> = (0..width * width).map(|i| f32::from(i % (width + 1) == 0)).collect();
    let weight = &model.named_variables()[0].variable;
    weight.assign(&device.scope(|| Tensor::from_slice(&unit, &[width, width]))).unwrap();
    model.compile(Sgd::new(0.1), loss, metrics).unwrap();
    model
}

fn close(scores: &Scores, wanted: &[(&str, f64)]) {
    for (name, value) in wanted {
        assert!((scores[name] - value).abs() < 1e-6, "{name}: {} instead of {value}", scores[name]);
    }
}

#[test]
fn classes_are_scored_as_scikit_learn_does() {
    let device = cpu();
    let mut all = vec![metrics::accuracy(), metrics::top_k_accuracy(2), metrics::top_k_accuracy(3)];
    for (average, name) in
        [(Average::Macro, "macro"), (Average::Micro, "micro"), (Average::Weighted, "weighted")]
    {
        all.push(metrics::precision(average).named(format!("precision_{name}")));
        all.push(metrics::recall(average).named(format!("recall_{name}")));
        all.push(metrics::f1(average).named(format!("f1_{name}")));
    }
    let model = identity(CLASSES, &device, losses::cross_entropy, all);
    let x = device.scope(|| Tensor::from_slice(&LOGITS, &[23, CLASSES]));
    let y = device.scope(|| Tensor::from_slice(&LABELS, &[23]));
    // In one batch, in batches with a smaller last, and one by one.
    for batch in [23, 5, 1] {
        let scores = model.evaluate_with(&x, &y, Evaluate::default().batch(batch)).unwrap();
        close(
            &scores,
            &[
                ("loss", 2.0885651111602783),
                ("accuracy", 0.13043478260869565),
                ("top_2_accuracy", 0.17391304347826086),
                ("top_3_accuracy", 0.5652173913043478),
                ("precision_macro", 0.10666666666666666),
                ("recall_macro", 0.07936507936507936),
                ("f1_macro", 0.09010989010989011),
                ("precision_micro", 0.13043478260869565),
                ("recall_micro", 0.13043478260869565),
                ("f1_micro", 0.13043478260869565),
                ("precision_weighted", 0.1797101449275362),
                ("recall_weighted", 0.13043478260869565),
                ("f1_weighted", 0.1495461060678452),
            ],
        );
        let matrix = scores.confusion_matrix().unwrap();
        let wanted: [[u64; 5]; 5] =
            [[2, 0, 2, 2, 1], [1, 0, 0, 0, 1], [1, 1, 0, 2, 1], [2, 0, 3, 1, 3], [0, 0, 0, 0, 0]];
        assert!(matrix.rows().eq(wanted.iter().map(|row| &row[..])), "{matrix}");
    }
    let three = model.evaluate_with(&x, &y, Evaluate::default().batch(5).steps(2)).unwrap();
    let counted: u64 = three.confusion_matrix().unwrap().rows().flatten().sum();
    assert_eq!(counted, 10, "two steps of five");
}

#[test]
fn regression_and_two_classes() {
    let device = cpu();
    let all = vec![
        metrics::mean_absolute_error(),
        metrics::mean_squared_error(),
        metrics::root_mean_squared_error(),
    ];
    let model = identity(1, &device, losses::mean_squared_error, all);
    let x = device.scope(|| Tensor::from_slice(&PREDICTION, &[23, 1]));
    let y = device.scope(|| Tensor::from_slice(&TARGET, &[23, 1]));
    for batch in [256, 10] {
        let scores = model.evaluate_with(&x, &y, Evaluate::default().batch(batch)).unwrap();
        close(
            &scores,
            &[
                ("mean_absolute_error", 1.0147826054497906),
                ("mean_squared_error", 1.448660874965205),
                ("root_mean_squared_error", 1.2036032880335634),
            ],
        );
    }
    let two = vec![
        metrics::binary_accuracy(0.5),
        metrics::binary_precision(0.5),
        metrics::binary_recall(0.5),
        metrics::binary_f1(0.5),
    ];
    let model = identity(1, &device, losses::mean_squared_error, two);
    let sign: Vec<f32> = TARGET.iter().map(|y| f32::from(*y > 0.0)).collect();
    let y = device.scope(|| Tensor::from_slice(&sign, &[23, 1]));
    let scores = model.evaluate_with(&x, &y, Evaluate::default().batch(4)).unwrap();
    close(
        &scores,
        &[
            ("binary_accuracy", 0.5217391304347826),
            ("precision", 1.0 / 3.0),
            ("recall", 0.1),
            ("f1", 0.15384615384615385),
        ],
    );
}

#[test]
fn top_k_counts_ties_for_the_label_and_no_nan() {
    let device = cpu();
    let model = identity(3, &device, losses::cross_entropy, vec![metrics::top_k_accuracy(2)]);
    let rows = [1.0f32, 1.0, 1.0, 3.0, 2.0, 1.0, 0.0, f32::NAN, 1.0];
    let x = device.scope(|| Tensor::from_slice(&rows, &[3, 3]));
    let y = device.scope(|| Tensor::from_slice(&[2i32, 2, 1], &[3]));
    assert_eq!(model.evaluate(&x, &y).unwrap()["top_2_accuracy"], 1.0 / 3.0);
}

#[test]
fn a_metric_of_classes_needs_classes() {
    let device = cpu();
    let mut model = identity(3, &device, losses::mean_squared_error, vec![metrics::binary_f1(0.5)]);
    let x = device.scope(|| Tensor::from_slice(&[0f32; 6], &[2, 3]));
    let error = model.fit(&x, &x, Fit::epochs(1).quiet()).unwrap_err().to_string();
    assert!(error.contains("shape [1]") && error.contains("[3]"), "{error}");
}

fn each(logits: &Tensor, labels: &Tensor) -> Tensor {
    let classes = logits.shape().unwrap()[1];
    -(logits.log_softmax(1) * labels.one_hot(classes)).sum(1)
}

fn linear(device: &Device, loss: fn(&Tensor, &Tensor) -> Tensor) -> Model {
    let dense = Dense::new(CLASSES).weight(Initialiser::Zeros).no_bias();
    let mut model = Sequential::new([dense]).build([3], device).unwrap();
    let weight: Vec<f32> = vec![0.0; 15];
    let variable = &model.named_variables()[0].variable;
    variable.assign(&device.scope(|| Tensor::from_slice(&weight, &[CLASSES, 3]))).unwrap();
    model.compile(Sgd::new(0.5), loss, []).unwrap();
    model
}

#[test]
fn weights_of_classes_and_examples_give_pytorchs_step() {
    let device = cpu();
    let labels = [0i32, 1, 2, 3, 0, 1, 2, 0];
    let by_class = [0.5, 2.0, 1.0, 4.0, 1.0];
    let by_sample: Vec<f32> = labels.iter().map(|label| by_class[*label as usize] as f32).collect();
    #[rustfmt::skip]
    let wanted = [
        -0.0754999965429306, 0.05637499317526817, 0.05012499913573265, 0.1263750046491623, -0.10393749922513962,
        -0.09518750011920929, -0.031124992296099663, 0.06293750554323196, 0.0004375006246846169,
        0.06887500733137131, -0.04518750682473183, 0.003562496742233634, -0.0886249914765358, 0.02981249801814556,
        0.04106249660253525,
    ];
    let x = device.scope(|| Tensor::from_slice(&X, &[8, 3]));
    let y = device.scope(|| Tensor::from_slice(&labels, &[8]));
    let array = Array::new(Values::F32(X.to_vec()), &[3]).unwrap();
    let data = Dataset::new(array, Targets::numbered_classes(labels.to_vec(), CLASSES).unwrap()).unwrap();
    // A loss of the crate, one that says each example's, and one that hides its mean: taken example by example.
    let hidden: fn(&Tensor, &Tensor) -> Tensor = |p, t| losses::cross_entropy(p, t).mean_all();
    let scans = |loss: fn(&Tensor, &Tensor) -> Tensor| {
        let mut model = linear(&device, loss);
        let fit = Fit::epochs(1).batch(8).sample_weight(&by_sample);
        let (_, step) = model.plan_data(&data, &fit).unwrap();
        let nodes = step.recording().graph.nodes();
        nodes.filter(|(_, node)| node.op.name() == "scan").count()
    };
    assert_eq!([scans(losses::cross_entropy), scans(each)], [0, 0]);
    assert_ne!(scans(hidden), 0);
    for loss in [losses::cross_entropy as fn(&Tensor, &Tensor) -> Tensor, each, hidden] {
        for way in 0..4 {
            let mut model = linear(&device, loss);
            let fit = Fit::epochs(1).batch(8).quiet();
            let classes = by_class.iter().copied().enumerate();
            let history = match way {
                0 => model.fit(&x, &y, fit.class_weight(classes)),
                1 => model.fit(&x, &y, fit.sample_weight(&by_sample)),
                2 => model.fit_data(&data, fit.class_weight(classes)),
                _ => model.fit_data(&data, fit.sample_weight(&by_sample)),
            };
            let history = history.unwrap();
            assert!((history["loss"][0] / 2.3135671615600586 - 1.0).abs() < 1e-6, "{way} {history:?}");
            let found = model.named_variables()[0].variable.value().to_vec::<f32>().unwrap();
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((f64::from(*found) - wanted).abs() < 1e-6, "{way}: {found} instead of {wanted}");
            }
        }
        let model = linear(&device, loss);
        let weighted = Evaluate::default().batch(3).sample_weight(&by_sample);
        let loss = model.evaluate_data_with(&data, weighted).unwrap()["loss"];
        assert!((loss / 2.3135671615600586 - 1.0).abs() < 1e-6, "{loss}");
    }
}

#[test]
fn wrong_weights_are_named() {
    let device = cpu();
    let mut model = linear(&device, losses::cross_entropy);
    let x = device.scope(|| Tensor::from_slice(&X, &[8, 3]));
    let y = device.scope(|| Tensor::from_slice(&[0i32; 8], &[8]));
    let mut error = |fit: Fit<'_>| model.fit(&x, &y, fit.quiet()).unwrap_err().to_string();
    assert!(error(Fit::epochs(1).sample_weight(&[1.0; 7])).contains("7 sample weights for 8 examples"));
    assert!(error(Fit::epochs(1).class_weight([(9, 1.0)])).contains("class 9"));
    assert!(error(Fit::epochs(1).class_weight([(0, -1.0)])).contains("class 0 is -1"));
    let both = Fit::epochs(1).class_weight([(0, 1.0)]).sample_weight(&[1.0; 8]);
    assert!(error(both).contains("exclude each other"));
    assert!(error(Fit::epochs(1).sample_weight(&[f32::NAN; 8])).contains("example 0 is NaN"));
}
