//! Kernels on every instruction set and number of threads against their definition, bit by bit.

use crate::support::{buffer, check, executors, launch, noise, program};
use smallvec::SmallVec;
use warploom_device::kernel::register_dtype;
use warploom_device::{
    Bound, BufferId, DeviceError, IndexMap, Instruction, Kernel, ReductionStep, Register, Step, Store,
};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Dims, Literal, Reduction};

const REGISTERS: [DType; 5] = [DType::Bool, DType::I32, DType::U32, DType::F32, DType::F64];

fn map(offset: i64, strides: &[i64]) -> IndexMap {
    IndexMap { offset, strides: SmallVec::from_slice(strides), bounds: SmallVec::new() }
}

fn bounded(map: IndexMap, bounds: &[(usize, usize, usize)]) -> IndexMap {
    let bounds = bounds.iter().map(|&(axis, start, end)| Bound { axis, start, end }).collect();
    IndexMap { bounds, ..map }
}

fn load(buffer: u32, dtype: DType, map: IndexMap) -> Instruction {
    Instruction::Load { buffer: BufferId(buffer), dtype, map }
}

fn store(register: Register, buffer: u32, dtype: DType, map: IndexMap) -> Store {
    Store { register, buffer: BufferId(buffer), dtype, map }
}

fn apply(op: ScalarOp, dtype: DType, operands: &[Register]) -> Instruction {
    let mut all = [operands[0]; 3];
    all[..operands.len()].copy_from_slice(operands);
    Instruction::Apply { op, dtype, operands: all }
}

fn literal(dtype: DType, x: f64) -> Instruction {
    Instruction::Literal(Literal::new(dtype, x))
}

fn pointwise(name: &str, space: &[usize], body: Vec<Instruction>, stores: Vec<Store>) -> Kernel {
    Kernel {
        name: name.into(),
        space: Dims::from_slice(space),
        reduced: Dims::new(),
        body,
        reductions: vec![],
        tail: vec![],
        stores,
    }
}

/// Whether an instruction exists for registers of a dtype.
fn exists(op: ScalarOp, dtype: DType) -> bool {
    use ScalarOp::*;
    match op {
        Min | Max | Less | LessEqual | Equal | Select => true,
        Cast => false,
        And | Or | Xor => !dtype.is_float(),
        ShiftLeft | ShiftRight => matches!(dtype, DType::I32 | DType::U32),
        Add | Sub | Mul | Div | Rem | Neg | Abs => dtype != DType::Bool,
        Pow | MulAdd | Floor | Round | Sqrt | Exp | Log | Sin | Cos | Tanh | Erf => dtype.is_float(),
    }
}

/// Values that instructions treat specially, in every combination.
fn specials(dtype: DType) -> Vec<f64> {
    let mut values = match dtype {
        DType::Bool => vec![0.0, 1.0],
        DType::I32 => vec![0.0, 1.0, -1.0, 7.0, 31.0, 32.0, -13.0, i32::MIN as f64, i32::MAX as f64],
        DType::U32 => vec![0.0, 1.0, 2.0, 7.0, 31.0, 32.0, 33.0, 1e9, u32::MAX as f64],
        _ => vec![
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            -2.5,
            3.5,
            100.25,
            -7.75,
            1e-30,
            1e30,
            -4e9,
            2147483648.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            300.0,
            0.001,
            1e5,
        ],
    };
    if dtype == DType::F64 {
        values.extend([2147483647.5, -2147483648.5, 1e-310]);
    }
    values
}

/// Three operands running through all pairs of special values.
fn operands(dtype: DType) -> [Vec<f64>; 3] {
    let values = specials(dtype);
    let pairs = values.iter().flat_map(|a| values.iter().map(move |b| (*a, *b)));
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.unzip();
    let c = (0..a.len()).map(|i| values[i * 7 % values.len()]).collect();
    [a, b, c]
}

