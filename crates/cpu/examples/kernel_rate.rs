//! Prints what kernels cost: nanoseconds per kernel for tiny ones, and the rate of large ones against memory.
//!
//! `cargo run --release -p warploom-cpu --example kernel_rate [threads]`

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;
use warploom_cpu::Cpu;
use warploom_device::{
    Bindings, BufferId, BufferSpec, Class, Contraction, Executor, IndexMap, Instruction, Kernel, Loop,
    Memory, Operand, Program, ReductionStep, Register, Step, Store, Target,
};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Dims, Literal, Reduction, Type};

const F: DType = DType::F32;

fn map(strides: &[i64]) -> IndexMap {
    IndexMap { offset: 0, strides: SmallVec::from_slice(strides), bounds: SmallVec::new() }
}

fn load(buffer: u32, strides: &[i64]) -> Instruction {
    Instruction::Load { buffer: BufferId(buffer), dtype: F, map: map(strides) }
}

fn apply(op: ScalarOp, operands: &[Register]) -> Instruction {
    let mut all = [operands[0]; 3];
    all[..operands.len()].copy_from_slice(operands);
    Instruction::Apply { op, dtype: F, operands: all }
}

fn literal(x: f64) -> Instruction {
    Instruction::Literal(Literal::new(F, x))
}

fn store(register: Register, buffer: u32, strides: &[i64]) -> Store {
    Store { register, buffer: BufferId(buffer), dtype: F, map: map(strides) }
}

fn pointwise(name: &str, count: usize, body: Vec<Instruction>, stores: Vec<Store>) -> Kernel {
    Kernel {
        name: name.into(),
        space: Dims::from_slice(&[count]),
        reduced: Dims::new(),
        body,
        reductions: vec![],
        tail: vec![],
        stores,
    }
}

/// `0.5 x (1 + tanh(0.8 (x + 0.045 x^3)))`.
fn gelu(count: usize) -> Kernel {
    let body = vec![
        load(0, &[1]),
        apply(ScalarOp::Mul, &[0, 0]),
        literal(0.035677),
        literal(0.797885),
        apply(ScalarOp::MulAdd, &[1, 2, 3]),
        apply(ScalarOp::Mul, &[0, 4]),
        apply(ScalarOp::Tanh, &[5]),
        literal(0.5),
        apply(ScalarOp::MulAdd, &[6, 7, 7]),
        apply(ScalarOp::Mul, &[0, 8]),
    ];
    pointwise("gelu", count, body, vec![store(9, 1, &[1])])
}

fn scale_and_shift(count: usize) -> Kernel {
    let body = vec![
        load(0, &[1]),
        load(1, &[1]),
        literal(0.5),
        apply(ScalarOp::MulAdd, &[0, 2, 1]),
        apply(ScalarOp::Max, &[3, 2]),
    ];
    pointwise("scale", count, body, vec![store(4, 1, &[1])])
}

/// Parameters, gradient, two moments.
fn adam(count: usize) -> Kernel {
    let one = &[1];
    let body = vec![
        load(0, one),
        load(1, one),
        load(2, one),
        load(3, one),
        literal(0.9),
        literal(0.1),
        literal(0.999),
        literal(0.001),
        apply(ScalarOp::Mul, &[1, 5]),
        apply(ScalarOp::MulAdd, &[2, 4, 8]),
        apply(ScalarOp::Mul, &[1, 1]),
        apply(ScalarOp::Mul, &[10, 7]),
        apply(ScalarOp::MulAdd, &[3, 6, 11]),
        apply(ScalarOp::Sqrt, &[12]),
        literal(1e-8),
        apply(ScalarOp::Add, &[13, 14]),
        apply(ScalarOp::Div, &[9, 15]),
        literal(-1e-3),
        apply(ScalarOp::MulAdd, &[16, 17, 0]),
    ];
    pointwise("adam", count, body, vec![store(18, 0, one), store(9, 2, one), store(12, 3, one)])
}

fn sum(points: usize, sweep: usize, strides: &[i64]) -> Kernel {
    Kernel {
        name: "sum".into(),
        space: Dims::from_slice(&[points]),
        reduced: Dims::from_slice(&[sweep]),
        body: vec![load(0, strides)],
        reductions: vec![ReductionStep { kind: Reduction::Sum, operand: 0, dtype: F }],
        tail: vec![],
        stores: vec![store(1, 1, &[1])],
    }
}

