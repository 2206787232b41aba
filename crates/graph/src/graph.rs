//! The graph: nodes in topological order, each applying an op to earlier values.

use crate::error::Error;
use crate::infer;
use crate::op::Op;
use crate::origin::Origin;
use crate::shape::Type;
use smallvec::SmallVec;

/// A value of one graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value(pub(crate) u32);

impl Value {
    /// Position in the graph's list of values.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node of one graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// Position in the graph's list of nodes.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An op applied to values.
#[derive(Clone, Debug)]
pub struct Node {
    /// What is applied.
    pub op: Op,
    /// To what.
    pub inputs: SmallVec<[Value; 3]>,
    /// Where the user wrote it.
    pub origin: Origin,
    first_output: u32,
    outputs: u32,
}

impl Node {
    /// The values it makes, one for all ops but scan and call.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = Value> + use<> {
        (self.first_output..self.first_output + self.outputs).map(Value)
    }

    /// The only value it makes (the first, for scan and call).
    pub fn output(&self) -> Value {
        Value(self.first_output)
    }
}

#[derive(Clone, Debug)]
struct Info {
    ty: Type,
    node: NodeId,
    slot: u32,
}

/// A program, or a region inside one: parameters in, results out.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    values: Vec<Info>,
    parameters: Vec<Value>,
    results: Vec<Value>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// Adds the next parameter. One that is too large is refused where it is used, and by the verifier.
    pub fn parameter(&mut self, ty: Type, origin: Origin) -> Value {
        let op = Op::Parameter(self.parameters.len());
        let value = self.push(op, SmallVec::new(), SmallVec::from_elem(ty, 1), origin).output();
        self.parameters.push(value);
        value
    }

    /// Applies `op` to `inputs`. An op whose operands do not fit is refused with what was found and what to do.
    pub fn add(&mut self, op: Op, inputs: &[Value], origin: Origin) -> Result<NodeId, Error> {
        let fail = |message| Error::new(op.name(), message).at(&origin);
        if let Some(foreign) = inputs.iter().find(|v| v.index() >= self.values.len()) {
            return Err(fail(format!("value {} is of another graph", foreign.index())));
        }
        let outputs = {
            let types: SmallVec<[&Type; 4]> = inputs.iter().map(|v| self.ty(*v)).collect();
            infer::types(&op, &types).map_err(fail)?
        };
        self.push(op, SmallVec::from_slice(inputs), outputs, origin);
        Ok(NodeId(self.nodes.len() as u32 - 1))
    }

    /// [`Graph::add`] for an op with one output.
    pub fn apply(&mut self, op: Op, inputs: &[Value], origin: Origin) -> Result<Value, Error> {
        self.add(op, inputs, origin).map(|node| self.node(node).output())
    }

    fn push(
        &mut self,
        op: Op,
        inputs: SmallVec<[Value; 3]>,
        types: SmallVec<[Type; 1]>,
        origin: Origin,
    ) -> &Node {
        let node = NodeId(self.nodes.len() as u32);
        let first_output = self.values.len() as u32;
        let outputs = types.len() as u32;
        self.values.extend(types.into_iter().enumerate().map(|(slot, ty)| Info {
            ty,
            node,
            slot: slot as u32,
        }));
        self.nodes.push(Node { op, inputs, origin, first_output, outputs });
        &self.nodes[node.index()]
    }

    /// Sets what the graph returns. A value that is not of this graph is refused by the verifier, and where the graph is
    /// used as a region.
    pub fn set_results(&mut self, results: Vec<Value>) {
        self.results = results;
    }

    /// The parameters, in order.
    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }

    /// The results, in order.
    pub fn results(&self) -> &[Value] {
        &self.results
    }

    /// All nodes in topological order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId(i as u32), node))
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The node that makes a value.
    pub fn maker(&self, value: Value) -> &Node {
        self.node(self.maker_id(value))
    }

    /// The id of the node that makes a value.
    pub fn maker_id(&self, value: Value) -> NodeId {
        self.values[value.index()].node
    }

    /// Which of its maker's outputs a value is.
    pub fn slot(&self, value: Value) -> usize {
        self.values[value.index()].slot as usize
    }

    /// A value's type.
    pub fn ty(&self, value: Value) -> &Type {
        &self.values[value.index()].ty
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Number of values.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// For each value, how many nodes' operands and results name it.
    pub fn use_counts(&self) -> Vec<u32> {
        let mut uses = vec![0; self.values.len()];
        for value in self.nodes.iter().flat_map(|n| &n.inputs).chain(&self.results) {
            uses[value.index()] += 1;
        }
        uses
    }

    /// Nodes that some result needs, as flags by node. Parameters always count as needed.
    pub fn live_nodes(&self) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        for value in self.results.iter().chain(&self.parameters) {
            live[self.maker_id(*value).index()] = true;
        }
        for i in (0..self.nodes.len()).rev() {
            if live[i] {
                for input in &self.nodes[i].inputs {
                    live[self.values[input.index()].node.index()] = true;
                }
            }
        }
        live
    }

    /// Copies the live nodes of `other` into this graph with its parameters replaced by `arguments`; returns what its
    /// results became. Types are not inferred anew: the arguments must have the parameters' types, which the verifier
    /// checks.
    ///
    /// # Panics
    /// If there are fewer arguments than parameters.
    pub fn inline(&mut self, other: &Graph, arguments: &[Value]) -> Vec<Value> {
        let live = other.live_nodes();
        let mut map: Vec<Value> = vec![Value(u32::MAX); other.values.len()];
        for (id, node) in other.nodes() {
            if let Op::Parameter(index) = node.op {
                map[node.output().index()] = arguments[index];
            } else if live[id.index()] {
                let inputs = node.inputs.iter().map(|v| map[v.index()]).collect();
                let types = node.outputs().map(|v| other.ty(v).clone()).collect();
                let copy = self.push(node.op.clone(), inputs, types, node.origin.clone());
                let made: SmallVec<[Value; 2]> = copy.outputs().collect();
                for (old, new) in node.outputs().zip(made) {
                    map[old.index()] = new;
                }
            }
        }
        other.results.iter().map(|v| map[v.index()]).collect()
    }
}
