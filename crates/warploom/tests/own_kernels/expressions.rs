//! Scalar expressions.

use crate::common::{both, close, devices, slopes, waves};
use crate::example::soft_clip;
use warploom::elementwise::{Row, TypeRule};
use warploom::graph::Elementwise;
use warploom::prelude::*;

#[test]
fn an_expression_fuses_with_its_neighbours() {
    for device in devices() {
        let inputs = [(&[6, 9][..], waves(54)), (&[9][..], vec![0.5; 9])];
        let (found, wanted, program) =
            both(&device, &inputs, |x| vec![(soft_clip(&(&x[0] * 3.0 + 1.0), &x[1]) - 0.25).sum(1)]);
        assert_eq!(program.kernel_count(), 1, "{program}");
        close(&found[0], &wanted[0], 1e-5);
        let by_hand: Vec<f32> = inputs[0]
            .1
            .chunks(9)
            .map(|row| row.iter().map(|x| x * 3.0 + 1.0).map(|x| x / (0.5 + x.abs()) - 0.25).sum())
            .collect();
        close(&found[0], &by_hand, 1e-5);
    }
}

#[test]
fn an_expression_takes_every_float() {
    for device in devices() {
        for dtype in device.capabilities().dtypes.iter().copied().filter(|dtype| dtype.is_float()) {
            let (found, wanted, _) = both(&device, &[(&[50], waves(50)), (&[1], vec![0.5])], |x| {
                let y = soft_clip(&x[0].cast(dtype), &x[1].cast(dtype));
                assert_eq!(y.dtype().unwrap(), dtype);
                vec![y.cast(DType::F32)]
            });
            // Half a unit in the last place of a half is 2^-9 of bf16, 2^-12 of f16.
            close(&found[0], &wanted[0], if dtype.bytes() < 4 { 2f32.powi(-9) } else { 1e-6 });
        }
    }
}

#[test]
fn an_expression_differentiates_twice() {
    for device in devices() {
        device.scope(|| {
            let values =
                [(&[2, 3][..], vec![-1.5, -0.7, 0.4, 0.9, 1.6, 2.5]), (&[3][..], vec![0.5, 1.0, 2.0])];
            slopes(&values, |v| soft_clip(&v[0].value(), &v[1].value()).square().sum_all());
            slopes(&values[..1], |v| {
                let limit = Tensor::from([0.8f32]);
                let once = gradients(&soft_clip(&v[0].value(), &limit).sum_all(), &[&v[0]]).unwrap();
                once[0].square().sum_all()
            });
        });
    }
}

/// A row by hand, for whole numbers: each differs from the next in one bit.
static GRAY_CODE: Row = Row {
    name: "gray_code",
    doc: "x ^ (x >> 1).",
    arity: 1,
    types: TypeRule::Words,
    reference: |_| f64::NAN,
    whole: Some(|x| x[0] ^ (x[0] as u32 >> 1) as i64),
    gradient: |_, _, _| [None; 3],
    expression: |x| x[0].xor(x[0].shift_right(x[0].like(1.0))),
    simplify: |_| None,
    samples: &[],
    onnx: None,
};

#[test]
fn a_row_by_hand_takes_whole_numbers() {
    for device in devices() {
        let (found, wanted, program) = both(&device, &[(&[8], (0..8).map(|i| i as f32).collect())], |x| {
            vec![Tensor::elementwise(Elementwise::new(&GRAY_CODE), &[&x[0].cast(DType::U32)])]
        });
        assert_eq!(found[0], [0.0, 1.0, 3.0, 2.0, 6.0, 7.0, 5.0, 4.0]);
        assert_eq!(found, wanted);
        assert_eq!(program.kernel_count(), 1);
    }
}

mod other {
    warploom::elementwise! {
        /// The same name as another, and as that of a built-in op.
        pub fn relu(x) {
            expression: x * x,
            gradient(_, dy): [2.0 * dy * x],
        }
        /// Also.
        pub fn soft_clip(x, limit) {
            expression: x + limit,
            gradient(_, dy): [dy, dy],
        }
    }
}

#[test]
fn ops_of_one_name_are_told_apart() {
    for device in devices() {
        device.scope(|| {
            let x = Variable::new([3.0f32, -2.0]);
            let limit = Tensor::from([1.0f32]);
            // One program after another of the same names, then both in one.
            let [a, b] = [soft_clip(&x.value(), &limit), other::soft_clip(&x.value(), &limit)];
            close(&a.to_vec::<f32>().unwrap(), &[0.75, -2.0 / 3.0], 1e-6);
            close(&b.to_vec::<f32>().unwrap(), &[4.0, -1.0], 1e-6);
            let sum = x.value().relu() + other::relu(&x.value()) + soft_clip(&x.value(), &limit)
                - other::soft_clip(&x.value(), &limit);
            let gradient = gradients(&sum.sum_all(), &[&x]).unwrap().remove(0);
            close(&sum.to_vec::<f32>().unwrap(), &[3.0 + 9.0 + 0.75 - 4.0, 4.0 - 2.0 / 3.0 + 1.0], 1e-6);
            close(&gradient.to_vec::<f32>().unwrap(), &[6.0 + 1.0 / 16.0, -5.0 + 1.0 / 9.0], 1e-5);
        });
    }
}

mod ill {
    warploom::elementwise! {
        /// Gives a bool.
        pub fn sign(x) {
            expression: x.less(x.like(0.0)),
            gradient(_, dy): [dy],
        }
        /// Adds a bool to a number.
        pub fn mixed(x) {
            expression: x + x.less(x.like(0.0)),
            gradient(_, dy): [dy],
        }
    }
}

#[test]
fn an_ill_typed_expression_is_an_error_that_names_the_op() {
    let cpu = Device::named("cpu").unwrap();
    cpu.scope(|| {
        let x = Tensor::from([1.0f32]);
        let error = ill::sign(&x).to_vec::<f32>().unwrap_err().to_string();
        assert!(error.contains("sign") && error.contains("gives bool; it must give f32"), "{error}");
        let error = ill::mixed(&x).to_vec::<f32>().unwrap_err().to_string();
        assert!(error.contains("mixed") && error.contains("add of f32, bool"), "{error}");
        let error = soft_clip(&x, &Tensor::from([1i32])).to_vec::<f32>().unwrap_err().to_string();
        assert!(error.contains("soft_clip") && error.contains("cast one"), "{error}");
    });
}
