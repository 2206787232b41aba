//! Kernels by their definition, one scalar at a time, and the same kernels on the executor.

pub mod build;

use std::sync::Arc;

use warploom_cpu::Cpu;
use warploom_cpu_kernels::isa::Isa;
use warploom_cpu_kernels::math;
use warploom_device::kernel::register_dtype;
use warploom_device::{
    Bindings, BufferId, BufferSpec, Class, DeviceError, Executor, IndexMap, Instruction, Kernel, Memory,
    Program, Step,
};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Reduction, Type, philox};

/// Content of the buffers by number: dtype and bytes.
pub type Buffers = Vec<(DType, Vec<u8>)>;

/// The value of a register.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    F32(f32),
    F64(f64),
    I32(i32),
    U32(u32),
    Bool(bool),
}

use Value::*;

impl Value {
    pub fn zero(dtype: DType) -> Value {
        Value::of(dtype, 0.0)
    }

    pub fn of(dtype: DType, x: f64) -> Value {
        match register_dtype(dtype) {
            DType::F32 => F32(x as f32),
            DType::F64 => F64(x),
            DType::I32 => I32(x as i32),
            DType::U32 => U32(x as u32),
            DType::Bool => Bool(x != 0.0),
            dtype => panic!("no register of {dtype}"),
        }
    }
}

/// One element of a buffer.
pub fn read(buffer: &(DType, Vec<u8>), dtype: DType, element: i64) -> Value {
    let size = dtype.bytes();
    let at = usize::try_from(element).expect("negative element") * size;
    let bytes = &buffer.1[at..at + size];
    match dtype {
        DType::Bool => Bool(bytes[0] != 0),
        DType::U8 => U32(bytes[0].into()),
        DType::F16 => F32(half::f16::from_le_bytes(bytes.try_into().unwrap()).to_f32()),
        DType::BF16 => F32(half::bf16::from_le_bytes(bytes.try_into().unwrap()).to_f32()),
        DType::F32 => F32(f32::from_le_bytes(bytes.try_into().unwrap())),
        DType::F64 => F64(f64::from_le_bytes(bytes.try_into().unwrap())),
        DType::I32 => I32(i32::from_le_bytes(bytes.try_into().unwrap())),
        DType::U32 => U32(u32::from_le_bytes(bytes.try_into().unwrap())),
    }
}

/// A value as it is stored.
pub fn bytes_of(value: Value, dtype: DType) -> Vec<u8> {
    match (value, dtype) {
        (Bool(x), DType::Bool) => vec![x as u8],
        (U32(x), DType::U8) => vec![x as u8],
        (F32(x), DType::F16) => half::f16::from_f32(x).to_le_bytes().into(),
        (F32(x), DType::BF16) => half::bf16::from_f32(x).to_le_bytes().into(),
        (F32(x), DType::F32) => x.to_le_bytes().into(),
        (F64(x), DType::F64) => x.to_le_bytes().into(),
        (I32(x), DType::I32) => x.to_le_bytes().into(),
        (U32(x), DType::U32) => x.to_le_bytes().into(),
        (value, dtype) => panic!("{value:?} stored as {dtype}"),
    }
}

/// Numbers as a buffer.
pub fn buffer(dtype: DType, numbers: impl IntoIterator<Item = f64>) -> (DType, Vec<u8>) {
    (dtype, numbers.into_iter().flat_map(|x| bytes_of(Value::of(dtype, dtype.round(x)), dtype)).collect())
}

/// Numbers without pattern in -2..2, or small whole ones.
pub fn noise(dtype: DType, count: usize, seed: u32) -> (DType, Vec<u8>) {
    buffer(
        dtype,
        (0..count).map(|i| {
            let word = philox::block([i as u32, seed, 0, 0], [1, 2])[0];
            match dtype {
                DType::Bool => (word & 1) as f64,
                DType::U8 => (word & 255) as f64,
                DType::I32 => (word % 2001) as f64 - 1000.0,
                DType::U32 => (word % 2001) as f64,
                _ => word as f64 / f64::from(1u32 << 30) - 2.0,
            }
        }),
    )
}

fn element(map: &IndexMap, index: &[usize]) -> Option<i64> {
    if map.bounds.iter().any(|bound| !(bound.start..bound.end).contains(&index[bound.axis])) {
        return None;
    }
    Some(map.offset + map.strides.iter().zip(index).map(|(stride, at)| stride * *at as i64).sum::<i64>())
}