#[test]
fn every_instruction_of_every_register_and_mix() {
    for dtype in REGISTERS {
        let [a, b, c] = operands(dtype);
        let count = a.len();
        for op in ScalarOp::ALL.into_iter().filter(|op| exists(*op, dtype)) {
            // Bit i of the mix: operand i varies. For select the first operand is a bool.
            for mix in 1..1 << op.arity() {
                let first = if op == ScalarOp::Select { DType::Bool } else { dtype };
                let along = |operand: usize| map(3 * (1 - (mix >> operand & 1)), &[mix >> operand & 1]);
                let mut body: Vec<_> = (0..op.arity())
                    .map(|i| load(i as u32, if i == 0 { first } else { dtype }, along(i)))
                    .collect();
                let registers: Vec<Register> = (0..op.arity() as Register).collect();
                body.push(apply(op, op.result(dtype), &registers));
                let result = op.result(dtype);
                let stores = vec![store(registers.len() as Register, 3, result, map(0, &[1]))];
                let buffers = vec![
                    buffer(first, a.clone()),
                    buffer(dtype, b.clone()),
                    buffer(dtype, c.clone()),
                    buffer(result, vec![0.0; count]),
                ];
                check(&pointwise(&format!("{op:?} of {dtype}"), &[count], body, stores), &buffers);
            }
        }
    }
}

#[test]
fn every_instruction_of_one_point() {
    for dtype in REGISTERS {
        let [a, b, c] = operands(dtype);
        for op in ScalarOp::ALL.into_iter().filter(|op| exists(*op, dtype)) {
            let first = if op == ScalarOp::Select { DType::Bool } else { dtype };
            let registers: Vec<Register> = (0..op.arity() as Register).collect();
            let result = op.result(dtype);
            for at in (0..a.len()).step_by(5) {
                let mut body: Vec<_> = (0..op.arity())
                    .map(|i| load(i as u32, if i == 0 { first } else { dtype }, map(0, &[])))
                    .collect();
                body.push(apply(op, result, &registers));
                let stores = vec![store(registers.len() as Register, 3, result, map(0, &[]))];
                let buffers = vec![
                    buffer(first, [a[at]]),
                    buffer(dtype, [b[at]]),
                    buffer(dtype, [c[at]]),
                    buffer(result, [0.0]),
                ];
                check(&pointwise(&format!("{op:?} of {dtype}"), &[], body, stores), &buffers);
            }
        }
    }
}

#[test]
fn transposes_of_many_tiles() {
    for [a, b] in [[70, 300], [300, 700], [1000, 65]] {
        let (na, nb) = (a as i64, b as i64);
        for dtype in [DType::F32, DType::BF16, DType::F64] {
            let body = vec![load(0, dtype, map(0, &[1, na])), load(1, dtype, map(0, &[0, 1]))];
            let held = register_dtype(dtype);
            let body = [body, vec![apply(ScalarOp::Add, held, &[0, 1])]].concat();
            let stores = vec![store(2, 2, dtype, map(0, &[nb, 1]))];
            let buffers = vec![noise(dtype, a * b, 1), noise(dtype, b, 2), buffer(dtype, vec![0.0; a * b])];
            check(&pointwise("transpose", &[a, b], body, stores), &buffers);
        }
    }
}

#[test]
fn every_cast() {
    for from in DType::ALL {
        let held = register_dtype(from);
        let values = specials(if held == DType::Bool { DType::Bool } else { held });
        for to in DType::ALL {
            for count in [1, values.len()] {
                let body = vec![load(0, from, map(0, &[1])), apply(ScalarOp::Cast, to, &[0])];
                let stores = vec![store(1, 1, to, map(0, &[1]))];
                let buffers =
                    vec![buffer(from, values[values.len() - count..].to_vec()), buffer(to, vec![0.0; count])];
                check(&pointwise(&format!("cast {from} {to}"), &[count], body, stores), &buffers);
            }
        }
    }
}

