//! Checks that a graph is well formed: types, order, parameters, regions. Runs after recording and after every pass.

use crate::error::Error;
use crate::graph::Graph;
use crate::infer;
use crate::op::{CallGradient, Op};
use crate::shape::Type;
use smallvec::SmallVec;

/// The first thing wrong with `graph`, if anything is.
pub fn verify(graph: &Graph) -> Result<(), Error> {
    let mut parameters = 0;
    for (_, node) in graph.nodes() {
        let fail = |message: String| {
            Err(Error::new(format!("%{} {}", node.output().index(), node.op.name()), message)
                .at(&node.origin))
        };
        if let Some(late) = node.inputs.iter().find(|v| v.index() >= node.output().index()) {
            return fail(format!("uses value {} before it is made", late.index()));
        }
        if let Op::Parameter(index) = node.op {
            if index != parameters || graph.parameters().get(index) != Some(&node.output()) {
                return fail(format!("parameter {index} is out of order"));
            }
            infer::check_size(graph.ty(node.output())).or_else(fail)?;
            parameters += 1;
            continue;
        }
        let inputs: SmallVec<[&Type; 4]> = node.inputs.iter().map(|v| graph.ty(*v)).collect();
        match infer::types(&node.op, &inputs) {
            Err(message) => return fail(message),
            Ok(types) => {
                if types.len() != node.outputs().len()
                    || types.iter().zip(node.outputs()).any(|(t, v)| t != graph.ty(v))
                {
                    return fail("its recorded type is not what its operands make".into());
                }
            }
        }
        match &node.op {
            Op::Scan { body, .. } => verify(body)?,
            Op::Call { body, gradient, .. } => {
                verify(body)?;
                if let CallGradient::Region(region) = gradient {
                    verify(region)?;
                }
            }
            _ => {}
        }
    }
    if parameters != graph.parameters().len() {
        return Err(Error::new("graph", "a parameter has no node"));
    }
    match graph.results().iter().find(|v| v.index() >= graph.value_count()) {
        Some(missing) => Err(Error::new("graph", format!("result {} does not exist", missing.index()))),
        None => Ok(()),
    }
}
