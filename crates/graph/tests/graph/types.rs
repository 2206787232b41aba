//! The type rule of each op: what it makes of operands that fit, and what it says of those that do not.

use crate::common::{build, contract, dims, f64s, i32s, infer, reduce, slice};
use std::sync::Arc;
use warploom_graph::shape::broadcast;
use warploom_graph::{
    CallGradient, DType, Elementwise, Graph, Literal, Op, Origin, Reduction, ScatterKind, Type,
};

/// An op makes one value of type `want`.
#[track_caller]
fn makes(op: Op, operands: &[Type], want: Type) {
    let found = infer(op, operands).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(found, [want]);
}

/// An op is refused, and the message holds each of these parts.
#[track_caller]
fn refuses(op: Op, operands: &[Type], parts: &[&str]) {
    let name = op.name();
    let message = match infer(op, operands) {
        Ok(types) => panic!("{name} made {types:?}"),
        Err(error) => error.to_string(),
    };
    assert!(message.starts_with(name), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

fn typed(dtype: DType, shape: &[usize]) -> Type {
    Type::new(dtype, shape)
}

#[test]
fn sources() {
    let fill = |shape: &[usize]| Op::Fill { value: Literal::new(DType::BF16, 1.0), shape: dims(shape) };
    makes(fill(&[2, 0]), &[], typed(DType::BF16, &[2, 0]));
    refuses(fill(&[2]), &[f64s(&[2])], &["takes 0 operands, found 1"]);
    let iota = |dtype, axis| Op::Iota { dtype, shape: dims(&[2, 3]), axis };
    makes(iota(DType::U32, 1), &[], typed(DType::U32, &[2, 3]));
    refuses(iota(DType::F32, 1), &[], &["counts in i32 or u32, not in f32; cast"]);
    refuses(iota(DType::I32, 2), &[], &["axis 2 of a tensor of rank 2"]);
    let bits = || Op::Random { stream: 0, shape: dims(&[5]) };
    let word = || Type::scalar(DType::U32);
    makes(bits(), &[typed(DType::U32, &[2]), word(), word()], typed(DType::U32, &[5]));
    refuses(
        bits(),
        &[typed(DType::U32, &[2]), word(), i32s(&[])],
        &["seed u32[2], step u32[] and iteration u32[]", "i32[]"],
    );
    refuses(Op::Parameter(0), &[], &["Graph::parameter"]);
}

#[test]
fn elementwise() {
    let op = Op::Elementwise;
    makes(op(Elementwise::ADD), &[f64s(&[2]), f64s(&[2])], f64s(&[2]));
    makes(op(Elementwise::LESS), &[i32s(&[2]), i32s(&[2])], typed(DType::Bool, &[2]));
    makes(op(Elementwise::SELECT), &[typed(DType::Bool, &[2]), i32s(&[2]), i32s(&[2])], i32s(&[2]));
    refuses(op(Elementwise::ADD), &[f64s(&[2, 3]), f64s(&[3])], &["[2, 3]", "[3]", "broadcast"]);
    refuses(op(Elementwise::ADD), &[f64s(&[2])], &["takes 2 operands, found 1"]);
    refuses(op(Elementwise::ADD), &[f64s(&[2]), i32s(&[2])], &["f64", "i32", "cast one"]);
    refuses(op(Elementwise::EXP), &[i32s(&[2])], &["does not take i32; cast it first"]);
    refuses(op(Elementwise::ADD), &[typed(DType::U8, &[1]), typed(DType::U8, &[1])], &["does not take u8"]);
    refuses(
        op(Elementwise::SELECT),
        &[f64s(&[2]), f64s(&[2]), f64s(&[2])],
        &["bool condition, found f64; compare first"],
    );
}

#[test]
fn views() {
    makes(Op::Cast(DType::U8), &[f64s(&[2])], typed(DType::U8, &[2]));
    makes(Op::Reshape(dims(&[3, 2])), &[f64s(&[6])], f64s(&[3, 2]));
    makes(Op::Reshape(dims(&[])), &[f64s(&[1, 1])], f64s(&[]));
    refuses(Op::Reshape(dims(&[4])), &[f64s(&[2, 3])], &["6 elements of shape [2, 3]", "[4], which has 4"]);
    makes(Op::Permute(dims(&[1, 2, 0])), &[f64s(&[2, 3, 4])], f64s(&[3, 4, 2]));
    refuses(Op::Permute(dims(&[0, 0])), &[f64s(&[2, 3])], &["axis 0 is named twice in [0, 0]"]);
    refuses(Op::Permute(dims(&[0])), &[f64s(&[2, 3])], &["names 1 axes of a tensor of rank 2"]);
    refuses(Op::Permute(dims(&[2, 0])), &[f64s(&[2, 3])], &["axis 2 of a tensor of rank 2"]);
    makes(Op::Expand(dims(&[5, 3])), &[f64s(&[1, 3])], f64s(&[5, 3]));
    refuses(Op::Expand(dims(&[5, 4])), &[f64s(&[1, 3])], &["[1, 3]", "[5, 4]", "only extents of 1 stretch"]);
    refuses(Op::Expand(dims(&[5, 3])), &[f64s(&[3])], &["[3]", "[5, 3]", "the rank stays"]);
    for op in [Op::StopGradient, Op::Barrier] {
        makes(op.clone(), &[f64s(&[2])], f64s(&[2]));
        refuses(op, &[], &["takes 1 operands, found 0"]);
    }
}

#[test]
fn slices_pads_and_joins() {
    makes(slice(&[6], &[3], &[-3]), &[f64s(&[7])], f64s(&[3]));
    makes(slice(&[7], &[0], &[1]), &[f64s(&[7])], f64s(&[0]));
    refuses(slice(&[0], &[4], &[2]), &[f64s(&[6])], &["4 elements from 0 by 2", "axis 0, which has 6"]);
    refuses(slice(&[1], &[3], &[-1]), &[f64s(&[6])], &["3 elements from 1 by -1"]);
    refuses(slice(&[8], &[0], &[1]), &[f64s(&[7])], &["0 elements from 8"]);
    refuses(slice(&[0], &[1], &[0]), &[f64s(&[7])], &["the step along axis 0 is 0"]);
    refuses(slice(&[0, 0], &[1], &[1]), &[f64s(&[7])], &["one start, size and step", "[7]"]);
    makes(Op::Pad { low: dims(&[1]), high: dims(&[2]) }, &[f64s(&[0])], f64s(&[3]));
    refuses(Op::Pad { low: dims(&[1]), high: dims(&[2]) }, &[f64s(&[2, 2])], &["each axis of [2, 2]"]);
    makes(Op::Concat(0), &[f64s(&[2, 3]), f64s(&[0, 3]), f64s(&[1, 3])], f64s(&[3, 3]));
    refuses(Op::Concat(0), &[f64s(&[2, 3]), f64s(&[2, 4])], &["f64[2, 3]", "f64[2, 4]", "along axis 0"]);
    refuses(Op::Concat(0), &[f64s(&[2]), i32s(&[2])], &["f64[2]", "i32[2]"]);
    refuses(Op::Concat(1), &[f64s(&[2])], &["axis 1 of a tensor of rank 1"]);
    refuses(Op::Concat(0), &[], &["at least one operand"]);
}

#[test]
fn reductions() {
    makes(reduce(Reduction::Sum, &[0, 2]), &[f64s(&[2, 3, 4])], f64s(&[3]));
    makes(reduce(Reduction::Sum, &[0]), &[f64s(&[0, 3])], f64s(&[3]));
    makes(reduce(Reduction::Max, &[]), &[f64s(&[0, 3])], f64s(&[0, 3]));
    makes(reduce(Reduction::ArgMax, &[1]), &[f64s(&[2, 3])], i32s(&[2]));
    refuses(reduce(Reduction::Sum, &[2, 0]), &[f64s(&[2, 3, 4])], &["[2, 0] must be ascending"]);
    refuses(reduce(Reduction::Sum, &[1, 1]), &[f64s(&[2, 3])], &["distinct"]);
    refuses(reduce(Reduction::Sum, &[2]), &[f64s(&[2, 3])], &["axis 2 of a tensor of rank 2"]);
    refuses(reduce(Reduction::Sum, &[0]), &[typed(DType::Bool, &[2])], &["does not sum bool; cast"]);
    refuses(reduce(Reduction::Max, &[0]), &[f64s(&[0, 3])], &["[0, 3] is empty"]);
    refuses(reduce(Reduction::ArgMax, &[0]), &[f64s(&[0])], &["axis 0 of [0] is empty"]);
    refuses(reduce(Reduction::ArgMax, &[0, 1]), &[f64s(&[2, 3])], &["takes one axis, found [0, 1]"]);
}

#[test]
fn contractions() {
    let operands = [f64s(&[2, 3, 4]), f64s(&[4, 2, 5])];
    makes(contract(&[(0, 1)], &[(2, 0)]), &operands, f64s(&[2, 3, 5]));
    refuses(
        contract(&[], &[(1, 0)]),
        &operands,
        &["[2, 3, 4]", "[4, 2, 5]", "axis 1 of the left has 3", "summed over together"],
    );
    refuses(contract(&[(1, 1)], &[]), &operands, &["kept together"]);
    refuses(contract(&[], &[(3, 0)]), &operands, &["axis 3 of a tensor of rank 3"]);
    refuses(contract(&[(0, 1)], &[(0, 1)]), &operands, &["named twice"]);
    refuses(contract(&[], &[(0, 0)]), &[f64s(&[2]), i32s(&[2])], &["f64 and i32; cast one"]);
    refuses(contract(&[], &[]), &[typed(DType::U8, &[2]), typed(DType::U8, &[2])], &["does not multiply u8"]);
}

#[test]
fn gathers_and_scatters() {
    let gather = Op::Gather { axis: 1 };
    makes(gather.clone(), &[f64s(&[2, 3, 4]), i32s(&[5, 6])], f64s(&[2, 5, 6, 4]));
    refuses(gather.clone(), &[f64s(&[2, 3]), f64s(&[5])], &["indices are f64; cast them to i32"]);
    refuses(gather, &[f64s(&[2]), i32s(&[5])], &["axis 1 of a tensor of rank 1"]);
    let scatter = Op::Scatter { kind: ScatterKind::Add, axis: 0 };
    makes(scatter.clone(), &[f64s(&[4, 2]), i32s(&[3]), f64s(&[3, 2])], f64s(&[4, 2]));
    refuses(
        scatter.clone(),
        &[f64s(&[4, 2]), i32s(&[3]), f64s(&[2, 2])],
        &["f64[2, 2]", "f64[4, 2]", "i32[3]", "f64[3, 2]"],
    );
    let bools = typed(DType::Bool, &[1]);
    refuses(scatter, &[bools.clone(), i32s(&[1]), bools], &["does not combine bool; cast to u8"]);
}

/// Carry `f64[2]`, slice `f64[]`, captured `i32[]`; stacks `f64[2]`.
fn body() -> Arc<Graph> {
    let types = [Type::scalar(DType::U32), f64s(&[2]), f64s(&[]), i32s(&[])];
    Arc::new(build(&types, |_, p| vec![p[1] + p[2].broadcast(&[2]), p[1]]))
}

#[test]
fn scans() {
    let scan = |carries, slices, length| Op::Scan { body: body(), length, carries, slices, reverse: false };
    let operands = [f64s(&[2]), f64s(&[7]), i32s(&[])];
    assert_eq!(infer(scan(1, 1, 7), &operands).unwrap(), [f64s(&[2]), f64s(&[7, 2])]);
    refuses(scan(1, 1, 7), &operands[..2], &["takes 3 operands, found 2"]);
    refuses(scan(1, 1, 8), &operands, &["input 1 is f64[7], the body takes 8 slices of f64[] along axis 0"]);
    refuses(
        scan(1, 1, 7),
        &[f64s(&[3]), f64s(&[7]), i32s(&[])],
        &["input 0 is f64[3], the body takes f64[2]"],
    );
    refuses(
        scan(1, 1, 7),
        &[f64s(&[2]), f64s(&[]), i32s(&[])],
        &["input 1 is f64[], the body takes 7 slices"],
    );
    refuses(scan(3, 1, 7), &operands, &["3 carries and 1 slices are more than its 3 operands"]);
    refuses(scan(usize::MAX, usize::MAX, 7), &operands, &["more than its 3 operands"]);
    refuses(
        scan(3, 0, 7),
        &[f64s(&[2]), f64s(&[]), i32s(&[])],
        &["returns f64[2] for carry 1, which is f64[]"],
    );
    let long = [f64s(&[2]), f64s(&[1 << 33]), i32s(&[])];
    refuses(scan(1, 1, 1 << 33), &long, &["counts iterations in u32"]);
    let other = |types: &[Type]| {
        let body = Arc::new(build(types, |_, p| p.to_vec()));
        Op::Scan { body, length: 1, carries: 0, slices: 0, reverse: false }
    };
    refuses(other(&[]), &[], &["needs an iteration parameter"]);
    refuses(other(&[i32s(&[])]), &[], &["the iteration u32[], not i32[]"]);
    let silent = Arc::new(build(&[Type::scalar(DType::U32)], |_, _| Vec::new()));
    refuses(
        Op::Scan { body: silent, length: 1, carries: 0, slices: 0, reverse: false },
        &[],
        &["returns nothing"],
    );
}

#[test]
fn calls() {
    let inner = || Arc::new(build(&[f64s(&[2]), i32s(&[])], |_, p| vec![p[0] + 1.0, p[0]]));
    let call = |gradient| Op::Call { name: "shift", body: inner(), gradient, sources: vec![] };
    let operands = [f64s(&[2]), i32s(&[])];
    assert_eq!(infer(call(CallGradient::Missing), &operands).unwrap(), [f64s(&[2]), f64s(&[2])]);
    refuses(call(CallGradient::Body), &operands[..1], &["takes 2 operands, found 1"]);
    refuses(
        call(CallGradient::Body),
        &[f64s(&[3]), i32s(&[])],
        &["argument 0 is f64[3], the body takes f64[2]"],
    );
    let region = |types: &[Type], results: &[usize]| {
        CallGradient::Region(Arc::new(build(types, |_, p| results.iter().map(|i| p[*i]).collect())))
    };
    let full = [&operands[..], &[f64s(&[2]), f64s(&[2]), f64s(&[2]), f64s(&[2])]].concat();
    assert!(infer(call(region(&full, &[4, 1])), &operands).is_ok());
    refuses(
        call(region(&full[..4], &[2, 1])),
        &operands,
        &["it must take the inputs, the outputs", "f64[2], i32[], f64[2]"],
    );
    refuses(call(region(&full, &[4])), &operands, &["one cotangent for each input", "(f64[2], i32[])"]);
    let silent = Op::Call {
        name: "silent",
        body: Arc::new(Graph::new()),
        gradient: CallGradient::Missing,
        sources: vec![],
    };
    refuses(silent, &[], &["the body returns nothing"]);
}

/// Values of one graph used in another, where their number shows it, are errors and no panics.
#[test]
fn values_of_other_graphs_are_refused() {
    let mut other = Graph::new();
    let values: Vec<_> = (0..3).map(|_| other.parameter(f64s(&[]), Origin::here())).collect();
    let mut graph = Graph::new();
    graph.parameter(f64s(&[]), Origin::here());
    let error = graph.apply(Op::Barrier, &values[2..], Origin::here()).unwrap_err().to_string();
    assert!(error.contains("barrier: value 2 is of another graph"), "{error}");
    graph.set_results(vec![values[1]]);
    let call =
        Op::Call { name: "lost", body: Arc::new(graph), gradient: CallGradient::Missing, sources: vec![] };
    refuses(call, &[f64s(&[])], &["the region returns value 1, which it does not make"]);
}

#[test]
fn huge_shapes_are_errors() {
    const HUGE: usize = 1 << 60;
    let large = &["larger than 2^40 elements"];
    let square = f64s(&[HUGE, HUGE]);
    assert_eq!((square.elements(), square.bytes()), (usize::MAX, usize::MAX));
    assert_eq!(f64s(&[HUGE, HUGE, 0]).elements(), 0);
    for shape in [&[HUGE][..], &[HUGE, HUGE], &[HUGE, HUGE, 0], &[1 << 20, (1 << 20) + 1], &[usize::MAX, 2]] {
        let fill = Op::Fill { value: Literal::new(DType::F32, 0.0), shape: dims(shape) };
        refuses(fill, &[], large);
        refuses(Op::Barrier, &[f64s(shape)], large);
    }
    makes(Op::Reshape(dims(&[1 << 40])), &[f64s(&[1 << 20, 1 << 20])], f64s(&[1 << 40]));
    refuses(Op::Reshape(dims(&[HUGE, HUGE])), &[f64s(&[4])], &["4 elements of shape [4]", "too many"]);
    refuses(Op::Reshape(dims(&[HUGE, 16, 0])), &[f64s(&[0])], large);
    refuses(Op::Expand(dims(&[HUGE, HUGE])), &[f64s(&[1, 1])], large);
    refuses(Op::Pad { low: dims(&[usize::MAX]), high: dims(&[1]) }, &[f64s(&[1])], &["padding overflows"]);
    refuses(Op::Pad { low: dims(&[HUGE]), high: dims(&[1]) }, &[f64s(&[1])], large);
    refuses(Op::Concat(0), &[f64s(&[1 << 40]), f64s(&[1 << 40])], large);
    refuses(Op::Concat(0), &vec![f64s(&[usize::MAX, 0]); 2], large);
    refuses(contract(&[], &[]), &[f64s(&[1 << 40]), f64s(&[1 << 40])], large);
    refuses(Op::Gather { axis: 0 }, &[f64s(&[2, 1 << 30]), i32s(&[1 << 30])], large);
    refuses(slice(&[usize::MAX], &[usize::MAX], &[isize::MAX]), &[f64s(&[4])], &["do not lie within axis 0"]);
    refuses(slice(&[usize::MAX], &[usize::MAX], &[isize::MIN]), &[f64s(&[4])], &["do not lie within axis 0"]);
    refuses(
        Op::Iota { dtype: DType::I32, shape: dims(&[1 << 32]), axis: 0 },
        &[],
        &["more than 2^31 positions"],
    );
    refuses(reduce(Reduction::ArgMax, &[0]), &[f64s(&[1 << 32])], &["more than 2^31 positions"]);
    let words = [typed(DType::U32, &[2]), typed(DType::U32, &[]), typed(DType::U32, &[])];
    refuses(Op::Random { stream: 0, shape: dims(&[1 << 35]) }, &words, &["at most 2^34 elements"]);
    assert_eq!(broadcast(&[HUGE, 1], &[HUGE]), Some(dims(&[HUGE, HUGE])));
    assert_eq!(broadcast(&[2, 1], &[0]), Some(dims(&[2, 0])));
    assert_eq!(broadcast(&[2], &[3]), None);
}