#[test]
fn every_storage_and_extent() {
    for dtype in DType::ALL {
        for count in [0, 1, 3, 15, 16, 17, 31, 255, 256, 257, 511, 512, 513, 1000] {
            let body = vec![load(0, dtype, map(0, &[1]))];
            let stores =
                vec![store(0, 1, dtype, map(0, &[1])), store(0, 2, dtype, map(count as i64 - 1, &[-1]))];
            let zeros = || buffer(dtype, vec![0.0; count]);
            let buffers = vec![noise(dtype, count, 1), zeros(), zeros()];
            check(&pointwise("copy", &[count], body, stores), &buffers);
        }
    }
}

#[test]
fn maps_of_every_kind() {
    let f32s = DType::F32;
    for [a, b, c] in
        [[1, 1, 1], [3, 5, 7], [2, 64, 3], [1, 257, 2], [17, 1, 33], [5, 3, 600], [4, 0, 3], [70, 70, 2]]
    {
        let (na, nb, nc) = (a as i64, b as i64, c as i64);
        let dense = [nb * nc, nc, 1];
        let maps = [
            map(0, &dense),
            map(0, &[1, na, na * nb]),
            map(0, &[0, 0, 1]),
            map(0, &[0, 1, 0]),
            map(0, &[1, 0, 0]),
            map(0, &[0, 0, 0]),
            map((na * nb * nc - 1).max(0), &[-nb * nc, -nc, -1]),
            map(1, &[2 * nb * nc, 2 * nc, 2]),
            bounded(map(-1, &[nb * nc, nc, 1]), &[(2, 1, c)]),
            bounded(map(-nc, &[nb * nc, nc, 1]), &[(1, 1, b)]),
            bounded(map(-nb * nc - nc - 1, &[nb * nc, nc, 1]), &[(0, 1, a), (1, 1, b), (2, 1, c.max(2) - 1)]),
            bounded(map(0, &dense), &[(2, 1, 1)]),
        ];
        let count = a * b * c;
        let source = noise(f32s, 2 * count + 2, 5);
        for (i, one) in maps.iter().enumerate() {
            for dtype in [DType::F32, DType::F16, DType::Bool, DType::F64] {
                let source = if dtype == f32s { source.clone() } else { noise(dtype, 2 * count + 2, 6) };
                let body = vec![load(0, dtype, one.clone())];
                let stores =
                    vec![store(0, 1, dtype, map(0, &dense)), store(0, 2, dtype, map(0, &[1, na, na * nb]))];
                let zeros = || buffer(dtype, vec![0.0; count]);
                let kernel = pointwise(&format!("map {i} of {dtype}"), &[a, b, c], body, stores);
                check(&kernel, &vec![source, zeros(), zeros()]);
            }
            for other in &maps {
                let body = vec![
                    load(0, f32s, one.clone()),
                    load(0, f32s, other.clone()),
                    apply(ScalarOp::Sub, f32s, &[0, 1]),
                    literal(f32s, 2.0),
                    apply(ScalarOp::MulAdd, f32s, &[2, 3, 0]),
                ];
                let stores = vec![store(4, 1, f32s, map(0, &dense)), store(3, 2, f32s, map(0, &dense))];
                let zeros = || buffer(f32s, vec![0.0; count]);
                check(
                    &pointwise("two maps", &[a, b, c], body, stores),
                    &vec![source.clone(), zeros(), zeros()],
                );
            }
        }
    }
}

#[test]
fn positions_and_random_bits() {
    for [a, b] in [[1, 1], [1, 1000], [7, 3], [70, 130], [3, 4000]] {
        let (na, nb) = (a as i64, b as i64);
        for strides in [[nb, 1], [1, na], [4 * nb, 4], [0, 1], [1, 0]] {
            let random = |map: IndexMap| Instruction::Random {
                stream: 7,
                seed: BufferId(0),
                step: BufferId(1),
                iteration: BufferId(2),
                map,
            };
            let body = vec![
                random(map(5, &strides)),
                Instruction::Index { dtype: DType::I32, map: map(-3, &strides) },
                Instruction::Index { dtype: DType::U32, map: map(3, &strides) },
            ];
            let dense = || map(0, &[nb, 1]);
            let stores = vec![
                store(0, 3, DType::U32, dense()),
                store(1, 4, DType::I32, dense()),
                store(2, 5, DType::U32, dense()),
            ];
            let words = |numbers: &[f64]| buffer(DType::U32, numbers.to_vec());
            let zeros = |dtype: DType| buffer(dtype, vec![0.0; a * b]);
            let buffers = vec![
                words(&[123.0, 456.0]),
                words(&[9.0]),
                words(&[2.0]),
                zeros(DType::U32),
                zeros(DType::I32),
                zeros(DType::U32),
            ];
            check(&pointwise("random", &[a, b], body, stores), &buffers);
        }
    }
}

