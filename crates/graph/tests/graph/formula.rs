//! Elementwise ops of other crates: their values by scalar instructions, what is refused, whom they equal.

use warploom_graph::elementwise::{Row, TABLE, TypeRule};
use warploom_graph::formula::evaluate;
use warploom_graph::interpret::{Array, Rounding, interpret};
use warploom_graph::{Builder, DType, Elementwise, Graph, Op, Origin, Type};

#[test]
fn expressions_have_the_values_of_the_references() {
    let mut tried = 0;
    for row in TABLE.iter().filter(|row| row.types == TypeRule::Float) {
        let pairs = row.samples.iter().zip(row.samples.iter().rev()).zip(row.samples.iter().skip(1));
        for ((a, b), c) in pairs {
            let operands = &[*a, *b, *c][..row.arity];
            let (found, wanted) = (evaluate(row.expression, operands), (row.reference)(operands));
            let same = found == wanted || found.is_nan() && wanted.is_nan();
            assert!(
                same || (found - wanted).abs() < 1e-9 * (1.0 + wanted.abs()),
                "{} of {operands:?}: {found}",
                row.name
            );
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried} values");
}

warploom_graph::elementwise! {
    /// Whole numbers on the way: the position within a period of three, by way of i32.
    fn phase(x) {
        expression: { let whole = x.cast(DType::I32); (whole - whole / whole.like(3.0) * 3.0).cast(x.dtype) },
        gradient(_, _): [x.like(0.0)],
    }
    /// x > 0 or x < -5, as 1 or 0.
    fn outside(x) {
        expression: x.like(0.0).less(x).or(x.less(x.like(-5.0))).select(x.like(1.0), x.like(0.0)),
        gradient(_, _): [x.like(0.0)],
    }
}

#[test]
fn the_interpreter_runs_the_instructions() {
    let builder = Builder::new(Graph::new(), Origin::here());
    let x = builder.parameter(Type::new(DType::F32, &[4]));
    let results = vec![phase(&x).value(), outside(&x).value()];
    let mut graph = builder.finish();
    graph.set_results(results);
    let x = Array::new(Type::new(DType::F32, &[4]), [7.5, -8.0, 3.0, -2.0]);
    let made = interpret(&graph, &[x], Rounding::Exact).unwrap();
    assert_eq!(made[0].to_f64(), [1.0, -2.0, 0.0, -2.0]);
    assert_eq!(made[1].to_f64(), [1.0, 1.0, 1.0, 0.0]);
}

fn row(
    types: TypeRule,
    expression: for<'b> fn(&[warploom_graph::scalar::Scalar<'b>]) -> warploom_graph::scalar::Scalar<'b>,
) -> Elementwise {
    Elementwise::new(Box::leak(Box::new(Row {
        name: "own",
        doc: "",
        arity: 1,
        types,
        reference: |x| x[0],
        whole: Some(|x| x[0]),
        gradient: |_, _, _| [None; 3],
        expression,
        simplify: |_| None,
        samples: &[],
        onnx: None,
    })))
}

#[test]
fn instructions_that_do_not_fit_are_refused() {
    let add = |op: Elementwise, dtype: DType| {
        let mut graph = Graph::new();
        let x = graph.parameter(Type::new(dtype, &[2]), Origin::here());
        graph.apply(Op::Elementwise(op), &[x], Origin::here()).map_err(|error| error.to_string())
    };
    let halved = row(TypeRule::Number, |x| x[0].sqrt());
    assert!(add(halved, DType::F16).is_ok());
    assert!(add(halved, DType::I32).unwrap_err().contains("sqrt of i32"));
    let shifted = row(TypeRule::Words, |x| x[0].shift_right(x[0].like(1.0)));
    assert!(add(shifted, DType::U32).is_ok());
    let test = row(TypeRule::FloatTest, |x| x[0]);
    assert!(add(test, DType::F32).unwrap_err().contains("gives f32; it must give bool"));
    let chosen = row(TypeRule::Number, |x| x[0].select(x[0], x[0]));
    assert!(add(chosen, DType::U32).unwrap_err().contains("select of u32"));
}

#[test]
fn rows_are_the_same_where_they_lie_in_one_place() {
    let (a, b) = (row(TypeRule::Float, |x| x[0]), row(TypeRule::Float, |x| x[0]));
    assert!(a == a && a != b);
    assert_eq!(a.position(), None);
    let positions: Vec<_> = Elementwise::all().map(Elementwise::position).collect();
    assert_eq!(positions, (0..TABLE.len()).map(Some).collect::<Vec<_>>());
}
