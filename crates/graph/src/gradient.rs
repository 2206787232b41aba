//! Reverse-mode gradients that build graph, and so differentiate again.

use crate::dtype::DType;
use crate::elementwise::ElementwiseMethods;
use crate::error::Error;
use crate::expr::{Builder, Expr};
use crate::graph::{Graph, Node, Value};
use crate::op::{CallGradient, ContractAxes, Op, Reduction, ScatterKind};
use crate::shape::{Dims, Type};
use smallvec::SmallVec;
use std::sync::Arc;

/// Cotangents of a node's inputs; `None` where no gradient passes.
type Cotangents<'b> = SmallVec<[Option<Expr<'b>>; 3]>;

/// Vector-Jacobian product: given outputs with their cotangents, the cotangents of `wrt`. `None` for a value on which no
/// output depends differentiably.
pub fn vjp(builder: &Builder, outputs: &[(Value, Value)], wrt: &[Value]) -> Result<Vec<Option<Value>>, Error> {
    let nodes: Vec<Node> = builder.with(|g| g.nodes().map(|(_, n)| n.clone()).collect());
    let count = builder.with(Graph::value_count);
    let active = active_values(builder, &nodes, wrt, count);
    let mut cotangents: Vec<Option<Value>> = vec![None; count];
    for (output, cotangent) in outputs {
        accumulate(builder, &mut cotangents, *output, *cotangent);
    }
    for node in nodes.iter().rev() {
        let wanted = node.inputs.iter().any(|v| active[v.index()]);
        let reached = node.outputs().any(|v| cotangents[v.index()].is_some());
        if !wanted || !reached {
            continue;
        }
        builder.set_origin(node.origin.clone());
        let upstream: Vec<Option<Expr>> =
            node.outputs().map(|v| cotangents[v.index()].map(|c| builder.expr(c))).collect();
        let inputs: SmallVec<[Expr; 3]> = node.inputs.iter().map(|v| builder.expr(*v)).collect();
        let downstream = rule(builder, node, &inputs, &upstream).map_err(|e| e.at(&node.origin))?;
        for (input, cotangent) in node.inputs.iter().zip(downstream) {
            if let Some(cotangent) = cotangent.filter(|_| active[input.index()]) {
                accumulate(builder, &mut cotangents, *input, cotangent.value());
            }
        }
    }
    Ok(wrt.iter().map(|v| cotangents[v.index()]).collect())
}

/// Gradients of a float scalar with respect to `wrt`.
pub fn gradients(builder: &Builder, loss: Value, wrt: &[Value]) -> Result<Vec<Option<Value>>, Error> {
    let ty = builder.with(|g| g.ty(loss).clone());
    if !ty.shape.is_empty() || !ty.dtype.is_float() {
        return Err(Error::new("gradients", format!("are of a float scalar, found {ty}; reduce it with a mean or sum")));
    }
    let one = builder.fill(&ty, 1.0).value();
    vjp(builder, &[(loss, one)], wrt)
}

/// Float values that depend on some of `wrt`.
fn active_values(builder: &Builder, nodes: &[Node], wrt: &[Value], count: usize) -> Vec<bool> {
    let mut active = vec![false; count];
    wrt.iter().for_each(|v| active[v.index()] = true);
    builder.with(|graph| {
        for node in nodes {
            if node.inputs.iter().any(|v| active[v.index()]) && !matches!(node.op, Op::StopGradient) {
                node.outputs().for_each(|v| active[v.index()] |= graph.ty(v).dtype.is_float());
            }
        }
    });
    active
}

fn accumulate(builder: &Builder, cotangents: &mut [Option<Value>], value: Value, more: Value) {
    let slot = &mut cotangents[value.index()];
    *slot = Some(match *slot {
        None => more,
        Some(sum) => (builder.expr(sum) + builder.expr(more)).value(),
    });
}

