//! In which numbers products multiply and give their sums, against expectations written by hand.

use crate::common::build;
use warploom_graph::gradient::gradients;
use warploom_graph::interpret::{Array, Rounding, interpret};
use warploom_graph::{
    Arithmetic, Builder, ContractAxes, ConvolveAxes, DType, Graph, Op, Origin, SpatialWindow, Type,
    round_to_tf32,
};

fn contract(arithmetic: Arithmetic) -> Op {
    Op::Contract(ContractAxes { sum: [(1, 0)].into_iter().collect(), arithmetic, ..ContractAxes::default() })
}

fn convolve(arithmetic: Arithmetic) -> Op {
    Op::Convolve(ConvolveAxes { arithmetic, ..ConvolveAxes::new(1, &[SpatialWindow::PLAIN]) })
}

fn array(dtype: DType, shape: &[usize], numbers: &[f64]) -> Array {
    Array::new(Type::new(dtype, shape), numbers.iter().copied())
}

/// The one element of the product of a row and a column, or of a convolution of one window, in both roundings.
fn product(arithmetic: Arithmetic, dtype: DType, lhs: &[f64], rhs: &[f64]) -> f64 {
    let terms = lhs.len();
    let value = |op: Op, shapes: [&[usize]; 2], rounding| {
        let arguments = [array(dtype, shapes[0], lhs), array(dtype, shapes[1], rhs)];
        let types = arguments.each_ref().map(|a| a.ty.clone());
        let graph = build(&types, |b, p| vec![b.apply(op.clone(), &[p[0].value(), p[1].value()])]);
        interpret(&graph, &arguments, rounding).expect("it runs").remove(0).to_f64()[0]
    };
    let values = [Rounding::Exact, Rounding::EachOp].map(|rounding| {
        let dot = value(contract(arithmetic), [&[1, terms], &[terms, 1]], rounding);
        assert_eq!(dot, value(convolve(arithmetic), [&[1, 1, terms], &[1, 1, terms]], rounding));
        dot
    });
    assert_eq!(values[0], values[1]);
    values[0]
}

#[test]
fn a_wide_sum_is_not_rounded() {
    // bf16 holds 8 bits of mantissa: 256 + 1 is a tie, and rounds to 256.
    assert_eq!(product(Arithmetic::Own, DType::BF16, &[256.0, 1.0], &[1.0, 1.0]), 256.0);
    assert_eq!(product(Arithmetic::Wide, DType::BF16, &[256.0, 1.0], &[1.0, 1.0]), 257.0);
    // f16 overflows beyond 65504.
    assert_eq!(product(Arithmetic::Own, DType::F16, &[300.0], &[300.0]), f64::INFINITY);
    assert_eq!(product(Arithmetic::Wide, DType::F16, &[300.0], &[300.0]), 90000.0);
}

#[test]
fn factors_are_rounded_to_tf32() {
    let unit = 2f64.powi(-10);
    // 1 + 1.5 units is a tie, away from zero; the other factor is one of TF32.
    assert_eq!(product(Arithmetic::Tf32, DType::F32, &[1.0 + 1.5 * unit], &[3.0]), 3.0 + 6.0 * unit);
    assert_eq!(product(Arithmetic::Tf32, DType::F32, &[2.0], &[-1.0 - 2.49 * unit]), -2.0 - 4.0 * unit);
    assert_eq!(product(Arithmetic::Own, DType::F32, &[2.0], &[-1.0 - 2.5 * unit]), -2.0 - 5.0 * unit);
}

/// Nearest among numbers of 10 bits of mantissa, ties away from zero, by arithmetic on f64.
#[test]
fn tf32_is_the_nearest_of_ten_bits() {
    let mut bits = 1u32;
    for _ in 0..100_000 {
        bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        for bits in [bits, bits & !0x1fff | 0x1000, bits & !0x1fff] {
            let x = f32::from_bits(bits);
            let exponent = (bits >> 23 & 0xff).max(1) as i32 - 127;
            let unit = 2f64.powi(exponent - 10);
            let nearest = (f64::from(x) / unit).abs().add_half_and_floor() * unit;
            let nearest = if nearest >= 2f64.powi(128) { f64::INFINITY } else { nearest };
            let want = if x.is_finite() { nearest.copysign(f64::from(x)) } else { f64::from(x) };
            let got = f64::from(round_to_tf32(x));
            assert!(got == want || got.is_nan() && want.is_nan(), "{x:e}: {got:e} is not {want:e}");
        }
    }
}

trait HalfUp {
    fn add_half_and_floor(self) -> f64;
}

impl HalfUp for f64 {
    fn add_half_and_floor(self) -> f64 {
        (self + 0.5).floor()
    }
}

#[test]
fn gradients_keep_the_arithmetic() {
    let found = |op: Op, dtype: DType, shapes: [&[usize]; 2]| -> Vec<(DType, Arithmetic)> {
        let builder = Builder::new(Graph::new(), Origin::here());
        let operands = shapes.map(|shape| builder.parameter(Type::new(dtype, shape)));
        let product = builder.apply(op, &operands.map(|x| x.value()));
        let all: Vec<usize> = (0..product.ty().rank()).collect();
        let loss = product.reduce(warploom_graph::Reduction::Sum, &all);
        let of = operands.map(|x| x.value());
        let made = gradients(&builder, loss.value(), &of).expect("it has gradients");
        assert!(made.iter().all(|v| v.is_some_and(|v| builder.expr(v).ty().dtype == dtype)));
        let graph = builder.finish();
        let arithmetic = graph.nodes().filter_map(|(_, node)| match &node.op {
            Op::Contract(axes) => Some((graph.ty(node.inputs[0]).dtype, axes.arithmetic)),
            Op::Convolve(axes) => Some((graph.ty(node.inputs[0]).dtype, axes.arithmetic)),
            _ => None,
        });
        arithmetic.collect()
    };
    use Arithmetic::{Own, Tf32, Wide};
    for (arithmetic, dtype, backward) in
        [(Own, DType::F32, Own), (Tf32, DType::F32, Tf32), (Wide, DType::BF16, Own), (Own, DType::F16, Own)]
    {
        let want = [(dtype, arithmetic), (dtype, backward), (dtype, backward)];
        assert_eq!(found(contract(arithmetic), dtype, [&[2, 3], &[3, 4]]), want);
        assert_eq!(found(convolve(arithmetic), dtype, [&[2, 3, 5], &[4, 3, 2]]), want);
    }
}

#[test]
fn arithmetic_is_for_its_dtypes() {
    for op in [contract, convolve] {
        for (arithmetic, dtype, says) in [
            (Arithmetic::Wide, DType::F32, "f16 or bf16, not of f32"),
            (Arithmetic::Tf32, DType::BF16, "f32 operands to TF32, not bf16"),
        ] {
            let op = op(arithmetic);
            let shape: &[usize] = if matches!(op, Op::Contract(_)) { &[2, 2] } else { &[2, 2, 2] };
            let builder = Builder::new(Graph::new(), Origin::here());
            let x = builder.parameter(Type::new(dtype, shape)).value();
            let error = builder.try_apply(op, &[x, x]).expect_err("it is refused").to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
