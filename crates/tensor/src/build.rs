//! From a walk over lazy nodes to a graph.

use crate::error::Error;
use crate::node::Kind;
use crate::tensor::Tensor;
use crate::trace::{Numbered, Trace};
use smallvec::SmallVec;
use warploom_graph::{DType, Dims, Elementwise, Graph, Literal, NodeId, Op, Origin, Type, Value};

/// What an entry became.
#[derive(Clone, Copy)]
pub(crate) enum Built {
    Value(Value),
    Several(NodeId),
}

/// A graph with what each numbered value of a trace became.
pub(crate) struct GraphOfTrace {
    pub graph: Graph,
    pub built: Vec<Built>,
}

impl GraphOfTrace {
    /// The value of a number.
    pub fn value(&self, number: u32) -> Value {
        match self.built[number as usize] {
            Built::Value(value) => value,
            Built::Several(node) => self.graph.node(node).output(),
        }
    }
}

/// Makes a graph of the numbered values of an encoded trace. `leaf` gives the value of a leaf, most often a new
/// parameter; the random state is a parameter of its own.
pub(crate) fn build(
    trace: &Trace,
    graph: Graph,
    mut leaf: impl FnMut(&mut Graph, &Tensor) -> Value,
) -> Result<GraphOfTrace, Error> {
    let mut made = GraphOfTrace { graph, built: Vec::with_capacity(trace.values.len()) };
    for position in &trace.values {
        let built = match trace.numbered(*position) {
            Numbered::RandomState => {
                Built::Value(made.graph.parameter(Type::new(DType::U32, &[3]), Origin::here()))
            }
            Numbered::Leaf(entry) => Built::Value(leaf(&mut made.graph, &entry.tensor)),
            Numbered::Node(position) => add(trace, &mut made, position)?,
        };
        made.built.push(built);
    }
    Ok(made)
}

fn add(trace: &Trace, made: &mut GraphOfTrace, position: usize) -> Result<Built, Error> {
    let entry = &trace.entries[position];
    let node = &*entry.tensor.0;
    let origin = &node.origin;
    let numbers: SmallVec<[u32; 4]> =
        trace.inputs(position).iter().filter_map(|edge| trace.number_of(*edge)).collect();
    let operands =
        |made: &GraphOfTrace| numbers.iter().map(|n| made.value(*n)).collect::<SmallVec<[Value; 4]>>();
    Ok(match &node.kind {
        Kind::Elementwise { row, literal } => {
            let mut inputs = operands(made);
            for input in &mut inputs {
                *input = stretch(&mut made.graph, *input, &node.ty.shape, origin)?;
            }
            if let Some((position, value)) = literal {
                let fill = Op::Fill { value: *value, shape: node.ty.shape.clone() };
                inputs.insert(*position as usize, made.graph.apply(fill, &[], origin.clone())?);
            }
            Built::Value(made.graph.apply(Op::Elementwise(*row), &inputs, origin.clone())?)
        }
        Kind::Op(op) => Built::Value(made.graph.apply(Op::clone(op), &operands(made), origin.clone())?),
        Kind::Several(op, _) => {
            Built::Several(made.graph.add(Op::clone(op), &operands(made), origin.clone())?)
        }
        Kind::Output(slot) => {
            let Built::Several(maker) = made.built[numbers[0] as usize] else {
                return Err(Error::at("output", "of a value that has one output", origin));
            };
            let first = made.graph.node(maker).outputs().nth(*slot);
            Built::Value(first.ok_or_else(|| Error::at("output", "of more outputs than there are", origin))?)
        }
        Kind::Random(_) | Kind::Key(_) => {
            let state = match (numbers.first(), trace.random_state) {
                (Some(kept), _) => made.value(*kept),
                (None, Some(state)) => made.value(state),
                (None, None) => return Err(Error::at("random", "without a state", origin)),
            };
            let drawn = if matches!(node.kind, Kind::Random(_)) {
                draw(&mut made.graph, state, entry.note, &node.ty.shape, origin)
            } else {
                key(&mut made.graph, state, entry.note, origin)
            };
            Built::Value(drawn?)
        }
        Kind::Version | Kind::Leaf | Kind::Parameter | Kind::State(_) | Kind::Failed(_) => {
            return Err(Error::at(node.op_name(), "is not an operation", origin));
        }
    })
}

/// Broadcasts by NumPy's rule.
fn stretch(graph: &mut Graph, value: Value, shape: &Dims, origin: &Origin) -> Result<Value, Error> {
    let from = graph.ty(value).shape.clone();
    let mut aligned = Dims::from_elem(1, shape.len() - from.len());
    aligned.extend_from_slice(&from);
    let mut value = value;
    if aligned != from {
        value = graph.apply(Op::Reshape(aligned.clone()), &[value], origin.clone())?;
    }
    if aligned != *shape {
        value = graph.apply(Op::Expand(shape.clone()), &[value], origin.clone())?;
    }
    Ok(value)
}

fn draw(graph: &mut Graph, state: Value, stream: u32, shape: &Dims, origin: &Origin) -> Result<Value, Error> {
    let part = |start: usize, size: usize| Op::Slice {
        starts: Dims::from_slice(&[start]),
        sizes: Dims::from_slice(&[size]),
        steps: SmallVec::from_slice(&[1]),
    };
    let seed = graph.apply(part(0, 2), &[state], origin.clone())?;
    let step = graph.apply(part(2, 1), &[state], origin.clone())?;
    let step = graph.apply(Op::Reshape(Dims::new()), &[step], origin.clone())?;
    let zero = Op::Fill { value: Literal::new(DType::U32, 0.0), shape: Dims::new() };
    let iteration = graph.apply(zero, &[], origin.clone())?;
    Ok(graph.apply(Op::Random { stream, shape: shape.clone() }, &[seed, step, iteration], origin.clone())?)
}

/// The state with the stream mixed into the seed.
fn key(graph: &mut Graph, state: Value, stream: u32, origin: &Origin) -> Result<Value, Error> {
    let stream = unit_vector(graph, stream as f64, 0, origin)?;
    Ok(graph.apply(Op::Elementwise(Elementwise::XOR), &[state, stream], origin.clone())?)
}

/// The random state after a program that drew: its step one on.
pub(crate) fn next_step(graph: &mut Graph, state: Value, origin: &Origin) -> Result<Value, Error> {
    let one = unit_vector(graph, 1.0, 2, origin)?;
    Ok(graph.apply(Op::Elementwise(Elementwise::ADD), &[state, one], origin.clone())?)
}

/// `u32[3]` with a number at one position and 0 at the others.
fn unit_vector(graph: &mut Graph, number: f64, position: usize, origin: &Origin) -> Result<Value, Error> {
    let fill = Op::Fill { value: Literal::new(DType::U32, number), shape: Dims::from_slice(&[1]) };
    let fill = graph.apply(fill, &[], origin.clone())?;
    let pad = Op::Pad { low: Dims::from_slice(&[position]), high: Dims::from_slice(&[2 - position]) };
    Ok(graph.apply(pad, &[fill], origin.clone())?)
}