/// One scalar instruction by its definition.
pub fn apply(op: ScalarOp, dtype: DType, a: Value, b: Value, c: Value) -> Value {
    use ScalarOp::*;
    macro_rules! float {
        ($V:ident, $a:ident, $b:expr, $c:expr, $exp:ident $log:ident $tanh:ident $erf:ident $sin:ident $cos:ident $pow:ident) => {
            match op {
                Add => $V($a + $b),
                Sub => $V($a - $b),
                Mul => $V($a * $b),
                Div => $V($a / $b),
                Rem => $V($a % $b),
                Pow => $V(math::$pow($a, $b)),
                Min if $a.is_nan() => $V($a),
                Max if $a.is_nan() => $V($a),
                Min => $V(if $a < $b { $a } else { $b }),
                Max => $V(if $a > $b { $a } else { $b }),
                MulAdd => $V($a.mul_add($b, $c)),
                Neg => $V(-$a),
                Abs => $V($a.abs()),
                Floor => $V($a.floor()),
                Round => $V($a.round_ties_even()),
                Sqrt => $V($a.sqrt()),
                Exp => $V(math::$exp($a)),
                Log => $V(math::$log($a)),
                Sin => $V(math::$sin($a)),
                Cos => $V(math::$cos($a)),
                Tanh => $V(math::$tanh($a)),
                Erf => $V(math::$erf($a)),
                Less => Bool($a < $b),
                LessEqual => Bool($a <= $b),
                Equal => Bool($a == $b),
                _ => panic!("{op:?} of floats"),
            }
        };
    }
    macro_rules! whole {
        ($V:ident, $T:ty, $a:ident, $b:expr, $abs:expr) => {
            match op {
                Add => $V($a.wrapping_add($b)),
                Sub => $V($a.wrapping_sub($b)),
                Mul => $V($a.wrapping_mul($b)),
                Div => $V(if $b == 0 { 0 } else { $a.wrapping_div($b) }),
                Rem => $V(if $b == 0 { 0 } else { $a.wrapping_rem($b) }),
                Min => $V($a.min($b)),
                Max => $V($a.max($b)),
                Neg => $V($a.wrapping_neg()),
                Abs => $V($abs),
                Less => Bool($a < $b),
                LessEqual => Bool($a <= $b),
                Equal => Bool($a == $b),
                And => $V($a & $b),
                Or => $V($a | $b),
                Xor => $V($a ^ $b),
                ShiftLeft => $V(($a as u32).checked_shl($b as u32).unwrap_or(0) as $T),
                ShiftRight => $V(($a as u32).checked_shr($b as u32).unwrap_or(0) as $T),
                _ => panic!("{op:?} of integers"),
            }
        };
    }
    match (op, a, b) {
        (Cast, a, _) => cast(a, dtype),
        (Select, Bool(a), b) => {
            if a {
                b
            } else {
                c
            }
        }
        (_, F32(a), b) => {
            let of = |v: Value| if let F32(x) = v { x } else { 0.0 };
            float!(F32, a, of(b), of(c), exp_f32 log_f32 tanh_f32 erf_f32 sin_f32 cos_f32 pow_f32)
        }
        (_, F64(a), b) => {
            let of = |v: Value| if let F64(x) = v { x } else { 0.0 };
            float!(F64, a, of(b), of(c), exp_f64 log_f64 tanh_f64 erf_f64 sin_f64 cos_f64 pow_f64)
        }
        (_, I32(a), I32(b)) => whole!(I32, i32, a, b, a.wrapping_abs()),
        (_, U32(a), U32(b)) => whole!(U32, u32, a, b, a),
        (_, Bool(a), Bool(b)) => Bool(match op {
            And | Min => a & b,
            Or | Max => a | b,
            Xor => a ^ b,
            Less => !a & b,
            LessEqual => a <= b,
            Equal => a == b,
            _ => panic!("{op:?} of bools"),
        }),
        (op, a, b) => panic!("{op:?} of {a:?} and {b:?}"),
    }
}