fn rule<'b>(
    builder: &'b Builder,
    node: &Node,
    inputs: &[Expr<'b>],
    upstream: &[Option<Expr<'b>>],
) -> Result<Cotangents<'b>, Error> {
    let one = |e: Expr<'b>| -> Cotangents<'b> { SmallVec::from_elem(Some(e), 1) };
    let none = || -> Cotangents<'b> { SmallVec::from_elem(None, inputs.len()) };
    let Some(dy) = upstream[0] else {
        return many(builder, node, inputs, upstream);
    };
    Ok(match &node.op {
        Op::Parameter(_) | Op::Fill { .. } | Op::Iota { .. } | Op::Random { .. } | Op::StopGradient => none(),
        Op::Elementwise(op) => {
            let y = builder.expr(node.output());
            (op.row().gradient)(inputs, y, dy).into_iter().take(inputs.len()).collect()
        }
        Op::Cast(_) => {
            let from = inputs[0].ty().dtype;
            if from.is_float() && dy.ty().dtype.is_float() { one(dy.cast(from)) } else { none() }
        }
        Op::Reshape(_) => one(dy.reshape(&inputs[0].ty().shape)),
        Op::Permute(axes) => {
            let mut inverse = Dims::from_elem(0, axes.len());
            axes.iter().enumerate().for_each(|(i, a)| inverse[*a] = i);
            one(dy.permute(&inverse))
        }
        Op::Expand(shape) => {
            let from = inputs[0].ty().shape;
            let stretched: Dims = (0..shape.len()).filter(|a| from[*a] != shape[*a]).collect();
            one(dy.reduce_keep(Reduction::Sum, &stretched))
        }
        Op::Slice { starts, sizes, steps } => one(unslice(dy, &inputs[0].ty().shape, starts, sizes, steps)),
        Op::Pad { low, .. } => one(crop(dy, low, &inputs[0].ty().shape)),
        Op::Concat(axis) => {
            let mut starts = Dims::from_elem(0, dy.ty().rank());
            let mut parts = Cotangents::new();
            for input in inputs {
                let shape = input.ty().shape;
                parts.push(Some(crop(dy, &starts, &shape)));
                starts[*axis] += shape[*axis];
            }
            parts
        }
        Op::Reduce { kind, axes } => match kind {
            Reduction::Sum => one(restore(dy, axes, &inputs[0].ty().shape)),
            Reduction::Max => one(restore(dy, axes, &inputs[0].ty().shape) * first_largest(inputs[0], axes)),
            Reduction::Min => one(restore(dy, axes, &inputs[0].ty().shape) * first_largest(-inputs[0], axes)),
            Reduction::ArgMax => none(),
        },
        Op::Contract(axes) => {
            let (lhs, rhs) = (inputs[0], inputs[1]);
            SmallVec::from_iter([
                Some(contract_gradient(axes, lhs, rhs, dy, false)),
                Some(contract_gradient(axes, lhs, rhs, dy, true)),
            ])
        }
        Op::Gather { axis } => {
            let zeros = inputs[0].like(0.0);
            let op = Op::Scatter { kind: ScatterKind::Add, axis: *axis };
            let dx = builder.apply(op, &[zeros.value(), inputs[1].value(), dy.value()]);
            SmallVec::from_iter([Some(dx), None])
        }
        Op::Scatter { kind, axis } => scatter_gradient(builder, *kind, *axis, inputs, dy)?,
        Op::Barrier => one(dy.then(Op::Barrier)),
        Op::Scan { .. } | Op::Call { .. } => many(builder, node, inputs, upstream)?,
    })
}

/// Rules of ops with several outputs, some of which may have no cotangent.
fn many<'b>(
    builder: &'b Builder,
    node: &Node,
    inputs: &[Expr<'b>],
    upstream: &[Option<Expr<'b>>],
) -> Result<Cotangents<'b>, Error> {
    let upstream: Vec<Expr> = node
        .outputs()
        .zip(upstream)
        .map(|(v, c)| c.unwrap_or_else(|| builder.expr(v).like(0.0)))
        .collect();
    match &node.op {
        Op::Scan { body, length, carries, slices, reverse } => {
            scan_gradient(builder, body, [*length, *carries, *slices], *reverse, inputs, &upstream)
        }
        Op::Call { name, body, gradient } => call_gradient(builder, node, name, body, gradient, inputs, &upstream),
        _ => Ok(SmallVec::from_elem(None, inputs.len())),
    }
}

