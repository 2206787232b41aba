//! Algebra by the rows' rules, constants, merged views, equal subexpressions; what is dead is not rebuilt.

use crate::rewrite::rewrite;
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use warploom_graph::{Builder, Dims, Error, Expr, Graph, Literal, Node, Op, Reduction, Value};

/// Simplifies until one more round would change nothing of the number of nodes.
pub(crate) fn simplify(graph: &Graph) -> Result<Graph, Error> {
    let mut current = share(&rewrite(graph, &mut rule)?)?;
    loop {
        let next = share(&rewrite(&current, &mut rule)?)?;
        if next.len() == current.len() {
            return Ok(next);
        }
        current = next;
    }
}

fn rule(builder: &Builder, node: &Node, inputs: &[Value]) -> Option<Vec<Value>> {
    let operands: Vec<Expr> = inputs.iter().map(|v| builder.expr(*v)).collect();
    one(builder, node, &operands).map(|e| vec![e.value()])
}

fn one<'b>(builder: &'b Builder, node: &Node, operands: &[Expr<'b>]) -> Option<Expr<'b>> {
    let first = operands.first().copied();
    match &node.op {
        Op::Elementwise(op) => fold(builder, *op, operands).or_else(|| (op.row().simplify)(operands)),
        Op::StopGradient => first,
        Op::Cast(dtype) => {
            let x = first?;
            if let Some(literal) = x.literal() {
                // Infinite and NaN literals convert by rules of their own; leave them to the device.
                return literal
                    .to_f64()
                    .is_finite()
                    .then(|| {
                        let value = literal.to_f64();
                        let whole = if dtype.is_float() || *dtype == warploom_graph::DType::Bool {
                            value
                        } else {
                            value.trunc().clamp(dtype.lowest().to_f64(), dtype.highest().to_f64())
                        };
                        builder.fill(&warploom_graph::Type { dtype: *dtype, shape: x.ty().shape }, whole)
                    })
                    .filter(|_| literal.dtype().is_float() || dtype.is_float());
            }
            (x.ty().dtype == *dtype).then_some(x)
        }
        Op::Reshape(shape) => {
            let x = first?;
            if let Some(filled) = refill(builder, x, shape) {
                return Some(filled);
            }
            if x.ty().shape == *shape {
                return Some(x);
            }
            let inner = inner(builder, x, |op| matches!(op, Op::Reshape(_)))?;
            Some(inner.reshape(shape))
        }
        Op::Expand(shape) => {
            let x = first?;
            refill(builder, x, shape).or_else(|| (x.ty().shape == *shape).then_some(x)).or_else(|| {
                let inner = inner(builder, x, |op| matches!(op, Op::Expand(_)))?;
                Some(inner.then(Op::Expand(shape.clone())))
            })
        }
        Op::Permute(axes) => {
            let x = first?;
            let shape: Dims = axes.iter().map(|a| x.ty().shape[*a]).collect();
            if let Some(filled) = refill(builder, x, &shape) {
                return Some(filled);
            }
            if axes.iter().enumerate().all(|(i, a)| i == *a) {
                return Some(x);
            }
            // Moving only axes of extent 1 leaves the order of elements.
            let moved: Vec<usize> = axes.iter().copied().filter(|a| x.ty().shape[*a] != 1).collect();
            if moved.is_sorted() {
                return Some(x.reshape(&shape));
            }
            let before = builder.with(|g| match &g.maker(x.value()).op {
                Op::Permute(before) => Some((before.clone(), g.maker(x.value()).inputs[0])),
                _ => None,
            })?;
            let joined: Dims = axes.iter().map(|a| before.0[*a]).collect();
            Some(builder.expr(before.1).permute(&joined))
        }
        Op::Slice { starts, sizes, steps } => {
            let x = first?;
            if let Some(filled) = refill(builder, x, sizes) {
                return Some(filled);
            }
            let whole =
                x.ty().shape == *sizes && starts.iter().all(|s| *s == 0) && steps.iter().all(|s| *s == 1);
            whole.then_some(x)
        }
        Op::Pad { low, high } => {
            let x = first?;
            if low.iter().chain(high).all(|p| *p == 0) {
                return Some(x);
            }
            let shape: Vec<usize> =
                x.ty().shape.iter().zip(low).zip(high).map(|((s, l), h)| s + l + h).collect();
            if x.is(0.0) { refill(builder, x, &shape) } else { None }
        }
        Op::Unfold { axis, size, step, dilation } => {
            let x = first?;
            let mut shape = x.ty().shape;
            let span = (size - 1) * dilation + 1;
            let count = (shape[*axis] - span) / step + 1;
            let touching = *dilation == 1 && (step == size || count == 1);
            let whole = touching && shape[*axis] == count * size;
            shape[*axis] = count;
            shape.insert(axis + 1, *size);
            if whole { Some(x.reshape(&shape)) } else { refill(builder, x, &shape) }
        }
        Op::Concat(_) => first.filter(|_| operands.len() == 1),
        Op::Reduce { kind, axes } => {
            let x = first?;
            let shape = x.ty().shape;
            let trivial = axes.iter().all(|a| shape[*a] == 1) && *kind != Reduction::ArgMax;
            let kept: Dims = (0..shape.len()).filter(|a| !axes.contains(a)).map(|a| shape[a]).collect();
            trivial.then(|| x.reshape(&kept))
        }
        Op::Parameter(_)
        | Op::Fill { .. }
        | Op::Iota { .. }
        | Op::Random { .. }
        | Op::Contract(_)
        | Op::Convolve(_)
        | Op::Gather { .. }
        | Op::Scatter { .. }
        | Op::Scan { .. }
        | Op::Call { .. }
        | Op::Barrier => None,
    }
}

/// An elementwise op of literals, computed now. Only where f64 arithmetic followed by one rounding is what a device does.
fn fold<'b>(
    builder: &'b Builder,
    op: warploom_graph::Elementwise,
    operands: &[Expr<'b>],
) -> Option<Expr<'b>> {
    let literals: Vec<Literal> = operands.iter().map(|e| e.literal()).collect::<Option<_>>()?;
    let row = op.row();
    let ty = operands[0].ty();
    let dtypes: Vec<_> = operands.iter().map(|e| e.ty().dtype).collect();
    let dtype = row.types.result(&dtypes).ok()?;
    let value = if dtypes.iter().all(|d| !d.is_float()) {
        let whole = row.whole?;
        whole(&literals.iter().map(|l| l.to_f64() as i64).collect::<Vec<_>>()) as f64
    } else {
        (row.reference)(&literals.iter().map(|l| l.to_f64()).collect::<Vec<_>>())
    };
    Some(builder.fill(&warploom_graph::Type { dtype, shape: ty.shape }, value))
}

