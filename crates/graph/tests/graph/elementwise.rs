//! Every row of the elementwise table against itself: reference, whole numbers, scalar instructions, gradient,
//! simplification.

use crate::common::{build, f64s, run};
use std::cell::RefCell;
use std::collections::HashSet;
use warploom_graph::elementwise::{Row, TABLE, TypeRule};
use warploom_graph::gradient::vjp;
use warploom_graph::interpret::Array;
use warploom_graph::scalar::{Emit, Register, Scalar, ScalarOp};
use warploom_graph::{
    Builder, DType, Elementwise, ElementwiseMethods, Expr, Graph, Literal, Op, Origin, Reduction, Type,
};

/// A register: floats as f64, all else as the whole number that the dtype holds.
#[derive(Clone, Copy, Debug)]
enum Number {
    Float(f64),
    Whole(i64),
}
use Number::{Float, Whole};

/// Runs scalar instructions at once, by the words of [`ScalarOp`]'s documentation.
#[derive(Default)]
struct Evaluator {
    registers: Vec<Number>,
}

impl Emit for Evaluator {
    fn emit(&mut self, op: ScalarOp, dtype: DType, operands: &[Register]) -> Register {
        let numbers: Vec<Number> = operands.iter().map(|r| self.registers[*r as usize]).collect();
        assert_eq!(numbers.len(), op.arity(), "operands of {}", op.name());
        let result = match (op, &numbers[..]) {
            (ScalarOp::Select, [Whole(condition), yes, no]) => {
                if *condition != 0 {
                    *yes
                } else {
                    *no
                }
            }
            (_, [Float(a)]) => Float(float_one(op, *a)),
            (_, [Float(a), Float(b)]) => float_two(op, *a, *b),
            (ScalarOp::MulAdd, [Float(a), Float(b), Float(c)]) => Float(a.mul_add(*b, *c)),
            (_, [Whole(a)]) => whole(op, dtype, *a, 0),
            (_, [Whole(a), Whole(b)]) => whole(op, dtype, *a, *b),
            _ => panic!("{} of {numbers:?}", op.name()),
        };
        self.registers.push(result);
        self.registers.len() as Register - 1
    }

    fn literal(&mut self, literal: Literal) -> Register {
        self.registers.push(number(literal.dtype(), literal.to_f64()));
        self.registers.len() as Register - 1
    }
}

fn number(dtype: DType, x: f64) -> Number {
    if dtype.is_float() { Float(x) } else { Whole(x as i64) }
}

fn float_one(op: ScalarOp, a: f64) -> f64 {
    match op {
        ScalarOp::Neg => -a,
        ScalarOp::Abs => a.abs(),
        ScalarOp::Floor => a.floor(),
        ScalarOp::Round => a.round_ties_even(),
        ScalarOp::Sqrt => a.sqrt(),
        ScalarOp::Exp => a.exp(),
        ScalarOp::Log => a.ln(),
        ScalarOp::Sin => a.sin(),
        ScalarOp::Cos => a.cos(),
        ScalarOp::Tanh => a.tanh(),
        ScalarOp::Erf => (Elementwise::ERF.row().reference)(&[a]),
        _ => panic!("{} of a float", op.name()),
    }
}

fn float_two(op: ScalarOp, a: f64, b: f64) -> Number {
    let nan = a.is_nan() || b.is_nan();
    Float(match op {
        ScalarOp::Add => a + b,
        ScalarOp::Sub => a - b,
        ScalarOp::Mul => a * b,
        ScalarOp::Div => a / b,
        ScalarOp::Rem => a % b,
        ScalarOp::Pow => a.powf(b),
        ScalarOp::Min => {
            if nan {
                f64::NAN
            } else if a < b {
                a
            } else {
                b
            }
        }
        ScalarOp::Max => {
            if nan {
                f64::NAN
            } else if a > b {
                a
            } else {
                b
            }
        }
        ScalarOp::Less => return Whole((a < b) as i64),
        ScalarOp::LessEqual => return Whole((a <= b) as i64),
        ScalarOp::Equal => return Whole((a == b) as i64),
        _ => panic!("{} of two floats", op.name()),
    })
}

