//! Compiled programs as text, held against stored ones: a refactoring changes none. `UPDATE_SNAPSHOTS=1 cargo test -p
//! warploom-compile` writes them anew; read the difference before it is committed.

use crate::support::training_step;
use smallvec::smallvec;
use std::path::Path;
use warploom_compile::{Options, Precision, compile};
use warploom_device::null::Null;
use warploom_device::{Capabilities, Target};
use warploom_graph::*;

fn check(name: &str, recording: &Recording) {
    check_in(Precision::F32, name, recording);
}

fn check_in(precision: Precision, name: &str, recording: &Recording) {
    let null = Null::default();
    let null = Null::new(Capabilities { tf32: true, ..null.capabilities().clone() });
    let options = Options { precision, ..Options::default() };
    let compiled = compile(recording, &null, options).expect("the recording compiles");
    let text = format!("{}\n{}", compiled.graph, compiled.program);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).expect("the snapshot is written");
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let differ = text.lines().zip(stored.lines()).position(|(a, b)| a != b);
    let at = differ.unwrap_or(text.lines().count().min(stored.lines().count()));
    let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_string();
    assert!(text == stored, "{name} line {}: {} was {}", at + 1, line(&text), line(&stored));
}

fn stateless(build: impl for<'b> FnOnce(&'b Builder) -> Vec<Expr<'b>>) -> Recording {
    let builder = Builder::new(Graph::new(), Origin::here());
    let results = build(&builder).iter().map(|e| e.value()).collect();
    let mut graph = builder.finish();
    graph.set_results(results);
    Recording::stateless(graph)
}

#[test]
fn a_logistic_unit_trains_in_place() {
    check("logistic", &training_step(100, &[10, 1]).expect("the step records"));
}

#[test]
fn a_network_needs_one_kernel_a_product_or_sum() {
    check("network", &training_step(128, &[784, 512, 10]).expect("the step records"));
}

#[test]
fn factors_are_rounded_and_kept_so_and_what_reaches_state_is_not() {
    let step = training_step(128, &[784, 512, 10]).expect("the step records");
    check_in(Precision::Bf16, "network_bf16", &step);
    check_in(Precision::Tf32, "network_tf32", &step);
    let steps = step.repeat(20, &[true, true], &Origin::here()).expect("the step repeats");
    check_in(Precision::F16, "steps_f16", &steps);
}

/// What the rounds of a scan multiply and did not make is rounded once, outside; what they stack to be multiplied is stacked
/// rounded.
#[test]
fn a_scan_takes_and_gives_rounded_factors() {
    let recording = stateless(|b| {
        let xs = b.parameter(Type::new(DType::F32, &[7, 4, 8]));
        let w = b.parameter(Type::new(DType::F32, &[8, 8]));
        let h = b.parameter(Type::new(DType::F32, &[4, 8]));
        let v = b.parameter(Type::new(DType::F32, &[8, 3]));
        let (mut body, here) = (Graph::new(), Origin::here());
        body.parameter(Type::scalar(DType::U32), here.clone());
        let [h0, x, w0] = [&[4usize, 8][..], &[4, 8], &[8, 8]]
            .map(|shape| body.parameter(Type::new(DType::F32, shape), here.clone()));
        let product = || Op::Contract(ContractAxes { sum: smallvec![(1, 0)], ..ContractAxes::default() });
        let inner = Builder::new(body, here);
        let next = (inner.apply(product(), &[h0, w0]) + inner.apply(product(), &[x, w0])).tanh();
        let results = vec![next.value(), next.exp().value()];
        let mut body = inner.finish();
        body.set_results(results);
        let scan = Op::Scan { body: body.into(), length: 7, carries: 1, slices: 1, reverse: false };
        let made = b.try_add(scan, &[h.value(), xs.value(), w.value()]).expect("the body fits");
        let stacked = b.expr(made[1]).reshape(&[28, 8]);
        vec![b.expr(made[0]), b.apply(product(), &[stacked.value(), v.value()]).tanh()]
    });
    check_in(Precision::Bf16, "scan_bf16", &recording);
}

