//! Where a number that is not finite began.
//!
//! The step is recorded once more with the largest magnitude of every value as its outputs, and runs on the same batch,
//! state and random numbers. From the loss, else from the gradients, the values that are not finite lead back to one whose
//! operands were finite. Values that a selection left out lead nowhere, as they should.

use crate::error::Result;
use std::collections::HashSet;
use std::fmt;
use warploom_device::Program;
use warploom_graph::{
    DType, Dims, Elementwise, Graph, Literal, Node, Op, Origin, ParameterRole, Recording, Reduction,
    ResultRole, Type, Value,
};
use warploom_tensor::Recorded;

/// What people call the layer of a module path, if they have a name for it.
pub(crate) type LayerName<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The first value of a training step that was not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFinite {
    /// From 0.
    pub epoch: usize,
    /// Of the epoch, from 0.
    pub batch: usize,
    /// What was found first; `None` where the step, run again, was finite.
    pub found: Option<Found>,
}

/// A value that is not finite though what it was made from is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// When it was computed.
    pub stage: Stage,
    /// The op that made it, or the name of what was given.
    pub what: String,
    /// The path of the layer, such as `layer1.0.conv1`, or what [`crate::Fit::layer_names`] calls it; of a gradient, the
    /// layer that it is the gradient of.
    pub layer: Option<String>,
    /// The line of code, as `file:line`.
    pub line: String,
    /// Whether it is NaN; else it is infinite.
    pub is_nan: bool,
}

impl Found {
    /// With what `name` calls the layer, where it knows it.
    pub(crate) fn named(self, name: Option<&LayerName<'_>>) -> Found {
        let called = self.layer.as_deref().zip(name).and_then(|(layer, name)| name(layer));
        Found { layer: called.or(self.layer), ..self }
    }
}

/// A part of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Handed in: a variable, or the batch.
    Given,
    /// From the batch to the loss.
    Forward,
    /// From the loss to the gradients.
    Gradients,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}, batch {}: ", self.epoch + 1, self.batch + 1)?;
        let Some(found) = &self.found else {
            return f.write_str("an update was not finite; run again, every value of the step was");
        };
        let kind = if found.is_nan { "NaN" } else { "infinity" };
        let layer = found.layer.as_ref().map_or(String::new(), |layer| format!(" of layer {layer}"));
        match found.stage {
            Stage::Given => write!(f, "{} holds {kind} before the step", found.what),
            Stage::Forward => {
                write!(
                    f,
                    "the first {kind} is made in the forward pass by `{}`{layer}, at {}",
                    found.what, found.line
                )
            }
            Stage::Gradients => write!(
                f,
                "the forward pass is finite; the first {kind} is made in the gradients by `{}`{layer}, at {}",
                found.what, found.line
            ),
        }
    }
}

/// A step whose outputs tell the largest magnitude of its values.
pub(crate) struct Probe {
    program: Recorded,
    graph: Graph,
    /// Values by output, of the flat graph.
    probed: Vec<Value>,
    /// The loss, then the gradients.
    roots: Vec<Value>,
    roles: Vec<ParameterRole>,
}

