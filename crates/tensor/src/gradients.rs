//! Gradients of recorded values: more recorded values, which differentiate again.

use crate::build::{Built, build};
use crate::encode::{self, tag};
use crate::error::Error;
use crate::node::{self, Content, Kind};
use crate::operand::Operand;
use crate::scope;
use crate::tensor::Tensor;
use crate::trace::{Numbered, Trace};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;
use warploom_graph::{Builder, DType, Elementwise, Graph, Literal, Node, Op, Origin, Type, Value};

/// The gradient nodes of one structure, to be laid over any values of that structure.
pub(crate) struct Template {
    nodes: Vec<TemplateNode>,
    /// For each value asked for; `None` where the loss does not depend on it.
    results: Vec<Option<Reference>>,
}

struct TemplateNode {
    kind: TemplateKind,
    types: SmallVec<[Type; 1]>,
    inputs: SmallVec<[Reference; 3]>,
    origin: Origin,
}

enum TemplateKind {
    Elementwise { row: Elementwise, literal: Option<(u8, Literal)> },
    Op(Arc<Op>),
    Several(Op),
}

#[derive(Clone, Copy)]
enum Reference {
    /// A value of the trace, by number.
    Known(u32),
    /// One output of a scan or call of the trace, by its number.
    KnownOutput(u32, u32),
    /// One output of a template node.
    New(u32, u32),
}

/// The gradients of a float scalar with respect to variables, in their order, each with its variable's shape and dtype.
/// Nothing runs; the forward values are shared, not computed twice.
///
/// # Errors
/// The loss is not a float scalar; an item is a plain tensor; the loss does not depend on an item's current version
/// ([`gradients_or_zeros`] gives zeros for that); a value on the way was looked at already, so that what made it is
/// forgotten; an op on the way has no gradient.
#[track_caller]
pub fn gradients(loss: &Tensor, wrt: &[&dyn Operand]) -> Result<Vec<Tensor>, Error> {
    let origin = scope::origin();
    let found = differentiate(loss, wrt, &origin)?;
    found
        .into_iter()
        .zip(wrt)
        .map(|(gradient, item)| gradient.ok_or_else(|| independent(loss, *item, &origin)))
        .collect()
}

/// As [`gradients`], with zeros for variables on which the loss does not depend.
///
/// # Errors
/// As [`gradients`], but for that.
#[track_caller]
pub fn gradients_or_zeros(loss: &Tensor, wrt: &[&dyn Operand]) -> Result<Vec<Tensor>, Error> {
    let found = differentiate(loss, wrt, &scope::origin())?;
    Ok(found
        .into_iter()
        .zip(wrt)
        .map(|(g, item)| g.unwrap_or_else(|| item.tensor().full_like(0.0)))
        .collect())
}

fn independent(loss: &Tensor, item: &dyn Operand, origin: &Origin) -> Error {
    let name = item.variable().map_or("the variable".into(), |v| v.described());
    let looked_at = loss.0.is_computed() && !matches!(&*loss.0.content(), Content::Inputs(_));
    let message = if looked_at {
        "the loss was looked at already, and what made it is forgotten; ask for gradients before looking at it".into()
    } else {
        format!(
            "the loss does not depend on the current version of {name}; leave it out, or use gradients_or_zeros if a \
             gradient of zeros is meant"
        )
    };
    Error::at("gradients", message, origin)
}

fn differentiate(loss: &Tensor, wrt: &[&dyn Operand], origin: &Origin) -> Result<Vec<Option<Tensor>>, Error> {
    if let Some(error) = loss.error() {
        return Err(error);
    }
    let mut values: SmallVec<[Tensor; 8]> = SmallVec::new();
    for item in wrt {
        let value = item.tensor();
        if let Some(error) = value.error() {
            return Err(error);
        }
        if item.variable().is_none() {
            let name = item.operand_name().map_or("the tensor".into(), |name| format!("`{name}`"));
            let message =
                format!("{name} is not a Variable (made at {}); wrap it with Variable::new", value.origin());
            return Err(Error::at("gradients", message, origin));
        }
        if !value.ty().dtype.is_float() {
            let message = format!("{} is {}, which has no gradient", value.described(), value.ty());
            return Err(Error::at("gradients", message, origin));
        }
        values.push(value);
    }
    let ty = loss.ty();
    if !ty.shape.is_empty() || !ty.dtype.is_float() {
        let message = format!("are of a float scalar, found {ty}; reduce it with mean_all() or sum_all()");
        return Err(Error::at("gradients", message, origin));
    }
    let device = loss.device()?;
    let mut trace = device.trace();
    let result = walk(&mut trace, loss, &values, origin);
    trace.clear();
    result
}

/// Gradients stop at what no operation made, and at what variables were assigned.
fn is_leaf(node: &node::Node) -> bool {
    match &node.kind {
        Kind::Version | Kind::Leaf | Kind::Parameter | Kind::State(_) | Kind::Random(_) | Kind::Key(_) => {
            true
        }
        Kind::Op(op) => matches!(**op, Op::StopGradient),
        Kind::Elementwise { .. } | Kind::Several(..) | Kind::Output(_) | Kind::Failed(_) => false,
    }
}

