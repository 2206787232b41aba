//! Reverse-mode gradients that build graph, and so differentiate again.

mod regions;
mod windows;

use crate::dtype::DType;
use crate::elementwise::ElementwiseMethods;
use crate::error::Error;
use crate::expr::{Builder, Expr};
use crate::graph::{Graph, Node, NodeId, Value};
use crate::op::{Arithmetic, ContractAxes, Op, Reduction, ScatterKind};
use crate::shape::{Dims, Type};
use smallvec::{SmallVec, smallvec};

/// Cotangents of a node's inputs; `None` where no gradient passes.
type Cotangents<'b> = SmallVec<[Option<Expr<'b>>; 3]>;

/// Vector-Jacobian product: given float outputs with their cotangents, the cotangents of `wrt`. `None` for a value on
/// which no output depends differentiably.
pub fn vjp(
    builder: &Builder,
    outputs: &[(Value, Value)],
    wrt: &[Value],
) -> Result<Vec<Option<Value>>, Error> {
    builder.with(|graph| check(graph, outputs, wrt))?;
    let origin = builder.origin();
    let found = walk_back(builder, 0, outputs, wrt);
    builder.set_origin(origin);
    found
}

/// Gradients of a float scalar with respect to `wrt`.
pub fn gradients(builder: &Builder, loss: Value, wrt: &[Value]) -> Result<Vec<Option<Value>>, Error> {
    builder.with(|graph| check(graph, &[], &[loss]))?;
    let ty = builder.expr(loss).ty();
    if !ty.shape.is_empty() || !ty.dtype.is_float() {
        return Err(Error::new(
            "gradients",
            format!("are of a float scalar, found {ty}; reduce it with a mean or sum"),
        ));
    }
    let one = builder.fill(&ty, 1.0).value();
    vjp(builder, &[(loss, one)], wrt)
}

fn check(graph: &Graph, outputs: &[(Value, Value)], wrt: &[Value]) -> Result<(), Error> {
    let mut values = outputs.iter().flat_map(|(output, cotangent)| [output, cotangent]).chain(wrt);
    if let Some(foreign) = values.find(|v| v.index() >= graph.value_count()) {
        return Err(Error::new("gradients", format!("value {} is of another graph", foreign.index())));
    }
    for (output, cotangent) in outputs {
        let (ty, found) = (graph.ty(*output), graph.ty(*cotangent));
        if !ty.dtype.is_float() {
            return Err(Error::new("gradients", format!("are of floats, found {ty}; cast it")));
        }
        if ty != found {
            return Err(Error::new(
                "gradients",
                format!("the cotangent of {ty} is {found}; it must have the same type"),
            ));
        }
    }
    Ok(())
}

/// [`vjp`] through the nodes from the `first` on; earlier values are taken as given.
fn walk_back(
    builder: &Builder,
    first: usize,
    outputs: &[(Value, Value)],
    wrt: &[Value],
) -> Result<Vec<Option<Value>>, Error> {
    let (mut marks, count) = builder.with(|graph| (Marks::new(graph, first, wrt), graph.len()));
    for (output, cotangent) in outputs {
        marks.accumulate(builder, *output, *cotangent);
    }
    for id in (first..count).rev().map(|i| NodeId(i as u32)) {
        let reached = |node: &&Node| {
            node.outputs().any(|v| marks.cotangent(v).is_some())
                && node.inputs.iter().any(|v| marks.is_active(*v))
        };
        let Some(node) = builder.with(|graph| Some(graph.node(id)).filter(reached).cloned()) else {
            continue;
        };
        builder.set_origin(node.origin.clone());
        let step = Step {
            builder,
            inputs: node.inputs.iter().map(|v| builder.expr(*v)).collect(),
            wanted: node.inputs.iter().map(|v| marks.is_active(*v)).collect(),
            upstream: node.outputs().map(|v| marks.cotangent(v).map(|c| builder.expr(c))).collect(),
            node: &node,
        };
        let downstream = step.rule().map_err(|e| e.at(&node.origin))?;
        for (input, cotangent) in node.inputs.iter().zip(downstream) {
            if let Some(cotangent) = cotangent.filter(|_| marks.is_active(*input)) {
                marks.accumulate(builder, *input, cotangent.value());
            }
        }
    }
    Ok(wrt.iter().map(|v| marks.cotangent(*v)).collect())
}

/// What a walk knows of a value: whether it is a float that depends on `wrt`, and the cotangent gathered so far.
#[derive(Clone, Copy, Default)]
struct Mark {
    active: bool,
    cotangent: Option<Value>,
}

