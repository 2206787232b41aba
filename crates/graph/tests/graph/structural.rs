//! The value of each structural op, against expectations written by hand.
#![allow(clippy::cloned_ref_to_slice_refs)] // one operand is written as several are

use crate::common::{
    apply, array, build, contract, counting, dims, f64s, i32s, indices, random, reduce, run, slice,
};
use std::sync::Arc;
use warploom_graph::elementwise::ElementwiseMethods;
use warploom_graph::interpret::{Array, Rounding, interpret};
use warploom_graph::shape::each_index;
use warploom_graph::{
    CallGradient, ConvolveAxes, DType, Elementwise, Expr, Graph, Literal, Op, Reduction, ScatterKind,
    SpatialWindow, Type, philox,
};

/// The single result of one op.
fn one(op: Op, inputs: &[Array]) -> Array {
    apply(op, inputs).remove(0)
}

fn numbers(op: Op, inputs: &[Array]) -> Vec<f64> {
    one(op, inputs).to_f64()
}

fn typed(dtype: DType, numbers: &[f64]) -> Array {
    Array::new(Type::new(dtype, &[numbers.len()]), numbers.iter().copied())
}

#[test]
fn sources() {
    let fill = |dtype, x| numbers(Op::Fill { value: Literal::new(dtype, x), shape: dims(&[2]) }, &[]);
    assert_eq!(fill(DType::F32, 0.1), [0.1f32 as f64; 2]);
    assert_eq!(fill(DType::U32, -1.0), [u32::MAX as f64; 2]);
    let iota = |axis| numbers(Op::Iota { dtype: DType::I32, shape: dims(&[2, 3]), axis }, &[]);
    assert_eq!(iota(0), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert_eq!(iota(1), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
}

#[test]
fn random_bits_are_philox() {
    let word = |x: u32| Array::new(Type::scalar(DType::U32), [x as f64]);
    let seed = Array::new(Type::new(DType::U32, &[2]), [3.0, 4_000_000_000.0]);
    let found = numbers(Op::Random { stream: 9, shape: dims(&[2, 3]) }, &[seed, word(5), word(6)]);
    let want: Vec<f64> =
        (0..2).flat_map(|quad| philox::quad([3, 4_000_000_000], 9, 5, 6, quad)).map(f64::from).collect();
    assert_eq!(found, want[..6]);
}

#[test]
fn views() {
    let x = counting(&[2, 3]);
    assert_eq!(one(Op::Reshape(dims(&[3, 2])), &[x.clone()]), counting(&[3, 2]));
    assert_eq!(
        one(Op::Permute(dims(&[1, 0])), &[x.clone()]),
        array(&[3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0])
    );
    let rotated = one(Op::Permute(dims(&[2, 0, 1])), &[counting(&[2, 3, 4])]);
    assert_eq!(rotated.ty.shape[..], [4, 2, 3]);
    assert_eq!(rotated.to_f64()[..4], [1.0, 5.0, 9.0, 13.0]);
    let column = array(&[2, 1], &[7.0, 8.0]);
    assert_eq!(numbers(Op::Expand(dims(&[2, 3])), &[column]), [7.0, 7.0, 7.0, 8.0, 8.0, 8.0]);
    assert_eq!(numbers(Op::Expand(dims(&[0])), &[array(&[1], &[7.0])]), []);
}

#[test]
fn slices_pads_and_joins() {
    let x = counting(&[7]);
    let cut = |start, size, step| numbers(slice(&[start], &[size], &[step]), &[x.clone()]);
    assert_eq!(cut(1, 3, 1), [2.0, 3.0, 4.0]);
    assert_eq!(cut(1, 3, 2), [2.0, 4.0, 6.0]);
    assert_eq!(cut(6, 7, -1), [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    assert_eq!(cut(6, 3, -3), [7.0, 4.0, 1.0]);
    assert_eq!(cut(7, 0, 1), []);
    let plane = counting(&[2, 3]);
    assert_eq!(numbers(slice(&[1, 2], &[2, 2], &[-1, -2]), &[plane.clone()]), [6.0, 4.0, 3.0, 1.0]);
    let padded = one(Op::Pad { low: dims(&[1, 0]), high: dims(&[0, 2]) }, &[plane.clone()]);
    assert_eq!(padded, array(&[3, 5], &[0., 0., 0., 0., 0., 1., 2., 3., 0., 0., 4., 5., 6., 0., 0.]));
    let joined = one(Op::Concat(1), &[plane, array(&[2, 0], &[]), array(&[2, 1], &[8.0, 9.0])]);
    assert_eq!(joined, array(&[2, 4], &[1., 2., 3., 8., 4., 5., 6., 9.]));
}

#[test]
fn reductions() {
    let x = array(&[2, 3], &[1.0, 5.0, 5.0, -2.0, -7.0, -2.0]);
    let of = |kind, axes: &[usize]| numbers(reduce(kind, axes), &[x.clone()]);
    assert_eq!(of(Reduction::Sum, &[0]), [-1.0, -2.0, 3.0]);
    assert_eq!(of(Reduction::Sum, &[1]), [11.0, -11.0]);
    assert_eq!(of(Reduction::Sum, &[0, 1]), [0.0]);
    assert_eq!(of(Reduction::Sum, &[]), x.to_f64());
    assert_eq!(of(Reduction::Max, &[1]), [5.0, -2.0]);
    assert_eq!(of(Reduction::Min, &[0, 1]), [-7.0]);
    assert_eq!(of(Reduction::ArgMax, &[1]), [1.0, 0.0]);
    assert_eq!(of(Reduction::ArgMax, &[0]), [0.0, 0.0, 0.0]);
    let nan = array(&[4], &[1.0, f64::NAN, 9.0, f64::NAN]);
    assert!(numbers(reduce(Reduction::Max, &[0]), &[nan.clone()])[0].is_nan());
    assert!(numbers(reduce(Reduction::Min, &[0]), &[nan.clone()])[0].is_nan());
    assert_eq!(numbers(reduce(Reduction::ArgMax, &[0]), &[nan]), [1.0]);
    let low = array(&[2], &[f64::NEG_INFINITY; 2]);
    assert_eq!(numbers(reduce(Reduction::ArgMax, &[0]), &[low]), [0.0]);
    assert_eq!(numbers(reduce(Reduction::Sum, &[0]), &[array(&[0, 2], &[])]), [0.0, 0.0]);
}

#[test]
fn whole_numbers_are_exact() {
    let most = typed(DType::U32, &[u32::MAX as f64; 3]);
    assert_eq!(numbers(reduce(Reduction::Sum, &[0]), &[most.clone()]), [u32::MAX as f64 - 2.0]);
    let square = one(Op::Elementwise(Elementwise::SQUARE), &[most.clone()]);
    assert_eq!(square.to_f64(), [1.0; 3]);
    assert_eq!(numbers(contract(&[], &[(0, 0)]), &[most.clone(), most]), [3.0]);
    // The exact sum is above 2^53: an f64 loses its low bits.
    let count = (1 << 21) + 3;
    let many = Array::new(Type::new(DType::U32, &[count]), std::iter::repeat_n(u32::MAX as f64, count));
    let sum = numbers(reduce(Reduction::Sum, &[0]), &[many])[0];
    assert_eq!(sum, (count as u64 * u32::MAX as u64) as u32 as f64);
    let lowest = typed(DType::I32, &[i32::MIN as f64]);
    assert_eq!(numbers(Op::Elementwise(Elementwise::ABS), &[lowest.clone()]), [i32::MIN as f64]);
    let minus = typed(DType::I32, &[-1.0]);
    assert_eq!(numbers(Op::Elementwise(Elementwise::DIV), &[lowest, minus]), [i32::MIN as f64]);
    let u8s = typed(DType::U8, &[250.0, 3.0]);
    let ups = typed(DType::U8, &[10.0, 10.0]);
    let add = Op::Scatter { kind: ScatterKind::Add, axis: 0 };
    assert_eq!(numbers(add, &[u8s, indices(&[2], &[0, 0]), ups]), [14.0, 3.0], "u8 wraps");
}

/// The definition of a general dot product, by index arithmetic alone: batch (axis 2 of lhs, 0 of rhs), two summed pairs.
#[test]
fn windows() {
    let unfold = |size, step, dilation| Op::Unfold { axis: 0, size, step, dilation };
    let x = counting(&[7]);
    assert_eq!(
        one(unfold(3, 2, 1), &[x.clone()]),
        array(&[3, 3], &[1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 5.0, 6.0, 7.0])
    );
    assert_eq!(one(unfold(2, 3, 2), &[x.clone()]), array(&[2, 2], &[1.0, 3.0, 4.0, 6.0]));
    assert_eq!(one(unfold(7, 1, 1), &[x]), counting(&[1, 7]));
}

/// Expected values by PyTorch: `conv2d(x, w, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)`, and
/// `conv_transpose1d(x, w, stride=2, padding=1, output_padding=1)` as the convolution that it is.
#[test]
fn convolutions() {
    let plain = SpatialWindow::PLAIN;
    let rows = SpatialWindow { stride: 2, low: 1, high: 1, ..plain };
    let columns = SpatialWindow { kernel_dilation: 2, ..plain };
    let op = Op::Convolve(ConvolveAxes::new(2, &[rows, columns]));
    let weights: Vec<f64> = (0..16).map(|i| i as f64 - 7.0).collect();
    let y = one(op, &[counting(&[1, 4, 3, 4]), array(&[2, 2, 2, 2], &weights)]);
    let want = [-30.0, -40.0, -276.0, -304.0, 754.0, 776.0, 1484.0, 1520.0];
    assert_eq!(y, array(&[1, 2, 2, 2], &want));

    let window = SpatialWindow { low: 1, high: 2, input_dilation: 2, ..plain };
    let op = Op::Convolve(ConvolveAxes::new(1, &[window]));
    // PyTorch's weights [in, out, 3] of -5, -4, … 6, with in and out exchanged and the last axis mirrored.
    let turned = [-3.0, -4.0, -5.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0, 6.0, 5.0, 4.0];
    let y = one(op, &[counting(&[1, 2, 3]), array(&[2, 2, 3], &turned)]);
    let want = [4.0, 4.0, 2.0, 0.0, 0.0, 9.0, 19.0, 40.0, 23.0, 48.0, 27.0, 36.0];
    assert_eq!(y, array(&[1, 2, 6], &want));
}

#[test]
fn contractions() {
    let product = one(contract(&[], &[(1, 0)]), &[counting(&[2, 2]), counting(&[2, 2])]);
    assert_eq!(product, array(&[2, 2], &[7.0, 10.0, 15.0, 22.0]));
    let outer = one(contract(&[], &[]), &[counting(&[2]), counting(&[3])]);
    assert_eq!(outer, array(&[2, 3], &[1.0, 2.0, 3.0, 2.0, 4.0, 6.0]));
    let (lhs, rhs) = (random(1, &[3, 4, 2, 5]), random(2, &[2, 6, 5, 3]));
    let found = one(contract(&[(2, 0)], &[(0, 3), (3, 2)]), &[lhs.clone(), rhs.clone()]);
    assert_eq!(found.ty, f64s(&[2, 4, 6]));
    let (l, r) = (lhs.to_f64(), rhs.to_f64());
    let mut want = Vec::new();
    each_index(&[2, 4, 6], |at| {
        let [b, i, j] = [at[0], at[1], at[2]];
        let terms = (0..3).flat_map(|p| (0..5).map(move |q| (p, q)));
        want.push(
            terms
                .map(|(p, q)| l[((p * 4 + i) * 2 + b) * 5 + q] * r[((b * 6 + j) * 5 + q) * 3 + p])
                .sum::<f64>(),
        );
    });
    assert!(found.to_f64().iter().zip(&want).all(|(f, w)| (f - w).abs() < 1e-12));
    let empty = one(contract(&[], &[(1, 0)]), &[array(&[2, 0], &[]), array(&[0, 2], &[])]);
    assert_eq!(empty, array(&[2, 2], &[0.0; 4]));
}

#[test]
fn gathers_and_scatters() {
    let x = counting(&[3, 2]);
    let picked = one(Op::Gather { axis: 0 }, &[x.clone(), indices(&[2, 2], &[2, 0, 0, 1])]);
    assert_eq!(picked, array(&[2, 2, 2], &[5.0, 6.0, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0]));
    let columns = one(Op::Gather { axis: 1 }, &[x.clone(), indices(&[], &[1])]);
    assert_eq!(columns, array(&[3], &[2.0, 4.0, 6.0]));
    let scatter = |kind| {
        let updates = array(&[3, 2], &[10.0, -20.0, 1.0, f64::NAN, 3.0, 40.0]);
        numbers(Op::Scatter { kind, axis: 0 }, &[x.clone(), indices(&[3], &[1, 0, 1]), updates])
    };
    assert_eq!(scatter(ScatterKind::Set)[2..], [3.0, 40.0, 5.0, 6.0], "the last duplicate stays");
    assert_eq!(scatter(ScatterKind::Add)[2..], [16.0, 24.0, 5.0, 6.0]);
    assert_eq!(scatter(ScatterKind::Max)[2..], [10.0, 40.0, 5.0, 6.0]);
    assert!(scatter(ScatterKind::Max)[1].is_nan() && scatter(ScatterKind::Set)[0] == 1.0);
    for bad in [-1, 3] {
        let graph = build(&[f64s(&[3, 2]), i32s(&[1])], |builder, p| {
            vec![builder.apply(Op::Gather { axis: 0 }, &[p[0].value(), p[1].value()])]
        });
        let error =
            interpret(&graph, &[x.clone(), indices(&[1], &[bad])], Rounding::Exact).unwrap_err().to_string();
        assert!(error.contains(&format!("{bad} is out of range: axis 0 has 3 elements")), "{error}");
        assert!(error.contains("common.rs:"), "{error}");
    }
}

#[test]
fn casts() {
    let cast = |dtype, numbers: &[f64]| one(Op::Cast(dtype), &[typed(DType::F64, numbers)]).to_f64();
    let hard = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.9, 300.7, 3e9, -0.0];
    assert_eq!(cast(DType::U8, &hard), [0.0, 255.0, 0.0, 0.0, 255.0, 255.0, 0.0]);
    assert_eq!(
        cast(DType::I32, &hard),
        [0.0, i32::MAX as f64, i32::MIN as f64, -1.0, 300.0, i32::MAX as f64, 0.0]
    );
    assert_eq!(cast(DType::U32, &hard), [0.0, u32::MAX as f64, 0.0, 0.0, 300.0, 3e9, 0.0]);
    assert_eq!(cast(DType::Bool, &hard), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    // Just above a tie of f16, by less than f32 sees.
    assert_eq!(cast(DType::F16, &[1.0 + 2f64.powi(-11) + 2f64.powi(-40)]), [1.0 + 2f64.powi(-10)]);
    let wrapped = |to, from: &Array| one(Op::Cast(to), &[from.clone()]).to_f64();
    let whole = typed(DType::I32, &[-1.0, 257.0, 0.0]);
    assert_eq!(wrapped(DType::U32, &whole), [u32::MAX as f64, 257.0, 0.0]);
    assert_eq!(wrapped(DType::U8, &whole), [255.0, 1.0, 0.0]);
    assert_eq!(wrapped(DType::Bool, &whole), [1.0, 1.0, 0.0]);
    assert_eq!(wrapped(DType::F64, &whole), [-1.0, 257.0, 0.0]);
}

#[test]
fn rounding_is_modelled() {
    let x = typed(DType::F32, &[16777216.0]);
    let graph = build(&[x.ty.clone()], |_, p| vec![p[0] + 1.0 - 16777216.0]);
    let with = |rounding| interpret(&graph, &[x.clone()], rounding).unwrap()[0].to_f64()[0];
    assert_eq!(with(Rounding::Exact), 1.0);
    assert_eq!(with(Rounding::EachOp), 0.0);
    let half = build(&[Type::new(DType::F16, &[1])], |_, p| vec![p[0] + 1.0]);
    assert_eq!(run(&half, &[typed(DType::F16, &[2048.0])])[0].to_f64(), [2048.0]);
}

#[test]
fn identities_and_calls() {
    let x = counting(&[3]);
    assert_eq!(one(Op::StopGradient, &[x.clone()]), x);
    assert_eq!(one(Op::Barrier, &[x.clone()]), x);
    let body = build(&[f64s(&[3]), f64s(&[3])], |_, p| vec![p[0] * p[1], p[0] - p[1]]);
    let call = Op::Call { name: "pair", body: Arc::new(body), gradient: CallGradient::Body, sources: vec![] };
    let found = apply(call, &[x.clone(), array(&[3], &[2.0, 2.0, 2.0])]);
    assert_eq!(found, [array(&[3], &[2.0, 4.0, 6.0]), array(&[3], &[-1.0, 0.0, 1.0])]);
}

/// Sums slices into a carry, returns each partial sum times a captured value, and the iteration.
fn partial_sums() -> Arc<Graph> {
    let types = [Type::scalar(DType::U32), f64s(&[2]), f64s(&[2]), f64s(&[])];
    Arc::new(build(&types, |_, p| {
        let sum = p[1] + p[2];
        vec![sum, sum * p[3].broadcast(&[2]), p[0].cast(DType::I32)]
    }))
}

#[test]
fn scans() {
    let inputs = [array(&[2], &[100.0, 0.0]), counting(&[3, 2]), array(&[], &[2.0])];
    let scan = |reverse| Op::Scan { body: partial_sums(), length: 3, carries: 1, slices: 1, reverse };
    let forward = apply(scan(false), &inputs);
    assert_eq!(forward[0], array(&[2], &[109.0, 12.0]));
    assert_eq!(forward[1], array(&[3, 2], &[202.0, 4.0, 208.0, 12.0, 218.0, 24.0]));
    assert_eq!(forward[2], indices(&[3], &[0, 1, 2]));
    let backward = apply(scan(true), &inputs);
    assert_eq!(backward[0], array(&[2], &[109.0, 12.0]));
    assert_eq!(backward[1], array(&[3, 2], &[218.0, 24.0, 216.0, 20.0, 210.0, 12.0]));
    assert_eq!(backward[2], indices(&[3], &[0, 1, 2]), "the iteration is the position, also in reverse");
    let none = Op::Scan { body: partial_sums(), length: 0, carries: 1, slices: 1, reverse: false };
    let found = apply(none, &[inputs[0].clone(), array(&[0, 2], &[]), inputs[2].clone()]);
    assert_eq!(found[..2], [inputs[0].clone(), array(&[0, 2], &[])]);
}

#[test]
fn arguments_are_checked() {
    let graph = build(&[f64s(&[2])], |_, p| vec![p[0].square()]);
    let fails = |arguments: &[Array]| interpret(&graph, arguments, Rounding::Exact).unwrap_err().to_string();
    assert!(fails(&[]).contains("takes 1 arguments, found 0"));
    assert!(fails(&[counting(&[2]), counting(&[2])]).contains("found 2"));
    assert!(fails(&[counting(&[3])]).contains("parameter 0 is f64[2], found f64[3]"));
}

#[test]
fn expressions_stretch_and_reduce() {
    let graph = build(&[f64s(&[3])], |builder, p| {
        let all = p[0].broadcast(&[2, 3]);
        let same: [Expr; 2] = [p[0].broadcast(&[3]), p[0].reduce(Reduction::Sum, &[])];
        assert!(same.iter().all(|e| e.value() == p[0].value()));
        assert!(builder.fill(&f64s(&[]), 1.0).broadcast(&[4]).is(1.0));
        vec![all.reduce_keep(Reduction::Sum, &[1])]
    });
    assert_eq!(run(&graph, &[counting(&[3])]), [array(&[2, 1], &[6.0, 6.0])]);
}