/// `dy`, whose `axes` were reduced away, stretched back to `shape`.
fn restore<'b>(dy: Expr<'b>, axes: &[usize], shape: &[usize]) -> Expr<'b> {
    let kept: Dims = (0..shape.len()).map(|a| if axes.contains(&a) { 1 } else { shape[a] }).collect();
    dy.reshape(&kept).broadcast(shape)
}

/// 1 where `x` has the first largest element along `axes`, else 0, in `x`'s dtype.
fn first_largest<'b>(x: Expr<'b>, axes: &[usize]) -> Expr<'b> {
    let ty = x.ty();
    let kept: Dims = (0..ty.rank()).filter(|a| !axes.contains(a)).collect();
    let order: Dims = kept.iter().chain(axes).copied().collect();
    let mut flat: Dims = kept.iter().map(|a| ty.shape[*a]).collect();
    flat.push(axes.iter().map(|a| ty.shape[*a]).product());
    let last = flat.len() - 1;
    let rows = x.permute(&order).reshape(&flat);
    let winner = rows.reduce_keep(Reduction::ArgMax, &[last]).broadcast(&flat);
    let position = x.builder().apply(Op::Iota { dtype: DType::I32, shape: flat.clone(), axis: last }, &[]);
    let mask = position.equal(&winner).cast(ty.dtype);
    let permuted: Dims = order.iter().map(|a| ty.shape[*a]).collect();
    let mut inverse = Dims::from_elem(0, order.len());
    order.iter().enumerate().for_each(|(i, a)| inverse[*a] = i);
    mask.reshape(&permuted).permute(&inverse)
}

/// The `shape`-sized box of `x` that begins at `starts`.
fn crop<'b>(x: Expr<'b>, starts: &[usize], shape: &[usize]) -> Expr<'b> {
    if x.ty().shape[..] == *shape {
        return x;
    }
    x.then(Op::Slice {
        starts: Dims::from_slice(starts),
        sizes: Dims::from_slice(shape),
        steps: SmallVec::from_elem(1, shape.len()),
    })
}

/// The adjoint of a slice: elements back in place, zeros between and around.
fn unslice<'b>(dy: Expr<'b>, shape: &[usize], starts: &[usize], sizes: &[usize], steps: &[isize]) -> Expr<'b> {
    let mut x = dy;
    if sizes.contains(&0) {
        return dy.builder().fill(&Type::new(dy.ty().dtype, shape), 0.0);
    }
    if steps.iter().any(|s| *s < 0) {
        let flip = |a: usize| steps[a] < 0;
        x = x.then(Op::Slice {
            starts: (0..shape.len()).map(|a| if flip(a) { sizes[a] - 1 } else { 0 }).collect(),
            sizes: Dims::from_slice(sizes),
            steps: (0..shape.len()).map(|a| if flip(a) { -1 } else { 1 }).collect(),
        });
    }
    for axis in 0..shape.len() {
        let (stride, size) = (steps[axis].unsigned_abs(), sizes[axis]);
        if stride > 1 && size > 1 {
            // [.., n, ..] -> [.., n, 1, ..] -> zeros to [.., n, stride, ..] -> [.., n * stride, ..] -> without the last gap.
            let mut spread = x.ty().shape;
            spread.insert(axis + 1, 1);
            let mut high = Dims::from_elem(0, spread.len());
            high[axis + 1] = stride - 1;
            x = x.reshape(&spread).then(Op::Pad { low: Dims::from_elem(0, spread.len()), high });
            spread.remove(axis + 1);
            spread[axis] = size * stride;
            x = x.reshape(&spread);
            spread[axis] = (size - 1) * stride + 1;
            x = crop(x, &Dims::from_elem(0, spread.len()), &spread);
        }
    }
    let first = |a: usize| if steps[a] > 0 { starts[a] } else { starts[a] - (sizes[a] - 1) * steps[a].unsigned_abs() };
    let low: Dims = (0..shape.len()).map(first).collect();
    let have = x.ty().shape;
    let high: Dims = (0..shape.len()).map(|a| shape[a] - low[a] - have[a]).collect();
    if low.iter().chain(&high).all(|p| *p == 0) { x } else { x.then(Op::Pad { low, high }) }
}

