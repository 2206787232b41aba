//! From a group of ops to a kernel: each member's row is written in scalar instructions; what comes from outside the group
//! is loaded through its views.

use crate::fuse::{Group, Kind, reduced_extents, split};
use crate::index::{Obstacle, Position};
use crate::views::{follow, same_elements, trace};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::HashMap;
use warploom_device::kernel::register_dtype;
use warploom_device::{BufferId, IndexMap, Instruction, Kernel, ReductionStep, Register, Store};
use warploom_graph::scalar::{Emit, Scalar, ScalarOp};
use warploom_graph::{DType, Dims, Graph, Literal, Node, NodeId, Op, Value};

/// Why a kernel could not be written yet.
pub(crate) enum Missing {
    /// This value must first be stored dense.
    Dense(Value),
}

/// What emission needs to know of the region.
pub(crate) struct Source<'a> {
    pub graph: &'a Graph,
    /// By value: its dense memory, where it has some.
    pub buffer_of: &'a [Option<BufferId>],
}

/// Where a value goes.
#[derive(Clone)]
pub(crate) struct Destination {
    pub value: Value,
    pub buffer: BufferId,
    /// Strides and offset in the destination, by axis of the group's shape; dense where absent.
    pub map: Option<IndexMap>,
}

/// Instructions under construction, equal ones shared.
#[derive(Default)]
struct Code {
    first: Register,
    list: Vec<Instruction>,
    dtypes: Vec<DType>,
    known: HashMap<Instruction, Register>,
}

impl Code {
    fn push(&mut self, instruction: Instruction, dtype: DType) -> Register {
        if let Some(register) = self.known.get(&instruction) {
            return *register;
        }
        let register = self.first + self.list.len() as Register;
        self.known.insert(instruction.clone(), register);
        self.list.push(instruction);
        self.dtypes.push(dtype);
        register
    }
}

impl Emit for Code {
    fn emit(&mut self, op: ScalarOp, dtype: DType, operands: &[Register]) -> Register {
        let mut padded = [operands[0]; 3];
        padded[..operands.len()].copy_from_slice(operands);
        self.push(Instruction::Apply { op, dtype, operands: padded }, register_dtype(dtype))
    }

    fn literal(&mut self, literal: Literal) -> Register {
        let dtype = register_dtype(literal.dtype());
        self.push(Instruction::Literal(Literal::new(dtype, literal.to_f64())), dtype)
    }
}

/// The kernel's points as seen by a section of it.
struct Section {
    /// Shape whose elements the points are, in order.
    shape: Dims,
    /// Position of a point in that shape.
    position: Position,
}

struct Emitter<'a, 'g> {
    source: &'a Source<'g>,
    /// Extents of all kernel axes.
    extents: Dims,
    registers: HashMap<Value, Register>,
    /// Whether a split of axes may be asked for.
    may_split: bool,
}

enum Fail {
    Split { axis: usize, inner: usize },
    Dense(Value),
}

/// Writes the kernel of a group whose values in `destinations` are stored.
pub(crate) fn kernel(
    source: &Source<'_>,
    group: &Group,
    destinations: &[Destination],
) -> Result<Kernel, Missing> {
    // Every kernel has an axis, on which a bound that excludes everything can stand.
    let mut space = if group.space.is_empty() { Dims::from_elem(1, 1) } else { group.space.clone() };
    let mut reduced = match group.kind {
        Kind::Reduce(anchor) => reduced_extents(source.graph, source.graph.node(anchor)),
        Kind::Pointwise | Kind::Product(_) | Kind::Opaque(_) => Dims::new(),
    };
    loop {
        match attempt(source, group, destinations, &space, &reduced) {
            Ok(kernel) => return Ok(kernel),
            Err(Fail::Dense(value)) => return Err(Missing::Dense(value)),
            Err(Fail::Split { axis, inner }) if axis < space.len() => split(&mut space, axis, inner),
            Err(Fail::Split { axis, inner }) => split(&mut reduced, axis - space.len(), inner),
        }
    }
}

/// The position in a reduction's operand of a point of the kernel, whose axes are the (split) kept axes, then the (split)
/// reduced ones.
fn operand_position(
    shape: &[usize],
    axes: &[usize],
    space: &[usize],
    reduced: &[usize],
    extents: &[usize],
) -> Option<Position> {
    let kept: Dims = (0..shape.len()).filter(|a| !axes.contains(a)).map(|a| shape[a]).collect();
    let swept: Dims = axes.iter().map(|a| shape[*a]).collect();
    let identity = Position::identity(extents);
    let part = |range: std::ops::Range<usize>| Position {
        index: identity.index[range].iter().cloned().collect(),
        bounds: SmallVec::new(),
    };
    let view = Op::Reshape(Dims::new());
    let kept = part(0..space.len()).through(&view, &kept, space, extents).ok()?;
    let swept = part(space.len()..extents.len()).through(&view, &swept, reduced, extents).ok()?;
    let (mut kept, mut swept) = (kept.index.into_iter(), swept.index.into_iter());
    let index: Option<_> =
        (0..shape.len()).map(|a| if axes.contains(&a) { swept.next() } else { kept.next() }).collect();
    Some(Position { index: index?, bounds: SmallVec::new() })
}