/// The fastest launch of a program on f32 buffers of these lengths, in nanoseconds: other processes only add.
fn measure(cpu: &Cpu, steps: Vec<Step>, lengths: &[usize]) -> f64 {
    let specs: Vec<BufferSpec> = lengths
        .iter()
        .enumerate()
        .map(|(i, length)| BufferSpec {
            ty: Type::new(F, &[*length]),
            bytes: length * 4,
            class: Class::State(i),
        })
        .collect();
    let program = Program {
        states: specs.iter().map(|spec| spec.ty.clone()).collect(),
        buffers: specs,
        steps,
        written: vec![],
        inputs: vec![],
        outputs: vec![],
        slabs: vec![],
        notes: vec![],
    };
    let states: Vec<Memory> = lengths
        .iter()
        .map(|length| {
            let memory = cpu.allocate(length * 4).expect("memory");
            let bytes: Vec<u8> =
                (0..*length).flat_map(|i| (0.1 + (i % 97) as f32 * 0.01).to_le_bytes()).collect();
            cpu.upload(&memory, 0, &bytes).expect("upload");
            memory
        })
        .collect();
    let ready = cpu.prepare(Arc::new(program)).expect("prepare");
    let bindings = Bindings { states: &states, inputs: &[], outputs: &[], arena: &[], derived: &[] };
    let launch = || ready.launch(bindings).expect("launch");
    let begin = Instant::now();
    launch();
    let each = (2e6 / (begin.elapsed().as_nanos() as f64)).clamp(1.0, 10_000.0) as usize;
    let mut times: Vec<f64> = (0..51)
        .map(|_| {
            let begin = Instant::now();
            (0..each).for_each(|_| {
                launch();
            });
            begin.elapsed().as_nanos() as f64 / each as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[0]
}

fn main() {
    let threads = std::env::args().nth(1).and_then(|threads| threads.parse().ok());
    let cpu = Cpu::new(threads);
    for count in [1, 10, 100, 1000] {
        let one = measure(&cpu, vec![Step::Kernel(scale_and_shift(count))], &[count, count]);
        let body: Vec<Step> = (0..8).map(|_| Step::Kernel(scale_and_shift(count))).collect();
        let repeated =
            Step::Loop(Loop { iterations: 1000, reverse: false, windows: vec![], counter: None, body });
        let looped = measure(&cpu, vec![repeated], &[count, count]) / 8000.0;
        println!("{count} elements: launch {one:.0} ns, {looped:.0} ns per kernel in a loop");
    }
    let layer = |[m, n, k]: [usize; 3], epilogue: bool| {
        let operand = |id: u32, row: usize| Operand {
            buffer: BufferId(id),
            offset: 0,
            batch: 0,
            row: row as i64,
            column: 1,
        };
        let dense = [(m * n) as i64, n as i64, 1];
        let body = vec![
            Instruction::Product(F),
            load(3, &[0, 0, 1]),
            apply(ScalarOp::Add, &[0, 1]),
            literal(0.0),
            apply(ScalarOp::Max, &[2, 3]),
        ];
        let result = if epilogue { 4 } else { 0 };
        let body = if epilogue { body } else { body[..1].to_vec() };
        let kernel = Kernel {
            space: Dims::from_slice(&[1, m, n]),
            ..pointwise("", 0, body, vec![store(result, 2, &dense)])
        };
        let mut step = Contraction {
            dtype: F,
            tf32: false,
            batch: 1,
            m,
            n,
            k,
            lhs: operand(0, k),
            rhs: operand(1, n),
            epilogue: kernel,
            workspace: Some(BufferId(4)),
        };
        let workspace = cpu.workspace_bytes(&Step::Contraction(step.clone()));
        step.workspace = Some(BufferId(4));
        measure(&cpu, vec![Step::Contraction(step)], &[m * k, k * n, m * n, n, workspace / 4])
    };
    for shape in [[100, 1, 10], [10, 10, 10], [128, 64, 64], [128, 512, 784]] {
        println!(
            "{shape:?}: product {:.0} ns, with bias and relu {:.0} ns",
            layer(shape, false),
            layer(shape, true)
        );
    }
    let million = 1 << 20;
    let report = |name: &str, kernel: Kernel, lengths: &[usize], elements: usize, bytes: usize| {
        let time = measure(&cpu, vec![Step::Kernel(kernel)], lengths);
        println!(
            "{name}: {:.3} ms, {:.3} ns per element, {:.1} GB/s",
            time / 1e6,
            time / elements as f64,
            bytes as f64 / time
        );
    };
    let count = 16 * million;
    let copy = pointwise("copy", count, vec![load(0, &[1])], vec![store(0, 1, &[1])]);
    report("copy of 16 M", copy, &[count, count], count, 8 * count);
    let transpose = Kernel {
        space: Dims::from_slice(&[2048, 2048]),
        ..pointwise("transpose", 0, vec![load(0, &[1, 2048])], vec![store(0, 1, &[2048, 1])])
    };
    report("transpose of [2048, 2048]", transpose, &[4 * million; 2], 4 * million, 32 * million);
    report("gelu of 16 M", gelu(count), &[count, count], count, 8 * count);
    report("gelu of 8 k", gelu(8192), &[8192, 8192], 8192, 8 * 8192);
    let count = 669_706;
    report("adam of 669,706", adam(count), &[count; 4], count, 28 * count);
    let (rows, columns) = (4096, 1024);
    let count = rows * columns;
    report(
        "row sums of [4096, 1024]",
        sum(rows, columns, &[columns as i64, 1]),
        &[count, rows],
        count,
        4 * count,
    );
    report(
        "column sums of [4096, 1024]",
        sum(columns, rows, &[1, columns as i64]),
        &[count, columns],
        count,
        4 * count,
    );
    report("row sums of [128, 10]", sum(128, 10, &[10, 1]), &[1280, 128], 1280, 4 * 1280);
    report(
        "column sums of [128, 512]",
        sum(512, 128, &[1, 512]),
        &[128 * 512, 512],
        128 * 512,
        4 * 128 * 512,
    );
    report("column sums of [128, 10]", sum(10, 128, &[1, 10]), &[1280, 10], 1280, 4 * 1280);
    report("sum of 16 M", sum(1, 16 * million, &[0, 1]), &[16 * million, 1], 16 * million, 64 * million);
}