/// A literal under another shape.
fn refill<'b>(builder: &'b Builder, x: Expr<'b>, shape: &[usize]) -> Option<Expr<'b>> {
    let literal = x.literal()?;
    Some(builder.apply(Op::Fill { value: literal, shape: Dims::from_slice(shape) }, &[]))
}

/// The operand of the op that made `x`, if it is of that kind.
fn inner<'b>(builder: &'b Builder, x: Expr<'b>, is: impl Fn(&Op) -> bool) -> Option<Expr<'b>> {
    let found = builder.with(|g| {
        let maker = g.maker(x.value());
        is(&maker.op).then(|| maker.inputs[0])
    })?;
    Some(builder.expr(found))
}

/// Equal ops of equal operands become one, within each region.
fn share(graph: &Graph) -> Result<Graph, Error> {
    let mut seen: HashMap<(Discriminant<Op>, Vec<Value>), Vec<(Op, Vec<Value>)>> = HashMap::new();
    rewrite(graph, &mut |builder, node, inputs| {
        if let Op::Scan { body, .. } = &node.op {
            let shared = share(body).ok()?;
            let mut op = node.op.clone();
            if let Op::Scan { body, .. } = &mut op {
                *body = shared.into();
            }
            return builder.try_add(op, inputs).ok();
        }
        let bucket = seen.entry((discriminant(&node.op), inputs.to_vec())).or_default();
        if let Some((_, made)) = bucket.iter().find(|(op, _)| same(op, &node.op)) {
            return Some(made.clone());
        }
        let made = builder.try_add(node.op.clone(), inputs).ok()?;
        bucket.push((node.op.clone(), made.clone()));
        Some(made)
    })
}

fn same(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::Fill { value: a, shape: s }, Op::Fill { value: b, shape: t }) => a == b && s == t,
        (Op::Iota { dtype: d, shape: s, axis: a }, Op::Iota { dtype: e, shape: t, axis: b }) => {
            d == e && s == t && a == b
        }
        (Op::Random { stream: a, shape: s }, Op::Random { stream: b, shape: t }) => a == b && s == t,
        (Op::Elementwise(a), Op::Elementwise(b)) => a == b,
        (Op::Cast(a), Op::Cast(b)) => a == b,
        (Op::Reshape(a), Op::Reshape(b))
        | (Op::Permute(a), Op::Permute(b))
        | (Op::Expand(a), Op::Expand(b)) => a == b,
        (Op::Slice { starts: a, sizes: s, steps: p }, Op::Slice { starts: b, sizes: t, steps: q }) => {
            a == b && s == t && p == q
        }
        (Op::Pad { low: a, high: h }, Op::Pad { low: b, high: i }) => a == b && h == i,
        (
            Op::Unfold { axis: a, size: m, step: s, dilation: d },
            Op::Unfold { axis: b, size: n, step: t, dilation: e },
        ) => a == b && m == n && s == t && d == e,
        (Op::Concat(a), Op::Concat(b)) => a == b,
        (Op::Reduce { kind: k, axes: a }, Op::Reduce { kind: l, axes: b }) => k == l && a == b,
        (Op::Contract(a), Op::Contract(b)) => a == b,
        (Op::Convolve(a), Op::Convolve(b)) => a == b,
        (Op::Gather { axis: a }, Op::Gather { axis: b }) => a == b,
        (Op::Scatter { kind: k, axis: a }, Op::Scatter { kind: l, axis: b }) => k == l && a == b,
        (Op::StopGradient, Op::StopGradient) => true,
        (
            Op::Parameter(_)
            | Op::Fill { .. }
            | Op::Iota { .. }
            | Op::Random { .. }
            | Op::Elementwise(_)
            | Op::Cast(_)
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Expand(_)
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Unfold { .. }
            | Op::Concat(_)
            | Op::Reduce { .. }
            | Op::Contract(_)
            | Op::Convolve(_)
            | Op::Gather { .. }
            | Op::Scatter { .. }
            | Op::Scan { .. }
            | Op::Call { .. }
            | Op::StopGradient
            | Op::Barrier,
            _,
        ) => false,
    }
}
