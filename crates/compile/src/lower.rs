//! From a partitioned graph to units of work over buffers: kernels, products, scatters, loops.

use crate::Options;
use crate::emit::{Destination, Missing, Source, kernel};
use crate::fuse::{Fusion, Group, Kind, fuse, is_computing};
use crate::views::{is_view, same_elements, trace};
use smallvec::SmallVec;
use warploom_device::{Body, BufferId, Class, IndexMap, Loop, ScatterStep, Step, Target, Window};
use warploom_graph::shape::row_major;
use warploom_graph::{DType, Graph, Node, NodeId, Op, Type, Value};

/// What a buffer's memory will be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// Decided from outside.
    Bound(Class),
    /// To be placed in the arena.
    Temporary,
    /// The memory of another buffer.
    Alias(BufferId),
}

#[derive(Clone, Debug)]
pub(crate) struct BufferInfo {
    pub ty: Type,
    pub bytes: usize,
    pub home: Home,
}

/// One step with what it reads and writes; a loop's body is kept as units until it is scheduled.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub step: Step,
    pub body: Vec<Unit>,
    pub reads: SmallVec<[BufferId; 6]>,
    pub writes: SmallVec<[BufferId; 4]>,
}

/// A result that should end up in the memory of a parameter: in place where the order of steps allows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    /// The fresh value's memory.
    pub fresh: BufferId,
    /// The parameter's memory.
    pub target: BufferId,
}

/// All buffers of a program under construction.
#[derive(Clone)]
pub(crate) struct Buffers {
    pub list: Vec<BufferInfo>,
}

impl Buffers {
    pub fn add(&mut self, ty: Type, home: Home) -> BufferId {
        let bytes = ty.bytes();
        self.list.push(BufferInfo { ty, bytes, home });
        BufferId(self.list.len() as u32 - 1)
    }

    /// The buffer whose memory this one is.
    pub fn root(&self, mut id: BufferId) -> BufferId {
        while let Home::Alias(of) = self.list[id.0 as usize].home {
            id = of;
        }
        id
    }
}

pub(crate) struct Region<'a> {
    pub(crate) graph: &'a Graph,
    fusion: Fusion,
    /// By value: dense memory.
    pub(crate) buffer_of: Vec<Option<BufferId>>,
    units: Vec<Unit>,
    updates: Vec<Update>,
    pub(crate) target: &'a dyn Target,
    options: Options,
}

/// Lowers a region whose parameters and results have these buffers; a result whose buffer is a parameter's is an update.
/// Returns the units in execution order.
pub(crate) fn lower(
    graph: &Graph,
    parameters: &[BufferId],
    targets: &[BufferId],
    buffers: &mut Buffers,
    target: &dyn Target,
    options: Options,
) -> Vec<Unit> {
    let mut region = Region {
        graph,
        fusion: fuse(graph, options.fuse),
        buffer_of: vec![None; graph.value_count()],
        units: Vec::new(),
        updates: Vec::new(),
        target,
        options,
    };
    for (value, buffer) in graph.parameters().iter().zip(parameters) {
        region.buffer_of[value.index()] = Some(*buffer);
    }
    let late = region.place_results(parameters, targets, buffers);
    for (id, node) in graph.nodes() {
        for value in node.outputs() {
            if region.fusion.stored[value.index()] && region.buffer_of[value.index()].is_none() {
                let ty = graph.ty(value).clone();
                region.buffer_of[value.index()] = Some(buffers.add(ty, Home::Temporary));
            }
        }
        if is_computing(&node.op) {
            region.emit_anchored(id, buffers);
        }
    }
    region.finish_results(&late, parameters, buffers);
    crate::schedule::schedule(region.units, &region.updates, buffers, target)
}