/// In i128, then wrapped: nothing overflows on the way. `dtype` is that of the result.
fn whole(op: ScalarOp, dtype: DType, a: i64, b: i64) -> Number {
    let (x, y) = (a as i128, b as i128);
    let bits = |n: i128| n as u32;
    let result = match op {
        ScalarOp::Add => x + y,
        ScalarOp::Sub => x - y,
        ScalarOp::Mul => x * y,
        ScalarOp::Div => {
            if y == 0 {
                0
            } else {
                x / y
            }
        }
        ScalarOp::Rem => {
            if y == 0 {
                0
            } else {
                x % y
            }
        }
        ScalarOp::Min => x.min(y),
        ScalarOp::Max => x.max(y),
        ScalarOp::Neg => -x,
        ScalarOp::Abs => x.abs(),
        ScalarOp::Less => (x < y) as i128,
        ScalarOp::LessEqual => (x <= y) as i128,
        ScalarOp::Equal => (x == y) as i128,
        ScalarOp::And => x & y,
        ScalarOp::Or => x | y,
        ScalarOp::Xor => x ^ y,
        ScalarOp::ShiftLeft => bits(x).checked_shl(bits(y)).unwrap_or(0) as i128,
        ScalarOp::ShiftRight => bits(x).checked_shr(bits(y)).unwrap_or(0) as i128,
        _ => panic!("{} of whole numbers", op.name()),
    };
    Whole(match dtype {
        DType::Bool => (result != 0) as i64,
        DType::I32 => result as i32 as i64,
        _ => result as u32 as i64,
    })
}

/// A row's expression at operands of these dtypes.
fn evaluate(row: &Row, operands: &[(DType, f64)]) -> Number {
    let mut evaluator = Evaluator::default();
    evaluator.registers.extend(operands.iter().map(|(dtype, x)| number(*dtype, *x)));
    let sink = RefCell::new(evaluator);
    let scalars: Vec<Scalar> = operands
        .iter()
        .enumerate()
        .map(|(i, (dtype, _))| Scalar::new(&sink, i as Register, *dtype))
        .collect();
    let register = (row.expression)(&scalars).register;
    sink.borrow().registers[register as usize]
}

/// The dtype of operand `i` when the row is tried at `dtype`.
fn operand_dtype(row: &Row, i: usize, dtype: DType) -> DType {
    if row.types == TypeRule::Select && i == 0 { DType::Bool } else { dtype }
}

/// All choices of one sample for each operand.
fn products(samples: &[f64], arity: usize) -> Vec<Vec<f64>> {
    (0..arity).fold(vec![vec![]], |points, _| {
        points.iter().flat_map(|p| samples.iter().map(|x| [&p[..], &[*x]].concat())).collect()
    })
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * (1.0 + b.abs())
}

#[test]
fn rows_are_complete() {
    let mut names = HashSet::new();
    for (op, row) in Elementwise::all().zip(TABLE) {
        assert!(names.insert(row.name), "two rows are named {}", row.name);
        assert!(
            row.doc.trim().len() > 3 && row.doc.trim().ends_with('.'),
            "{} needs a sentence of doc",
            row.name
        );
        assert!(!row.samples.is_empty(), "{} needs samples", row.name);
        assert!((1..=3).contains(&row.arity), "{}", row.name);
        assert_eq!(op.row().name, row.name);
        let takes_whole = [DType::I32, DType::U32, DType::Bool].iter().any(|d| row.types.accepts(*d));
        assert_eq!(
            row.whole.is_some(),
            takes_whole,
            "{}: whole numbers are accepted without a rule, or the reverse",
            row.name
        );
    }
}

#[test]
fn expressions_equal_references() {
    for row in TABLE.iter().filter(|row| row.types.accepts(DType::F64)) {
        for point in products(row.samples, row.arity) {
            let operands: Vec<(DType, f64)> =
                point.iter().enumerate().map(|(i, x)| (operand_dtype(row, i, DType::F64), *x)).collect();
            let found = match evaluate(row, &operands) {
                Float(x) => x,
                Whole(x) => x as f64,
            };
            let want = (row.reference)(&point);
            assert!(
                close(found, want, 1e-14),
                "{} at {point:?}: expression {found}, reference {want}",
                row.name
            );
        }
    }
}

#[test]
fn expressions_keep_special_values() {
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1.0, -2.0, 40.0, -800.0];
    for row in TABLE.iter().filter(|row| row.types.accepts(DType::F64) && row.types != TypeRule::Select) {
        for point in products(&special, row.arity) {
            let operands: Vec<(DType, f64)> = point.iter().map(|x| (DType::F64, *x)).collect();
            let found = match evaluate(row, &operands) {
                Float(x) => x,
                Whole(x) => x as f64,
            };
            let want = (row.reference)(&point);
            assert!(
                close(found, want, 1e-14),
                "{} at {point:?}: expression {found}, reference {want}",
                row.name
            );
        }
    }
}

