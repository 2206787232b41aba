//! The verifier. [`Graph::add`] refuses what does not fit and nodes cannot be changed afterwards, so ill-formed graphs come
//! only from [`Graph::inline`] with arguments that do not fit, from results that do not exist, and from parameters that
//! are too large: a cycle, a call gradient of the wrong signature or an op of the wrong arity cannot be built. Good graphs
//! are verified by every test: each is built by `common::build`.

use crate::common::{build, dims, f64s, i32s, infer};
use std::sync::Arc;
use warploom_graph::verify::verify;
use warploom_graph::{CallGradient, DType, ElementwiseMethods, Graph, Op, Origin, Reduction, Type, Value};

/// `sum(x)` over `f64[3]`.
fn sum() -> Graph {
    build(&[f64s(&[3])], |_, p| vec![p[0].square().reduce(Reduction::Sum, &[0])])
}

/// The value numbered `index`, as another graph names it.
fn value(index: usize) -> Value {
    let mut graph = Graph::new();
    (0..=index).map(|_| graph.parameter(f64s(&[]), Origin::here())).last().expect("one at least")
}

/// `sum` inlined where its parameter is an argument of type `ty`.
fn inlined(ty: Type) -> Graph {
    let mut graph = Graph::new();
    let argument = graph.parameter(ty, Origin::here());
    let results = graph.inline(&sum(), &[argument]);
    graph.set_results(results);
    graph
}

#[track_caller]
fn refused(graph: &Graph, parts: &[&str]) {
    let message = verify(graph).expect_err("an ill-formed graph was accepted").to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn inlining_what_fits_is_accepted() {
    verify(&inlined(f64s(&[3]))).unwrap();
    verify(&Graph::new()).unwrap();
}

#[test]
fn wrong_types_are_refused() {
    // The node's operands fit each other, but make another type than was recorded.
    refused(
        &inlined(f64s(&[4])),
        &["%1 square", "its recorded type is not what its operands make", "common.rs:"],
    );
    refused(&inlined(Type::new(DType::F32, &[3])), &["%1 square", "recorded type"]);
    // The op does not take such operands at all.
    refused(&inlined(Type::new(DType::Bool, &[3])), &["%1 square", "does not take bool"]);
}

#[test]
fn use_before_definition_is_refused() {
    for index in [0, 1, 2, 40] {
        let mut graph = Graph::new();
        let results = graph.inline(&sum(), &[value(index)]);
        graph.set_results(results);
        refused(&graph, &["%0 square", &format!("uses value {index} before it is made")]);
    }
}

#[test]
fn results_must_exist() {
    let mut graph = sum();
    graph.set_results(vec![value(9)]);
    refused(&graph, &["result 9 does not exist"]);
}

#[test]
fn parameters_must_have_a_size() {
    let mut graph = Graph::new();
    graph.parameter(f64s(&[1 << 30, 1 << 30]), Origin::here());
    refused(&graph, &["%0 parameter", "larger than 2^40 elements"]);
}

/// A defect inside a region is found through the ops that hold it.
#[test]
fn regions_are_verified() {
    let bad = || Arc::new(inlined(f64s(&[4])));
    let hold = |op: Op, operands: &[Type]| {
        let mut graph = Graph::new();
        let values: Vec<Value> =
            operands.iter().map(|ty| graph.parameter(ty.clone(), Origin::here())).collect();
        graph.add(op, &values, Origin::here()).unwrap();
        graph
    };
    let call = |body, gradient| Op::Call { name: "held", body, gradient, sources: vec![] };
    refused(&hold(call(bad(), CallGradient::Body), &[f64s(&[4])]), &["%1 square", "recorded type"]);

    let mut scanned = Graph::new();
    scanned.parameter(Type::scalar(DType::U32), Origin::here());
    let carry = scanned.parameter(f64s(&[4]), Origin::here());
    let stacked = scanned.inline(&sum(), &[carry]);
    scanned.set_results([vec![carry], stacked].concat());
    let scan = Op::Scan { body: Arc::new(scanned), length: 2, carries: 1, slices: 0, reverse: false };
    refused(&hold(scan, &[f64s(&[4])]), &["%2 square", "recorded type"]);

    // Takes the input, the output and its cotangent, as it should, and returns an input's cotangent, ill made.
    let mut gradient = Graph::new();
    let x = gradient.parameter(f64s(&[3]), Origin::here());
    gradient.parameter(f64s(&[]), Origin::here());
    let wrong = gradient.parameter(f64s(&[]), Origin::here());
    gradient.inline(&build(&[f64s(&[3])], |_, p| vec![p[0].square()]), &[wrong]);
    gradient.set_results(vec![x]);
    let op = call(Arc::new(sum()), CallGradient::Region(Arc::new(gradient)));
    refused(&hold(op, &[f64s(&[3])]), &["%3 square", "recorded type"]);
}

/// The signature of a call's gradient is part of the call's type rule: such a graph cannot be built.
#[test]
fn wrong_gradient_signatures_cannot_be_recorded() {
    let region = |types: &[Type], result: usize| {
        let region = Arc::new(build(types, |_, p| vec![p[result]]));
        Op::Call {
            name: "sum",
            body: Arc::new(sum()),
            gradient: CallGradient::Region(region),
            sources: vec![],
        }
    };
    let good = [f64s(&[3]), f64s(&[]), f64s(&[])];
    assert!(infer(region(&good, 0), &[f64s(&[3])]).is_ok());
    assert!(infer(region(&good[..2], 0), &[f64s(&[3])]).is_err(), "takes no cotangent");
    assert!(infer(region(&good, 2), &[f64s(&[3])]).is_err(), "returns a cotangent of another type");
    assert!(
        infer(region(&[f64s(&[3]), f64s(&[]), i32s(&[])], 0), &[f64s(&[3])]).is_err(),
        "takes another cotangent"
    );
}

#[test]
fn printed_graphs_number_values_as_errors_do() {
    let graph = build(&[f64s(&[2, 3])], |_, p| vec![p[0].then(Op::Permute(dims(&[1, 0]))).square()]);
    let want = "%0: f64[2, 3] = parameter 0\n%1: f64[3, 2] = permute %0 axes [1, 0]\n%2: f64[3, 2] = square %1\nreturn %2\n";
    assert_eq!(graph.to_string(), want);
}