/// The cotangent of one operand of a dot product: again a dot product, of the other operand with `dy`. Of the two operand
/// orders the one that needs no transpose afterwards is taken where there is one.
fn contract_gradient<'b>(axes: &ContractAxes, lhs: Expr<'b>, rhs: Expr<'b>, dy: Expr<'b>, of_rhs: bool) -> Expr<'b> {
    let (target, other) = if of_rhs { (rhs, lhs) } else { (lhs, rhs) };
    let (target_rank, other_rank) = (target.ty().rank(), other.ty().rank());
    let swap = |pair: &(usize, usize)| if of_rhs { (pair.1, pair.0) } else { *pair };
    let batches = axes.batch.len();
    let (free_lhs, free_rhs) = (axes.free_lhs(lhs.ty().rank()), axes.free_rhs(rhs.ty().rank()));
    // Positions in dy: batch axes, then the free axes of lhs, then those of rhs.
    let (target_free, other_free, target_at, other_at) = if of_rhs {
        (&free_rhs, &free_lhs, batches + free_lhs.len(), batches)
    } else {
        (&free_lhs, &free_rhs, batches, batches + free_lhs.len())
    };
    let batch = axes.batch.iter().enumerate().map(|(i, p)| (i, swap(p).1));
    let sum = other_free.iter().enumerate().map(|(j, a)| (other_at + j, *a));
    let dy_first = ContractAxes { batch: batch.collect(), sum: sum.collect() };
    // Axes of the product, named by the target's axes: batch, then dy's free axes (the target's free ones) and the other
    // operand's free axes (those that were summed), in either order.
    let mut summed: Vec<(usize, usize)> = axes.sum.iter().map(|p| (swap(p).1, swap(p).0)).collect();
    summed.sort_unstable();
    debug_assert!(other_rank >= summed.len() && dy.ty().rank() >= target_at);
    let batch_axes = axes.batch.iter().map(|p| swap(p).0);
    let order = |dy_leads: bool| -> Dims {
        let summed = summed.iter().map(|p| p.1);
        let names: Dims = if dy_leads {
            batch_axes.clone().chain(target_free.iter().copied()).chain(summed).collect()
        } else {
            batch_axes.clone().chain(summed).chain(target_free.iter().copied()).collect()
        };
        (0..target_rank).map(|axis| names.iter().position(|n| *n == axis).unwrap_or(axis)).collect()
    };
    let identity = |order: &Dims| order.iter().enumerate().all(|(i, a)| i == *a);
    let (leads, lags) = (order(true), order(false));
    if identity(&lags) && !identity(&leads) {
        let flip = |pairs: &[(usize, usize)]| pairs.iter().map(|p| (p.1, p.0)).collect();
        let other_first = ContractAxes { batch: flip(&dy_first.batch), sum: flip(&dy_first.sum) };
        return dy.builder().apply(Op::Contract(other_first), &[other.value(), dy.value()]);
    }
    dy.builder().apply(Op::Contract(dy_first), &[dy.value(), other.value()]).permute(&leads)
}