#[test]
fn expressions_equal_whole_numbers() {
    let edges: [(DType, &[f64]); 3] = [
        (
            DType::I32,
            &[
                i32::MIN as f64,
                i32::MIN as f64 + 1.0,
                -31.0,
                -2.0,
                -1.0,
                0.0,
                1.0,
                31.0,
                32.0,
                i32::MAX as f64,
            ],
        ),
        (
            DType::U32,
            &[0.0, 1.0, 3.0, 31.0, 32.0, 33.0, i32::MAX as f64, u32::MAX as f64 - 1.0, u32::MAX as f64],
        ),
        (DType::Bool, &[0.0, 1.0]),
    ];
    for row in TABLE {
        let Some(rule) = row.whole else { continue };
        for (dtype, edges) in edges.into_iter().filter(|(dtype, _)| row.types.accepts(*dtype)) {
            let samples: Vec<f64> =
                row.samples.iter().map(|x| dtype.round(*x)).chain(edges.iter().copied()).collect();
            for point in products(&samples, row.arity) {
                let dtypes: Vec<DType> = (0..row.arity).map(|i| operand_dtype(row, i, dtype)).collect();
                let point: Vec<f64> = point.iter().zip(&dtypes).map(|(x, d)| d.round(*x)).collect();
                let operands: Vec<(DType, f64)> = dtypes.iter().copied().zip(point.iter().copied()).collect();
                let Whole(found) = evaluate(row, &operands) else { panic!("{} gives a float", row.name) };
                let result = row.types.result(&dtypes).unwrap();
                let want = rule(&point.iter().map(|x| *x as i64).collect::<Vec<_>>());
                let want = match result {
                    DType::Bool => (want != 0) as i64,
                    DType::I32 => want as i32 as i64,
                    _ => want as u32 as i64,
                };
                assert_eq!(found, want, "{} of {dtype} at {point:?}", row.name);
            }
        }
    }
}

/// A row at many points at once, one array for each operand.
fn columns(row: &Row, points: &[Vec<f64>]) -> Vec<Array> {
    let column = |i: usize| {
        let ty = Type::new(operand_dtype(row, i, DType::F64), &[points.len()]);
        Array::new(ty, points.iter().map(|p| p[i]))
    };
    (0..row.arity).map(column).collect()
}

/// The row's value, its first derivatives, and for each of those its derivatives. All elementwise, so that the gradient of
/// a sum holds the derivative at each point.
fn derivatives(op: Elementwise, operands: &[Array]) -> (Graph, Vec<usize>) {
    let types: Vec<Type> = operands.iter().map(|a| a.ty.clone()).collect();
    let floats: Vec<usize> = (0..types.len()).filter(|i| types[*i].dtype.is_float()).collect();
    let graph = build(&types, |builder, parameters| {
        let values: Vec<_> = parameters.iter().map(|e| e.value()).collect();
        let wrt: Vec<_> = floats.iter().map(|i| values[*i]).collect();
        let derive = |y: Expr<'_>| -> Vec<_> {
            let found = vjp(builder, &[(y.value(), y.like(1.0).value())], &wrt).unwrap();
            found.into_iter().map(|v| v.unwrap_or_else(|| y.like(0.0).value())).collect()
        };
        let y = builder.apply(Op::Elementwise(op), &values);
        let first = derive(y);
        let second: Vec<_> = first.iter().flat_map(|v| derive(builder.expr(*v))).collect();
        let all = [vec![y.value()], first, second].concat();
        all.into_iter().map(|v| builder.expr(v)).collect()
    });
    (graph, floats)
}