fn cast(a: Value, to: DType) -> Value {
    let (real, whole) = match a {
        F32(x) => (Some(f64::from(x)), 0),
        F64(x) => (Some(x), 0),
        I32(x) => (None, i64::from(x)),
        U32(x) => (None, i64::from(x)),
        Bool(x) => (None, x as i64),
    };
    match (to, real) {
        (DType::Bool, Some(x)) => Bool(x != 0.0),
        (DType::Bool, None) => Bool(whole != 0),
        (DType::U8, Some(x)) => U32((x as u8).into()),
        (DType::U8, None) => U32((whole as u8).into()),
        (DType::I32, Some(x)) => I32(x as i32),
        (DType::I32, None) => I32(whole as i32),
        (DType::U32, Some(x)) => U32(x as u32),
        (DType::U32, None) => U32(whole as u32),
        (DType::F64, Some(x)) => F64(x),
        (DType::F64, None) => F64(whole as f64),
        (to, x) => {
            let x = x.map_or(whole as f32, |x| x as f32);
            F32(match to {
                DType::F16 => half::f16::from_f32(x).to_f32(),
                DType::BF16 => half::bf16::from_f32(x).to_f32(),
                _ => x,
            })
        }
    }
}

fn combine(kind: Reduction, a: Value, b: Value) -> Value {
    match (kind, a, b) {
        (Reduction::Sum, F32(a), F32(b)) => F32(a + b),
        (Reduction::Sum, F64(a), F64(b)) => F64(a + b),
        (Reduction::Sum, I32(a), I32(b)) => I32(a.wrapping_add(b)),
        (Reduction::Sum, U32(a), U32(b)) => U32(a.wrapping_add(b)),
        (Reduction::Max, F32(a), F32(b)) => F32(if b > a || b.is_nan() { b } else { a }),
        (Reduction::Max, F64(a), F64(b)) => F64(if b > a || b.is_nan() { b } else { a }),
        (Reduction::Max, I32(a), I32(b)) => I32(a.max(b)),
        (Reduction::Max, U32(a), U32(b)) => U32(a.max(b)),
        (Reduction::Max, Bool(a), Bool(b)) => Bool(a | b),
        (Reduction::Min, F32(a), F32(b)) => F32(if b < a || b.is_nan() { b } else { a }),
        (Reduction::Min, F64(a), F64(b)) => F64(if b < a || b.is_nan() { b } else { a }),
        (Reduction::Min, I32(a), I32(b)) => I32(a.min(b)),
        (Reduction::Min, U32(a), U32(b)) => U32(a.min(b)),
        (Reduction::Min, Bool(a), Bool(b)) => Bool(a & b),
        (kind, a, b) => panic!("{kind:?} of {a:?} and {b:?}"),
    }
}

fn identity(kind: Reduction, dtype: DType) -> Value {
    match kind {
        Reduction::Sum | Reduction::ArgMax => Value::zero(dtype),
        Reduction::Max => Value::of(dtype, register_dtype(dtype).lowest().to_f64()),
        Reduction::Min => Value::of(dtype, register_dtype(dtype).highest().to_f64()),
    }
}

/// The documented tree: blocks of 256 in 16 accumulators, combined in halves; blocks like carries of a counter.
fn reduce(kind: Reduction, dtype: DType, values: &[Value]) -> Value {
    if kind == Reduction::ArgMax {
        let number = |v: &Value| match *v {
            F32(x) => f64::from(x),
            F64(x) => x,
            I32(x) => x.into(),
            U32(x) => x.into(),
            Bool(x) => x as u8 as f64,
        };
        let mut best = 0;
        for (i, value) in values.iter().enumerate() {
            let (x, top) = (number(value), number(&values[best]));
            if x > top || x.is_nan() && !top.is_nan() {
                best = i;
            }
        }
        return I32(best as i32);
    }
    let blocks: Vec<Value> = values
        .chunks(256)
        .map(|block| {
            let mut lanes = [identity(kind, dtype); 16];
            for (i, value) in block.iter().enumerate() {
                lanes[i % 16] = combine(kind, lanes[i % 16], *value);
            }
            for half in [8, 4, 2, 1] {
                for i in 0..half {
                    lanes[i] = combine(kind, lanes[i], lanes[i + half]);
                }
            }
            lanes[0]
        })
        .collect();
    let mut stack: Vec<(u32, Value)> = Vec::new();
    for mut value in blocks {
        let mut weight = 0;
        while let Some(&(top, earlier)) = stack.last().filter(|top| top.0 == weight) {
            value = combine(kind, earlier, value);
            weight = top + 1;
            stack.pop();
        }
        stack.push((weight, value));
    }
    let Some((_, mut value)) = stack.pop() else { return identity(kind, dtype) };
    while let Some((_, earlier)) = stack.pop() {
        value = combine(kind, earlier, value);
    }
    value
}