fn attempt(
    source: &Source<'_>,
    group: &Group,
    destinations: &[Destination],
    space: &Dims,
    reduced: &Dims,
) -> Result<Kernel, Fail> {
    let graph = source.graph;
    let extents: Dims = space.iter().chain(reduced).copied().collect();
    let may_split = !matches!(group.kind, Kind::Product(_));
    let mut emitter = Emitter { source, extents: extents.clone(), registers: HashMap::new(), may_split };
    let mut space_position = Position::identity(&extents);
    space_position.index.truncate(space.len());
    let over_space = Section { shape: space.clone(), position: space_position };

    let body = RefCell::new(Code::default());
    let mut reductions = Vec::new();
    let mut tail = None;
    match group.kind {
        Kind::Reduce(anchor) => {
            let is_reduction = |id: &&NodeId| matches!(graph.node(**id).op, Op::Reduce { .. });
            let anchors: SmallVec<[NodeId; 2]> = group.members.iter().filter(is_reduction).copied().collect();
            debug_assert!(anchors.contains(&anchor));
            for anchor in &anchors {
                let node = graph.node(*anchor);
                let Op::Reduce { kind, axes } = &node.op else { unreachable!("anchors are reductions") };
                let operand = node.inputs[0];
                let shape = graph.ty(operand).shape.clone();
                let position =
                    operand_position(&shape, axes, space, reduced, &extents).ok_or(Fail::Dense(operand))?;
                let section = Section { shape, position };
                for member in needed(graph, operand, &group.body) {
                    if !emitter.registers.contains_key(&graph.node(member).output()) {
                        emitter.member(member, &section, &body)?;
                    }
                }
                let register = emitter.operand(operand, &section, &body)?;
                let dtype = register_dtype(graph.ty(node.output()).dtype);
                reductions.push(ReductionStep { kind: *kind, operand: register, dtype });
            }
            let first = body.borrow().list.len() as Register;
            let code = RefCell::new(Code { first: first + anchors.len() as Register, ..Code::default() });
            for (result, anchor) in (first..).zip(&anchors) {
                let value = graph.node(*anchor).output();
                let stored = graph.ty(value).dtype;
                let rounded = matches!(stored, DType::F16 | DType::BF16);
                let register =
                    if rounded { code.borrow_mut().emit(ScalarOp::Cast, stored, &[result]) } else { result };
                emitter.registers.insert(value, register);
            }
            for member in group.members.iter().filter(|m| !anchors.contains(m)) {
                emitter.member(*member, &over_space, &code)?;
            }
            tail = Some(code);
        }
        Kind::Product(anchor) => {
            let value = graph.node(anchor).output();
            let dtype = graph.ty(value).dtype;
            let product =
                body.borrow_mut().push(Instruction::Product(register_dtype(dtype)), register_dtype(dtype));
            let rounded = matches!(dtype, DType::F16 | DType::BF16);
            let register =
                if rounded { body.borrow_mut().emit(ScalarOp::Cast, dtype, &[product]) } else { product };
            emitter.registers.insert(value, register);
            for member in group.members.iter().filter(|m| **m != anchor) {
                emitter.member(*member, &over_space, &body)?;
            }
        }
        Kind::Pointwise | Kind::Opaque(_) => {
            for member in &group.members {
                emitter.member(*member, &over_space, &body)?;
            }
        }
    }
    let section = tail.as_ref().unwrap_or(&body);
    let mut stores = Vec::new();
    for destination in destinations {
        // A destination that is no member is a view to be copied, or a literal.
        let register = match emitter.registers.get(&destination.value) {
            Some(register) => *register,
            None => emitter.operand(destination.value, &over_space, section)?,
        };
        let map = match &destination.map {
            Some(map) => emitter.placed(&over_space, graph, destination.value, map)?,
            None => {
                let map = over_space.position.map(space, extents.len());
                map.map_err(|o| emitter.obstacle(o, destination.value))?
            }
        };
        let dtype = graph.ty(destination.value).dtype;
        stores.push(Store { register, buffer: destination.buffer, dtype, map });
    }
    Ok(Kernel {
        name: name(graph, group),
        space: space.clone(),
        reduced: reduced.clone(),
        body: body.into_inner().list,
        reductions,
        tail: tail.map(|code| code.into_inner().list).unwrap_or_default(),
        stores,
    })
}