/// Gradients and second derivatives against central differences. A point is left out where the function is not
/// differentiable, which is where its two one-sided differences disagree or its value jumps within one step.
#[test]
fn derivatives_equal_finite_differences() {
    for op in Elementwise::all() {
        let row = op.row();
        let dtypes: Vec<DType> = (0..row.arity).map(|i| operand_dtype(row, i, DType::F64)).collect();
        if !row.types.result(&dtypes).is_ok_and(DType::is_float) {
            continue;
        }
        let points = products(row.samples, row.arity);
        let operands = columns(row, &points);
        let (graph, floats) = derivatives(op, &operands);
        let here: Vec<Vec<f64>> = run(&graph, &operands).iter().map(Array::to_f64).collect();
        let mut compared = 0;
        for (slot, i) in floats.iter().enumerate() {
            const STEP: f64 = 1e-5;
            let moved = |step: f64| -> Vec<Vec<f64>> {
                let mut operands = operands.clone();
                let numbers: Vec<f64> = operands[*i].to_f64().iter().map(|x| x + step).collect();
                operands[*i] = Array::new(operands[*i].ty.clone(), numbers);
                run(&graph, &operands).iter().map(Array::to_f64).collect()
            };
            let (up, down) = (moved(STEP), moved(-STEP));
            // Result 0 is the value, whose derivatives are results 1..; derivative d's derivatives follow in rows.
            for function in 0..=floats.len() {
                let derivative = 1 + function * floats.len() + slot;
                for (at, point) in points.iter().enumerate() {
                    let (low, mid, high) = (down[function][at], here[function][at], up[function][at]);
                    let (before, after) = ((mid - low) / STEP, (high - mid) / STEP);
                    let bends = (before - after).abs() > 1e-2 * (1.0 + before.abs());
                    let jumps = (high - low).abs() > 1e-2 * (1.0 + mid.abs());
                    if bends || jumps {
                        continue;
                    }
                    let (found, want) = (here[derivative][at], (high - low) / (2.0 * STEP));
                    let close = (found - want).abs() <= 1e-5 * (1.0 + want.abs());
                    assert!(close, "{} at {point:?}, {derivative}: {found}, by differences {want}", row.name);
                    compared += 1;
                }
            }
        }
        assert!(compared * 4 >= points.len(), "{}: only {compared} derivatives were compared", row.name);
    }
}

#[test]
fn gradients_at_special_points() {
    let at = |op: Elementwise, point: &[f64]| -> Vec<f64> {
        let operands = columns(op.row(), &[point.to_vec()]);
        let (graph, floats) = derivatives(op, &operands);
        run(&graph, &operands)[1..=floats.len()].iter().map(|a| a.to_f64()[0]).collect()
    };
    assert_eq!(at(Elementwise::MAXIMUM, &[2.0, 2.0]), [0.5, 0.5]);
    assert_eq!(at(Elementwise::MINIMUM, &[2.0, 2.0]), [0.5, 0.5]);
    assert_eq!(at(Elementwise::ABS, &[0.0]), [0.0]);
    assert_eq!(at(Elementwise::RELU, &[0.0]), [0.0]);
    assert_eq!(at(Elementwise::POW, &[0.0, 0.0]), [0.0, 0.0]);
    assert_eq!(at(Elementwise::POW, &[0.0, 1.0]), [1.0, 0.0]);
    assert_eq!(at(Elementwise::POW, &[0.0, 2.0]), [0.0, 0.0]);
    assert_eq!(at(Elementwise::POW, &[-2.0, 3.0])[0], 12.0);
    assert!(at(Elementwise::POW, &[-2.0, 3.0])[1].is_nan());
    // 0.3 / 0.1 rounds to 3 in f32 and to 2.9999… in f64; the remainder says which quotient was meant.
    assert_eq!(at(Elementwise::REM, &[0.3, 0.1]), [1.0, -2.0]);
    assert_eq!(at(Elementwise::SIGMOID, &[-1000.0]), [0.0]);
    assert_eq!(at(Elementwise::SOFTPLUS, &[1000.0]), [1.0]);
}

/// An infinite cotangent reaches the operand that won, and is not multiplied by 0 on its way to the other.
#[test]
fn choices_pass_infinite_cotangents() {
    let ops = [Elementwise::MAXIMUM, Elementwise::MINIMUM];
    for (op, want) in ops.into_iter().zip([[0.0, f64::INFINITY], [f64::INFINITY, 0.0]]) {
        let graph = build(&[f64s(&[]), f64s(&[])], |builder, p| {
            let z = builder.apply(Op::Elementwise(op), &[p[0].value(), p[1].value()]);
            let found =
                vjp(builder, &[(z.value(), z.like(f64::INFINITY).value())], &[p[0].value(), p[1].value()]);
            found.unwrap().into_iter().flatten().map(|v| builder.expr(v)).collect()
        });
        let found = run(&graph, &[crate::common::array(&[], &[1.0]), crate::common::array(&[], &[2.0])]);
        assert_eq!([found[0].to_f64()[0], found[1].to_f64()[0]], want, "{op:?}");
    }
    let graph = build(&[f64s(&[3])], |builder, p| {
        let top = p[0].reduce(Reduction::Max, &[0]);
        let found = vjp(builder, &[(top.value(), top.like(f64::INFINITY).value())], &[p[0].value()]);
        found.unwrap().into_iter().flatten().map(|v| builder.expr(v)).collect()
    });
    let found = run(&graph, &[crate::common::array(&[3], &[1.0, 5.0, 2.0])]);
    assert_eq!(found[0].to_f64(), [0.0, f64::INFINITY, 0.0]);
}