fn walk(
    trace: &mut Trace,
    loss: &Tensor,
    values: &[Tensor],
    origin: &Origin,
) -> Result<Vec<Option<Tensor>>, Error> {
    trace.collect([loss], is_leaf)?;
    check_forgotten(trace, values, origin)?;
    let mut leaf = |tensor: &Tensor, tokens: &mut Vec<u64>| {
        tokens.push(tag::INPUT);
        encode::ty(tensor.ty(), tokens);
        Ok(0)
    };
    trace.encode(&mut leaf)?;
    let of = trace.find(loss).map_or(0, |position| position);
    let of = trace.number(of, &mut leaf)?;
    let mut numbers: SmallVec<[Option<u32>; 8]> = SmallVec::new();
    for value in values {
        numbers.push(match trace.find(value) {
            Some(position) => Some(trace.number(position, &mut leaf)?),
            None => None,
        });
    }
    trace.tokens.extend([tag::GRADIENT, of as u64]);
    trace.tokens.extend(numbers.iter().map(|number| number.map_or(u64::MAX, |n| n as u64)));
    let hash = encode::hash(&trace.tokens);
    let mut templates = std::mem::take(&mut trace.templates);
    let template = match templates.get(hash, &trace.tokens) {
        Some(template) => Ok(template),
        None => template(trace, of, &numbers, origin).map(|made| templates.insert(hash, &trace.tokens, made)),
    };
    let result = template.map(|template| lift(trace, template));
    trace.templates = templates;
    result
}

/// A value that was looked at has lost what made it. Where that held a variable asked for, its part of the gradient
/// would be missing.
fn check_forgotten(trace: &Trace, values: &[Tensor], origin: &Origin) -> Result<(), Error> {
    for entry in &trace.entries {
        if !entry.leaf {
            continue;
        }
        let node = &*entry.tensor.0;
        let Content::Ready { behind: Some(behind), .. } = &*node.content() else { continue };
        if is_leaf(node) || values.iter().all(|value| !behind.contains(&value.0.id)) {
            continue;
        }
        let message = format!(
            "{} (made at {}) was looked at already, and what made it is forgotten; ask for gradients before looking at \
             it, or use stop_gradient() on it",
            entry.tensor.described(),
            node.origin
        );
        return Err(Error::at("gradients", message, origin));
    }
    Ok(())
}

fn template(trace: &Trace, of: u32, wrt: &[Option<u32>], origin: &Origin) -> Result<Template, Error> {
    let leaf =
        |graph: &mut Graph, tensor: &Tensor| graph.parameter(tensor.ty().clone(), tensor.origin().clone());
    let forward = build(trace, Graph::new(), leaf)?;
    let mut references: Vec<Option<Reference>> = vec![None; forward.graph.value_count()];
    for (number, built) in (0..).zip(&forward.built) {
        if let Built::Several(node) = built {
            for (slot, value) in (0..).zip(forward.graph.node(*node).outputs()) {
                references[value.index()] = Some(Reference::KnownOutput(number, slot));
            }
        }
    }
    for (number, built) in (0..).zip(&forward.built) {
        if let Built::Value(value) = built {
            references[value.index()] = Some(Reference::Known(number));
        }
    }
    let loss = forward.value(of);
    let asked: Vec<Value> = wrt.iter().flatten().map(|number| forward.value(*number)).collect();
    let builder = Builder::new(forward.graph, origin.clone());
    let mut found = warploom_graph::gradient::gradients(&builder, loss, &asked)?.into_iter();
    let results: Vec<Option<Value>> =
        wrt.iter().map(|number| number.and_then(|_| found.next().flatten())).collect();
    let graph = builder.finish();
    references.resize(graph.value_count(), None);
    Ok(written(&graph, references, &results))
}