#[test]
fn many_steps_are_a_loop_over_state_in_place() {
    let step = training_step(10, &[10, 1]).expect("the step records");
    check("steps", &step.repeat(100, &[true, false], &Origin::here()).expect("the step repeats"));
}

#[test]
fn softmax_is_two_reductions_and_a_chain() {
    check(
        "softmax",
        &stateless(|b| {
            let x = b.parameter(Type::new(DType::F32, &[32, 10]));
            let shape = x.ty().shape;
            let e = (x - x.reduce_keep(Reduction::Max, &[1]).broadcast(&shape)).exp();
            vec![e / e.reduce_keep(Reduction::Sum, &[1]).broadcast(&shape)]
        }),
    );
}

#[test]
fn views_are_index_maps() {
    check(
        "views",
        &stateless(|b| {
            let x = b.parameter(Type::new(DType::F32, &[6, 4]));
            let padded = x.permute(&[1, 0]).then(Op::Pad { low: smallvec![1, 0], high: smallvec![0, 2] });
            let reversed = padded.then(Op::Slice {
                starts: smallvec![4, 0],
                sizes: smallvec![5, 4],
                steps: smallvec![-1, 2],
            });
            vec![reversed.exp(), x.reshape(&[3, 8]).reduce(Reduction::Sum, &[0])]
        }),
    );
}

#[test]
fn a_gather_is_a_load_and_its_gradient_a_scatter() {
    check(
        "gather",
        &stateless(|b| {
            let table = b.parameter(Type::new(DType::F32, &[50, 8]));
            let indices = b.parameter(Type::new(DType::I32, &[16]));
            let rows = b.apply(Op::Gather { axis: 0 }, &[table.value(), indices.value()]);
            let loss = rows.square().reduce(Reduction::Sum, &[0, 1]);
            let gradient =
                gradient::gradients(b, loss.value(), &[table.value()]).expect("it is differentiable");
            vec![loss, b.expr(gradient[0].expect("the loss depends on the table"))]
        }),
    );
}

#[test]
fn a_product_wanted_transposed_is_computed_so() {
    check(
        "transposed",
        &stateless(|b| {
            let x = b.parameter(Type::new(DType::F32, &[5, 7]));
            let y = b.parameter(Type::new(DType::F32, &[7, 3]));
            let axes = ContractAxes { sum: smallvec![(1, 0)], ..ContractAxes::default() };
            vec![b.apply(Op::Contract(axes), &[x.value(), y.value()]).permute(&[1, 0]).relu()]
        }),
    );
}

#[test]
fn a_convolution_pooled_and_its_gradients() {
    check(
        "convolution",
        &stateless(|b| {
            let x = b.parameter(Type::new(DType::F32, &[8, 3, 12, 12]));
            let w = b.parameter(Type::new(DType::F32, &[4, 3, 3, 3]));
            let bias = b.parameter(Type::new(DType::F32, &[4]));
            let window = SpatialWindow { low: 1, high: 1, ..SpatialWindow::PLAIN };
            let axes = ConvolveAxes::new(1, &[window, window]);
            let y = b.apply(Op::Convolve(axes), &[x.value(), w.value()]);
            let y = (y + bias.reshape(&[1, 4, 1, 1]).broadcast(&y.ty().shape)).relu();
            let windows = |axis| Op::Unfold { axis, size: 2, step: 2, dilation: 1 };
            let pooled = y.then(windows(3)).then(windows(2)).reduce(Reduction::Max, &[3, 5]);
            let loss = pooled.square().reduce(Reduction::Sum, &[0, 1, 2, 3]);
            let wrt = [x, w, bias].map(|e| e.value());
            let gradients = gradient::gradients(b, loss.value(), &wrt).expect("it is differentiable");
            gradients.into_iter().flatten().map(|v| b.expr(v)).chain([loss]).collect()
        }),
    );
}