impl Probe {
    /// From a recording whose outputs are the loss, then the gradients.
    pub fn new(recorded: &Recorded) -> Result<Probe> {
        let recording = recorded.recording();
        let mut graph = Graph::new();
        let types = recording.graph.parameters().iter().map(|v| recording.graph.ty(*v).clone());
        let parameters: Vec<Value> =
            types.zip(&recording.parameters).map(|(ty, _)| graph.parameter(ty, Origin::here())).collect();
        let results =
            flatten(&mut graph, &recording.graph, &parameters).map_err(warploom_tensor::Error::from)?;
        let outputs = results.iter().zip(&recording.results);
        let roots: Vec<Value> =
            outputs.filter(|(_, role)| **role == ResultRole::Output).map(|(v, _)| *v).collect();
        let flat = graph.clone();
        let mut needed: HashSet<usize> = roots.iter().map(|v| v.index()).collect();
        let mut probed = Vec::new();
        for (_, node) in flat.nodes().rev() {
            if !node.outputs().any(|v| needed.contains(&v.index())) {
                continue;
            }
            needed.extend(node.inputs.iter().map(|v| v.index()));
            probed.extend(node.outputs().filter(|v| is_probed(&flat, node, *v)));
        }
        probed.reverse();
        let mut magnitudes = Vec::with_capacity(probed.len());
        for value in &probed {
            magnitudes.push(magnitude(&mut graph, *value).map_err(warploom_tensor::Error::from)?);
        }
        // State is read and not written: a step that fails changes nothing.
        let results = vec![ResultRole::Output; magnitudes.len()];
        graph.set_results(magnitudes);
        let roles = recording.parameters.clone();
        let program = recorded.with_recording(Recording { graph, parameters: roles.clone(), results })?;
        Ok(Probe { program, graph: flat, probed, roots, roles })
    }

    pub fn program(&self) -> &Recorded {
        &self.program
    }

    /// From the outputs of a run, in order.
    pub fn find(&self, magnitudes: &[f32]) -> Option<Found> {
        let mut largest: Vec<Option<f32>> = vec![None; self.graph.value_count()];
        for (value, magnitude) in self.probed.iter().zip(magnitudes) {
            largest[value.index()] = Some(*magnitude);
        }
        let forward = self.ancestors(&self.roots[..1], |_| true);
        // A value that is not probed moves others: it is as they are.
        let mut wrong = vec![false; largest.len()];
        let mut harmless = vec![false; largest.len()];
        for (_, node) in self.graph.nodes() {
            let any = |flags: &[bool]| node.inputs.iter().any(|v| flags[v.index()]);
            let (wrong_inputs, harmless_inputs) = (any(&wrong), any(&harmless));
            for value in node.outputs() {
                let i = value.index();
                match largest[i] {
                    Some(magnitude) if magnitude.is_finite() => {}
                    // An infinite constant is meant, and so is what stays infinite because of it, as masks do.
                    Some(magnitude) if harmless_inputs && !wrong_inputs && !magnitude.is_nan() => {
                        harmless[i] = true
                    }
                    Some(_) => wrong[i] = true,
                    None if !self.graph.ty(value).dtype.is_float() => {}
                    None => match &node.op {
                        Op::Fill { value, .. } => harmless[i] = !value.to_f64().is_finite(),
                        _ => (wrong[i], harmless[i]) = (wrong_inputs, harmless_inputs),
                    },
                }
            }
        }
        let (loss, gradients) = self.roots.split_first()?;
        let starts: Vec<Value> = if wrong[loss.index()] {
            vec![*loss]
        } else {
            gradients.iter().copied().filter(|v| wrong[v.index()]).collect()
        };
        let reached = self.ancestors(&starts, |value| wrong[value.index()]);
        let first = self.graph.nodes().find(|(_, node)| {
            node.outputs().any(|v| reached.contains(&v.index()))
                && !node.inputs.iter().any(|v| wrong[v.index()])
        });
        let (_, node) = first?;
        let value = node.outputs().find(|v| wrong[v.index()])?;
        let is_nan = largest[value.index()].is_some_and(f32::is_nan);
        Some(self.describe(node, is_nan, forward.contains(&value.index())))
    }

    fn describe(&self, node: &Node, is_nan: bool, forward: bool) -> Found {
        let line = format!("{}:{}", node.origin.location.file(), node.origin.location.line());
        let layer = node.origin.module.as_ref().map(|path| path.to_string());
        let stage = if forward { Stage::Forward } else { Stage::Gradients };
        let Op::Parameter(index) = node.op else {
            return Found { stage, what: node.op.name().to_owned(), layer, line, is_nan };
        };
        let what = match self.roles[index] {
            ParameterRole::State(slot) => match self.program.state_name(slot) {
                Some(name) => format!("`{name}`"),
                None => "a variable".to_owned(),
            },
            ParameterRole::Input => "the batch".to_owned(),
        };
        Found { stage: Stage::Given, what, layer: None, line, is_nan }
    }

