//! Single ops as programs: every elementwise op, every cast, products of many shapes.

use crate::run::Case;
use smallvec::smallvec;
use warploom_graph::convolve::{ConvolveAxes, SpatialWindow};
use warploom_graph::elementwise::TypeRule;
use warploom_graph::interpret::Array;
use warploom_graph::{
    Arithmetic, Builder, ContractAxes, DType, Elementwise, ElementwiseMethods, Graph, Op, Origin, Recording,
    Reduction, ScatterKind, Type,
};

/// Every elementwise op in each of `dtypes` that it takes, by name. Results may differ by `tolerance(dtype)`.
pub fn elementwise(dtypes: &[DType], tolerance: impl Fn(DType) -> f64) -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for op in Elementwise::all() {
        let row = op.row();
        for dtype in dtypes {
            let mut operands = vec![*dtype; row.arity];
            if row.types == TypeRule::Select {
                operands[0] = DType::Bool;
            }
            if row.types.result(&operands).is_ok() {
                let operands = operands.into_iter().zip(combinations(row.samples, row.arity, 70)).collect();
                let case = program(Op::Elementwise(op), operands, tolerance(*dtype));
                cases.push((format!("{} {dtype}", row.name), case));
            }
        }
    }
    cases
}

/// Every cast among `dtypes`, by name. They are exact.
pub fn casts(dtypes: &[DType]) -> Vec<(String, Case)> {
    let samples =
        [-300.7, -2.5, -1.0, -0.0, 0.3, 1.0, 2.5, 77.0, 255.6, 70000.0, 5e9, f64::NAN, f64::INFINITY];
    let mut cases = Vec::new();
    for from in dtypes {
        for to in dtypes {
            let operands = vec![(*from, combinations(&samples, 1, 80).remove(0))];
            cases.push((format!("{from} to {to}"), program(Op::Cast(*to), operands, 0.0)));
        }
    }
    cases
}

/// Products large enough for every tile of a device that several thousand invocations fill, and for split sums; edges are
/// not multiples of anything.
pub fn products(dtype: DType, arithmetic: Arithmetic) -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for (m, n, k) in [
        (600, 590, 20),
        (300, 330, 40),
        (250, 200, 17),
        (130, 170, 33),
        (70, 100, 50),
        // Multiples of eight, whose rows can be read 16 bytes at a time.
        (136, 264, 72),
        // Few rows: the middle tile of matrix units.
        (40, 300, 90),
        (9, 33, 2100),
        (1, 70, 900),
    ] {
        for [swap_left, swap_right] in [[false, false], [true, false], [false, true]] {
            let shape = |swap: bool, a, b| if swap { [b, a] } else { [a, b] };
            let axes = ContractAxes {
                batch: smallvec![],
                sum: smallvec![(usize::from(!swap_left), usize::from(swap_right))],
                arithmetic,
            };
            let operands = [shape(swap_left, m, k).to_vec(), shape(swap_right, k, n).to_vec()];
            let name = format!("product {dtype} {m} {n} {k} {swap_left} {swap_right}{}", arithmetic.suffix());
            cases.push((name, binary(dtype, Op::Contract(axes), operands)));
        }
    }
    let window = |stride, pad, input_dilation, kernel_dilation| SpatialWindow {
        stride,
        low: pad,
        high: pad,
        input_dilation,
        kernel_dilation,
    };
    for (groups, input, kernel, window) in [
        (1, [4, 5, 33, 31], [70, 5, 3, 3], window(1, 1, 1, 1)),
        (2, [3, 8, 20, 17], [36, 4, 3, 5], window(2, 2, 1, 1)),
        (1, [5, 40, 9, 9], [24, 40, 3, 3], window(1, 2, 2, 1)),
        (1, [2, 8, 12, 12], [72, 8, 3, 3], window(1, 1, 1, 1)),
        (1, [6, 3, 40, 40], [10, 3, 19, 19], window(1, 0, 1, 2)),
    ] {
        for outputs_first in [false, true] {
            let axes =
                ConvolveAxes { outputs_first, arithmetic, ..ConvolveAxes::new(groups, &[window, window]) };
            let name = format!(
                "convolution {dtype} {input:?} {kernel:?} {window:?} {outputs_first}{}",
                arithmetic.suffix()
            );
            cases.push((name, binary(dtype, Op::Convolve(axes), [input.to_vec(), kernel.to_vec()])));
        }
    }
    cases
}

/// Products and a convolution of those of f16 and bf16 that are among `dtypes`, with the sum rounded to the operands' dtype and as it is, by name. Operands
/// are whole numbers, so that all but the last rounding is exact.
pub fn half_products(dtypes: &[DType]) -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for dtype in [DType::F16, DType::BF16].into_iter().filter(|dtype| dtypes.contains(dtype)) {
        for arithmetic in [Arithmetic::Own, Arithmetic::Wide] {
            for [m, n, k] in [[130, 170, 300], [9, 33, 900], [1, 70, 300], [8, 1, 70]] {
                let axes = ContractAxes { sum: smallvec![(1, 0)], arithmetic, ..ContractAxes::default() };
                let name = format!("product {dtype} {m} {n} {k} {arithmetic:?}");
                cases.push((name, binary(dtype, Op::Contract(axes), [vec![m, k], vec![k, n]])));
            }
            for outputs_first in [false, true] {
                let windows = [SpatialWindow { low: 1, high: 1, ..SpatialWindow::PLAIN }; 2];
                let axes = ConvolveAxes { outputs_first, arithmetic, ..ConvolveAxes::new(2, &windows) };
                let name = format!("convolution {dtype} {arithmetic:?} {outputs_first}");
                let operands = [vec![3, 80, 9, 8], vec![12, 40, 3, 3]];
                cases.push((name, binary(dtype, Op::Convolve(axes), operands)));
            }
        }
    }
    cases
}

