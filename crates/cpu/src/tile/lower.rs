//! Turns instructions into ops: decides what is computed how often, what is read in place, and where registers lie.

use std::collections::HashMap;

use smallvec::SmallVec;
use warploom_device::kernel::register_dtype;
use warploom_device::{BufferId, DeviceError, IndexMap, Instruction, Register, Store};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Literal};

use super::access::{Access, Layout, Walk};
use super::convert;
use super::op::{Op, Place};
use super::slots;
use super::table::{self, Class, StoreKind};
use crate::memory_map::MemoryMap;
use warploom_cpu_kernels::isa::Isa;

/// What is lowered: some instructions walked in one way, and what is wanted of them.
pub(super) struct Request<'a> {
    pub isa: Isa,
    pub memory: &'a MemoryMap,
    pub walk: Walk,
    /// Outer axes from here on are walked within a tile.
    pub first_step: usize,
    pub instructions: &'a [(Register, &'a Instruction)],
    /// Registers whose lanes are there before a tile begins.
    pub given: &'a [(Register, Class)],
    pub stores: &'a [Store],
    /// Buffers that the kernel reads.
    pub reads: &'a [BufferId],
    /// Registers whose lanes are wanted one by one.
    pub operands: &'a [Register],
}

/// What a place holds before a kernel runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    /// Nothing: a step sets it.
    Unset,
    /// The address of a literal.
    Literal(usize),
    /// An address in the worker's scratch memory, in bytes.
    Scratch(usize),
}

/// Instructions as lists of ops, by how often they run.
#[derive(Debug)]
pub(super) struct Lowered {
    pub literals: Box<[u64]>,
    /// One for each place.
    pub starts: Vec<Start>,
    /// Once per chunk of work.
    pub fixed: Vec<Op>,
    /// Once per row: when an outer axis before the steps moves.
    pub row: Vec<Op>,
    /// Once per tile.
    pub tile: Vec<Op>,
    /// Once per step, on one lane.
    pub step_row: Vec<Op>,
    /// Once per step, on all lanes.
    pub step: Vec<Op>,
    /// Where the given registers are expected.
    pub given: SmallVec<[Place; 4]>,
    /// Where the operands are found.
    pub operands: SmallVec<[Place; 4]>,
    /// Bytes of scratch memory.
    pub scratch: usize,
    /// Rough nanoseconds for a lane.
    pub cost: f64,
}

/// What a register depends on.
#[derive(Clone, Copy, Default, Debug)]
struct Varies {
    lanes: bool,
    rows: bool,
    steps: bool,
}

impl Varies {
    fn or(self, other: Varies) -> Varies {
        Varies {
            lanes: self.lanes || other.lanes,
            rows: self.rows || other.rows,
            steps: self.steps || other.steps,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Value {
    place: Place,
    class: Class,
    varies: Varies,
}

struct Lowering<'a> {
    request: &'a Request<'a>,
    out: Lowered,
    values: HashMap<Register, Value>,
    literals: Vec<u64>,
    /// Places that a slot must be found for, with the bytes of a lane.
    slots: Vec<(Place, usize)>,
    /// Places that point at what a buffer holds.
    in_memory: HashMap<Place, BufferId>,
    /// Stores straight from the op that computes the lanes.
    pointed: Vec<Op>,
    /// The other stores, which come when everything has been read.
    last: Vec<Op>,
}

/// Bytes of a place for one lane.
const CELL: usize = 8;

fn broken(what: impl Into<String>) -> DeviceError {
    DeviceError::Unsupported(format!("malformed kernel: {}", what.into()))
}

/// Lowers a request.
pub(super) fn lower(request: &Request<'_>) -> Result<Lowered, DeviceError> {
    let mut lowering = Lowering {
        request,
        out: Lowered {
            literals: Box::default(),
            starts: Vec::new(),
            fixed: Vec::new(),
            row: Vec::new(),
            tile: Vec::new(),
            step_row: Vec::new(),
            step: Vec::new(),
            given: SmallVec::new(),
            operands: SmallVec::new(),
            scratch: 0,
            cost: 0.0,
        },
        values: HashMap::new(),
        literals: Vec::new(),
        slots: Vec::new(),
        in_memory: HashMap::new(),
        pointed: Vec::new(),
        last: Vec::new(),
    };
    for (register, class) in request.given {
        let place = lowering.place(Start::Unset);
        lowering.out.given.push(place);
        let varies = Varies { lanes: true, ..Varies::default() };
        lowering.values.insert(*register, Value { place, class: *class, varies });
    }
    for (register, instruction) in needed(request) {
        let value = lowering.instruction(instruction)?;
        lowering.values.insert(register, value);
    }
    for register in request.operands {
        let value = lowering.value(*register)?;
        let value = lowering.with_lanes(value);
        lowering.out.operands.push(value.place);
    }
    for store in request.stores {
        lowering.store(store)?;
    }
    let mut out = lowering.out;
    out.literals = lowering.literals.into_boxed_slice();
    out.tile.splice(0..0, lowering.pointed);
    out.tile.extend(lowering.last);
    slots::assign(&mut out, &lowering.slots);
    Ok(out)
}

/// The instructions that stores and operands need, in order.
fn needed<'a>(request: &Request<'a>) -> Vec<(Register, &'a Instruction)> {
    let mut wanted: std::collections::HashSet<Register> = request.operands.iter().copied().collect();
    wanted.extend(request.stores.iter().map(|store| store.register));
    let mut kept = Vec::new();
    for (register, instruction) in request.instructions.iter().rev() {
        if !wanted.contains(register) {
            continue;
        }
        match instruction {
            Instruction::Apply { op, operands, .. } => wanted.extend(&operands[..op.arity()]),
            Instruction::LoadAt { index, .. } => {
                wanted.insert(*index);
            }
            Instruction::Literal(_)
            | Instruction::Load { .. }
            | Instruction::Index { .. }
            | Instruction::Random { .. }
            | Instruction::Product(_) => {}
        }
        kept.push((*register, *instruction));
    }
    kept.reverse();
    kept
}

impl Lowering<'_> {
    fn place(&mut self, start: Start) -> Place {
        self.out.starts.push(start);
        (self.out.starts.len() - 1) as Place
    }

