//! Chains of views: from a value back to what it is a view of.

use crate::index::{Obstacle, Position};
use warploom_graph::{Graph, Op, Value};

/// A value traced back through views.
pub(crate) struct Trace {
    /// What it is a view of; the value itself where it is no view.
    pub base: Value,
    /// Whether only reshapes lie between: the elements are the base's in the same order.
    pub plain: bool,
}

pub(crate) fn is_view(op: &Op) -> bool {
    matches!(
        op,
        Op::Reshape(_)
            | Op::Permute(_)
            | Op::Expand(_)
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Unfold { .. }
            | Op::Barrier
    )
}

pub(crate) fn trace(graph: &Graph, value: Value) -> Trace {
    let mut found = Trace { base: value, plain: true };
    loop {
        let maker = graph.maker(found.base);
        if !is_view(&maker.op) {
            return found;
        }
        found.plain &= matches!(maker.op, Op::Reshape(_));
        found.base = maker.inputs[0];
    }
}

/// The value with memory of its own whose elements `value` has in the same order, through reshapes alone.
pub(crate) fn same_elements(graph: &Graph, value: Value, stored: impl Fn(Value) -> bool) -> Option<Value> {
    let mut value = value;
    while !stored(value) {
        let maker = graph.maker(value);
        if !matches!(maker.op, Op::Reshape(_)) {
            return None;
        }
        value = maker.inputs[0];
    }
    Some(value)
}

/// The position in the base of `value`'s trace, given the position in `value`, for a kernel of these extents. Stops early
/// at values for which `stored` says that they have memory of their own.
pub(crate) fn follow(
    graph: &Graph,
    value: Value,
    position: Position,
    extents: &[usize],
    stored: impl Fn(Value) -> bool,
) -> Result<(Value, Position), Obstacle> {
    let (mut value, mut position) = (value, position);
    loop {
        let maker = graph.maker(value);
        if !is_view(&maker.op) || stored(value) {
            return Ok((value, position));
        }
        let operand = maker.inputs[0];
        if !matches!(maker.op, Op::Barrier) {
            position =
                position.through(&maker.op, &graph.ty(operand).shape, &graph.ty(value).shape, extents)?;
        }
        value = operand;
    }
}