fn reduction(
    name: &str,
    space: &[usize],
    reduced: &[usize],
    kinds: &[Reduction],
    dtype: DType,
    from: IndexMap,
) -> Kernel {
    let held = register_dtype(dtype);
    let strides: Vec<i64> =
        warploom_graph::shape::row_major(space).iter().map(|stride| *stride as i64).collect();
    let results = kinds.iter().map(|kind| if *kind == Reduction::ArgMax { DType::I32 } else { held });
    Kernel {
        name: format!("{name} of {dtype}"),
        space: Dims::from_slice(space),
        reduced: Dims::from_slice(reduced),
        body: vec![load(0, dtype, from)],
        reductions: kinds
            .iter()
            .zip(results.clone())
            .map(|(kind, dtype)| ReductionStep { kind: *kind, operand: 0, dtype })
            .collect(),
        tail: vec![],
        stores: results
            .enumerate()
            .map(|(i, dtype)| store(1 + i as Register, 1 + i as u32, dtype, map(0, &strides)))
            .collect(),
    }
}

/// Every layout of the same logical values, so that both strategies run and must agree with the definition.
#[test]
fn reductions_over_every_layout() {
    use Reduction::*;
    for [points, sweep] in [
        [1, 1],
        [1, 5],
        [1, 256],
        [1, 70_001],
        [3, 0],
        [2, 257],
        [5, 15],
        [7, 64],
        [33, 10],
        [300, 3],
        [100, 700],
        [600, 300],
        [8, 5000],
        [70, 33],
        [1, 700_003],
        [3, 200_000],
        [40, 30_000],
        [300, 2000],
    ] {
        for dtype in DType::ALL {
            if points * sweep > 100_000 && dtype != DType::F32 {
                continue;
            }
            let kinds: &[Reduction] =
                if dtype == DType::Bool { &[Max, Min, ArgMax] } else { &[Sum, Max, Min, ArgMax] };
            let (p, r) = (points as i64, sweep as i64);
            let values = noise(dtype, 2 * points * sweep, 3);
            let mut buffers = vec![values];
            for kind in kinds {
                let dtype = if *kind == ArgMax { DType::I32 } else { register_dtype(dtype) };
                buffers.push(buffer(dtype, vec![0.0; points]));
            }
            let last = (p * r - 1).max(0);
            for (name, from) in [
                ("rows", map(0, &[r, 1])),
                ("columns", map(0, &[1, p])),
                ("spread", map(0, &[2 * r, 2])),
                ("back", map(last, &[-r, -1])),
                ("across back", map(last, &[-1, -p])),
                ("padded", bounded(map(-1, &[r, 1]), &[(1, 1, sweep)])),
                ("same", map(0, &[0, 1])),
                ("constant", map(0, &[1, 0])),
            ] {
                check(&reduction(name, &[points], &[sweep], kinds, dtype, from), &buffers);
            }
        }
    }
}