/// The marks of one walk. Of the values before its first node only `wrt` have one, so that a short walk at the end of a
/// long graph is cheap.
struct Marks<'w> {
    wrt: &'w [Value],
    first_value: usize,
    /// For each of `wrt`, then for each value made by the walk's nodes.
    marks: Vec<Mark>,
}

impl Marks<'_> {
    fn new<'w>(graph: &Graph, first: usize, wrt: &'w [Value]) -> Marks<'w> {
        let nodes = || (first..graph.len()).map(|i| graph.node(NodeId(i as u32)));
        let first_value = nodes().next().map_or(graph.value_count(), |node| node.output().index());
        let count = wrt.len() + graph.value_count() - first_value;
        let mut all = Marks { wrt, first_value, marks: vec![Mark::default(); count] };
        let activate = |all: &mut Marks, value: Value| {
            if let Some(slot) = all.slot(value).filter(|_| graph.ty(value).dtype.is_float()) {
                all.marks[slot].active = true;
            }
        };
        wrt.iter().for_each(|v| activate(&mut all, *v));
        for node in nodes() {
            if node.inputs.iter().any(|v| all.is_active(*v)) && !matches!(node.op, Op::StopGradient) {
                node.outputs().for_each(|v| activate(&mut all, v));
            }
        }
        all
    }

    fn slot(&self, value: Value) -> Option<usize> {
        match value.index().checked_sub(self.first_value) {
            Some(offset) => Some(self.wrt.len() + offset),
            None => self.wrt.iter().position(|v| *v == value),
        }
    }

    fn is_active(&self, value: Value) -> bool {
        self.slot(value).is_some_and(|slot| self.marks[slot].active)
    }

    fn cotangent(&self, value: Value) -> Option<Value> {
        self.slot(value).and_then(|slot| self.marks[slot].cotangent)
    }

    fn accumulate(&mut self, builder: &Builder, value: Value, more: Value) {
        if let Some(slot) = self.slot(value) {
            let sum = &mut self.marks[slot].cotangent;
            *sum = Some(match *sum {
                None => more,
                Some(sum) => (builder.expr(sum) + builder.expr(more)).value(),
            });
        }
    }
}

/// One node of the walk back.
struct Step<'s, 'b> {
    builder: &'b Builder,
    node: &'s Node,
    inputs: SmallVec<[Expr<'b>; 3]>,
    /// Which inputs' cotangents are asked for; others may be given and are dropped.
    wanted: SmallVec<[bool; 3]>,
    /// Cotangents of the outputs, of which at least one is there.
    upstream: SmallVec<[Option<Expr<'b>>; 1]>,
}

impl<'b> Step<'_, 'b> {
    fn rule(&self) -> Result<Cotangents<'b>, Error> {
        let (builder, inputs) = (self.builder, &self.inputs);
        let dy = match (&self.node.op, &self.upstream[..]) {
            (Op::Scan { .. }, _) => return self.scan(),
            (Op::Call { .. }, _) => return self.call(),
            (_, [Some(dy)]) => *dy,
            _ => return Ok(self.none()),
        };
        let one = |e: Expr<'b>| -> Cotangents<'b> { smallvec![Some(e)] };
        let shape = |i: usize| inputs[i].ty().shape;
        Ok(match &self.node.op {
            Op::Parameter(_) | Op::Fill { .. } | Op::Iota { .. } | Op::Random { .. } | Op::StopGradient => {
                self.none()
            }
            Op::Elementwise(op) => {
                let y = builder.expr(self.node.output());
                (op.row().gradient)(inputs, y, dy).into_iter().take(inputs.len()).collect()
            }
            // The operand is active, so this is from float to float.
            Op::Cast(_) => one(dy.cast(inputs[0].ty().dtype)),
            Op::Reshape(_) => one(dy.reshape(&shape(0))),
            Op::Permute(axes) => {
                let mut inverse = Dims::from_elem(0, axes.len());
                axes.iter().enumerate().for_each(|(i, a)| inverse[*a] = i);
                one(dy.permute(&inverse))
            }
            Op::Expand(to) => {
                let from = shape(0);
                let stretched: Dims = (0..to.len()).filter(|a| from[*a] != to[*a]).collect();
                one(dy.reduce_keep(Reduction::Sum, &stretched))
            }
            Op::Slice { starts, sizes, steps } => one(unslice(dy, &shape(0), starts, sizes, steps)),
            Op::Pad { low, .. } => one(crop(dy, low, &shape(0))),
            Op::Unfold { axis, size, step, dilation } => {
                one(windows::fold(dy, &shape(0), *axis, *size, *step, *dilation))
            }
            Op::Concat(axis) => {
                let mut starts = Dims::from_elem(0, dy.ty().rank());
                let mut parts = Cotangents::new();
                for i in 0..inputs.len() {
                    parts.push(self.wanted[i].then(|| crop(dy, &starts, &shape(i))));
                    starts[*axis] += shape(i)[*axis];
                }
                parts
            }
            Op::Reduce { kind, axes } => match kind {
                Reduction::Sum => one(restore(dy, axes, &shape(0))),
                Reduction::Max => one(to_first_largest(inputs[0], axes, dy)?),
                Reduction::Min => one(to_first_largest(-inputs[0], axes, dy)?),
                Reduction::ArgMax => self.none(),
            },
            Op::Contract(axes) => [false, true]
                .into_iter()
                .zip(&self.wanted)
                .map(|(rhs, wanted)| wanted.then(|| contract_gradient(axes, inputs[0], inputs[1], dy, rhs)))
                .collect(),
            Op::Convolve(axes) => {
                let of = |kernel: bool| {
                    self.wanted[kernel as usize]
                        .then(|| windows::convolve(axes, inputs[0], inputs[1], dy, kernel))
                };
                [of(false), of(true)].into_iter().collect()
            }
            Op::Gather { axis } => {
                let zeros = inputs[0].like(0.0);
                let op = Op::Scatter { kind: ScatterKind::Add, axis: *axis };
                let dx = builder.apply(op, &[zeros.value(), inputs[1].value(), dy.value()]);
                smallvec![Some(dx), None]
            }
            Op::Scatter { kind, axis } => scatter_gradient(builder, *kind, *axis, inputs, dy)?,
            Op::Barrier => one(dy.then(Op::Barrier)),
            Op::Scan { .. } | Op::Call { .. } => unreachable!("taken above"),
        })
    }