    /// Values from which `of` are made, themselves included, along values that `pass`.
    fn ancestors(&self, of: &[Value], pass: impl Fn(Value) -> bool) -> HashSet<usize> {
        let mut found: HashSet<usize> = of.iter().map(|v| v.index()).collect();
        let mut open = of.to_vec();
        while let Some(value) = open.pop() {
            let more = self.graph.maker(value).inputs.iter().copied();
            open.extend(more.filter(|v| pass(*v)).filter(|v| found.insert(v.index())));
        }
        found
    }
}

/// Whether the value of a node is looked at: those that only move values tell nothing new.
fn is_probed(graph: &Graph, node: &Node, value: Value) -> bool {
    let ty = graph.ty(value);
    let moves = matches!(
        node.op,
        Op::Fill { .. } | Op::Reshape(_) | Op::Permute(_) | Op::Expand(_) | Op::StopGradient | Op::Barrier
    );
    ty.dtype.is_float() && ty.elements() > 0 && !moves
}

/// The largest magnitude of a value as `f32[]`; NaN if it holds one.
fn magnitude(graph: &mut Graph, value: Value) -> std::result::Result<Value, warploom_graph::Error> {
    let origin = Origin::here();
    let mut at = graph.apply(Op::Elementwise(Elementwise::ABS), &[value], origin.clone())?;
    let axes: Dims = (0..graph.ty(value).rank()).collect();
    if !axes.is_empty() {
        at = graph.apply(Op::Reduce { kind: Reduction::Max, axes }, &[at], origin.clone())?;
    }
    let dtype = graph.ty(at).dtype;
    if dtype == DType::F64 {
        // Large f64 must not become infinite on the way to f32.
        let limit = Op::Fill { value: Literal::new(dtype, f64::from(f32::MAX)), shape: Dims::new() };
        let limit = graph.apply(limit, &[], origin.clone())?;
        let finite = graph.apply(Op::Elementwise(Elementwise::IS_FINITE), &[at], origin.clone())?;
        let least = graph.apply(Op::Elementwise(Elementwise::MINIMUM), &[at, limit], origin.clone())?;
        at = graph.apply(Op::Elementwise(Elementwise::SELECT), &[finite, least, at], origin.clone())?;
    }
    if dtype != DType::F32 {
        at = graph.apply(Op::Cast(DType::F32), &[at], origin)?;
    }
    Ok(at)
}

/// Copies `other` with the bodies of its calls in their place.
fn flatten(
    graph: &mut Graph,
    other: &Graph,
    arguments: &[Value],
) -> std::result::Result<Vec<Value>, warploom_graph::Error> {
    let mut map: Vec<Option<Value>> = vec![None; other.value_count()];
    let lost = || warploom_graph::Error::new("flatten", "a value is used before it is made");
    for (_, node) in other.nodes() {
        if let Op::Parameter(index) = node.op {
            map[node.output().index()] = Some(arguments[index]);
            continue;
        }
        let inputs: Vec<Value> = node
            .inputs
            .iter()
            .map(|v| map[v.index()].ok_or_else(lost))
            .collect::<std::result::Result<_, _>>()?;
        let made: Vec<Value> = match &node.op {
            Op::Call { body, .. } => flatten(graph, body, &inputs)?,
            op => {
                let id = graph.add(op.clone(), &inputs, node.origin.clone())?;
                graph.node(id).outputs().collect()
            }
        };
        node.outputs().zip(made).for_each(|(old, new)| map[old.index()] = Some(new));
    }
    other.results().iter().map(|v| map[v.index()].ok_or_else(lost)).collect()
}

/// Whether a program draws random numbers: their state is `u32[3]`.
pub(crate) fn draws(program: &Program) -> bool {
    program.states.contains(&Type::new(DType::U32, &[3]))
}