    /// A place for a result: lanes of a tile, or one lane of its own.
    fn result(&mut self, class: Class, varies: Varies) -> Place {
        if varies.lanes {
            let place = self.place(Start::Unset);
            self.slots.push((place, class.bytes()));
            place
        } else {
            let offset = self.out.scratch;
            self.out.scratch += CELL;
            self.place(Start::Scratch(offset))
        }
    }

    fn emit(&mut self, varies: Varies, op: Op, cost: f64) {
        if varies.lanes {
            self.out.cost += cost;
        }
        let list = match varies {
            Varies { lanes: true, steps: true, .. } => &mut self.out.step,
            Varies { lanes: true, .. } => &mut self.out.tile,
            Varies { steps: true, .. } => &mut self.out.step_row,
            Varies { rows: true, .. } => &mut self.out.row,
            Varies { .. } => &mut self.out.fixed,
        };
        list.push(op);
    }

    fn value(&self, register: Register) -> Result<Value, DeviceError> {
        self.values
            .get(&register)
            .copied()
            .ok_or_else(|| broken(format!("register {register} is not defined here")))
    }

    /// The same value with a lane for each element.
    fn with_lanes(&mut self, value: Value) -> Value {
        if value.varies.lanes {
            return value;
        }
        let varies = Varies { lanes: true, ..value.varies };
        let to = self.result(value.class, varies);
        let stored = if value.class.bytes() == 8 { DType::F64 } else { DType::U32 };
        let run = table::store(self.request.isa, stored, StoreKind::Fill);
        self.emit(varies, Op::Apply { run, to, from: [value.place; 3] }, 0.03);
        Value { place: to, varies, ..value }
    }

    fn access(&self, map: &IndexMap, buffer: BufferId, dtype: DType) -> (Access, Varies) {
        let access = Access::new(map, buffer.0 as usize, dtype.bytes(), &self.request.walk);
        let varies = self.varies(&access);
        (access, varies)
    }

    fn varies(&self, access: &Access) -> Varies {
        let changes = |range: std::ops::Range<usize>| range.into_iter().any(|axis| access.changes_with(axis));
        Varies {
            lanes: !access.is_uniform(),
            rows: changes(0..self.request.first_step),
            steps: changes(self.request.first_step..access.outer.len()),
        }
    }