    fn none(&self) -> Cotangents<'b> {
        SmallVec::from_elem(None, self.inputs.len())
    }

    /// The cotangents of all outputs, zeros where there is none.
    fn all_upstream(&self) -> Vec<Expr<'b>> {
        let zeros = |v: Value| self.builder.expr(v).like(0.0);
        self.node.outputs().zip(&self.upstream).map(|(v, c)| c.unwrap_or_else(|| zeros(v))).collect()
    }
}

/// `dy`, whose `axes` were reduced away, stretched back to `shape`.
fn restore<'b>(dy: Expr<'b>, axes: &[usize], shape: &[usize]) -> Expr<'b> {
    let kept: Dims = (0..shape.len()).map(|a| if axes.contains(&a) { 1 } else { shape[a] }).collect();
    dy.reshape(&kept).broadcast(shape)
}

/// `dy` where `x` has the first largest element along the reduced `axes`, 0 elsewhere.
fn to_first_largest<'b>(x: Expr<'b>, axes: &[usize], dy: Expr<'b>) -> Result<Expr<'b>, Error> {
    let ty = x.ty();
    let builder = x.builder();
    let kept: Dims = (0..ty.rank()).filter(|a| !axes.contains(a)).collect();
    let order: Dims = kept.iter().chain(axes).copied().collect();
    let mut flat: Dims = kept.iter().map(|a| ty.shape[*a]).collect();
    flat.push(axes.iter().map(|a| ty.shape[*a]).product());
    let last = flat.len() - 1;
    let rows = x.permute(&order).reshape(&flat);
    let winner =
        builder.try_apply(Op::Reduce { kind: Reduction::ArgMax, axes: smallvec![last] }, &[rows.value()])?;
    let winner = restore(builder.expr(winner), axes, &ty.shape);
    // The position among the reduced elements, in the operand's own order of axes, so that all fuses.
    let whole = Type { dtype: DType::I32, shape: ty.shape.clone() };
    let mut stride = 1;
    let mut position = builder.fill(&whole, 0.0);
    for axis in axes.iter().rev() {
        let count = Op::Iota { dtype: DType::I32, shape: ty.shape.clone(), axis: *axis };
        position = builder.apply(count, &[]) * stride as f64 + position;
        stride *= ty.shape[*axis];
    }
    Ok(position.equal(&winner).select(&restore(dy, axes, &ty.shape), &x.like(0.0)))
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
fn unslice<'b>(
    dy: Expr<'b>,
    shape: &[usize],
    starts: &[usize],
    sizes: &[usize],
    steps: &[isize],
) -> Expr<'b> {
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
    let first = |a: usize| {
        if steps[a] > 0 { starts[a] } else { starts[a] - (sizes[a] - 1) * steps[a].unsigned_abs() }
    };
    let low: Dims = (0..shape.len()).map(first).collect();
    let have = x.ty().shape;
    let high: Dims = (0..shape.len()).map(|a| shape[a] - low[a] - have[a]).collect();
    if low.iter().chain(&high).all(|p| *p == 0) { x } else { x.then(Op::Pad { low, high }) }
}