fn each_index(extents: &[usize], mut visit: impl FnMut(&[usize])) {
    warploom_graph::shape::each_index(extents, |index| visit(index));
}

fn step(
    instruction: &Instruction,
    index: &[usize],
    registers: &[Value],
    buffers: &Buffers,
    product: &dyn Fn(&[usize]) -> Value,
) -> Value {
    match instruction {
        Instruction::Literal(literal) => Value::of(literal.dtype(), literal.to_f64()),
        Instruction::Load { buffer, dtype, map } => match element(map, index) {
            Some(at) => read(&buffers[buffer.0 as usize], *dtype, at),
            None => Value::zero(*dtype),
        },
        Instruction::LoadAt { buffer, dtype, map, index: register, stride, .. } => {
            match element(map, index) {
                Some(at) => {
                    let I32(i) = registers[*register as usize] else { panic!("index") };
                    read(&buffers[buffer.0 as usize], *dtype, at + i64::from(i) * stride)
                }
                None => Value::zero(*dtype),
            }
        }
        Instruction::Index { dtype, map } => {
            let at = element(map, index).unwrap_or(0);
            if *dtype == DType::I32 { I32(at as i32) } else { U32(at as u32) }
        }
        Instruction::Random { stream, seed, step, iteration, map } => {
            let word = |buffer: &BufferId, at: i64| match read(&buffers[buffer.0 as usize], DType::U32, at) {
                U32(x) => x,
                _ => 0,
            };
            let at = element(map, index).unwrap_or(0);
            let seed = [word(seed, 0), word(seed, 1)];
            let quad = philox::quad(seed, *stream, word(step, 0), word(iteration, 0), (at / 4) as u32);
            U32(quad[(at % 4) as usize])
        }
        Instruction::Product(_) => product(index),
        Instruction::Apply { op, dtype, operands } => {
            let [a, b, c] = operands.map(|register| registers[register as usize]);
            apply(*op, *dtype, a, b, c)
        }
    }
}

/// Runs a kernel by its definition. All reads come before all writes.
pub fn evaluate(kernel: &Kernel, buffers: &mut Buffers, product: &dyn Fn(&[usize]) -> Value) {
    let mut writes = Vec::new();
    each_index(&kernel.space, |point| {
        let mut registers: Vec<Value> = Vec::new();
        let mut operands: Vec<Vec<Value>> = vec![Vec::new(); kernel.reductions.len()];
        each_index(&kernel.reduced, |inner| {
            let index: Vec<usize> = point.iter().chain(inner).copied().collect();
            registers.clear();
            for instruction in &kernel.body {
                let value = step(instruction, &index, &registers, buffers, product);
                registers.push(value);
            }
            for (values, reduction) in operands.iter_mut().zip(&kernel.reductions) {
                values.push(registers[reduction.operand as usize]);
            }
        });
        if !kernel.reductions.is_empty() {
            registers.resize(kernel.body.len(), Bool(false));
            for (i, instruction) in kernel.body.iter().enumerate() {
                if let Instruction::Literal(_) = instruction {
                    registers[i] = step(instruction, point, &[], buffers, product);
                }
            }
            for (reduction, values) in kernel.reductions.iter().zip(&operands) {
                registers.push(reduce(reduction.kind, reduction.dtype, values));
            }
            for instruction in &kernel.tail {
                let index: Vec<usize> =
                    point.iter().copied().chain(kernel.reduced.iter().map(|_| 0)).collect();
                let value = step(instruction, &index, &registers, buffers, product);
                registers.push(value);
            }
        }
        for store in &kernel.stores {
            let at =
                element(&store.map, point).expect("stores have no bounds") as usize * store.dtype.bytes();
            writes.push((store.buffer, at, bytes_of(registers[store.register as usize], store.dtype)));
        }
    });
    for (buffer, at, bytes) in writes {
        buffers[buffer.0 as usize].1[at..at + bytes.len()].copy_from_slice(&bytes);
    }
}

