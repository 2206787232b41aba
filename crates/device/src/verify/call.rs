//! Calls that a device claims, held against their bodies.

use super::check::{Checked, Launch};
use super::compare::Comparison;
use crate::error::DeviceError;
use crate::program::BufferId;
use crate::reference::{Host, Number, Written};
use warploom_graph::interpret::{Array, Rounding, interpret};
use warploom_graph::{DType, Graph, Op, Type};

impl Launch<'_> {
    /// Runs a call and compares what it gives with its body.
    pub fn check_call(
        &mut self,
        checked: &Checked,
        body: &Graph,
        inputs: &[BufferId],
        outputs: &[BufferId],
    ) -> Result<(), DeviceError> {
        if operations(body) > self.operations {
            self.counts.calls += 1;
            return self.run(checked);
        }
        let before = self.host(&checked.step.reads())?;
        self.run(checked)?;
        let after = self.host(&checked.step.writes())?;
        let operands: Option<Vec<Array>> =
            inputs.iter().map(|id| array(&before, *id, &self.program.buffer(*id).ty)).collect();
        let operands =
            operands.ok_or_else(|| self.differs(checked, "an operand has less memory than its type"))?;
        let by_body = |rounding| {
            interpret(body, &operands, rounding)
                .map_err(|error| self.differs(checked, &format!("its body cannot be interpreted: {error}")))
        };
        let (exact, rounded) = (by_body(Rounding::Exact)?, by_body(Rounding::EachOp)?);
        let mut comparison = Comparison::new(&before, &after);
        for (buffer, wanted) in outputs.iter().zip(exact.iter().zip(&rounded)) {
            compare(*buffer, wanted, &mut comparison);
        }
        self.counts.kernels += 1;
        self.counts.elements += comparison.elements;
        self.counts.undecided += comparison.undecided;
        match comparison.wrong {
            Some(what) => Err(self.differs(checked, &what)),
            None => Ok(()),
        }
    }
}

fn array(host: &Host, id: BufferId, ty: &Type) -> Option<Array> {
    let numbers = (0..ty.elements() as i64).map(|at| host.element(id, ty.dtype, at).ok());
    Some(Array::new(ty.clone(), numbers.collect::<Option<Vec<f64>>>()?))
}

/// Holds a result against the body's, exact and with each op rounded: where these differ, the answer hangs on roundings.
fn compare(buffer: BufferId, (exact, rounded): (&Array, &Array), comparison: &mut Comparison<'_>) {
    let (dtype, numbers) = (exact.ty.dtype, exact.to_f64());
    let largest = numbers.iter().filter(|x| x.is_finite()).fold(0.0, |most: f64, x| most.max(x.abs()));
    for ((element, value), rounded) in (0..).zip(numbers).zip(rounded.to_f64()) {
        let between = (value - rounded).abs();
        let error = match dtype {
            DType::F16 | DType::BF16 => largest / 100.0 + 2.0 * between,
            DType::F32 | DType::F64 => largest / 1000.0 + 2.0 * between,
            DType::Bool | DType::U8 | DType::I32 | DType::U32 if between == 0.0 => 0.0,
            DType::Bool | DType::U8 | DType::I32 | DType::U32 => f64::INFINITY,
        };
        comparison.element(Written { buffer, dtype, element, value: Number { value, error } });
    }
}

/// Scalar operations that a graph takes, about.
fn operations(graph: &Graph) -> usize {
    let of_node = |node: &warploom_graph::Node| {
        let elements = |value| graph.ty(value).elements();
        let made: usize = node.outputs().map(elements).sum();
        let read: usize = node.inputs.iter().map(|value| elements(*value)).sum();
        match &node.op {
            Op::Scan { body, length, .. } => length.saturating_mul(operations(body)),
            Op::Call { body, .. } => operations(body),
            Op::Contract(axes) => {
                let lhs = &graph.ty(node.inputs[0]).shape;
                axes.sum.iter().fold(made, |all, (axis, _)| all.saturating_mul(lhs[*axis]))
            }
            Op::Convolve(_) => made.saturating_mul(elements(node.inputs[1])),
            _ => made.saturating_add(read),
        }
    };
    graph.nodes().fold(0, |all, (_, node)| all.saturating_add(of_node(node)))
}
