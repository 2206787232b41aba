//! How fast a training step is recorded: `cargo run --release -p warploom-graph --example record_rate`.
//!
//! The step is logistic regression on a batch `[100, 10]`: forward, mean squared error, gradients, Adam. Plain code that
//! records the same graph every round pays this much before it finds the compiled program in the cache.

use std::hint::black_box;
use std::time::Instant;
use warploom_graph::gradient::gradients;
use warploom_graph::verify::verify;
use warploom_graph::{
    Builder, ContractAxes, DType, ElementwiseMethods, Error, Expr, Graph, Op, Origin, Reduction, Type,
};

const BATCH: usize = 100;
const FEATURES: usize = 10;

/// Mean squared error of `sigmoid(x w + b)`.
fn loss<'b>(x: Expr<'b>, target: Expr<'b>, weight: Expr<'b>, bias: Expr<'b>) -> Expr<'b> {
    let product =
        Op::Contract(ContractAxes { sum: [(1, 0)].into_iter().collect(), ..ContractAxes::default() });
    let logits = x.builder().apply(product, &[x.value(), weight.value()]) + bias.broadcast(&[BATCH, 1]);
    (logits.sigmoid() - target).square().reduce(Reduction::Sum, &[0, 1]) * (1.0 / BATCH as f64)
}

/// One Adam update (Kingma & Ba, 2015, with bias correction): the new parameter and moments.
fn adam<'b>(
    [parameter, mean, variance]: [Expr<'b>; 3],
    gradient: Expr<'b>,
    rate: Expr<'b>,
    step: Expr<'b>,
) -> [Expr<'b>; 3] {
    let (beta1, beta2) = (0.9, 0.999);
    let shape = parameter.ty().shape;
    let mean = mean * beta1 + gradient * (1.0 - beta1);
    let variance = variance * beta2 + gradient.square() * (1.0 - beta2);
    let corrected =
        |moment: Expr<'b>, beta: f64| moment / (-step.like(beta).pow(&step) + 1.0).broadcast(&shape);
    let change = corrected(mean, beta1) / (corrected(variance, beta2).sqrt() + 1e-8) * rate.broadcast(&shape);
    [parameter - change, mean, variance]
}

/// Records the step; returns the graph and how many nodes the forward pass, with the gradients, took.
fn record() -> Result<(Graph, usize), Error> {
    let builder = Builder::new(Graph::new(), Origin::here());
    let float = |shape: &[usize]| builder.parameter(Type::new(DType::F32, shape));
    let (x, target) = (float(&[BATCH, FEATURES]), float(&[BATCH, 1]));
    let (rate, step) = (float(&[]), float(&[]));
    let states = [[FEATURES, 1].as_slice(), &[1]].map(|shape| [float(shape), float(shape), float(shape)]);
    let loss = loss(x, target, states[0][0], states[1][0]);
    let wrt = states.map(|s| s[0].value());
    let found = gradients(&builder, loss.value(), &wrt)?;
    let with_gradients = builder.with(Graph::len);
    let mut results = vec![loss.value()];
    for (state, gradient) in states.into_iter().zip(found.into_iter().flatten()) {
        results.extend(adam(state, builder.expr(gradient), rate, step).map(Expr::value));
    }
    let mut graph = builder.finish();
    graph.set_results(results);
    Ok((graph, with_gradients))
}

/// Median nanoseconds of one call.
fn time(mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..2000)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_nanos() as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn main() -> Result<(), Error> {
    let (graph, with_gradients) = record()?;
    verify(&graph)?;
    let record = time(|| drop(black_box(record())));
    let check = time(|| drop(black_box(verify(&graph))));
    let copy = time(|| drop(black_box(graph.clone())));
    let nodes = graph.len() as f64;
    println!("{nodes} nodes, {with_gradients} of them forward and backward");
    println!("record {:8.2} us, {:6.1} ns per node", record / 1e3, record / nodes);
    println!("verify {:8.2} us, {:6.1} ns per node", check / 1e3, check / nodes);
    println!("clone  {:8.2} us, {:6.1} ns per node", copy / 1e3, copy / nodes);
    Ok(())
}
