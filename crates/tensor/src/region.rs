//! Regions: bodies of calls and scans, recorded once by running a closure on placeholders. Values from outside that the
//! closure uses are captured.

use crate::build::build;
use crate::context::{self, Level, RegionLevel};
use crate::error::Error;
use crate::node::{Kind, Node};
use crate::scope;
use crate::tensor::Tensor;
use crate::trace::Trace;
use smallvec::SmallVec;
use std::sync::Arc;
use warploom_graph::{CallGradient, DType, Graph, Op, Origin, Type, Value};

/// A recorded body.
struct Region {
    graph: Graph,
    /// Values from outside, in the order of the parameters that stand for them, which come last.
    captured: Vec<Tensor>,
}

/// Records a function under a name by which devices may have a better kernel for it. Its gradient is its body's.
///
/// `name` is the function's; `inputs` its operands; `body` gets as many tensors of the same types and returns the results.
/// A failed operand or body makes the results fail; a body that fails gives one failed result.
#[track_caller]
pub fn call(
    name: &'static str,
    inputs: &[&Tensor],
    body: impl FnOnce(&[Tensor]) -> Vec<Tensor>,
) -> Vec<Tensor> {
    let origin = scope::origin();
    if let Some(failed) = inputs.iter().find(|t| t.is_failed()) {
        return vec![Tensor::clone(failed)];
    }
    match record(name, &types(inputs), None, &origin, |parameters, _| body(parameters)) {
        Err(error) => vec![Tensor::failed(error)],
        Ok(region) => {
            let (body, gradient) = (Arc::new(region.graph), CallGradient::Body);
            let op = Op::Call { name, body, gradient, sources: Vec::new() };
            let operands: SmallVec<[&Tensor; 8]> = inputs.iter().copied().chain(&region.captured).collect();
            Tensor::apply_several(op, &operands)
        }
    }
}

/// [`call`] with a gradient of its own: `gradient` gets the inputs, the outputs and the outputs' cotangents, and returns
/// one cotangent for each input, of the input's type. Neither closure may use values from outside.
#[track_caller]
pub fn call_with_gradient(
    name: &'static str,
    inputs: &[&Tensor],
    body: impl FnOnce(&[Tensor]) -> Vec<Tensor>,
    gradient: impl FnOnce(&[Tensor], &[Tensor], &[Tensor]) -> Vec<Tensor>,
) -> Vec<Tensor> {
    let origin = scope::origin();
    if let Some(failed) = inputs.iter().find(|t| t.is_failed()) {
        return vec![Tensor::clone(failed)];
    }
    let both = forward(name, inputs, &origin, body).and_then(|body| {
        let region = backward(name, inputs, &body, &origin, gradient)?;
        Ok((body, region))
    });
    match both {
        Err(error) => vec![Tensor::failed(error)],
        Ok((body, region)) => {
            let gradient = CallGradient::Region(Arc::new(region));
            Tensor::apply_several(
                Op::Call { name, body: Arc::new(body), gradient, sources: Vec::new() },
                inputs,
            )
        }
    }
}

/// The body of a call that uses nothing from outside.
pub(crate) fn forward(
    name: &str,
    inputs: &[&Tensor],
    origin: &Origin,
    body: impl FnOnce(&[Tensor]) -> Vec<Tensor>,
) -> Result<Graph, Error> {
    record(name, &types(inputs), None, origin, |parameters, _| body(parameters))?.closed(name, origin)
}

/// The gradient of a call of this body: from inputs, outputs and the outputs' cotangents to the inputs' cotangents.
pub(crate) fn backward(
    name: &str,
    inputs: &[&Tensor],
    body: &Graph,
    origin: &Origin,
    gradient: impl FnOnce(&[Tensor], &[Tensor], &[Tensor]) -> Vec<Tensor>,
) -> Result<Graph, Error> {
    let (wanted, outputs) = (types(inputs), result_types(body));
    let parameters: Vec<Type> = wanted.iter().chain(&outputs).chain(&outputs).cloned().collect();
    let (given, made) = (inputs.len(), outputs.len());
    let region = record(name, &parameters, None, origin, |all, _| {
        gradient(&all[..given], &all[given..given + made], &all[given + made..])
    })?;
    let region = region.closed(name, origin)?;
    let found = result_types(&region);
    if wanted != found {
        let show = |types: &[Type]| types.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(", ");
        let message = format!("its gradient must return {}, found {}", show(&wanted), show(&found));
        return Err(Error::at(name, message, origin));
    }
    Ok(region)
}

/// Repeats a body: `carries` go from round to round, `slices` are cut along axis 0, one part each round.
///
/// The body gets the iteration (`u32[]`), the carries and the parts, and returns the next carries (of the same types)
/// and what is to be stacked along a new axis 0. The result is the last carries and the stacks. Gradients pass through.
/// On failure both lists hold failed tensors only.
#[track_caller]
pub fn scan(
    length: usize,
    carries: &[&Tensor],
    slices: &[&Tensor],
    body: impl FnOnce(&Tensor, &[Tensor], &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>),
) -> (Vec<Tensor>, Vec<Tensor>) {
    scanned(length, carries, slices, false, body)
}

/// [`scan`] from the last part to the first; stacks keep the order of the parts.
#[track_caller]
pub fn scan_reverse(
    length: usize,
    carries: &[&Tensor],
    slices: &[&Tensor],
    body: impl FnOnce(&Tensor, &[Tensor], &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>),
) -> (Vec<Tensor>, Vec<Tensor>) {
    scanned(length, carries, slices, true, body)
}