/// The nodes of a reduction's body that `operand` is computed from, in order.
fn needed(graph: &Graph, operand: Value, body: &[NodeId]) -> Vec<NodeId> {
    let mut found: Vec<NodeId> = Vec::new();
    let mut open = vec![trace(graph, operand).base];
    while let Some(value) = open.pop() {
        let maker = graph.maker_id(value);
        if body.contains(&maker) && !found.contains(&maker) {
            found.push(maker);
            open.extend(graph.node(maker).inputs.iter().map(|v| trace(graph, *v).base));
        }
    }
    found.sort_unstable();
    found
}

/// Names of the members' ops, the anchor's first.
fn name(graph: &Graph, group: &Group) -> String {
    let mut names: Vec<&str> =
        group.members.iter().chain(&group.body).map(|m| graph.node(*m).op.name()).collect();
    if let Kind::Reduce(anchor) | Kind::Product(anchor) = group.kind {
        names.retain(|n| *n != graph.node(anchor).op.name());
        names.insert(0, graph.node(anchor).op.name());
    }
    let all = names.len();
    names.truncate(6);
    let more = if all > 6 { format!("+{}", all - 6) } else { String::new() };
    if names.is_empty() { "copy".into() } else { names.join("+") + &more }
}

impl Emitter<'_, '_> {
    fn obstacle(&self, obstacle: Obstacle, value: Value) -> Fail {
        match obstacle {
            Obstacle::Split { axis, inner } if self.may_split => Fail::Split { axis, inner },
            Obstacle::Split { .. } | Obstacle::Store => Fail::Dense(value),
        }
    }

    /// Where the section's point lies in a value of the same elements.
    fn at(&self, section: &Section, shape: &[usize]) -> Result<Position, Obstacle> {
        section.position.through(&Op::Reshape(Dims::new()), shape, &section.shape, &self.extents)
    }

    /// A destination's own map, given by axis of the value, over the kernel's axes.
    fn placed(
        &self,
        section: &Section,
        graph: &Graph,
        value: Value,
        map: &IndexMap,
    ) -> Result<IndexMap, Fail> {
        let position = self.at(section, &graph.ty(value).shape).map_err(|o| self.obstacle(o, value))?;
        let mut placed = IndexMap {
            offset: map.offset,
            strides: SmallVec::from_elem(0, self.extents.len()),
            bounds: SmallVec::new(),
        };
        for (digit, stride) in position.index.iter().zip(&map.strides) {
            let affine = digit.as_ref().map_err(|o| self.obstacle(*o, value))?;
            placed.offset += affine.offset * stride;
            for (axis, c) in &affine.terms {
                placed.strides[*axis] += c * stride;
            }
        }
        Ok(placed)
    }

    /// The register holding `value` at the section's point.
    fn operand(&self, value: Value, section: &Section, code: &RefCell<Code>) -> Result<Register, Fail> {
        let graph = self.source.graph;
        let traced = trace(graph, value);
        if let Some(register) = self.registers.get(&traced.base).filter(|_| traced.plain) {
            return Ok(*register);
        }
        let stored = |v: Value| self.source.buffer_of[v.index()].is_some();
        let rank = self.extents.len();
        let (base, map) = if let Some(base) = same_elements(graph, value, stored) {
            let map = section.position.map(&section.shape, rank);
            (base, map.map_err(|o| self.obstacle(o, value))?)
        } else {
            let start = self.at(section, &graph.ty(value).shape).map_err(|o| self.obstacle(o, value))?;
            let (base, position) =
                follow(graph, value, start, &self.extents, stored).map_err(|o| self.obstacle(o, value))?;
            if !stored(base) {
                return self.leaf(base, position, value, code);
            }
            let map = position.map(&graph.ty(base).shape, rank);
            (base, map.map_err(|o| self.obstacle(o, value))?)
        };
        let Some(buffer) = self.source.buffer_of[base.index()] else { return Err(Fail::Dense(base)) };
        let dtype = graph.ty(base).dtype;
        Ok(code.borrow_mut().push(Instruction::Load { buffer, dtype, map }, register_dtype(dtype)))
    }

    /// A literal or count, which needs no memory.
    fn leaf(
        &self,
        base: Value,
        position: Position,
        wanted: Value,
        code: &RefCell<Code>,
    ) -> Result<Register, Fail> {
        if !position.bounds.is_empty() {
            return Err(Fail::Dense(base));
        }
        match &self.source.graph.maker(base).op {
            Op::Fill { value, .. } => Ok(code.borrow_mut().literal(*value)),
            Op::Iota { dtype, axis, .. } => {
                let affine = position.index[*axis].clone().map_err(|o| self.obstacle(o, wanted))?;
                let mut strides: SmallVec<[i64; 4]> = SmallVec::from_elem(0, self.extents.len());
                affine.terms.iter().for_each(|(a, c)| strides[*a] = *c);
                let map = IndexMap { offset: affine.offset, strides, bounds: SmallVec::new() };
                Ok(code.borrow_mut().push(Instruction::Index { dtype: *dtype, map }, *dtype))
            }
            _ => Err(Fail::Dense(base)),
        }
    }