fn scatter_gradient<'b>(
    builder: &'b Builder,
    kind: ScatterKind,
    axis: usize,
    inputs: &[Expr<'b>],
    dy: Expr<'b>,
) -> Result<Cotangents<'b>, Error> {
    let indices = inputs[1];
    let taken = builder.apply(Op::Gather { axis }, &[dy.value(), indices.value()]);
    match kind {
        ScatterKind::Add => Ok(SmallVec::from_iter([Some(dy), None, Some(taken)])),
        ScatterKind::Set => {
            let set = Op::Scatter { kind, axis };
            let zeros = inputs[2].like(0.0);
            let base = builder.apply(set, &[dy.value(), indices.value(), zeros.value()]);
            // Of duplicates only the last was kept: number the updates, scatter the numbers, and see whose came through.
            let count = indices.ty().elements();
            let flat = indices.reshape(&[count]);
            let iota = Op::Iota { dtype: DType::I32, shape: Dims::from_slice(&[count]), axis: 0 };
            let numbers = builder.apply(iota, &[]);
            let slots = builder.fill(&Type::new(DType::I32, &[inputs[0].ty().shape[axis]]), 0.0);
            let set = Op::Scatter { kind, axis: 0 };
            let kept = builder.apply(set, &[slots.value(), flat.value(), numbers.value()]);
            let kept = builder.apply(Op::Gather { axis: 0 }, &[kept.value(), flat.value()]);
            let shape = inputs[2].ty().shape;
            let mut mask = Dims::from_elem(1, shape.len());
            mask[axis..axis + indices.ty().rank()].copy_from_slice(&indices.ty().shape);
            let won = kept.equal(&numbers).reshape(&mask).broadcast(&shape);
            Ok(SmallVec::from_iter([Some(base), None, Some(won.select(&taken, &taken.like(0.0)))]))
        }
        ScatterKind::Max => Err(Error::new("scatter", "max has no gradient; use add, or stop the gradient before it")),
    }
}

fn call_gradient<'b>(
    builder: &'b Builder,
    node: &Node,
    name: &'static str,
    body: &Arc<Graph>,
    gradient: &CallGradient,
    inputs: &[Expr<'b>],
    upstream: &[Expr<'b>],
) -> Result<Cotangents<'b>, Error> {
    let mut arguments: Vec<Value> = inputs.iter().map(|e| e.value()).collect();
    let region = match gradient {
        CallGradient::Missing => {
            return Err(Error::new(name, "has no gradient; give it one, or stop the gradient before it"));
        }
        CallGradient::Region(region) => {
            arguments.extend(node.outputs());
            arguments.extend(upstream.iter().map(|e| e.value()));
            let call = Op::Call { name, body: region.clone(), gradient: CallGradient::Body };
            let made = builder.try_add(call, &arguments)?;
            return Ok(inputs
                .iter()
                .zip(made)
                .map(|(i, v)| i.ty().dtype.is_float().then(|| builder.expr(v)))
                .collect());
        }
        CallGradient::Body => body,
    };
    let outputs = builder.inline(region, &arguments);
    let pairs: Vec<(Value, Value)> = outputs
        .iter()
        .zip(upstream)
        .filter(|(o, _)| builder.expr(**o).ty().dtype.is_float())
        .map(|(o, c)| (*o, c.value()))
        .collect();
    let made = vjp(builder, &pairs, &arguments)?;
    Ok(made.into_iter().map(|v| v.map(|v| builder.expr(v))).collect())
}