impl Region<'_> {
    /// Gives results their memory where a kernel can write it directly. Returns the results that need a copy at the end.
    fn place_results(
        &mut self,
        parameters: &[BufferId],
        targets: &[BufferId],
        buffers: &mut Buffers,
    ) -> Vec<(Value, BufferId)> {
        let mut late = Vec::new();
        for (result, target) in self.graph.results().iter().zip(targets) {
            let traced = trace(self.graph, *result);
            let computed = traced.plain && self.fusion.stored[traced.base.index()];
            if !computed || self.buffer_of[traced.base.index()].is_some() {
                late.push((*result, *target));
                continue;
            }
            let home = self.home(traced.base, *target, parameters, buffers);
            self.buffer_of[traced.base.index()] = Some(home);
        }
        late
    }

    /// Memory for a result: its target, or fresh memory that becomes the target's where that is a parameter.
    fn home(
        &mut self,
        value: Value,
        target: BufferId,
        parameters: &[BufferId],
        buffers: &mut Buffers,
    ) -> BufferId {
        if !parameters.contains(&target) {
            return target;
        }
        let fresh = buffers.add(self.graph.ty(value).clone(), Home::Temporary);
        self.updates.push(Update { fresh, target });
        fresh
    }

    fn finish_results(&mut self, late: &[(Value, BufferId)], parameters: &[BufferId], buffers: &mut Buffers) {
        let overwritten: Vec<BufferId> =
            late.iter().map(|l| l.1).chain(self.updates.iter().map(|u| u.target)).collect();
        for (value, target) in late {
            let stored = same_elements(self.graph, *value, |v| self.buffer_of[v.index()].is_some());
            if stored.is_none() {
                let buffer = self.home(*value, *target, parameters, buffers);
                self.copy(*value, Destination { value: *value, buffer, map: None }, buffers);
                continue;
            }
            let mut source = self.dense(*value, buffers);
            if source == *target {
                continue;
            }
            // A parameter that is itself overwritten is saved first: results may exchange parameters.
            if overwritten.contains(&source) {
                let saved = buffers.add(self.graph.ty(*value).clone(), Home::Temporary);
                self.push(Step::Copy { source, destination: saved }, &[source], &[saved]);
                source = saved;
            }
            let destination = self.home(*value, *target, parameters, buffers);
            self.push(Step::Copy { source, destination }, &[source], &[destination]);
        }
    }

    fn push(&mut self, step: Step, reads: &[BufferId], writes: &[BufferId]) {
        self.units.push(Unit {
            step,
            body: Vec::new(),
            reads: SmallVec::from_slice(reads),
            writes: SmallVec::from_slice(writes),
        });
    }

    /// Dense memory of any value: its own, that of what it reshapes, or a copy made now.
    pub(crate) fn dense(&mut self, value: Value, buffers: &mut Buffers) -> BufferId {
        let same = same_elements(self.graph, value, |v| self.buffer_of[v.index()].is_some());
        if let Some(buffer) = same.and_then(|v| self.buffer_of[v.index()]) {
            self.buffer_of[value.index()] = Some(buffer);
            return buffer;
        }
        let buffer = buffers.add(self.graph.ty(value).clone(), Home::Temporary);
        self.copy(value, Destination { value, buffer, map: None }, buffers);
        self.buffer_of[value.index()] = Some(buffer);
        buffer
    }

    /// A kernel that writes a view, literal or stored value to a destination.
    fn copy(&mut self, value: Value, destination: Destination, buffers: &mut Buffers) {
        let group = Group {
            kind: Kind::Pointwise,
            members: Vec::new(),
            body: Vec::new(),
            space: self.graph.ty(value).shape.clone(),
        };
        self.emit(&group, &[destination], buffers);
    }

    /// Emits the group of `id` when `id` is the last of its members, so that all it reads has been given memory.
    fn emit_anchored(&mut self, id: NodeId, buffers: &mut Buffers) {
        let Some(index) = self.fusion.group_of[id.index()] else { return };
        let group = self.fusion.groups[index].clone();
        if group.members.iter().chain(&group.body).max() != Some(&id) {
            return;
        }
        if let Kind::Opaque(anchor) = group.kind {
            let node = self.graph.node(anchor).clone();
            return self.emit_opaque(&node, buffers);
        }
        let mut destinations = Vec::new();
        for member in &group.members {
            let value = self.graph.node(*member).output();
            if let Some(buffer) = self.buffer_of[value.index()].filter(|_| self.fusion.stored[value.index()])
            {
                destinations.push(Destination { value, buffer, map: None });
            }
        }
        self.emit(&group, &destinations, buffers);
    }

    fn emit(&mut self, group: &Group, destinations: &[Destination], buffers: &mut Buffers) {
        // A copied value must not be read from the buffer it is being copied to.
        let kernel = loop {
            let source = Source { graph: self.graph, buffer_of: &self.buffer_of };
            match kernel(&source, group, destinations) {
                Ok(kernel) => break kernel,
                Err(Missing::Dense(value)) => self.store_inner(value, destinations, buffers),
            }
        };
        let mut reads: SmallVec<[BufferId; 6]> = kernel.reads().collect();
        let mut writes: SmallVec<[BufferId; 4]> = kernel.stores.iter().map(|s| s.buffer).collect();
        let step = match group.kind {
            Kind::Product(anchor) => self.product(anchor, kernel, &mut reads, &mut writes, buffers),
            Kind::Pointwise | Kind::Reduce(_) | Kind::Opaque(_) => Step::Kernel(kernel),
        };
        self.units.push(Unit { step, body: Vec::new(), reads, writes });
    }

    /// Stores the first thing on the way from `value` to its base that can be stored.
    fn store_inner(&mut self, value: Value, destinations: &[Destination], buffers: &mut Buffers) {
        let being_copied =
            destinations.iter().any(|d| d.value == value && !self.fusion.stored[value.index()]);
        let maker = self.graph.maker(value);
        let known = self.buffer_of[value.index()].is_some() && !being_copied;
        assert!(!known, "value {} is stored and still cannot be read: {}", value.index(), maker.op.name());
        if being_copied && is_view(&maker.op) {
            let operand = maker.inputs[0];
            self.dense(operand, buffers);
        } else {
            self.dense(value, buffers);
        }
    }

    fn emit_opaque(&mut self, node: &Node, buffers: &mut Buffers) {
        let outputs: Vec<BufferId> = node.outputs().filter_map(|v| self.buffer_of[v.index()]).collect();
        match &node.op {
            Op::Concat(axis) => {
                let ty = self.graph.ty(node.output()).clone();
                let strides: SmallVec<[i64; 4]> = row_major(&ty.shape).iter().map(|s| *s as i64).collect();
                let mut at = 0;
                for input in &node.inputs {
                    let offset = at * strides[*axis];
                    let map = IndexMap { offset, strides: strides.clone(), bounds: SmallVec::new() };
                    self.copy(
                        *input,
                        Destination { value: *input, buffer: outputs[0], map: Some(map) },
                        buffers,
                    );
                    at += self.graph.ty(*input).shape[*axis] as i64;
                }
            }
            Op::Scatter { kind, axis } => {
                let [base, indices, updates] = [0, 1, 2].map(|i| self.dense(node.inputs[i], buffers));
                let destination = outputs[0];
                self.push(Step::Copy { source: base, destination }, &[base], &[destination]);
                let shape = &self.graph.ty(node.inputs[0]).shape;
                let step = ScatterStep {
                    kind: *kind,
                    dtype: self.graph.ty(node.inputs[0]).dtype,
                    destination,
                    indices,
                    updates,
                    outer: shape[..*axis].iter().product(),
                    extent: shape[*axis],
                    count: self.graph.ty(node.inputs[1]).elements(),
                    inner: shape[*axis + 1..].iter().product(),
                };
                self.push(Step::Scatter(step), &[destination, indices, updates], &[destination]);
            }
            Op::Call { name, sources, body, .. } => {
                let inputs: Vec<BufferId> = node.inputs.iter().map(|v| self.dense(*v, buffers)).collect();
                let step = Step::Claimed {
                    name,
                    sources: sources.clone(),
                    body: Body(body.clone()),
                    inputs: inputs.clone(),
                    outputs: outputs.clone(),
                };
                self.push(step, &inputs, &outputs);
            }
            Op::Scan { body, length, carries, slices, reverse } => {
                self.emit_scan(node, body, [*length, *carries, *slices], *reverse, &outputs, buffers);
            }
            op => unreachable!("{} is no opaque op", op.name()),
        }
    }

    fn emit_scan(
        &mut self,
        node: &Node,
        body: &Graph,
        [length, carries, slices]: [usize; 3],
        reverse: bool,
        outputs: &[BufferId],
        buffers: &mut Buffers,
    ) {
        let inputs: Vec<BufferId> = node.inputs.iter().map(|v| self.dense(*v, buffers)).collect();
        for (source, destination) in inputs[..carries].iter().zip(outputs) {
            self.push(Step::Copy { source: *source, destination: *destination }, &[*source], &[*destination]);
        }
        let counted = body.use_counts()[body.parameters()[0].index()] > 0;
        let counter = buffers.add(Type::scalar(DType::U32), Home::Temporary);
        let mut windows = Vec::new();
        let mut window = |parent: BufferId, ty: &Type, buffers: &mut Buffers| {
            let buffer = buffers.add(ty.clone(), Home::Bound(Class::Window));
            windows.push(Window { buffer, parent, stride: ty.bytes() });
            buffer
        };
        let mut parameters = vec![counter];
        parameters.extend_from_slice(&outputs[..carries]);
        for (i, input) in inputs[carries..carries + slices].iter().enumerate() {
            parameters.push(window(*input, body.ty(body.parameters()[1 + carries + i]), buffers));
        }
        parameters.extend_from_slice(&inputs[carries + slices..]);
        let mut targets = outputs[..carries].to_vec();
        for (result, output) in body.results()[carries..].iter().zip(&outputs[carries..]) {
            targets.push(window(*output, body.ty(*result), buffers));
        }
        let units = lower(body, &parameters, &targets, buffers, self.target, self.options);
        let mut reads: SmallVec<[BufferId; 6]> = SmallVec::from_slice(outputs);
        reads.extend_from_slice(&inputs[carries..]);
        let mut writes: SmallVec<[BufferId; 4]> = SmallVec::from_slice(outputs);
        writes.push(counter);
        let counter = counted.then_some(counter);
        let step = Step::Loop(Loop { iterations: length, reverse, windows, counter, body: Vec::new() });
        self.units.push(Unit { step, body: units, reads, writes });
    }
}
