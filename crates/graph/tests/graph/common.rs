//! What the tests share: small graphs from closures, runs in f64, and gradients against finite differences.

use warploom_graph::gradient::gradients;
use warploom_graph::interpret::{Array, Rounding, interpret};
use warploom_graph::verify::verify;
use warploom_graph::{
    Builder, ContractAxes, DType, Dims, ElementwiseMethods, Error, Expr, Graph, Op, Origin, Reduction, Type,
    philox,
};

pub fn dims(extents: &[usize]) -> Dims {
    Dims::from_slice(extents)
}

pub fn f64s(shape: &[usize]) -> Type {
    Type::new(DType::F64, shape)
}

pub fn i32s(shape: &[usize]) -> Type {
    Type::new(DType::I32, shape)
}

/// An f64 array.
pub fn array(shape: &[usize], numbers: &[f64]) -> Array {
    Array::new(f64s(shape), numbers.iter().copied())
}

/// An i32 array.
pub fn indices(shape: &[usize], numbers: &[i32]) -> Array {
    Array::new(i32s(shape), numbers.iter().map(|x| *x as f64))
}

/// An f64 array of reproducible numbers in (-1, 1), no two alike.
pub fn random(seed: u32, shape: &[usize]) -> Array {
    let ty = f64s(shape);
    let word = |i: usize| philox::quad([seed, 7], 0, 0, 0, i as u32)[0] as f64;
    let numbers: Vec<f64> = (0..ty.elements()).map(|i| (word(i) + 0.5) / 2f64.powi(31) - 1.0).collect();
    Array::new(ty, numbers)
}

/// `1, 2, 3, …` as f64.
pub fn counting(shape: &[usize]) -> Array {
    let ty = f64s(shape);
    Array::new(ty.clone(), (1..=ty.elements()).map(|i| i as f64))
}

pub fn contract(batch: &[(usize, usize)], sum: &[(usize, usize)]) -> Op {
    Op::Contract(ContractAxes {
        batch: batch.iter().copied().collect(),
        sum: sum.iter().copied().collect(),
        ..ContractAxes::default()
    })
}

pub fn reduce(kind: Reduction, axes: &[usize]) -> Op {
    Op::Reduce { kind, axes: dims(axes) }
}

pub fn slice(starts: &[usize], sizes: &[usize], steps: &[isize]) -> Op {
    Op::Slice { starts: dims(starts), sizes: dims(sizes), steps: steps.iter().copied().collect() }
}

/// A verified graph of the values that `f` makes of parameters of these types.
pub fn build(types: &[Type], f: impl for<'b> Fn(&'b Builder, &[Expr<'b>]) -> Vec<Expr<'b>>) -> Graph {
    let builder = Builder::new(Graph::new(), Origin::here());
    let parameters: Vec<Expr> = types.iter().map(|ty| builder.parameter(ty.clone())).collect();
    let results = f(&builder, &parameters).into_iter().map(Expr::value).collect();
    let mut graph = builder.finish();
    graph.set_results(results);
    verify(&graph).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    graph
}

pub fn run(graph: &Graph, arguments: &[Array]) -> Vec<Array> {
    interpret(graph, arguments, Rounding::Exact).unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

/// Applies one op to arrays.
pub fn apply(op: Op, inputs: &[Array]) -> Vec<Array> {
    let types: Vec<Type> = inputs.iter().map(|a| a.ty.clone()).collect();
    let graph = build(&types, |builder, parameters| {
        let values: Vec<_> = parameters.iter().map(|e| e.value()).collect();
        let made = builder.try_add(op.clone(), &values).unwrap_or_else(|e| panic!("{e}"));
        made.into_iter().map(|v| builder.expr(v)).collect()
    });
    run(&graph, inputs)
}

/// The output types of `op` for operands of these types.
pub fn infer(op: Op, operands: &[Type]) -> Result<Vec<Type>, Error> {
    let mut graph = Graph::new();
    let values: Vec<_> = operands.iter().map(|ty| graph.parameter(ty.clone(), Origin::here())).collect();
    let node = graph.add(op, &values, Origin::here())?;
    Ok(graph.node(node).outputs().map(|v| graph.ty(v).clone()).collect())
}

/// The sum of all float outputs, each element with a weight of its own.
fn weighted<'b>(builder: &'b Builder, outputs: &[Expr<'b>]) -> Expr<'b> {
    let mut sum = builder.fill(&Type::scalar(DType::F64), 0.0);
    for output in outputs.iter().filter(|e| e.ty().dtype.is_float()) {
        let shape = output.ty().shape;
        let iota = Op::Iota { dtype: DType::I32, shape: dims(&[output.ty().elements()]), axis: 0 };
        let weights = (builder.apply(iota, &[]).cast(DType::F64) + 1.0).sin().reshape(&shape);
        let axes: Vec<usize> = (0..shape.len()).collect();
        sum = sum + (output.cast(DType::F64) * weights).reduce(Reduction::Sum, &axes);
    }
    sum
}

/// A scalar's gradients with respect to the float parameters; zeros where it does not depend on one.
fn gradients_of<'b>(builder: &'b Builder, scalar: Expr<'b>, parameters: &[Expr<'b>]) -> Vec<Expr<'b>> {
    let wrt: Vec<Expr> = parameters.iter().copied().filter(|e| e.ty().dtype.is_float()).collect();
    let values: Vec<_> = wrt.iter().map(|e| e.value()).collect();
    let found = gradients(builder, scalar.value(), &values).unwrap_or_else(|e| panic!("{e}"));
    wrt.iter().zip(found).map(|(e, v)| v.map_or_else(|| e.like(0.0), |v| builder.expr(v))).collect()
}

/// Compares gradients of `f` at `points` with central differences, and those of a sum over the gradients, `orders` deep.
pub fn check_gradients(
    name: &str,
    points: &[Array],
    orders: usize,
    f: impl for<'b> Fn(&'b Builder, &[Expr<'b>]) -> Vec<Expr<'b>>,
) {
    let types: Vec<Type> = points.iter().map(|a| a.ty.clone()).collect();
    for order in 1..=orders {
        let graph = build(&types, |builder, parameters| {
            let mut scalar = weighted(builder, &f(builder, parameters));
            for _ in 1..order {
                scalar = weighted(builder, &gradients_of(builder, scalar, parameters));
            }
            [vec![scalar], gradients_of(builder, scalar, parameters)].concat()
        });
        let found = run(&graph, points);
        let value = |points: &[Array]| run(&graph, points)[0].to_f64()[0];
        let floats = (0..points.len()).filter(|i| points[*i].ty.dtype.is_float());
        for (i, gradient) in floats.zip(&found[1..]) {
            assert_eq!(gradient.ty, points[i].ty, "{name}, order {order}: type of the gradient of input {i}");
            for (element, gradient) in gradient.to_f64().into_iter().enumerate() {
                const STEP: f64 = 1e-5;
                let moved = |step: f64| {
                    let mut points = points.to_vec();
                    let mut numbers = points[i].to_f64();
                    numbers[element] += step;
                    // In f64, so that the step is not lost; the dtype is the parameter's.
                    points[i] = Array::new(points[i].ty.clone(), numbers);
                    value(&points)
                };
                let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let error = (gradient - difference).abs();
                assert!(
                    error < 1e-6 * (1.0 + difference.abs()),
                    "{name}, order {order}, input {i}, element {element}: gradient {gradient}, difference {difference}"
                );
            }
        }
        let nonzero = found[1..].iter().flat_map(Array::to_f64).any(|g| g.abs() > 1e-3);
        assert!(nonzero || order > 1, "{name}: all gradients are 0");
    }
}