#[test]
fn reductions_over_several_axes() {
    use Reduction::*;
    for [a, b, c, d] in
        [[2, 3, 4, 5], [5, 1, 40, 9], [1, 130, 20, 17], [3, 2, 300, 2], [9, 70, 3, 3], [2, 2, 2, 700]]
    {
        let count = a * b * c * d;
        let (b1, c1, d1) = (b as i64, c as i64, d as i64);
        let [sa, sb, sc, sd] = [b1 * c1 * d1, c1 * d1, d1, 1];
        let mut buffers = vec![noise(DType::F32, count, 4)];
        for dtype in [DType::F32, DType::F32, DType::I32] {
            buffers.push(buffer(dtype, vec![0.0; count]));
        }
        for (space, reduced, strides) in [
            ([a, b], [c, d], [sa, sb, sc, sd]),
            ([c, d], [a, b], [sc, sd, sa, sb]),
            ([a, d], [b, c], [sa, sd, sb, sc]),
            ([b, d], [a, c], [sb, sd, sa, sc]),
            ([b, c], [d, a], [sb, sc, sd, sa]),
            ([d, a], [c, b], [sd, sa, sc, sb]),
        ] {
            let kernel =
                reduction("axes", &space, &reduced, &[Sum, Max, ArgMax], DType::F32, map(0, &strides));
            check(&kernel, &buffers);
        }
    }
}

#[test]
fn special_values_in_reductions() {
    use Reduction::*;
    for dtype in [DType::F32, DType::F64] {
        for [points, sweep] in [[1, 40], [4, 40], [40, 4], [40, 70]] {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0] {
                let mut numbers = vec![-1.0; points * sweep];
                for i in (0..points * sweep).step_by(13) {
                    numbers[i] = value;
                }
                let mut buffers = vec![buffer(dtype, numbers)];
                for dtype in [dtype, dtype, dtype, DType::I32] {
                    buffers.push(buffer(dtype, vec![0.0; points]));
                }
                for strides in [[sweep as i64, 1], [1, points as i64]] {
                    let kinds = [Sum, Max, Min, ArgMax];
                    check(
                        &reduction("special", &[points], &[sweep], &kinds, dtype, map(0, &strides)),
                        &buffers,
                    );
                }
            }
        }
    }
}

/// Normalises rows: two reductions of computed values, and a tail that loads and uses several results.
#[test]
fn a_tail_uses_results_literals_and_loads() {
    for [points, sweep] in [[5, 7], [130, 10], [3, 1000], [700, 65]] {
        for strides in [[sweep as i64, 1], [1, points as i64]] {
            let f = DType::F32;
            let kernel = Kernel {
                name: "moments".into(),
                space: Dims::from_slice(&[points]),
                reduced: Dims::from_slice(&[sweep]),
                body: vec![
                    load(0, f, map(0, &strides)),
                    load(1, f, map(0, &[1, 0])),
                    apply(ScalarOp::Sub, f, &[0, 1]),
                    apply(ScalarOp::Mul, f, &[2, 2]),
                    literal(f, 0.25),
                ],
                reductions: vec![
                    ReductionStep { kind: Reduction::Sum, operand: 2, dtype: f },
                    ReductionStep { kind: Reduction::Sum, operand: 3, dtype: f },
                    ReductionStep { kind: Reduction::Sum, operand: 4, dtype: f },
                ],
                tail: vec![
                    apply(ScalarOp::Mul, f, &[5, 4]),
                    load(1, f, map(0, &[1, 0])),
                    apply(ScalarOp::MulAdd, f, &[6, 9, 8]),
                    apply(ScalarOp::Add, f, &[10, 7]),
                ],
                stores: vec![
                    store(11, 2, f, map(0, &[1])),
                    store(4, 3, f, map(0, &[1])),
                    store(7, 4, f, map(points as i64 - 1, &[-1])),
                ],
            };
            let zeros = || buffer(f, vec![0.0; points]);
            check(
                &kernel,
                &vec![noise(f, points * sweep, 8), noise(f, points, 9), zeros(), zeros(), zeros()],
            );
        }
    }
}

fn gather(rows: usize, width: usize, extent: usize, dtype: DType) -> Kernel {
    let w = width as i64;
    let body = vec![
        load(1, DType::I32, map(0, &[1, 0])),
        Instruction::LoadAt { buffer: BufferId(0), dtype, map: map(0, &[0, 1]), index: 0, stride: w, extent },
    ];
    pointwise("gather", &[rows, width], body, vec![store(1, 2, dtype, map(0, &[w, 1]))])
}

