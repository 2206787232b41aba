//! Every elementwise op and every cast, in every dtype it takes, on every instruction set, against the interpreter.

use warploom_compile::Options;
use warploom_conformance::run::{Case, compare, run};
use warploom_cpu::Cpu;
use warploom_cpu::isa::Isa;
use warploom_graph::interpret::Array;
use warploom_graph::{Builder, DType, Elementwise, Graph, Op, Origin, Recording, Type};

/// A program of one op on arguments of these dtypes.
fn case(op: Op, arguments: Vec<(DType, Vec<f64>)>, tolerance: f64) -> Case {
    let builder = Builder::new(Graph::new(), Origin::here());
    let arrays: Vec<Array> =
        arguments.into_iter().map(|(dtype, x)| Array::new(Type::new(dtype, &[x.len()]), x)).collect();
    let values: Vec<_> = arrays.iter().map(|a| builder.parameter(a.ty.clone()).value()).collect();
    let result = builder.apply(op, &values).value();
    let mut graph = builder.finish();
    graph.set_results(vec![result]);
    Case { recording: Recording::stateless(graph), arguments: arrays, tolerance }
}

fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2e-3,
        DType::BF16 => 1e-2,
        DType::F32 => 5e-7,
        DType::F64 => 1e-14,
        DType::Bool | DType::U8 | DType::I32 | DType::U32 => 0.0,
    }
}

/// All combinations of samples, one list for each operand, many times over so that whole vectors are filled.
fn combinations(samples: &[f64], arity: usize) -> Vec<Vec<f64>> {
    let all = samples.len().pow(arity as u32);
    let pick = |operand: usize, i: usize| samples[i / samples.len().pow(operand as u32) % samples.len()];
    (0..arity).map(|operand| (0..all.max(70)).map(|i| pick(operand, i % all)).collect()).collect()
}

#[test]
fn every_elementwise_op_in_every_dtype() {
    let mut wrong = Vec::new();
    for isa in Isa::available() {
        let cpu = Cpu::with_isa(isa, Some(1));
        for op in Elementwise::all() {
            let row = op.row();
            for dtype in DType::ALL {
                let mut dtypes = vec![dtype; row.arity];
                if row.types == warploom_graph::elementwise::TypeRule::Select {
                    dtypes[0] = DType::Bool;
                }
                if row.types.result(&dtypes).is_err() {
                    continue;
                }
                let operands = dtypes.iter().copied().zip(combinations(row.samples, row.arity)).collect();
                let case = case(Op::Elementwise(op), operands, tolerance(dtype));
                let outcome = run(&case, &cpu, Options::default()).and_then(|o| compare(&case, &o));
                wrong.extend(outcome.err().map(|e| format!("{} {dtype} {isa:?}: {e}", row.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_cast() {
    let samples =
        [-300.7, -2.5, -1.0, -0.0, 0.3, 1.0, 2.5, 77.0, 255.6, 70000.0, 5e9, f64::NAN, f64::INFINITY];
    let cpu = Cpu::new(Some(1));
    let mut wrong = Vec::new();
    for from in DType::ALL {
        for to in DType::ALL {
            let case = case(Op::Cast(to), vec![(from, combinations(&samples, 1).remove(0))], 0.0);
            let outcome = run(&case, &cpu, Options::default()).and_then(|o| compare(&case, &o));
            wrong.extend(outcome.err().map(|e| format!("{from} to {to}: {e}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