/// The cotangent of one operand of a dot product: again a dot product, of the other operand with `dy`. Of the two operand
/// orders the one that needs no transpose afterwards is taken where there is one.
fn contract_gradient<'b>(
    axes: &ContractAxes,
    lhs: Expr<'b>,
    rhs: Expr<'b>,
    dy: Expr<'b>,
    of_rhs: bool,
) -> Expr<'b> {
    let (target, other) = if of_rhs { (rhs, lhs) } else { (lhs, rhs) };
    let (dy, arithmetic) = factor(dy, target, axes.arithmetic);
    let target_rank = target.ty().rank();
    let swap = |pair: &(usize, usize)| if of_rhs { (pair.1, pair.0) } else { *pair };
    let batches = axes.batch.len();
    let (free_lhs, free_rhs) = (axes.free_lhs(lhs.ty().rank()), axes.free_rhs(rhs.ty().rank()));
    // Positions in dy: batch axes, then the free axes of lhs, then those of rhs.
    let (target_free, other_free, other_at) = if of_rhs {
        (&free_rhs, &free_lhs, batches)
    } else {
        (&free_lhs, &free_rhs, batches + free_lhs.len())
    };
    let batch = axes.batch.iter().enumerate().map(|(i, p)| (i, swap(p).1));
    let sum = other_free.iter().enumerate().map(|(j, a)| (other_at + j, *a));
    let dy_first = ContractAxes { batch: batch.collect(), sum: sum.collect(), arithmetic };
    // Axes of the product, named by the target's axes: batch, then dy's free axes (the target's free ones) and the other
    // operand's free axes (those that were summed), in either order.
    let mut summed: Vec<(usize, usize)> = axes.sum.iter().map(|p| (swap(p).1, swap(p).0)).collect();
    summed.sort_unstable();
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
        let other_first = ContractAxes { batch: flip(&dy_first.batch), sum: flip(&dy_first.sum), arithmetic };
        return dy.builder().apply(Op::Contract(other_first), &[other.value(), dy.value()]);
    }
    dy.builder().apply(Op::Contract(dy_first), &[dy.value(), other.value()]).permute(&leads)
}

/// The cotangent of a product as the factor of another, and the arithmetic in which that gives the cotangent of `operand`:
/// a wide sum's cotangent is rounded to the operand's dtype, of which the result is too.
fn factor<'b>(dy: Expr<'b>, operand: Expr<'b>, arithmetic: Arithmetic) -> (Expr<'b>, Arithmetic) {
    match arithmetic {
        Arithmetic::Own | Arithmetic::Tf32 => (dy, arithmetic),
        Arithmetic::Wide => (dy.cast(operand.ty().dtype), Arithmetic::Own),
    }
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
        ScatterKind::Add => Ok(smallvec![Some(dy), None, Some(taken)]),
        ScatterKind::Set => {
            let set = Op::Scatter { kind, axis };
            let zeros = inputs[2].like(0.0);
            let base = builder.apply(set, &[dy.value(), indices.value(), zeros.value()]);
            // Of duplicates only the last was kept: number the updates, scatter the numbers, and see whose came through.
            let count = indices.ty().elements();
            let flat = indices.reshape(&[count]);
            let iota = Op::Iota { dtype: DType::I32, shape: Dims::from_slice(&[count]), axis: 0 };
            let numbers = builder.expr(builder.try_apply(iota, &[])?);
            let slots = builder.fill(&Type::new(DType::I32, &[inputs[0].ty().shape[axis]]), 0.0);
            let set = Op::Scatter { kind, axis: 0 };
            let kept = builder.apply(set, &[slots.value(), flat.value(), numbers.value()]);
            let kept = builder.apply(Op::Gather { axis: 0 }, &[kept.value(), flat.value()]);
            let shape = inputs[2].ty().shape;
            let mut mask = Dims::from_elem(1, shape.len());
            mask[axis..axis + indices.ty().rank()].copy_from_slice(&indices.ty().shape);
            let won = kept.equal(&numbers).reshape(&mask).broadcast(&shape);
            Ok(smallvec![Some(base), None, Some(won.select(&taken, &taken.like(0.0)))])
        }
        ScatterKind::Max => {
            Err(Error::new("scatter", "max has no gradient; use add, or stop the gradient before it"))
        }
    }
}