#[test]
fn gathers_read_rows_and_elements() {
    for dtype in [DType::F32, DType::F16, DType::I32] {
        for (rows, width, extent) in [(1, 1, 1), (5, 3, 4), (100, 1, 9), (9, 300, 20), (3, 1024, 2)] {
            let indices = buffer(DType::I32, (0..rows).map(|i| (i * 7 % extent) as f64));
            let zeros = buffer(dtype, vec![0.0; rows * width]);
            check(
                &gather(rows, width, extent, dtype),
                &vec![noise(dtype, extent * width, 1), indices, zeros],
            );
        }
    }
}

#[test]
fn an_index_out_of_range_is_an_error() {
    for (rows, width) in [(5, 3), (4, 200), (64, 1)] {
        for bad in [-1.0, 4.0, i32::MIN as f64, i32::MAX as f64] {
            let mut indices = vec![0.0; rows];
            indices[rows / 2] = bad;
            let f = DType::F32;
            let buffers =
                vec![noise(f, 4 * width, 1), buffer(DType::I32, indices), buffer(f, vec![0.0; rows * width])];
            for (_, cpu) in executors() {
                let kernel = gather(rows, width, 4, f);
                let result = launch(cpu, program(vec![Step::Kernel(kernel)], &buffers), &buffers);
                let expected =
                    DeviceError::IndexOutOfRange { kernel: "gather".into(), index: bad as i64, extent: 4 };
                assert_eq!(result.unwrap_err(), expected);
            }
        }
    }
}

/// Every store goes to a buffer that is also read: old values must be read everywhere.
#[test]
fn kernels_in_place() {
    for count in [1, 5, 16, 100, 512, 5000, 300_000] {
        for dtype in [DType::F32, DType::F64, DType::F16] {
            let held = register_dtype(dtype);
            let one = || map(0, &[1]);
            let body = vec![
                load(0, dtype, one()),
                load(1, dtype, one()),
                apply(ScalarOp::Add, held, &[0, 1]),
                apply(ScalarOp::Sub, held, &[2, 0]),
                apply(ScalarOp::MulAdd, held, &[3, 0, 1]),
            ];
            // The third store moves an old value to where the second one has a new value.
            let stores =
                vec![store(2, 0, dtype, one()), store(4, 1, dtype, one()), store(0, 2, dtype, one())];
            let buffers = vec![noise(dtype, count, 1), noise(dtype, count, 2), noise(dtype, count, 3)];
            check(&pointwise("in place", &[count], body.clone(), stores), &buffers);
            let swapped = vec![store(0, 1, dtype, one()), store(1, 0, dtype, one())];
            check(&pointwise("swap", &[count], body, swapped), &buffers);
        }
    }
}

#[test]
fn malformed_kernels_are_refused() {
    let f = DType::F32;
    let buffers = vec![noise(f, 10, 1), noise(f, 10, 2)];
    let one = || map(0, &[1]);
    let kernels = [
        pointwise("reads too far", &[11], vec![load(0, f, one())], vec![store(0, 1, f, one())]),
        pointwise("reads before", &[5], vec![load(0, f, map(-1, &[1]))], vec![store(0, 1, f, one())]),
        pointwise("writes too far", &[10], vec![load(0, f, one())], vec![store(0, 1, f, map(1, &[1]))]),
        pointwise("undefined", &[10], vec![load(0, f, one())], vec![store(3, 1, f, one())]),
        pointwise("ill-typed", &[10], vec![load(0, f, one())], vec![store(0, 1, DType::I32, one())]),
        pointwise("no such buffer", &[10], vec![load(9, f, one())], vec![store(0, 1, f, one())]),
    ];
    for kernel in kernels {
        let name = kernel.name.clone();
        for (_, cpu) in executors() {
            let result = launch(cpu, program(vec![Step::Kernel(kernel.clone())], &buffers), &buffers);
            assert!(matches!(result, Err(DeviceError::Unsupported(_))), "{name}");
        }
    }
}
