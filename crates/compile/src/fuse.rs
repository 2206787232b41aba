//! Which ops run in one kernel: every computing op belongs to one group. Elementwise ops join the group that makes their
//! operand, whether that is an elementwise chain, a reduction's tail or a product's epilogue, unless that would make two
//! groups wait for each other; chains that only a reduction reads move into its body.

use crate::index::{Obstacle, Position};
use crate::views::{follow, is_view, trace};
use smallvec::SmallVec;
use std::cmp::Reverse;
use warploom_graph::{DType, Dims, Graph, Node, NodeId, Op, Value};

/// What a group is built round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Elementwise ops over one space.
    Pointwise,
    /// A reduction with its body; the other members are its tail, or more reductions over as many elements.
    Reduce(NodeId),
    /// A product; members after it are its epilogue.
    Product(NodeId),
    /// An op with steps of its own.
    Opaque(NodeId),
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub kind: Kind,
    /// In topological order, the anchor included; of a reduction without its body.
    pub members: Vec<NodeId>,
    /// Of a reduction: what is computed at each reduced element, in topological order.
    pub body: Vec<NodeId>,
    /// Extents of the kernel's axes: for a reduction those of its result, for a product the
    /// three of its step's epilogue.
    pub space: Dims,
}

/// The partition of a graph's computing nodes.
pub(crate) struct Fusion {
    pub groups: Vec<Group>,
    /// By node: its group, for computing nodes.
    pub group_of: Vec<Option<usize>>,
    /// By value: whether it needs memory of its own.
    pub stored: Vec<bool>,
}

/// One reading of a value by a computing node, through views.
struct Use {
    reader: NodeId,
    plain: bool,
}

struct Fuser<'g> {
    graph: &'g Graph,
    group_of: Vec<Option<usize>>,
    groups: Vec<Group>,
    /// By group: groups it reads from.
    reads: Vec<SmallVec<[usize; 4]>>,
    uses: Vec<Vec<Use>>,
    /// By value: whether a result or an opaque op needs it in memory.
    required: Vec<bool>,
}

pub(crate) fn fuse(graph: &Graph, enabled: bool) -> Fusion {
    let mut fuser = Fuser {
        graph,
        group_of: vec![None; graph.len()],
        groups: Vec::new(),
        reads: Vec::new(),
        uses: (0..graph.value_count()).map(|_| Vec::new()).collect(),
        required: vec![false; graph.value_count()],
    };
    fuser.collect_uses();
    for (id, node) in graph.nodes() {
        if is_computing(&node.op) {
            fuser.place(id, node, enabled);
        }
    }
    if enabled {
        fuser.sink();
        fuser.pair_reductions();
    }
    let mut stored = vec![false; graph.value_count()];
    for (id, node) in graph.nodes() {
        node.outputs().for_each(|v| stored[v.index()] = fuser.needs_memory(id, v.index()));
    }
    let mut groups = fuser.groups;
    for group in &mut groups {
        group.members.sort_unstable();
        group.body.sort_unstable();
    }
    Fusion { groups, group_of: fuser.group_of, stored }
}

/// Whether a node has a kernel; the others are parameters, literals, counts and views, which kernels express themselves.
pub(crate) fn is_computing(op: &Op) -> bool {
    !is_view(op) && !matches!(op, Op::Parameter(_) | Op::Fill { .. } | Op::Iota { .. })
}

/// Whether a node makes f32 of f16 or bf16.
fn is_widening(graph: &Graph, node: &Node) -> bool {
    let half = |v: &Value| matches!(graph.ty(*v).dtype, DType::F16 | DType::BF16);
    matches!(node.op, Op::Cast(DType::F32)) && node.inputs.iter().all(half)
}

fn is_pointwise(op: &Op) -> bool {
    matches!(op, Op::Elementwise(_) | Op::Cast(_) | Op::Gather { .. } | Op::Random { .. })
}