/// Runs the scan once more to keep each round's carries, then walks back over them, recomputing each round's body.
fn scan_gradient<'b>(
    builder: &'b Builder,
    body: &Arc<Graph>,
    [length, carries, slices]: [usize; 3],
    reverse: bool,
    inputs: &[Expr<'b>],
    upstream: &[Expr<'b>],
) -> Result<Cotangents<'b>, Error> {
    let values: Vec<Value> = inputs.iter().map(|e| e.value()).collect();
    let mut keeping = Graph::clone(body);
    let mut results = keeping.results()[..carries].to_vec();
    results.extend_from_slice(&keeping.parameters()[1..1 + carries]);
    keeping.set_results(results);
    let keep = Op::Scan { body: Arc::new(keeping), length, carries, slices, reverse };
    let kept = builder.try_add(keep, &values)?.split_off(carries);

    let float = |e: &Expr| e.ty().dtype.is_float();
    let types: Vec<Type> = body.parameters()[1..].iter().map(|v| body.ty(*v).clone()).collect();
    let differentiable: Vec<usize> = (0..inputs.len()).filter(|i| float(&inputs[*i])).collect();
    let of = |range: std::ops::Range<usize>| differentiable.iter().copied().filter(move |i| range.contains(i));
    let captured = carries + slices..inputs.len();
    let back_carries: Vec<usize> = of(0..carries).chain(of(captured.clone())).collect();
    let float_outputs: Vec<usize> = (0..upstream.len()).filter(|i| float(&upstream[*i])).collect();
    let stacked: Vec<usize> = float_outputs.iter().copied().filter(|i| *i >= carries).collect();

    // The walk back. Carries: cotangents of carries, then sums of cotangents of captured values. Slices: kept carries,
    // the original slices, cotangents of stacked results. Captured: as before.
    let back = Builder::new(Graph::new(), body.nodes().next().map_or_else(crate::Origin::here, |(_, n)| n.origin.clone()));
    let iteration = back.parameter(Type::scalar(DType::U32));
    let sums: Vec<Expr> = back_carries.iter().map(|i| back.parameter(types[*i].clone())).collect();
    let mut arguments: Vec<Value> = vec![iteration.value()];
    arguments.extend((0..carries + slices).map(|i| back.parameter(types[i].clone()).value()));
    let result_type = |i: usize| body.ty(body.results()[i]).clone();
    let seeds: Vec<Expr> = stacked.iter().map(|i| back.parameter(result_type(*i))).collect();
    arguments.extend(captured.clone().map(|i| back.parameter(types[i].clone()).value()));
    let outputs = back.inline(body, &arguments);
    let carried = of(0..carries).zip(&sums).map(|(i, sum)| (outputs[i], sum.value()));
    let pairs: Vec<(Value, Value)> =
        carried.chain(stacked.iter().zip(&seeds).map(|(i, s)| (outputs[*i], s.value()))).collect();
    let wrt: Vec<Value> = differentiable.iter().map(|i| arguments[1 + i]).collect();
    let made = vjp(&back, &pairs, &wrt)?;
    let cotangent = |i: usize| -> Expr {
        let position = differentiable.iter().position(|d| *d == i);
        let found = position.and_then(|p| made[p]).map(|v| back.expr(v));
        found.unwrap_or_else(|| back.fill(&types[i], 0.0))
    };
    let mut results: Vec<Value> = Vec::new();
    for (slot, i) in back_carries.iter().enumerate() {
        let fresh = cotangent(*i);
        results.push(if *i < carries { fresh } else { sums[slot] + fresh }.value());
    }
    results.extend(of(carries..carries + slices).map(|i| cotangent(i).value()));
    let mut back = back.finish();
    back.set_results(results);

    let mut operands: Vec<Value> = Vec::new();
    for i in &back_carries {
        operands.push(if *i < carries { upstream[*i].value() } else { inputs[*i].like(0.0).value() });
    }
    operands.extend(&kept);
    operands.extend(&values[carries..carries + slices]);
    operands.extend(stacked.iter().map(|i| upstream[*i].value()));
    operands.extend(&values[captured]);
    let op = Op::Scan {
        body: Arc::new(back),
        length,
        carries: back_carries.len(),
        slices: carries + slices + stacked.len(),
        reverse: !reverse,
    };
    let outputs = builder.try_add(op, &operands)?;
    let order = back_carries.iter().copied().chain(of(carries..carries + slices));
    let mut cotangents: Cotangents = SmallVec::from_elem(None, inputs.len());
    for (i, output) in order.zip(outputs) {
        cotangents[i] = Some(builder.expr(output));
    }
    Ok(cotangents)
}
