//! Every elementwise op and every cast as a program of its own.

use crate::run::Case;
use warploom_graph::elementwise::TypeRule;
use warploom_graph::interpret::Array;
use warploom_graph::{Builder, DType, Elementwise, Graph, Op, Origin, Recording, Type};

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
                let operands = operands.into_iter().zip(combinations(row.samples, row.arity)).collect();
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
            let operands = vec![(*from, combinations(&samples, 1).remove(0))];
            cases.push((format!("{from} to {to}"), program(Op::Cast(*to), operands, 0.0)));
        }
    }
    cases
}

/// A program of one op on arguments of these dtypes.
fn program(op: Op, arguments: Vec<(DType, Vec<f64>)>, tolerance: f64) -> Case {
    let builder = Builder::new(Graph::new(), Origin::here());
    let arrays: Vec<Array> =
        arguments.into_iter().map(|(dtype, x)| Array::new(Type::new(dtype, &[x.len()]), x)).collect();
    let values: Vec<_> = arrays.iter().map(|a| builder.parameter(a.ty.clone()).value()).collect();
    let result = builder.apply(op, &values).value();
    let mut graph = builder.finish();
    graph.set_results(vec![result]);
    Case { recording: Recording::stateless(graph), arguments: arrays, tolerance }
}

/// All combinations of samples, one list for each operand, many times over so that whole vectors are filled.
fn combinations(samples: &[f64], arity: usize) -> Vec<Vec<f64>> {
    let all = samples.len().pow(arity as u32);
    let pick = |operand: usize, i: usize| samples[i / samples.len().pow(operand as u32) % samples.len()];
    (0..arity).map(|operand| (0..all.max(70)).map(|i| pick(operand, i % all)).collect()).collect()
}