#[track_caller]
fn scanned(
    length: usize,
    carries: &[&Tensor],
    slices: &[&Tensor],
    reverse: bool,
    body: impl FnOnce(&Tensor, &[Tensor], &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>),
) -> (Vec<Tensor>, Vec<Tensor>) {
    let origin = scope::origin();
    let fail = |failed: Tensor| (vec![failed.clone(); carries.len().max(1)], vec![failed]);
    if let Some(failed) = carries.iter().chain(slices).find(|t| t.is_failed()) {
        return fail(Tensor::clone(failed));
    }
    let parts: Result<Vec<Type>, Error> = slices
        .iter()
        .map(|t| match t.extents().split_first() {
            Some((first, rest)) if *first == length => Ok(Type::new(t.ty().dtype, rest)),
            _ => {
                let message =
                    format!("{length} rounds cut {} along axis 0, whose extent must be {length}", t.ty());
                Err(Error::at("scan", message, &origin))
            }
        })
        .collect();
    let recorded = parts.and_then(|parts| {
        let parameters: Vec<Type> = types(carries).into_iter().chain(parts).collect();
        let mut stacks = 0;
        let region = record("scan", &parameters, Some(()), &origin, |all, iteration| {
            let Some(iteration) = iteration else { return Vec::new() };
            let (next, stacked) = body(iteration, &all[..carries.len()], &all[carries.len()..]);
            stacks = stacked.len();
            next.into_iter().chain(stacked).collect()
        })?;
        let made = region.graph.results().len() - stacks;
        if made != carries.len() {
            let message = format!("the body returns {made} carries for {}", carries.len());
            return Err(Error::at("scan", message, &origin));
        }
        Ok(region)
    });
    match recorded {
        Err(error) => fail(Tensor::failed(error)),
        Ok(region) => {
            let op = Op::Scan {
                body: Arc::new(region.graph),
                length,
                carries: carries.len(),
                slices: slices.len(),
                reverse,
            };
            let operands: SmallVec<[&Tensor; 8]> =
                carries.iter().chain(slices).copied().chain(&region.captured).collect();
            let mut made = Tensor::apply_several(op, &operands);
            let stacked = made.split_off(carries.len().min(made.len()));
            (made, stacked)
        }
    }
}

pub(crate) fn types(tensors: &[&Tensor]) -> Vec<Type> {
    tensors.iter().map(|t| t.ty().clone()).collect()
}

pub(crate) fn result_types(region: &Graph) -> Vec<Type> {
    region.results().iter().map(|v| region.ty(*v).clone()).collect()
}

impl Region {
    /// The graph, if nothing was captured.
    fn closed(self, name: &str, origin: &Origin) -> Result<Graph, Error> {
        match self.captured.first() {
            None => Ok(self.graph),
            Some(value) => {
                let message = format!("{} comes from outside; hand it in as an input", value.described());
                Err(Error::at(name, message, origin))
            }
        }
    }
}

/// Runs `body` on placeholders and makes a graph of what it returns. A scan's has an iteration as its first parameter.
fn record(
    name: &str,
    parameters: &[Type],
    iteration: Option<()>,
    origin: &Origin,
    body: impl FnOnce(&[Tensor], Option<&Tensor>) -> Vec<Tensor>,
) -> Result<Region, Error> {
    let device = crate::device::Device::current()?;
    let first = context::first_id();
    let placeholder = |ty: &Type| {
        Tensor::lazy(Kind::Parameter, ty.clone(), SmallVec::new(), origin.clone(), Some(device.clone()))
    };
    let iteration = iteration.map(|()| placeholder(&Type::scalar(DType::U32)));
    let values: Vec<Tensor> = parameters.iter().map(placeholder).collect();
    let level = Level::Region(RegionLevel { iteration: iteration.clone(), key: None, draws: 0 });
    let (results, _) = context::within(level, || body(&values, iteration.as_ref()));
    if let Some(error) = results.iter().find_map(Tensor::error) {
        return Err(error);
    }
    if results.is_empty() {
        return Err(Error::at(name, "the body returns nothing", origin));
    }
    let mut trace = device.trace();
    let parameters: Vec<&Tensor> = iteration.iter().chain(&values).collect();
    let region = close(&mut trace, &parameters, &results, first);
    trace.clear();
    region
}

fn close(trace: &mut Trace, parameters: &[&Tensor], results: &[Tensor], first: u64) -> Result<Region, Error> {
    let is_leaf = |node: &Node| {
        node.id < first
            || match node.kind {
                Kind::Version
                | Kind::Leaf
                | Kind::Parameter
                | Kind::State(_)
                | Kind::Random(_)
                | Kind::Key(_) => true,
                Kind::Elementwise { .. }
                | Kind::Op(_)
                | Kind::Several(..)
                | Kind::Output(_)
                | Kind::Failed(_) => false,
            }
    };
    trace.collect(results, is_leaf)?;
    let mut leaf = |_: &Tensor, _: &mut Vec<u64>| Ok(0);
    trace.encode(&mut leaf)?;
    let mut numbers = Vec::with_capacity(results.len());
    for result in results {
        let position = trace.find(result).unwrap_or_default();
        numbers.push(trace.number(position, &mut leaf)?);
    }
    let mut graph = Graph::new();
    let own: Vec<Value> =
        parameters.iter().map(|t| graph.parameter(t.ty().clone(), t.origin().clone())).collect();
    let mut captured: Vec<Tensor> = Vec::new();
    let made = build(trace, graph, |graph, tensor| {
        match parameters.iter().position(|p| Arc::ptr_eq(&p.0, &tensor.0)) {
            Some(index) => own[index],
            None => {
                captured.push(tensor.clone());
                graph.parameter(tensor.ty().clone(), tensor.origin().clone())
            }
        }
    })?;
    let values = numbers.iter().map(|number| made.value(*number)).collect();
    let mut graph = made.graph;
    graph.set_results(values);
    Ok(Region { graph, captured })
}
