//! Products with and without epilogues.

use crate::support::build::{apply, contraction, kernel, load, map, store, with_workspace};
use crate::support::{Buffers, Value, buffer, evaluate, executors, launch, noise, program, read};
use warploom_cpu::Cpu;
use warploom_device::{Contraction, DeviceError, Instruction, Operand, Step, Target};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Literal};

fn product(operands: [&Buffers; 1], step: &Contraction, index: &[usize]) -> Value {
    let [buffers] = operands;
    let at = |operand: &Operand, row: usize, column: usize| {
        let element = operand.offset
            + index[0] as i64 * operand.batch
            + row as i64 * operand.row
            + column as i64 * operand.column;
        read(&buffers[operand.buffer.0 as usize], step.dtype, element)
    };
    let number = |value: Value| match value {
        Value::F32(x) => f64::from(x),
        Value::F64(x) => x,
        Value::I32(x) => f64::from(x),
        Value::U32(x) => f64::from(x),
        Value::Bool(_) => panic!("a product of bools"),
    };
    let terms = (0..step.k).map(|k| number(at(&step.lhs, index[1], k)) * number(at(&step.rhs, k, index[2])));
    match step.dtype {
        DType::I32 => Value::I32(terms.fold(0i64, |sum, x| sum.wrapping_add(x as i64)) as i32),
        DType::U32 => Value::U32(terms.fold(0i64, |sum, x| sum.wrapping_add(x as i64)) as u32),
        dtype => Value::of(dtype, terms.sum()),
    }
}

/// Compares within a rounding error that grows with the number of terms.
fn assert_close(what: &str, found: &Buffers, expected: &Buffers, k: usize) {
    for (i, ((dtype, found), (_, expected))) in found.iter().zip(expected).enumerate() {
        let tolerance = match dtype {
            DType::F64 => 1e-13,
            DType::F16 => 2e-3,
            DType::BF16 => 2e-2,
            DType::F32 => 1e-5,
            _ => 0.0,
        } * (k as f64).sqrt().max(1.0);
        let (found, expected) = ((*dtype, found.clone()), (*dtype, expected.clone()));
        for at in 0..found.1.len() / dtype.bytes() {
            let number = |buffer| match read(buffer, *dtype, at as i64) {
                Value::F32(x) => f64::from(x),
                Value::F64(x) => x,
                Value::I32(x) => f64::from(x),
                Value::U32(x) => f64::from(x),
                Value::Bool(x) => f64::from(x as u8),
            };
            let (a, b) = (number(&found), number(&expected));
            assert!(
                (a - b).abs() <= tolerance * b.abs().max(1.0),
                "{what}: element {at} of buffer {i}: {a}, not {b}"
            );
        }
    }
}

fn check_contraction(step: &Contraction, buffers: &Buffers) {
    let mut expected = buffers.clone();
    let given = buffers.clone();
    evaluate(&step.epilogue, &mut expected, &|index| product([&given], step, index));
    for (name, cpu) in executors() {
        let (step_with, mut all) = with_workspace(cpu, step.clone(), buffers.clone());
        all = launch(cpu, program(vec![step_with], &all), &all).unwrap();
        all.pop();
        let what = format!("{} [{}, {}, {}] x {} on {name}", step.dtype, step.batch, step.m, step.n, step.k);
        assert_close(&what, &all, &expected, step.k);
    }
}

const SHAPES: [[usize; 4]; 12] = [
    [1, 1, 1, 1],
    [1, 100, 1, 10],
    [1, 1, 70, 33],
    [2, 3, 5, 7],
    [1, 33, 65, 17],
    [3, 40, 16, 100],
    [1, 5, 4, 0],
    [2, 0, 3, 4],
    [1, 130, 70, 300],
    [5, 17, 1, 9],
    [1, 600, 1, 40],
    [1, 64, 96, 1100],
];

#[test]
fn contractions_store_products() {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::U32] {
        for shape in SHAPES {
            for transposed in [false, true] {
                let [batch, m, n, k] = shape;
                let held = warploom_device::kernel::register_dtype(dtype);
                let dense = [(m * n) as i64, n as i64, 1];
                let epilogue =
                    kernel(&[], vec![Instruction::Product(held)], vec![store(0, 2, held, map(0, &dense))]);
                let buffers = vec![
                    noise(dtype, batch * m * k, 1),
                    noise(dtype, batch * k * n, 2),
                    buffer(held, vec![0.0; batch * m * n]),
                ];
                check_contraction(&contraction(dtype, shape, transposed, epilogue), &buffers);
            }
        }
    }
}

/// Bias and relu, and the pre-activation transposed into a second store.
#[test]
fn contractions_with_an_epilogue() {
    for dtype in [DType::F32, DType::F64, DType::F16] {
        for shape in SHAPES {
            let [batch, m, n, k] = shape;
            let held = warploom_device::kernel::register_dtype(dtype);
            let (m1, n1) = (m as i64, n as i64);
            let body = vec![
                Instruction::Product(held),
                load(2, dtype, map(0, &[0, 0, 1])),
                apply(ScalarOp::Add, held, &[0, 1]),
                Instruction::Literal(Literal::new(held, 0.0)),
                apply(ScalarOp::Max, held, &[2, 3]),
                load(3, dtype, map(0, &[m1, 1, 0])),
                apply(ScalarOp::Mul, held, &[4, 5]),
            ];
            let stores = vec![
                store(6, 4, dtype, map(0, &[m1 * n1, n1, 1])),
                store(2, 5, held, map(0, &[m1 * n1, 1, m1])),
            ];
            let buffers = vec![
                noise(dtype, batch * m * k, 1),
                noise(dtype, batch * k * n, 2),
                noise(dtype, n, 3),
                noise(dtype, batch * m, 4),
                buffer(dtype, vec![0.0; batch * m * n]),
                buffer(held, vec![0.0; batch * m * n]),
            ];
            check_contraction(&contraction(dtype, shape, false, kernel(&[], body, stores)), &buffers);
        }
    }
}

#[test]
fn a_missing_workspace_is_refused() {
    let cpu = Cpu::new(Some(1));
    let dense = [64 * 64, 64, 1];
    let epilogue =
        kernel(&[], vec![Instruction::Product(DType::F32)], vec![store(0, 2, DType::F32, map(0, &dense))]);
    let step = contraction(DType::F32, [1, 64, 64, 64], false, epilogue);
    assert!(cpu.workspace_bytes(&Step::Contraction(step.clone())) > 0);
    let buffers = vec![noise(DType::F32, 4096, 1), noise(DType::F32, 4096, 2), noise(DType::F32, 4096, 3)];
    let result = launch(&cpu, program(vec![Step::Contraction(step)], &buffers), &buffers);
    assert!(matches!(result, Err(DeviceError::Unsupported(_))));
}
