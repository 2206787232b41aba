//! What is stored in f16 or bf16 is widened where it is read: every reader gets a conversion of its own, after the views
//! through which it reads, so that its kernel loads the small value and nobody stores the wide one. Registers hold f32
//! either way, so no bit changes. Last of the passes over graphs: equal subexpressions would be shared again.

use crate::rewrite::rewrite;
use crate::views::is_view;
use warploom_graph::{Builder, DType, Error, Graph, Node, Op, Value};

pub(crate) fn widen(graph: &Graph) -> Result<Graph, Error> {
    let widened = rewrite(graph, &mut |builder, node, inputs| {
        // Others read memory.
        if !matches!(node.op, Op::Elementwise(_) | Op::Cast(_) | Op::Reduce { .. })
            || is_widening(builder, node, inputs)
        {
            return None;
        }
        let own: Vec<Option<Value>> = inputs.iter().map(|v| converted(builder, *v)).collect();
        if own.iter().all(Option::is_none) {
            return None;
        }
        let inputs: Vec<Value> = own.iter().zip(inputs).map(|(own, input)| own.unwrap_or(*input)).collect();
        builder.try_add(node.op.clone(), &inputs).ok()
    })?;
    // Without the conversions that nobody shares any longer.
    rewrite(&widened, &mut |_, _, _| None)
}

/// Whether a node makes f32 of f16 or bf16.
fn is_widening(builder: &Builder, node: &Node, inputs: &[Value]) -> bool {
    let half = |dtype| matches!(dtype, DType::F16 | DType::BF16);
    matches!(node.op, Op::Cast(DType::F32)) && half(builder.expr(inputs[0]).ty().dtype)
}

/// A fresh conversion of what `value` is, where it is a view of a converted value: views first, then the conversion.
fn converted(builder: &Builder, value: Value) -> Option<Value> {
    let mut views = Vec::new();
    let mut at = value;
    let narrow = loop {
        let node = builder.with(|graph| graph.maker(at).clone());
        let input = *node.inputs.first()?;
        if is_widening(builder, &node, &node.inputs) {
            break input;
        }
        if !is_view(&node.op) {
            return None;
        }
        views.push(node.op);
        at = input;
    };
    let viewed = views.into_iter().rev().try_fold(narrow, |at, op| builder.try_apply(op, &[at]));
    builder.try_apply(Op::Cast(DType::F32), &[viewed.ok()?]).ok()
}