impl Fuser<'_> {
    fn collect_uses(&mut self) {
        let graph = self.graph;
        for (id, node) in graph.nodes() {
            if !is_computing(&node.op) {
                continue;
            }
            // An indexed or opaque operand is read from memory whatever group makes it.
            let from_memory = !matches!(node.op, Op::Elementwise(_) | Op::Cast(_) | Op::Reduce { .. });
            for input in &node.inputs {
                let trace = trace(graph, *input);
                self.required[trace.base.index()] |= from_memory;
                self.uses[trace.base.index()].push(Use { reader: id, plain: trace.plain });
            }
        }
        for result in graph.results() {
            self.required[trace(graph, *result).base.index()] = true;
        }
    }

    /// Whether a value's readers are not all kernels of its own group.
    fn needs_memory(&self, maker: NodeId, value: usize) -> bool {
        let Some(home) = self.group_of[maker.index()] else { return false };
        let opaque = matches!(self.groups[home].kind, Kind::Opaque(_));
        opaque
            || self.required[value]
            || self.uses[value].iter().any(|u| !u.plain || self.group_of[u.reader.index()] != Some(home))
    }

    /// Groups a node reads from, by way of views.
    fn sources(&self, node: &Node) -> SmallVec<[usize; 4]> {
        let mut groups: SmallVec<[usize; 4]> = SmallVec::new();
        for input in &node.inputs {
            let base = trace(self.graph, *input).base;
            let group = self.group_of[self.graph.maker_id(base).index()];
            groups.extend(group.filter(|g| !groups.contains(g)));
        }
        groups
    }

    fn place(&mut self, id: NodeId, node: &Node, enabled: bool) {
        let shape = self.graph.ty(node.output()).shape.clone();
        let sources = self.sources(node);
        if enabled && matches!(node.op, Op::Elementwise(_) | Op::Cast(_)) {
            let mut candidates: SmallVec<[usize; 4]> = SmallVec::new();
            for input in &node.inputs {
                let trace = trace(self.graph, *input);
                let group = self.group_of[self.graph.maker_id(trace.base).index()];
                candidates.extend(group.filter(|_| trace.plain));
            }
            // Chains can move into a product's epilogue or a reduction's tail, and not the other way round.
            let is_chain = |g: &usize| self.groups[*g].kind == Kind::Pointwise;
            candidates.sort_unstable_by_key(|g| (is_chain(g), Reverse(*g)));
            candidates.dedup();
            let fits = |g: &usize| {
                self.fits(*g, node)
                    && self.in_registers(*g, node)
                    && sources.iter().all(|s| s == g || !self.reaches(*g, *s))
            };
            if let Some(home) = candidates.iter().copied().find(fits) {
                if let Some(space) = self.refine(home, &[id]) {
                    self.groups[home].space = space;
                }
                self.join(home, id, &sources);
                for other in candidates {
                    self.merge(other, home);
                }
                return;
            }
        }
        let (kind, space) = match &node.op {
            Op::Reduce { .. } => (Kind::Reduce(id), shape),
            Op::Contract(axes) => {
                let batch = axes.batch.len();
                let rows = axes.free_lhs(self.graph.ty(node.inputs[0]).rank()).len();
                let product = |range: &[usize]| range.iter().product();
                let space = [
                    product(&shape[..batch]),
                    product(&shape[batch..batch + rows]),
                    product(&shape[batch + rows..]),
                ];
                (Kind::Product(id), Dims::from_slice(&space))
            }
            Op::Convolve(axes) => {
                let pixels: usize = shape[2..].iter().product();
                let space = if axes.outputs_first {
                    [axes.groups, shape[0] / axes.groups, shape[1] * pixels]
                } else {
                    [shape[0] * axes.groups, shape[1] / axes.groups, pixels]
                };
                (Kind::Product(id), Dims::from_slice(&space))
            }
            op if is_pointwise(op) => (Kind::Pointwise, shape),
            _ => (Kind::Opaque(id), shape),
        };
        self.groups.push(Group { kind, members: Vec::new(), body: Vec::new(), space });
        self.reads.push(SmallVec::new());
        self.join(self.groups.len() - 1, id, &sources);
    }

    fn join(&mut self, group: usize, id: NodeId, sources: &[usize]) {
        self.group_of[id.index()] = Some(group);
        self.groups[group].members.push(id);
        for source in sources {
            if *source != group && !self.reads[group].contains(source) {
                self.reads[group].push(*source);
            }
        }
    }

    /// Whether a kernel of the group can compute this elementwise node: its elements are the kernel's points in order, and
    /// every operand can be read there.
    fn fits(&self, group: usize, node: &Node) -> bool {
        let Group { kind, space, .. } = &self.groups[group];
        let elements = self.graph.ty(node.output()).elements();
        if elements != space.iter().product::<usize>() {
            return false;
        }
        match kind {
            Kind::Opaque(_) => false,
            Kind::Pointwise | Kind::Reduce(_) => {
                self.refined(space, &self.graph.ty(node.output()).shape).is_some()
            }
            Kind::Product(_) => node.inputs.iter().all(|v| self.readable(space, *v)),
        }
    }

    /// Whether what the node reads of the group's own values is the element at the same point: the rest is not written yet
    /// while the kernel runs.
    fn in_registers(&self, group: usize, node: &Node) -> bool {
        let pointwise = matches!(node.op, Op::Elementwise(_) | Op::Cast(_));
        node.inputs.iter().all(|input| {
            let trace = trace(self.graph, *input);
            let own = self.group_of[self.graph.maker_id(trace.base).index()] == Some(group);
            !own || pointwise && trace.plain
        })
    }

    /// Whether a value can be read at each point of `space` without splitting its axes.
    fn readable(&self, space: &[usize], value: Value) -> bool {
        if trace(self.graph, value).plain {
            return true;
        }
        let shape = &self.graph.ty(value).shape;
        let start = Position::identity(space).through(&Op::Reshape(Dims::new()), shape, space, space);
        let end = start.and_then(|p| follow(self.graph, value, p, space, |_| false));
        end.is_ok_and(|(base, p)| p.map(&self.graph.ty(base).shape, space.len()).is_ok())
    }

    /// `space` split so that it also has `shape`'s axes; `None` where no splitting does.
    fn refined(&self, space: &[usize], shape: &[usize]) -> Option<Dims> {
        let mut space = Dims::from_slice(space);
        loop {
            let position =
                Position::identity(&space).through(&Op::Reshape(Dims::new()), shape, &space, &space).ok()?;
            match position.map(shape, space.len()) {
                Ok(_) => return Some(space),
                Err(Obstacle::Split { axis, inner }) => split(&mut space, axis, inner),
                Err(Obstacle::Store) => return None,
            }
        }
    }

    /// The group's space split so that it has the axes of all these nodes; a product's space stays as it is.
    fn refine(&self, group: usize, nodes: &[NodeId]) -> Option<Dims> {
        let Group { kind, space, .. } = &self.groups[group];
        if matches!(kind, Kind::Product(_)) {
            return Some(space.clone());
        }
        let shape = |id: &NodeId| &self.graph.ty(self.graph.node(*id).output()).shape;
        nodes.iter().try_fold(space.clone(), |space, id| self.refined(&space, shape(id)))
    }

    /// Whether `later` depends on `earlier`, directly or not.
    fn reaches(&self, earlier: usize, later: usize) -> bool {
        let mut seen = vec![false; self.groups.len()];
        let mut stack = vec![later];
        while let Some(group) = stack.pop() {
            if group == earlier {
                return true;
            }
            if !std::mem::replace(&mut seen[group], true) {
                stack.extend_from_slice(&self.reads[group]);
            }
        }
        false
    }

    /// Moves a chain into the group of its reader, where both have the same points and nothing waits in between.
    fn merge(&mut self, chain: usize, into: usize) {
        if chain == into || self.groups[chain].kind != Kind::Pointwise {
            return;
        }
        let between =
            |from: usize, to: usize| self.reads[to].iter().any(|g| *g != from && self.reaches(from, *g));
        if between(chain, into) || self.reaches(into, chain) {
            return;
        }
        let graph = self.graph;
        let members = self.groups[chain].members.clone();
        let readers = &self.groups[into].members;
        if !readers.iter().all(|r| self.in_registers(chain, graph.node(*r))) {
            return;
        }
        let pure = members.iter().all(|m| matches!(graph.node(*m).op, Op::Elementwise(_) | Op::Cast(_)));
        let epilogue = matches!(self.groups[into].kind, Kind::Product(_));
        if epilogue && !pure || !members.iter().all(|m| self.fits(into, graph.node(*m))) {
            return;
        }
        let Some(space) = self.refine(into, &members) else { return };
        self.groups[into].space = space;
        self.absorb(chain, into);
    }

    /// Moves all of `from` into the group `into`.
    fn absorb(&mut self, from: usize, into: usize) {
        let (members, body) =
            (std::mem::take(&mut self.groups[from].members), std::mem::take(&mut self.groups[from].body));
        for node in members.iter().chain(&body) {
            self.group_of[node.index()] = Some(into);
        }
        self.groups[into].members.extend(members);
        self.groups[into].body.extend(body);
        let reads = std::mem::take(&mut self.reads[from]);
        for source in reads {
            if source != into && !self.reads[into].contains(&source) {
                self.reads[into].push(source);
            }
        }
        self.reads[into].retain(|g| *g != from);
        for reads in &mut self.reads {
            if let Some(slot) = reads.iter().position(|g| *g == from) {
                if reads.contains(&into) {
                    reads.remove(slot);
                } else {
                    reads[slot] = into;
                }
            }
        }
    }

    /// Puts reductions that read the same values over as many elements into one kernel.
    fn pair_reductions(&mut self) {
        for second in 0..self.groups.len() {
            let first = (0..second).find(|first| self.can_pair(*first, second));
            if let Some(first) = first {
                let members = self.groups[second].members.clone();
                let Some(space) = self.refine(first, &members) else { continue };
                self.groups[first].space = space;
                self.absorb(second, first);
            }
        }
    }

    fn can_pair(&self, first: usize, second: usize) -> bool {
        let [a, b] = [first, second].map(|g| &self.groups[g]);
        let (Kind::Reduce(x), Kind::Reduce(y)) = (a.kind, b.kind) else { return false };
        if a.members.is_empty() || b.members.is_empty() {
            return false;
        }
        let kept = |anchor: NodeId| &self.graph.ty(self.graph.node(anchor).output()).shape;
        let swept = |anchor: NodeId| reduced_extents(self.graph, self.graph.node(anchor));
        let read = |group: &Group, anchor: NodeId| -> SmallVec<[Value; 4]> {
            let nodes = group.body.iter().chain([&anchor]).map(|id| self.graph.node(*id));
            let bases = nodes.flat_map(|node| &node.inputs).map(|v| trace(self.graph, *v).base);
            bases.filter(|v| !group.body.contains(&self.graph.maker_id(*v))).collect()
        };
        let literal = |v: &Value| matches!(self.graph.maker(*v).op, Op::Fill { .. } | Op::Iota { .. });
        kept(x) == kept(y)
            && swept(x).iter().product::<usize>() == swept(y).iter().product::<usize>()
            && self.refined(&swept(x), &swept(y)).is_some()
            && read(a, x).iter().any(|v| !literal(v) && read(b, y).contains(v))
            && !self.reaches(first, second)
            && !self.reaches(second, first)
    }

    /// Moves nodes toward their only reader, from last to first, where that saves memory traffic.
    fn sink(&mut self) {
        let graph = self.graph;
        for (id, node) in graph.nodes().rev() {
            let Some(home) = self.group_of[id.index()] else { continue };
            let anchor = !matches!(node.op, Op::Elementwise(_) | Op::Cast(_));
            let value = node.output().index();
            if anchor || self.required[value] || self.uses[value].is_empty() {
                continue;
            }
            let goal = self.group_of[self.uses[value][0].reader.index()];
            let same = |u: &Use| u.plain && self.group_of[u.reader.index()] == goal;
            let Some(goal) = goal.filter(|g| *g != home && self.uses[value].iter().all(same)) else {
                continue;
            };
            // How many values get memory only because this node moves away from them.
            let mut added = 0;
            for input in &node.inputs {
                let mut base = trace(graph, *input).base;
                // What only widens for this node goes with it.
                let widening = graph.maker(base);
                if is_widening(graph, widening) && self.uses[base.index()].len() == 1 {
                    base = trace(graph, widening.inputs[0]).base;
                }
                let maker = graph.maker_id(base);
                let here = self.group_of[maker.index()] == Some(home);
                added += (here && !self.needs_memory(maker, base.index())) as usize;
            }
            // Of what is only widened the small value is stored in place of the wide one.
            let room = usize::from(is_widening(graph, node));
            let space_fits = match self.groups[goal].kind {
                Kind::Pointwise | Kind::Product(_) => added <= room && self.fits(goal, node),
                Kind::Reduce(anchor) => {
                    let whole = &graph.ty(graph.node(anchor).inputs[0]).shape;
                    let swept = |u: &Use| u.reader == anchor || self.groups[goal].body.contains(&u.reader);
                    let body = self.uses[value].iter().all(swept);
                    added <= 1 && body && *whole == graph.ty(node.output()).shape
                }
                Kind::Opaque(_) => false,
            };
            let sources = self.sources(node);
            if space_fits
                && self.in_registers(goal, node)
                && sources.iter().all(|s| *s == goal || !self.reaches(goal, *s))
            {
                if let (Kind::Pointwise, Some(space)) = (self.groups[goal].kind, self.refine(goal, &[id])) {
                    self.groups[goal].space = space;
                }
                self.groups[home].members.retain(|m| *m != id);
                self.groups[home].body.retain(|m| *m != id);
                self.join(goal, id, &sources);
                if matches!(self.groups[goal].kind, Kind::Reduce(_)) {
                    self.groups[goal].members.pop();
                    self.groups[goal].body.push(id);
                }
            }
        }
    }
}

/// Extents of the axes that a reduction sweeps.
pub(crate) fn reduced_extents(graph: &Graph, node: &Node) -> Dims {
    let Op::Reduce { axes, .. } = &node.op else { return Dims::new() };
    axes.iter().map(|a| graph.ty(node.inputs[0]).shape[*a]).collect()
}

/// Splits `space[axis]` into an outer part and an inner part of extent `inner`.
pub(crate) fn split(space: &mut Dims, axis: usize, inner: usize) {
    space[axis] /= inner;
    space.insert(axis + 1, inner);
}
