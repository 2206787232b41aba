//! Plans made ready: kernels checked, compiled, and grouped by what they bind.

use std::collections::HashMap;
use std::sync::Arc;

use warploom_device::DeviceError;
use warploom_gpu::{Argument, Convolving, Dispatch, Multiplication, Node, Plan};

use crate::bindings::Binder;
use crate::context::Context;
use crate::pipelines::{Pipeline, Pipelines};

/// A plan made ready.
pub(crate) struct Prepared {
    pub nodes: Vec<ReadyNode>,
    pub binders: Vec<Binder>,
}

/// A dispatch, or several repeated.
pub(crate) enum ReadyNode {
    Dispatch(ReadyDispatch),
    Repeat(usize, Vec<ReadyNode>),
}

/// One dispatch.
pub(crate) struct ReadyDispatch {
    pub name: String,
    pub pipeline: Arc<Pipeline>,
    /// Which of the binders has its bind group.
    pub binder: usize,
    pub groups: [u32; 3],
}

/// Dispatches of one run.
pub(crate) fn count(nodes: &[ReadyNode]) -> usize {
    let count = |node: &ReadyNode| match node {
        ReadyNode::Dispatch(_) => 1,
        ReadyNode::Repeat(times, body) => times * count(body),
    };
    nodes.iter().map(count).sum()
}

pub(crate) fn prepare(
    context: &Context,
    pipelines: &Pipelines,
    plan: &Plan,
) -> Result<Prepared, DeviceError> {
    let kernels: Vec<&Dispatch> = plan.each().into_iter().filter(|kernel| kernel.has_work()).collect();
    kernels.iter().try_for_each(|kernel| kernel.check(&context.adapter.limits, &context.adapter.name))?;
    let pipelines = pipelines.get(&kernels)?.into_iter();
    let mut preparation = Preparation { pipelines, binders: Vec::new(), known: HashMap::new() };
    let nodes = preparation.nodes(&plan.nodes)?;
    Ok(Prepared { nodes, binders: preparation.binders })
}

struct Preparation<P> {
    /// Of the dispatches that have work, in order.
    pipelines: P,
    binders: Vec<Binder>,
    /// Binders by their arguments: kernels that bind the same share one.
    known: HashMap<Vec<Argument>, usize>,
}

impl<P: Iterator<Item = Arc<Pipeline>>> Preparation<P> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<Vec<ReadyNode>, DeviceError> {
        let ready = |node: &Node| match node {
            Node::Dispatch(kernel) => Ok(self.dispatch(kernel).map(ReadyNode::Dispatch)),
            Node::Repeat(times, body) => Ok(Some(ReadyNode::Repeat(*times, self.nodes(body)?))),
            Node::Product(Multiplication { name, .. }) | Node::Convolution(Convolving { name, .. }) => {
                Err(DeviceError::Unsupported(format!("{name} is left to a library; there is none")))
            }
        };
        nodes.iter().map(ready).filter_map(Result::transpose).collect()
    }

    fn dispatch(&mut self, kernel: &Dispatch) -> Option<ReadyDispatch> {
        let pipeline = kernel.has_work().then(|| self.pipelines.next())??;
        let binders = &mut self.binders;
        let binder = *self.known.entry(kernel.arguments.clone()).or_insert_with(|| {
            binders.push(Binder::new(pipeline.clone(), kernel.arguments.clone()));
            binders.len() - 1
        });
        Some(ReadyDispatch { name: kernel.name.clone(), pipeline, binder, groups: kernel.groups })
    }
}
