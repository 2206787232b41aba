//! Cases compiled in another precision, and what they are held against.

use crate::run::{Case, compiled};
use warploom_compile::{Options, Precision};
use warploom_device::{Executor, Program};
use warploom_graph::{Graph, Op, Recording};

/// The precisions that round factors to a dtype of their own.
pub const HALVES: [Precision; 2] = [Precision::Bf16, Precision::F16];

/// What the compiler is told.
pub fn options(precision: Precision, fuse: bool) -> Options {
    Options { precision, fuse, ..Options::default() }
}

/// The case with the graph that the passes made of it, from which its kernels were written, and its program.
///
/// # Errors
/// What the compiler says.
pub fn narrowed(
    case: &Case,
    executor: &dyn Executor,
    precision: Precision,
) -> Result<(Case, Program), String> {
    let compiled = compiled(case, executor, options(precision, true))?;
    let recording = Recording { graph: compiled.graph, ..case.recording.clone() };
    // Where f32 is inexact, what is rounded to few bits may fall on either side.
    let unit = if precision == Precision::Bf16 { 1e-2 } else { 2e-3 };
    let inexact = case.tolerance > 0.0 && products(&recording.graph, precision) > 0;
    let tolerance = if inexact { case.tolerance.max(unit) } else { case.tolerance };
    Ok((Case { recording, tolerance, ..case.clone() }, compiled.program))
}

/// Products of rounded factors, those in loops included.
pub fn products(graph: &Graph, precision: Precision) -> usize {
    let one = |op: &Op, dtype| match op {
        Op::Contract(_) | Op::Convolve(_) => usize::from(Some(dtype) == precision.narrow()),
        Op::Scan { body, .. } => products(body, precision),
        _ => 0,
    };
    let inputs = graph.nodes().filter(|(_, node)| !node.inputs.is_empty());
    inputs.map(|(_, node)| one(&node.op, graph.ty(node.inputs[0]).dtype)).sum()
}