    fn instruction(&mut self, instruction: &Instruction) -> Result<Value, DeviceError> {
        let isa = self.request.isa;
        match instruction {
            Instruction::Literal(literal) => {
                self.literals.push(lane_bits(*literal));
                let place = self.place(Start::Literal(self.literals.len() - 1));
                Ok(Value { place, class: Class::of(literal.dtype()), varies: Varies::default() })
            }
            Instruction::Load { buffer, dtype, map } => {
                let (access, varies) = self.access(map, *buffer, *dtype);
                if matches!(access.layout, Layout::Linear(0 | 1)) {
                    let place = self.place(Start::Unset);
                    self.emit(varies, Op::Point { to: place, access }, 0.02 * dtype.bytes() as f64);
                    return Ok(self.loaded(place, *buffer, *dtype, varies));
                }
                let class = Class::of(*dtype);
                let to = self.result(class, varies);
                let op = Op::Gather {
                    to,
                    access,
                    lane: class.bytes(),
                    contiguous: table::load(isa, *dtype, true),
                    strided: convert::strided_load(*dtype),
                };
                self.emit(varies, op, 0.6);
                Ok(Value { place: to, class, varies })
            }
            Instruction::LoadAt { buffer, dtype, map, index, stride, extent } => {
                let (access, varies) = self.access(map, *buffer, *dtype);
                let mut index = self.value(*index)?;
                if index.class != Class::I32 {
                    return Err(broken("an index is not i32"));
                }
                let is_simple = matches!(access.layout, Layout::Linear(0 | 1));
                let varies = varies.or(index.varies);
                let (stride, extent) = (*stride, *extent);
                if is_simple && !index.varies.lanes {
                    let place = self.place(Start::Unset);
                    self.emit(
                        varies,
                        Op::PointAt { to: place, access, index: index.place, stride, extent },
                        0.1,
                    );
                    return Ok(self.loaded(place, *buffer, *dtype, varies));
                }
                index = self.with_lanes(index);
                let class = Class::of(*dtype);
                let to = self.result(class, varies);
                let run = convert::indexed_load(*dtype);
                let op =
                    Op::GatherAt { to, access, lane: class.bytes(), index: index.place, stride, extent, run };
                self.emit(varies, op, 1.0);
                Ok(Value { place: to, class, varies })
            }
            Instruction::Index { dtype, map } => {
                let access = Access::new(map, 0, 0, &self.request.walk);
                let varies = self.varies(&access);
                let class = Class::of(*dtype);
                let to = self.result(class, varies);
                self.emit(varies, Op::Index { to, access, one: !varies.lanes }, 0.1);
                Ok(Value { place: to, class, varies })
            }
            Instruction::Random { stream, seed, step, iteration, map } => {
                let access = Access::new(map, 0, 0, &self.request.walk);
                let varies = self.varies(&access);
                let to = self.result(Class::U32, varies);
                let op = Op::Random {
                    to,
                    access,
                    one: !varies.lanes,
                    stream: *stream,
                    seed: seed.0 as usize,
                    step: step.0 as usize,
                    iteration: iteration.0 as usize,
                };
                self.emit(varies, op, 2.0);
                Ok(Value { place: to, class: Class::U32, varies })
            }
            Instruction::Product(_) => Err(broken("a product outside of a contraction's epilogue")),
            Instruction::Apply { op: ScalarOp::Cast, dtype, operands } => self.cast(*dtype, operands[0]),
            Instruction::Apply { op, dtype, operands } => self.apply(*op, *dtype, operands),
        }
    }

    /// What was pointed at as a register: in place where storage is lanes, else converted.
    fn loaded(&mut self, place: Place, buffer: BufferId, dtype: DType, varies: Varies) -> Value {
        let class = Class::of(dtype);
        if is_lane(dtype) {
            self.in_memory.insert(place, buffer);
            return Value { place, class, varies };
        }
        let to = self.result(class, varies);
        let run = table::load(self.request.isa, dtype, varies.lanes);
        self.emit(varies, Op::Apply { run, to, from: [place; 3] }, 0.08);
        Value { place: to, class, varies }
    }

    fn cast(&mut self, dtype: DType, operand: Register) -> Result<Value, DeviceError> {
        let value = self.value(operand)?;
        let class = Class::of(dtype);
        let is_same = match dtype {
            DType::I32 | DType::U32 => matches!(value.class, Class::I32 | Class::U32 | Class::Bool),
            DType::F32 | DType::F64 | DType::Bool => value.class == class,
            DType::U8 => value.class == Class::Bool,
            DType::F16 | DType::BF16 => false,
        };
        if is_same {
            return Ok(Value { class, ..value });
        }
        let to = self.result(class, value.varies);
        let run = table::cast(self.request.isa, value.class, dtype, value.varies.lanes);
        self.emit(value.varies, Op::Apply { run, to, from: [value.place; 3] }, 0.1);
        Ok(Value { place: to, class, varies: value.varies })
    }