/// The nodes of `graph` that `results` need and that are not known, in the lazy nodes' form: literals and broadcasts are
/// part of elementwise nodes.
fn written(graph: &Graph, mut references: Vec<Option<Reference>>, results: &[Option<Value>]) -> Template {
    let makers: Vec<(&Node, Folded)> = graph.nodes().map(|(_, node)| (node, fold(graph, node))).collect();
    let mut needed = vec![false; makers.len()];
    let need = |value: Value, needed: &mut [bool], references: &[Option<Reference>]| {
        if references[value.index()].is_none() {
            needed[graph.maker_id(value).index()] = true;
        }
    };
    results.iter().flatten().for_each(|value| need(*value, &mut needed, &references));
    for (index, (_, folded)) in makers.iter().enumerate().rev() {
        if needed[index] {
            folded.operands.iter().for_each(|value| need(*value, &mut needed, &references));
        }
    }
    let mut nodes: Vec<TemplateNode> = Vec::new();
    for (index, (node, folded)) in makers.into_iter().enumerate() {
        if !needed[index] {
            continue;
        }
        for (slot, value) in (0..).zip(node.outputs()) {
            references[value.index()].get_or_insert(Reference::New(nodes.len() as u32, slot));
        }
        nodes.push(TemplateNode {
            kind: match &node.op {
                Op::Elementwise(row) => TemplateKind::Elementwise { row: *row, literal: folded.literal },
                op @ (Op::Scan { .. } | Op::Call { .. }) => TemplateKind::Several(op.clone()),
                op => TemplateKind::Op(Arc::new(op.clone())),
            },
            types: node.outputs().map(|v| graph.ty(v).clone()).collect(),
            inputs: folded.operands.iter().filter_map(|v| references[v.index()]).collect(),
            origin: node.origin.clone(),
        });
    }
    let results = results.iter().map(|value| value.and_then(|v| references[v.index()])).collect();
    Template { nodes, results }
}

/// A node's operands as a lazy node has them.
struct Folded {
    operands: SmallVec<[Value; 3]>,
    literal: Option<(u8, Literal)>,
}

fn fold(graph: &Graph, node: &Node) -> Folded {
    if !matches!(node.op, Op::Elementwise(_)) {
        return Folded { operands: node.inputs.clone(), literal: None };
    }
    let bases: SmallVec<[Value; 3]> = node.inputs.iter().map(|v| unstretched(graph, *v)).collect();
    let literal_of = |value: Value| match &graph.maker(value).op {
        Op::Fill { value, .. } => Some(*value),
        _ => None,
    };
    // One operand at least stays, so that the node is on a device.
    let first = bases.iter().position(|v| literal_of(*v).is_some()).filter(|_| bases.len() > 1);
    let literal = first.and_then(|position| Some((position as u8, literal_of(bases[position])?)));
    let kept = bases.iter().enumerate().filter(|(i, _)| Some(*i) != first).map(|(_, v)| *v);
    Folded { operands: kept.collect(), literal }
}

/// What a value was stretched from by NumPy's rule.
fn unstretched(graph: &Graph, value: Value) -> Value {
    let maker = graph.maker(value);
    match &maker.op {
        Op::Expand(_) => unstretched(graph, maker.inputs[0]),
        Op::Reshape(to) => {
            let from = &graph.ty(maker.inputs[0]).shape;
            let added = to.len().saturating_sub(from.len());
            if to[added..] == from[..] && to[..added].iter().all(|extent| *extent == 1) {
                unstretched(graph, maker.inputs[0])
            } else {
                value
            }
        }
        _ => value,
    }
}

/// Lays a template over the values of a trace.
fn lift(trace: &Trace, template: &Template) -> Vec<Option<Tensor>> {
    let device = trace.entries.iter().find_map(|entry| entry.tensor.0.device.clone());
    let mut made: Vec<SmallVec<[Tensor; 1]>> = Vec::with_capacity(template.nodes.len());
    let known = |number: u32| match trace.numbered(trace.values[number as usize]) {
        Numbered::Leaf(entry) => entry.tensor.clone(),
        Numbered::Node(position) => trace.entries[position].tensor.clone(),
        // A gradient's leaves include its draws, so that no number stands for the random state.
        Numbered::RandomState => Tensor::failed(Error::new("gradients", "of a random state")),
    };
    let resolve = |made: &[SmallVec<[Tensor; 1]>], reference: &Reference| match *reference {
        Reference::Known(number) => known(number),
        Reference::KnownOutput(number, slot) => {
            let maker = known(number);
            let ty = match &maker.0.kind {
                Kind::Several(_, types) => types[slot as usize].clone(),
                _ => Type::scalar(DType::F32),
            };
            let origin = maker.origin().clone();
            Tensor::lazy(
                Kind::Output(slot as usize),
                ty,
                SmallVec::from_iter([maker]),
                origin,
                device.clone(),
            )
        }
        Reference::New(node, slot) => made[node as usize][slot as usize].clone(),
    };
    for node in &template.nodes {
        let mut inputs: SmallVec<[Tensor; 3]> = SmallVec::new();
        node.inputs.iter().for_each(|r| inputs.push(resolve(&made, r)));
        let (origin, device) = (node.origin.clone(), device.clone());
        let kind = match &node.kind {
            TemplateKind::Several(op) => {
                made.push(Tensor::several(op.clone(), node.types.to_vec(), inputs, origin, device).into());
                continue;
            }
            TemplateKind::Elementwise { row, literal } => Kind::Elementwise { row: *row, literal: *literal },
            TemplateKind::Op(op) => Kind::Op(op.clone()),
        };
        let ty = Type::new(node.types[0].dtype, &node.types[0].shape);
        made.push(smallvec![Tensor::lazy(kind, ty, inputs, origin, device)]);
    }
    template.results.iter().map(|reference| reference.as_ref().map(|r| resolve(&made, r))).collect()
}