/// Reductions, gathers and scatters of numbers that f64 holds and f32 does not, sums of them exact, by name.
pub fn doubles() -> Vec<(String, Case)> {
    let number = |i: usize| (i * 7919 % 1009 * 997) as f64 + (i % 61) as f64 / 65536.0;
    let array = |shape: &[usize], first: usize| {
        let ty = Type::new(DType::F64, shape);
        let numbers: Vec<f64> = (first..first + ty.elements()).map(number).collect();
        Array::new(ty, numbers)
    };
    let mut cases = Vec::new();
    for (shape, axis) in [([20, 3000], 1), ([3000, 20], 0), ([1, 40_000], 1), ([600, 5], 1)] {
        for kind in [Reduction::Sum, Reduction::Max, Reduction::Min, Reduction::ArgMax] {
            let op = Op::Reduce { kind, axes: smallvec![axis] };
            let name = format!("{} f64 {shape:?} {axis}", kind.name());
            cases.push((name, single(op, vec![array(&shape, 0)], 0.0)));
        }
    }
    let indices = |count: usize, extent: usize| {
        let numbers: Vec<f64> = (0..count).map(|i| (i * 31 % 17 * 5 % extent) as f64).collect();
        Array::new(Type::new(DType::I32, &[count]), numbers)
    };
    for (axis, updates) in [(0, [40, 24]), (1, [50, 40])] {
        let base = || array(&[50, 24], 3);
        let at = || indices(40, [50, 24][axis]);
        cases.push((format!("gather f64 {axis}"), single(Op::Gather { axis }, vec![base(), at()], 0.0)));
        for kind in [ScatterKind::Add, ScatterKind::Max, ScatterKind::Set] {
            let arrays = vec![base(), at(), array(&updates, 7)];
            let name = format!("scatter {} f64 {axis}", kind.name());
            cases.push((name, single(Op::Scatter { kind, axis }, arrays, 0.0)));
        }
    }
    cases
}

/// A product of `dtype`, f32 or f64, that is not exact; results agree with `arithmetic` and with no other.
pub fn rough_product(dtype: DType, arithmetic: Arithmetic) -> Case {
    let axes = ContractAxes { sum: smallvec![(1, 0)], arithmetic, ..ContractAxes::default() };
    let mut case = binary(dtype, Op::Contract(axes), [vec![72, 56], vec![56, 40]]);
    for argument in &mut case.arguments {
        let rough = |i: usize| dtype.round(((i * 7919 % 1009) as f64 / 101.0).sin());
        *argument = Array::new(argument.ty.clone(), (0..argument.ty.elements()).map(rough));
    }
    Case { tolerance: if dtype == DType::F64 { 1e-14 } else { 1e-6 }, ..case }
}

/// `softmax(x)` of each row, and its sum over the rows.
pub fn softmax(rows: usize, columns: usize) -> Case {
    let builder = Builder::new(Graph::new(), Origin::here());
    let x = builder.parameter(Type::new(DType::F32, &[rows, columns]));
    let largest = x.reduce_keep(Reduction::Max, &[1]).broadcast(&[rows, columns]);
    let powers = (x - largest).exp();
    let sums = powers.reduce_keep(Reduction::Sum, &[1]).broadcast(&[rows, columns]);
    let softmax = powers / sums;
    let over_rows = softmax.reduce(Reduction::Sum, &[0]);
    let results = vec![softmax.value(), over_rows.value()];
    let mut graph = builder.finish();
    graph.set_results(results);
    let noise = (0..rows * columns).map(|i| ((i * 7919 % 1009) as f64 / 101.0).sin() * 6.0);
    let argument = Array::new(Type::new(DType::F32, &[rows, columns]), noise);
    Case { recording: Recording::stateless(graph), arguments: vec![argument], tolerance: 1e-5 }
}

/// A program of one op on two tensors of a few whole numbers, whose sums of products are exact.
fn binary(dtype: DType, op: Op, shapes: [Vec<usize>; 2]) -> Case {
    let array = |shape: &Vec<usize>| {
        let ty = Type::new(dtype, shape);
        let numbers: Vec<f64> = (0..ty.elements()).map(|i| (i * 7919 % 61 % 9) as f64 - 4.0).collect();
        Array::new(ty, numbers)
    };
    single(op, shapes.iter().map(array).collect(), 0.0)
}

/// A program of one op on arguments of these dtypes.
fn program(op: Op, arguments: Vec<(DType, Vec<f64>)>, tolerance: f64) -> Case {
    let array = |(dtype, x): (DType, Vec<f64>)| Array::new(Type::new(dtype, &[x.len()]), x);
    single(op, arguments.into_iter().map(array).collect(), tolerance)
}

/// A program of one op.
fn single(op: Op, arrays: Vec<Array>, tolerance: f64) -> Case {
    let builder = Builder::new(Graph::new(), Origin::here());
    let values: Vec<_> = arrays.iter().map(|a| builder.parameter(a.ty.clone()).value()).collect();
    let result = builder.apply(op, &values).value();
    let mut graph = builder.finish();
    graph.set_results(vec![result]);
    Case { recording: Recording::stateless(graph), arguments: arrays, tolerance }
}

/// All combinations of samples, one list of at least so many for each operand, many times over so that whole vectors are
/// filled.
fn combinations(samples: &[f64], arity: usize, least: usize) -> Vec<Vec<f64>> {
    let all = samples.len().pow(arity as u32);
    let pick = |operand: usize, i: usize| samples[i / samples.len().pow(operand as u32) % samples.len()];
    (0..arity).map(|operand| (0..all.max(least)).map(|i| pick(operand, i % all)).collect()).collect()
}