    fn apply(&mut self, op: ScalarOp, dtype: DType, operands: &[Register; 3]) -> Result<Value, DeviceError> {
        let isa = self.request.isa;
        let mut values = [self.value(operands[0])?; 3];
        for i in 1..op.arity() {
            values[i] = self.value(operands[i])?;
        }
        let of = if op == ScalarOp::Select { values[1].class } else { values[0].class };
        let class = Class::of(dtype);
        let unsupported =
            || DeviceError::Unsupported(format!("{} of {of:?} registers giving {dtype}", op.name()));
        let is_typed = match op {
            ScalarOp::Select => values[0].class == Class::Bool && values[2].class == of,
            _ => values[..op.arity()].iter().all(|value| value.class == of),
        };
        if !is_typed || class != Class::of(op.result(dtype)) || dtype != register_dtype(dtype) {
            return Err(unsupported());
        }
        let varies = values.iter().fold(Varies::default(), |all, value| all.or(value.varies));
        let mut mix = values.map(|value| value.varies.lanes);
        let mut run = table::apply(isa, op, of, mix);
        if run.is_none() {
            for i in 0..op.arity() {
                values[i] = self.with_lanes(values[i]);
            }
            mix = [true; 3];
            run = table::apply(isa, op, of, mix);
        }
        let run = run.ok_or_else(unsupported)?;
        let to = self.result(class, varies);
        self.emit(varies, Op::Apply { run, to, from: values.map(|value| value.place) }, cost(op));
        Ok(Value { place: to, class, varies })
    }

    fn store(&mut self, store: &Store) -> Result<(), DeviceError> {
        let isa = self.request.isa;
        let mut value = self.value(store.register)?;
        if Class::of(store.dtype) != value.class {
            return Err(broken(format!("a {:?} register is stored as {}", value.class, store.dtype)));
        }
        let (access, _) = self.access(&store.map, store.buffer, store.dtype);
        let is_one = self.request.walk.length() == 1;
        if !is_one && !matches!(access.layout, Layout::Linear(1)) {
            value = self.with_lanes(value);
        }
        value = self.kept_from_stores(value);
        if !is_one && !matches!(access.layout, Layout::Linear(1)) {
            self.last.push(Op::Scatter {
                from: value.place,
                access,
                lane: value.class.bytes(),
                contiguous: table::store(isa, store.dtype, StoreKind::Copy),
                strided: convert::strided_store(store.dtype),
            });
            self.out.cost += 0.6;
            return Ok(());
        }
        self.out.cost += 0.03 * store.dtype.bytes() as f64;
        if let Some(slot) = self.slots.iter().position(|(place, _)| *place == value.place)
            && !is_one
            && is_lane(store.dtype)
            && !self.reads(store.buffer)
        {
            self.slots.remove(slot);
            self.pointed.push(Op::Point { to: value.place, access });
            return Ok(());
        }
        let kind = match value.varies.lanes {
            _ if is_one => StoreKind::One,
            true => StoreKind::Copy,
            false => StoreKind::Fill,
        };
        let to = self.place(Start::Unset);
        self.last.push(Op::Point { to, access });
        let run = table::store(isa, store.dtype, kind);
        self.last.push(Op::Apply { run, to, from: [value.place; 3] });
        Ok(())
    }

    /// The same value, copied if it is read in place from memory that a store may overwrite before it is read.
    fn kept_from_stores(&mut self, value: Value) -> Value {
        let Some(buffer) = self.in_memory.get(&value.place) else { return value };
        if !self.request.stores.iter().any(|store| self.request.memory.overlap(store.buffer, *buffer)) {
            return value;
        }
        let to = self.result(value.class, value.varies);
        let stored = if value.class.bytes() == 8 { DType::F64 } else { DType::U32 };
        let run = table::load(self.request.isa, stored, value.varies.lanes);
        self.emit(value.varies, Op::Apply { run, to, from: [value.place; 3] }, 0.08);
        Value { place: to, ..value }
    }

    /// Whether the kernel reads what a buffer holds.
    fn reads(&self, buffer: BufferId) -> bool {
        self.request.reads.iter().any(|read| self.request.memory.overlap(buffer, *read))
    }
}

/// Whether a stored element is a lane as it stands.
fn is_lane(stored: DType) -> bool {
    stored == register_dtype(stored) && stored != DType::Bool
}

/// A literal as the bits of a lane.
fn lane_bits(literal: Literal) -> u64 {
    let value = literal.to_f64();
    match Class::of(literal.dtype()) {
        Class::F32 => u64::from((value as f32).to_bits()),
        Class::F64 => value.to_bits(),
        Class::I32 => u64::from(value as i32 as u32),
        Class::U32 | Class::Bool => u64::from(value as u32),
    }
}

/// Rough nanoseconds per lane.
fn cost(op: ScalarOp) -> f64 {
    use ScalarOp::*;
    match op {
        Add | Sub | Mul | Min | Max | MulAdd | Neg | Abs | Floor | Round | Less | LessEqual | Equal
        | Select | And | Or | Xor | ShiftLeft | ShiftRight | Cast => 0.06,
        Div | Sqrt => 0.2,
        Exp | Log | Sin | Cos | Tanh | Erf => 0.5,
        Pow => 2.0,
        Rem => 5.0,
    }
}
