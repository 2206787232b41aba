//! The layers of a built network, as its forward pass records them.

use std::collections::HashMap;
use warploom_nn::{Mode, Model, Module, Parameters};
use warploom_report::Layer;
use warploom_tensor::{DType, InputSpec};
use warploom_train::Result;

/// What a module was seen to record.
struct Seen {
    path: String,
    output: Vec<usize>,
    ops: Vec<&'static str>,
}

/// Every module that computes something on a batch, in the order of computation.
pub(crate) fn layers(model: &Model, batch: usize) -> Result<Vec<Layer>> {
    let shape: Vec<usize> = [batch].iter().chain(model.input_shape()).copied().collect();
    let input = InputSpec::new(model.input_dtype().unwrap_or(DType::F32), &shape);
    let recorded =
        model.device().try_record(&[input], |inputs| Ok(vec![model.forward(&inputs[0], Mode::Evaluate)]))?;
    let graph = &recorded.recording().graph;
    let mut seen: Vec<Seen> = Vec::new();
    for (_, node) in graph.nodes() {
        let (Some(path), Some(output)) = (&node.origin.module, node.outputs().next()) else { continue };
        let name = node.op.name();
        if name == "parameter" {
            continue;
        }
        let output = graph.ty(output).shape.to_vec();
        match seen.iter_mut().find(|layer| *layer.path == **path) {
            Some(layer) => {
                layer.output = output;
                layer.ops.push(name);
            }
            None => seen.push(Seen { path: path.to_string(), output, ops: vec![name] }),
        }
    }
    let mut parameters: HashMap<String, u64> = HashMap::new();
    let mut normalised: Vec<String> = Vec::new();
    for found in model.named_variables() {
        let (path, own) = found.name.rsplit_once('.').unwrap_or(("", &found.name));
        if own == "running_mean" {
            normalised.push(path.to_owned());
        }
        if found.kind == warploom_nn::Kind::Parameter {
            let count = found.variable.shape()?.iter().product::<usize>() as u64;
            *parameters.entry(path.to_owned()).or_default() += count;
        }
    }
    let layer = |seen: Seen| Layer {
        name: match kind(&seen.ops, normalised.contains(&seen.path)) {
            Some(kind) => format!("{} · {kind}", seen.path),
            None => seen.path.clone(),
        },
        output: format!("{:?}", seen.output),
        parameters: parameters.get(&seen.path).copied().unwrap_or(0),
    };
    Ok(seen.into_iter().map(layer).collect())
}

/// What a module is, where its operations tell.
fn kind(ops: &[&'static str], is_normalised: bool) -> Option<&'static str> {
    let has = |name: &str| ops.contains(&name);
    match ops {
        _ if is_normalised => Some("batch normalisation"),
        _ if has("convolve") => Some("convolution"),
        _ if has("contract") => Some("dense"),
        _ if has("gather") => Some("embedding"),
        _ if has("unfold") => Some("pooling"),
        [only] => Some(only),
        _ => None,
    }
}
