//! A float product that is added to something becomes one multiply-add, rounded once. The only place where roundings are
//! merged: executors never contract on their own, so fused and unfused programs give the same bits. The product's other
//! uses do not matter, so that looking at it changes nothing.

use crate::rewrite::rewrite;
use warploom_graph::{Builder, Elementwise, ElementwiseMethods, Error, Expr, Graph, Node, Op, Value};

pub(crate) fn multiply_add(graph: &Graph) -> Result<Graph, Error> {
    rewrite(graph, &mut rule)
}

fn rule(builder: &Builder, node: &Node, inputs: &[Value]) -> Option<Vec<Value>> {
    let Op::Elementwise(op) = node.op else { return None };
    if op != Elementwise::ADD && op != Elementwise::SUB {
        return None;
    }
    let (x, y) = (builder.expr(inputs[0]), builder.expr(inputs[1]));
    if !x.ty().dtype.is_float() {
        return None;
    }
    let product = |e: Expr<'_>| e.operands_of(Elementwise::MUL).map(|v| (v[0].value(), v[1].value()));
    let subtract = op == Elementwise::SUB;
    let sum = if let Some((a, b)) = product(x) {
        let rest = if subtract { -y } else { y };
        builder.expr(a).multiply_add(&builder.expr(b), &rest)
    } else {
        let (a, b) = product(y)?;
        let a = if subtract { -builder.expr(a) } else { builder.expr(a) };
        a.multiply_add(&builder.expr(b), &x)
    };
    Some(vec![sum.value()])
}
