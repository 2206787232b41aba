//! Graphs as text, one node a line: what `explain` prints and snapshots hold.

use crate::graph::{Graph, Value};
use crate::op::Op;
use crate::shape::show;
use std::fmt;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self, f, 0)
    }
}

fn print(graph: &Graph, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    let names =
        |values: &[Value]| values.iter().map(|v| format!("%{}", v.index())).collect::<Vec<_>>().join(", ");
    for (_, node) in graph.nodes() {
        let outputs: Vec<Value> = node.outputs().collect();
        let types: Vec<String> = outputs.iter().map(|v| graph.ty(*v).to_string()).collect();
        write!(f, "{indent}{}: {} = {}", names(&outputs), types.join(", "), node.op.name())?;
        if !node.inputs.is_empty() {
            write!(f, " {}", names(&node.inputs))?;
        }
        attributes(&node.op, f)?;
        writeln!(f)?;
        match &node.op {
            Op::Scan { body, .. } | Op::Call { body, .. } => print(body, f, depth + 1)?,
            _ => {}
        }
    }
    writeln!(f, "{indent}return {}", names(graph.results()))
}

fn attributes(op: &Op, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match op {
        Op::Parameter(index) => write!(f, " {index}"),
        Op::Fill { value, .. } => write!(f, " {value}"),
        Op::Iota { axis, .. } | Op::Concat(axis) | Op::Gather { axis } => write!(f, " axis {axis}"),
        Op::Random { stream, .. } => write!(f, " stream {stream:08x}"),
        Op::Permute(axes) | Op::Reduce { axes, .. } => write!(f, " axes {}", show(axes)),
        Op::Slice { starts, steps, .. } => write!(f, " from {} by {steps:?}", show(starts)),
        Op::Pad { low, high } => write!(f, " low {} high {}", show(low), show(high)),
        Op::Unfold { axis, step, dilation, .. } => {
            write!(f, " axis {axis} step {step} dilation {dilation}")
        }
        Op::Convolve(axes) => {
            let order = if axes.outputs_first { " outputs first" } else { "" };
            write!(f, " groups {}{order}{}", axes.groups, axes.arithmetic.suffix())?;
            for window in &axes.spatial {
                write!(
                    f,
                    " [stride {} low {} high {} dilation {} of input, {} of kernel]",
                    window.stride, window.low, window.high, window.input_dilation, window.kernel_dilation
                )?;
            }
            Ok(())
        }
        Op::Contract(axes) => {
            write!(f, " batch {:?} sum {:?}{}", axes.batch, axes.sum, axes.arithmetic.suffix())
        }
        Op::Scatter { kind, axis } => write!(f, " {} axis {axis}", kind.name()),
        Op::Scan { length, carries, slices, reverse, .. } => {
            write!(
                f,
                " length {length} carries {carries} slices {slices}{}",
                if *reverse { " reverse" } else { "" }
            )
        }
        Op::Call { sources, .. } => sources.iter().try_for_each(|source| {
            write!(f, " {} of {:?} by {:?}", source.language, source.groups, source.workgroup)
        }),
        Op::Elementwise(_)
        | Op::Cast(_)
        | Op::Reshape(_)
        | Op::Expand(_)
        | Op::StopGradient
        | Op::Barrier => Ok(()),
    }
}