    fn member(&mut self, id: NodeId, section: &Section, code: &RefCell<Code>) -> Result<(), Fail> {
        let graph = self.source.graph;
        let node = graph.node(id);
        let ty = graph.ty(node.output());
        let register = match &node.op {
            Op::Elementwise(op) => {
                let mut operands: SmallVec<[(Register, DType); 3]> = SmallVec::new();
                for input in &node.inputs {
                    let dtype = register_dtype(graph.ty(*input).dtype);
                    operands.push((self.operand(*input, section, code)?, dtype));
                }
                let scalars: SmallVec<[Scalar<'_>; 3]> =
                    operands.iter().map(|(register, dtype)| Scalar::new(code, *register, *dtype)).collect();
                let result = (op.row().expression)(&scalars);
                let halved = matches!(ty.dtype, DType::F16 | DType::BF16) && result.dtype == DType::F32;
                if halved { result.cast(ty.dtype).register } else { result.register }
            }
            Op::Cast(to) => {
                let from = register_dtype(graph.ty(node.inputs[0]).dtype);
                let register = self.operand(node.inputs[0], section, code)?;
                cast(Scalar::new(code, register, from), *to).register
            }
            Op::Gather { axis } => self.gather(node, *axis, section, code)?,
            Op::Random { stream, .. } => {
                let dense = |v: Value| self.source.buffer_of[v.index()].ok_or(Fail::Dense(v));
                let [seed, step, iteration] =
                    [dense(node.inputs[0])?, dense(node.inputs[1])?, dense(node.inputs[2])?];
                let map = section.position.map(&section.shape, self.extents.len());
                let map = map.map_err(|o| self.obstacle(o, node.output()))?;
                let random = Instruction::Random { stream: *stream, seed, step, iteration, map };
                code.borrow_mut().push(random, DType::U32)
            }
            op => unreachable!("{} has no place inside a kernel", op.name()),
        };
        self.registers.insert(node.output(), register);
        Ok(())
    }

    fn gather(
        &self,
        node: &Node,
        axis: usize,
        section: &Section,
        code: &RefCell<Code>,
    ) -> Result<Register, Fail> {
        let graph = self.source.graph;
        let (table, indices) = (node.inputs[0], node.inputs[1]);
        let Some(buffer) = self.source.buffer_of[table.index()] else { return Err(Fail::Dense(table)) };
        let Some(index_buffer) = self.source.buffer_of[indices.index()] else {
            return Err(Fail::Dense(indices));
        };
        let rank = graph.ty(indices).rank();
        let table_shape = &graph.ty(table).shape;
        let at =
            self.at(section, &graph.ty(node.output()).shape).map_err(|o| self.obstacle(o, node.output()))?;
        let index_position = Position {
            index: at.index[axis..axis + rank].iter().cloned().collect(),
            bounds: SmallVec::new(),
        };
        let extents = self.extents.len();
        let fail = |o| self.obstacle(o, node.output());
        let index_map = index_position.map(&graph.ty(indices).shape, extents).map_err(fail)?;
        let mut row = Position { index: at.index[..axis].iter().cloned().collect(), bounds: SmallVec::new() };
        row.index.push(Ok(Default::default()));
        row.index.extend(at.index[axis + rank..].iter().cloned());
        let map = row.map(table_shape, extents).map_err(fail)?;
        let load = Instruction::Load { buffer: index_buffer, dtype: DType::I32, map: index_map };
        let index = code.borrow_mut().push(load, DType::I32);
        let dtype = graph.ty(table).dtype;
        let stride = table_shape[axis + 1..].iter().product::<usize>() as i64;
        let load = Instruction::LoadAt { buffer, dtype, map, index, stride, extent: table_shape[axis] };
        Ok(code.borrow_mut().push(load, register_dtype(dtype)))
    }
}

/// The cast of [`Op::Cast`] between graph dtypes, in registers.
fn cast(x: Scalar<'_>, to: DType) -> Scalar<'_> {
    match to {
        DType::U8 => {
            let word = x.cast(DType::U32);
            if x.dtype.is_float() { word.minimum(word.like(255.0)) } else { word.and(word.like(255.0)) }
        }
        DType::F16 | DType::BF16 => x.cast(DType::F32).cast(to),
        DType::Bool | DType::I32 | DType::U32 | DType::F32 | DType::F64 => x.cast(to),
    }
}