/// A program whose buffers are state slots.
pub fn program(steps: Vec<Step>, buffers: &Buffers) -> Program {
    let specs = buffers.iter().enumerate().map(|(i, (dtype, bytes))| BufferSpec {
        ty: Type::new(*dtype, &[bytes.len() / dtype.bytes()]),
        bytes: bytes.len(),
        class: Class::State(i),
    });
    let specs: Vec<BufferSpec> = specs.collect();
    Program {
        states: specs.iter().map(|spec| spec.ty.clone()).collect(),
        buffers: specs,
        steps,
        written: (0..buffers.len()).collect(),
        inputs: vec![],
        outputs: vec![],
        slabs: vec![],
        notes: vec![],
    }
}

/// Memory with the buffers' content.
pub fn upload(cpu: &Cpu, buffers: &Buffers) -> Vec<Memory> {
    let one = |bytes: &Vec<u8>| {
        let memory = cpu.allocate(bytes.len()).unwrap();
        cpu.upload(&memory, 0, bytes).unwrap();
        memory
    };
    buffers.iter().map(|(_, bytes)| one(bytes)).collect()
}

/// Only states.
pub fn bindings(states: &[Memory]) -> Bindings<'_> {
    Bindings { states, inputs: &[], outputs: &[], arena: &[], derived: &[] }
}

/// Runs a program on an executor and returns what its buffers then hold.
pub fn launch(cpu: &Cpu, program: Program, buffers: &Buffers) -> Result<Buffers, DeviceError> {
    let states = upload(cpu, buffers);
    let ready = cpu.prepare(Arc::new(program))?;
    cpu.wait(ready.launch(bindings(&states))?)?;
    let back = buffers.iter().zip(&states).map(|((dtype, bytes), memory)| {
        let mut back = vec![0; bytes.len()];
        cpu.download(memory, 0, &mut back).unwrap();
        (*dtype, back)
    });
    Ok(back.collect())
}

/// One executor for each instruction set of the machine, and one with two threads.
pub fn executors() -> &'static [(&'static str, Cpu)] {
    static ALL: std::sync::OnceLock<Vec<(&'static str, Cpu)>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<(&str, Cpu)> =
            Isa::available().map(|isa| (isa.name(), Cpu::with_isa(isa, Some(1)))).collect();
        all.push(("two threads", Cpu::new(Some(2))));
        all
    })
}

/// Whether two elements are the same, any NaN being the same as any other.
fn same(dtype: DType, a: &[u8], b: &[u8]) -> bool {
    a == b
        || dtype.is_float() && {
            let (a, b) = ((dtype, a.to_vec()), (dtype, b.to_vec()));
            let is_nan = |v: Value| matches!(v, F32(x) if x.is_nan()) || matches!(v, F64(x) if x.is_nan());
            is_nan(read(&a, dtype, 0)) && is_nan(read(&b, dtype, 0))
        }
}

/// Compares the content of buffers bit by bit.
pub fn assert_same(what: &str, found: &Buffers, expected: &Buffers) {
    for (i, ((dtype, found), (_, expected))) in found.iter().zip(expected).enumerate() {
        for (at, (a, b)) in found.chunks(dtype.bytes()).zip(expected.chunks(dtype.bytes())).enumerate() {
            if !same(*dtype, a, b) {
                let (a, b) = ((*dtype, a.to_vec()), (*dtype, b.to_vec()));
                let (a, b) = (read(&a, *dtype, 0), read(&b, *dtype, 0));
                panic!("{what}: element {at} of buffer {i} is {a:?}, expected {b:?}");
            }
        }
    }
}

/// Runs a kernel on every executor and compares with its definition.
pub fn check(kernel: &Kernel, buffers: &Buffers) {
    let mut expected = buffers.clone();
    evaluate(kernel, &mut expected, &|_| panic!("no product"));
    for (name, cpu) in executors() {
        let program = program(vec![Step::Kernel(kernel.clone())], buffers);
        let found = launch(cpu, program, buffers).unwrap_or_else(|error| panic!("{}: {error}", kernel.name));
        assert_same(
            &format!("{} on {name}, space {:?} x {:?}", kernel.name, kernel.space, kernel.reduced),
            &found,
            &expected,
        );
    }
}