/// Each operand in turn a literal, and each result of a unary op as the operand: what simplifies keeps its value. The sign
/// of a zero may change (-0 + 0 is 0, and simplifies to -0).
#[test]
fn simplifications_keep_the_value() {
    let mut simplified = 0;
    for op in Elementwise::all() {
        let row = op.row();
        for dtype in
            [DType::F64, DType::I32, DType::U32, DType::Bool].into_iter().filter(|d| row.types.accepts(*d))
        {
            for i in 0..row.arity {
                for literal in [0.0, -0.0, 1.0, -1.0, 2.0, 0.5] {
                    simplified += simplifies_rightly(op, dtype, |parameters| {
                        let mut operands = parameters.to_vec();
                        operands[i] = operands[i].like(literal);
                        operands
                    });
                }
            }
            for inner in Elementwise::all().filter(|inner| inner.row().arity == 1) {
                let fits = row.arity == 1 && inner.row().types.result(&[dtype]) == Ok(dtype);
                if fits {
                    simplified += simplifies_rightly(op, dtype, |parameters| {
                        vec![Expr::elementwise(inner, &[&parameters[0]])]
                    });
                }
            }
        }
    }
    assert!(simplified >= 20, "only {simplified} cases were simplified");
}

fn simplifies_rightly(
    op: Elementwise,
    dtype: DType,
    operands: impl for<'b> Fn(&[Expr<'b>]) -> Vec<Expr<'b>>,
) -> usize {
    let row = op.row();
    let special: &[f64] =
        if dtype.is_float() { &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0] } else { &[] };
    let samples: Vec<f64> = row.samples.iter().chain(special).copied().collect();
    let points = products(&samples, row.arity);
    let column = |i: usize| {
        let ty = Type::new(operand_dtype(row, i, dtype), &[points.len()]);
        Array::new(ty, points.iter().map(|p| p[i]))
    };
    let arguments: Vec<Array> = (0..row.arity).map(column).collect();
    let builder = Builder::new(Graph::new(), Origin::here());
    let parameters: Vec<Expr> = arguments.iter().map(|a| builder.parameter(a.ty.clone())).collect();
    let operands = operands(&parameters);
    let Some(short) = (row.simplify)(&operands) else { return 0 };
    let full = Expr::elementwise(op, &operands.iter().collect::<Vec<_>>());
    assert_eq!(short.ty(), full.ty(), "{}", row.name);
    let results = vec![full.value(), short.value()];
    let mut graph = builder.finish();
    graph.set_results(results);
    let values = run(&graph, &arguments);
    for ((full, short), point) in values[0].to_f64().into_iter().zip(values[1].to_f64()).zip(&points) {
        assert!(close(short, full, 1e-15), "{} of {dtype} at {point:?}: {full} became {short}", row.name);
    }
    1
}

/// Golden values of mpmath 1.4 at 40 digits.
#[test]
fn erf_is_exact() {
    #[allow(clippy::excessive_precision)] // as printed by the source
    const GOLDEN: [(f64, f64); 18] = [
        (1e-300, 1.1283791670955125739e-300),
        (1e-8, 1.1283791670955125363e-8),
        (0.125, 0.14031620480133381739),
        (0.5, 0.52049987781304653768),
        (1.0, 0.84270079294971486934),
        (1.5, 0.96610514647531072707),
        (-1.5, -0.96610514647531072707),
        (2.0, 0.99532226501895273416),
        (2.4375, 0.99943345674541983509),
        (2.5, 0.99959304798255504106),
        (2.5625, 0.99970983113832659393),
        (3.0, 0.99997790950300141456),
        (3.5, 0.99999925690162765859),
        (4.0, 0.99999998458274209972),
        (5.0, 0.99999999999846254021),
        (5.875, 0.99999999999999990308),
        (-0.75, -0.7111556336535151316),
        (6.0, 0.99999999999999997848),
    ];
    let erf = Elementwise::ERF.row().reference;
    for (x, want) in GOLDEN {
        let found = erf(&[x]);
        assert!((found - want).abs() <= 4e-16 * want.abs(), "erf({x}) is {want}, found {found}");
    }
    assert_eq!([erf(&[f64::INFINITY]), erf(&[f64::NEG_INFINITY]), erf(&[0.0])], [1.0, -1.0, 0.0]);
    assert!(erf(&[f64::NAN]).is_nan());
}
