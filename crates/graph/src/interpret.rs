//! The reference interpreter: every op by its definition, exact per class of dtype. It is the oracle of every test, and
//! shares no code with the compiler or the executors.

use crate::convolve::ConvolveAxes;
use crate::dtype::DType;
use crate::error::Error;
use crate::graph::{Graph, Node, Value};
use crate::op::{Arithmetic, ContractAxes, Op, Reduction, ScatterKind, round_to_tf32};
use crate::philox;
use crate::shape::{Dims, Type, each_index, row_major};
use std::sync::Arc;

/// Whether intermediate f32 values are rounded to f32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rounding {
    /// f32 computes in f64: the exact answer that executors approximate.
    Exact,
    /// Each op's f32 results round to f32: what comparisons and truncations of computed values see.
    EachOp,
}

/// Elements of a tensor in row-major order.
#[derive(Clone, PartialEq, Debug)]
pub enum Data {
    /// Of a float dtype.
    Float(Vec<f64>),
    /// Of an integer or bool dtype.
    Whole(Vec<i64>),
}

/// A tensor of the interpreter. Cheap to clone.
#[derive(Clone, PartialEq, Debug)]
pub struct Array {
    /// Dtype and shape.
    pub ty: Type,
    data: Arc<Data>,
}

impl Array {
    /// From numbers in row-major order, each rounded to what the dtype holds.
    ///
    /// # Panics
    /// If there are not as many numbers as the shape has elements.
    pub fn new(ty: Type, numbers: impl IntoIterator<Item = f64>) -> Array {
        let rounded = numbers.into_iter().map(|x| ty.dtype.round(x));
        let data = if ty.dtype.is_float() {
            Data::Float(rounded.collect())
        } else {
            Data::Whole(rounded.map(|x| x as i64).collect())
        };
        let array = Array { ty, data: Arc::new(data) };
        assert_eq!(array.len(), array.ty.elements(), "number of elements of {}", array.ty);
        array
    }

    fn float(ty: &Type, data: Vec<f64>) -> Array {
        Array { ty: ty.clone(), data: Arc::new(Data::Float(data)) }
    }

    fn whole(ty: &Type, data: Vec<i64>) -> Array {
        Array { ty: ty.clone(), data: Arc::new(Data::Whole(data)) }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match &*self.data {
            Data::Float(v) => v.len(),
            Data::Whole(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as f64; exact for every dtype.
    pub fn to_f64(&self) -> Vec<f64> {
        match &*self.data {
            Data::Float(v) => v.clone(),
            Data::Whole(v) => v.iter().map(|x| *x as f64).collect(),
        }
    }

    fn integers(&self) -> &[i64] {
        match &*self.data {
            Data::Whole(v) => v,
            Data::Float(_) => unreachable!("the type rule asks for whole numbers"),
        }
    }

    /// The elements at `source` offsets, under a new shape.
    fn take(&self, shape: &[usize], source: impl Iterator<Item = Option<usize>>) -> Array {
        let ty = Type::new(self.ty.dtype, shape);
        match &*self.data {
            Data::Float(v) => Array::float(&ty, source.map(|i| i.map_or(0.0, |i| v[i])).collect()),
            Data::Whole(v) => Array::whole(&ty, source.map(|i| i.map_or(0, |i| v[i])).collect()),
        }
    }

    /// Offsets given by a map from result index to operand index, as [`Array::take`] wants them.
    fn view(&self, shape: &[usize], map: impl Fn(&[usize]) -> Option<Dims>) -> Array {
        let strides = row_major(&self.ty.shape);
        let mut offsets = Vec::new();
        each_index(shape, |index| offsets.push(map(index).map(|from| offset(&from, &strides))));
        self.take(shape, offsets.into_iter())
    }
}

fn offset(index: &[usize], strides: &[isize]) -> usize {
    index.iter().zip(strides).map(|(i, s)| i * *s as usize).sum()
}

/// Runs `graph` on `arguments`, one for each parameter, and returns its results.
pub fn interpret(graph: &Graph, arguments: &[Array], rounding: Rounding) -> Result<Vec<Array>, Error> {
    if arguments.len() != graph.parameters().len() {
        let message = format!("takes {} arguments, found {}", graph.parameters().len(), arguments.len());
        return Err(Error::new("interpret", message));
    }
    let mut values: Vec<Option<Array>> = vec![None; graph.value_count()];
    for (_, node) in graph.nodes() {
        if let Op::Parameter(index) = node.op {
            let (want, argument) = (graph.ty(node.output()), &arguments[index]);
            if argument.ty != *want {
                return Err(Error::new(
                    "interpret",
                    format!("parameter {index} is {want}, found {}", argument.ty),
                ));
            }
            values[node.output().index()] = Some(argument.clone());
            continue;
        }
        let get =
            |v: Value| values[v.index()].clone().ok_or_else(|| Error::new("interpret", "order is broken"));
        let inputs: Vec<Array> = node.inputs.iter().map(|v| get(*v)).collect::<Result<_, _>>()?;
        let made = apply(graph, node, &inputs, rounding).map_err(|e| e.at(&node.origin))?;
        for (value, array) in node.outputs().zip(made) {
            debug_assert_eq!(array.ty, *graph.ty(value), "{}", node.op.name());
            values[value.index()] = Some(round(array, rounding));
        }
    }
    let missing = || Error::new("interpret", "a result was never made");
    graph.results().iter().map(|v| values.get(v.index()).cloned().flatten().ok_or_else(missing)).collect()
}

fn round(array: Array, rounding: Rounding) -> Array {
    let dtype = array.ty.dtype;
    let exact = dtype == DType::F64 || dtype == DType::F32 && rounding == Rounding::Exact;
    match &*array.data {
        Data::Float(v) if !exact => Array::float(&array.ty, v.iter().map(|x| dtype.round(*x)).collect()),
        _ => array,
    }
}

fn apply(graph: &Graph, node: &Node, inputs: &[Array], rounding: Rounding) -> Result<Vec<Array>, Error> {
    let ty = graph.ty(node.output());
    let one = |array: Array| Ok(vec![array]);
    match &node.op {
        Op::Parameter(_) => Err(Error::new("interpret", "parameters are bound before")),
        Op::Fill { value, .. } => {
            one(Array::new(ty.clone(), std::iter::repeat_n(value.to_f64(), ty.elements())))
        }
        Op::Iota { axis, .. } => {
            let mut numbers = Vec::with_capacity(ty.elements());
            each_index(&ty.shape, |index| numbers.push(index[*axis] as f64));
            one(Array::new(ty.clone(), numbers))
        }
        Op::Random { stream, .. } => {
            let word = |a: &Array, i: usize| a.integers()[i] as u32;
            let seed = [word(&inputs[0], 0), word(&inputs[0], 1)];
            let (step, iteration) = (word(&inputs[1], 0), word(&inputs[2], 0));
            let bits = (0..ty.elements())
                .map(|i| philox::quad(seed, *stream, step, iteration, (i / 4) as u32)[i % 4] as i64);
            one(Array::whole(ty, bits.collect()))
        }
        Op::Elementwise(op) => one(elementwise(op.row(), inputs, ty)),
        Op::Cast(_) => one(cast(&inputs[0], ty)),
        Op::Reshape(_) => one(Array { ty: ty.clone(), data: inputs[0].data.clone() }),
        Op::Permute(axes) => one(inputs[0].view(&ty.shape, |index| {
            let mut from = Dims::from_elem(0, index.len());
            axes.iter().enumerate().for_each(|(i, a)| from[*a] = index[i]);
            Some(from)
        })),
        Op::Expand(_) => {
            let shape = inputs[0].ty.shape.clone();
            one(inputs[0].view(&ty.shape, |index| {
                Some(index.iter().zip(&shape).map(|(i, extent)| if *extent == 1 { 0 } else { *i }).collect())
            }))
        }
        Op::Slice { starts, steps, .. } => one(inputs[0].view(&ty.shape, |index| {
            let at = |a: usize| (starts[a] as isize + index[a] as isize * steps[a]) as usize;
            Some((0..index.len()).map(at).collect())
        })),
        Op::Pad { low, .. } => {
            let shape = inputs[0].ty.shape.clone();
            one(inputs[0].view(&ty.shape, |index| {
                let at = |a: usize| index[a].checked_sub(low[a]).filter(|i| *i < shape[a]);
                (0..index.len()).map(at).collect()
            }))
        }
        Op::Unfold { axis, step, dilation, .. } => one(inputs[0].view(&ty.shape, |index| {
            let mut from = Dims::from_slice(index);
            let within = from.remove(axis + 1);
            from[*axis] = index[*axis] * step + within * dilation;
            Some(from)
        })),
        Op::Concat(axis) => one(concat(*axis, inputs, ty)),
        Op::Reduce { kind, axes } => one(reduce(*kind, axes, &inputs[0], ty)),
        Op::Contract(axes) => {
            let [lhs, rhs] = [0, 1].map(|i| factor(&inputs[i], axes.arithmetic));
            one(contract(axes, &lhs, &rhs, ty))
        }
        Op::Convolve(axes) => {
            let [input, kernel] = [0, 1].map(|i| factor(&inputs[i], axes.arithmetic));
            one(convolve(axes, &input, &kernel, ty))
        }
        Op::Gather { axis } => gather(*axis, &inputs[0], &inputs[1], ty).and_then(one),
        Op::Scatter { kind, axis } => scatter(*kind, *axis, inputs).and_then(one),
        Op::Scan { body, length, carries, slices, reverse } => {
            scan(body, *length, *carries, *slices, *reverse, inputs, rounding)
        }
        Op::Call { body, .. } => interpret(body, inputs, rounding),
        Op::StopGradient | Op::Barrier => one(inputs[0].clone()),
    }
}

fn elementwise(row: &crate::elementwise::Row, inputs: &[Array], ty: &Type) -> Array {
    let count = ty.elements();
    let float = inputs.iter().any(|a| a.ty.dtype.is_float());
    if float || row.whole.is_none() {
        let operands: Vec<Vec<f64>> = inputs.iter().map(Array::to_f64).collect();
        let at = |i: usize| (row.reference)(&operands.iter().map(|v| v[i]).collect::<Vec<f64>>());
        if ty.dtype.is_float() {
            return Array::float(ty, (0..count).map(at).collect());
        }
        return Array::new(ty.clone(), (0..count).map(at));
    }
    let Some(whole) = row.whole else { unreachable!("tested above") };
    let operands: Vec<&[i64]> = inputs.iter().map(Array::integers).collect();
    let at = |i: usize| whole(&operands.iter().map(|v| v[i]).collect::<Vec<i64>>());
    Array::whole(ty, (0..count).map(|i| wrap(ty.dtype, at(i))).collect())
}

fn wrap(dtype: DType, x: i64) -> i64 {
    match dtype {
        DType::Bool => (x != 0) as i64,
        DType::U8 => x as u8 as i64,
        DType::I32 => x as i32 as i64,
        DType::U32 => x as u32 as i64,
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => x,
    }
}

fn cast(input: &Array, ty: &Type) -> Array {
    match (&*input.data, ty.dtype.is_float()) {
        (Data::Float(v), true) => Array::float(ty, v.clone()),
        (Data::Float(v), false) => {
            let (low, high) = (ty.dtype.lowest().to_f64(), ty.dtype.highest().to_f64());
            let truncate = |x: &f64| match ty.dtype {
                DType::Bool => (*x != 0.0) as i64,
                _ if x.is_nan() => 0,
                _ => x.trunc().clamp(low, high) as i64,
            };
            Array::whole(ty, v.iter().map(truncate).collect())
        }
        (Data::Whole(v), true) => Array::new(ty.clone(), v.iter().map(|x| *x as f64)),
        (Data::Whole(v), false) => Array::whole(ty, v.iter().map(|x| wrap(ty.dtype, *x)).collect()),
    }
}

fn concat(axis: usize, inputs: &[Array], ty: &Type) -> Array {
    let outer: usize = ty.shape[..axis].iter().product();
    let mut numbers = Vec::with_capacity(ty.elements());
    let parts: Vec<Vec<f64>> = inputs.iter().map(Array::to_f64).collect();
    for i in 0..outer {
        for (part, array) in parts.iter().zip(inputs) {
            let run: usize = array.ty.shape[axis..].iter().product();
            numbers.extend_from_slice(&part[i * run..(i + 1) * run]);
        }
    }
    Array::new(ty.clone(), numbers)
}

fn reduce(kind: Reduction, axes: &[usize], input: &Array, ty: &Type) -> Array {
    let strides = row_major(&ty.shape);
    let mut groups = Vec::with_capacity(input.len());
    each_index(&input.ty.shape, |index| {
        let kept: Dims = (0..index.len()).filter(|a| !axes.contains(a)).map(|a| index[a]).collect();
        groups.push(offset(&kept, &strides));
    });
    match (kind, &*input.data) {
        (Reduction::ArgMax, _) => Array::whole(ty, arg_max(axes[0], input, &groups, ty.elements())),
        (_, Data::Float(numbers)) => {
            let (start, combine): (f64, fn(f64, f64) -> f64) = match kind {
                Reduction::Max => {
                    (f64::NEG_INFINITY, |best, x| if x > best || x.is_nan() { x } else { best })
                }
                Reduction::Min => (f64::INFINITY, |best, x| if x < best || x.is_nan() { x } else { best }),
                Reduction::Sum | Reduction::ArgMax => (0.0, |sum, x| sum + x),
            };
            Array::float(ty, fold(numbers, &groups, vec![start; ty.elements()], combine))
        }
        (_, Data::Whole(numbers)) => {
            let (start, combine): (i64, fn(i64, i64) -> i64) = match kind {
                Reduction::Max => (i64::MIN, i64::max),
                Reduction::Min => (i64::MAX, i64::min),
                Reduction::Sum | Reduction::ArgMax => (0, i64::wrapping_add),
            };
            let out = fold(numbers, &groups, vec![start; ty.elements()], combine);
            Array::whole(ty, out.into_iter().map(|x| wrap(ty.dtype, x)).collect())
        }
    }
}

/// Combines each number into the slot of `out` that `targets` names.
fn fold<T: Copy>(numbers: &[T], targets: &[usize], mut out: Vec<T>, combine: impl Fn(T, T) -> T) -> Vec<T> {
    for (x, to) in numbers.iter().zip(targets) {
        out[*to] = combine(out[*to], *x);
    }
    out
}

fn arg_max(axis: usize, input: &Array, groups: &[usize], count: usize) -> Vec<i64> {
    let numbers = input.to_f64();
    let mut best: Vec<Option<(i64, f64)>> = vec![None; count];
    let mut from = 0;
    each_index(&input.ty.shape, |index| {
        let (x, slot) = (numbers[from], &mut best[groups[from]]);
        if slot.is_none_or(|(_, top)| x > top || x.is_nan() && !top.is_nan()) {
            *slot = Some((index[axis] as i64, x));
        }
        from += 1;
    });
    best.into_iter().map(|slot| slot.map_or(0, |(position, _)| position)).collect()
}

/// A product's operand as it is multiplied.
fn factor(operand: &Array, arithmetic: Arithmetic) -> Array {
    match (arithmetic, &*operand.data) {
        (Arithmetic::Tf32, Data::Float(v)) => {
            Array::float(&operand.ty, v.iter().map(|x| f64::from(round_to_tf32(*x as f32))).collect())
        }
        _ => operand.clone(),
    }
}

fn contract(axes: &ContractAxes, lhs: &Array, rhs: &Array, ty: &Type) -> Array {
    let (free_lhs, free_rhs) = (axes.free_lhs(lhs.ty.rank()), axes.free_rhs(rhs.ty.rank()));
    let summed: Dims = axes.sum.iter().map(|p| lhs.ty.shape[p.0]).collect();
    let (lhs_strides, rhs_strides) = (row_major(&lhs.ty.shape), row_major(&rhs.ty.shape));
    let step = |strides: &[isize], axis: usize, i: usize| i * strides[axis] as usize;
    let mut sums: Vec<(usize, usize)> = Vec::new();
    each_index(&summed, |k| {
        let at = |side: usize| {
            let terms = axes.sum.iter().zip(k).map(|(p, i)| match side {
                0 => step(&lhs_strides, p.0, *i),
                _ => step(&rhs_strides, p.1, *i),
            });
            terms.sum::<usize>()
        };
        sums.push((at(0), at(1)));
    });
    let mut bases: Vec<(usize, usize)> = Vec::with_capacity(ty.elements());
    let batches = axes.batch.len();
    each_index(&ty.shape, |index| {
        let (batch, rest) = index.split_at(batches);
        let (rows, columns) = rest.split_at(free_lhs.len());
        let shared = axes.batch.iter().zip(batch);
        let l: usize = shared.clone().map(|(p, i)| step(&lhs_strides, p.0, *i)).sum::<usize>()
            + free_lhs.iter().zip(rows).map(|(a, i)| step(&lhs_strides, *a, *i)).sum::<usize>();
        let r: usize = shared.map(|(p, i)| step(&rhs_strides, p.1, *i)).sum::<usize>()
            + free_rhs.iter().zip(columns).map(|(a, i)| step(&rhs_strides, *a, *i)).sum::<usize>();
        bases.push((l, r));
    });
    match (&*lhs.data, &*rhs.data) {
        (Data::Float(x), Data::Float(y)) => {
            let dot = |&(l, r): &(usize, usize)| sums.iter().map(|(i, j)| x[l + i] * y[r + j]).sum();
            Array::float(ty, bases.iter().map(dot).collect())
        }
        _ => {
            let (x, y) = (lhs.integers(), rhs.integers());
            let dot = |&(l, r): &(usize, usize)| {
                sums.iter().fold(0i64, |sum, (i, j)| sum.wrapping_add(x[l + i].wrapping_mul(y[r + j])))
            };
            Array::whole(ty, bases.iter().map(|b| wrap(ty.dtype, dot(b))).collect())
        }
    }
}

fn convolve(axes: &ConvolveAxes, input: &Array, kernel: &Array, ty: &Type) -> Array {
    let (x, w) = (input.to_f64(), kernel.to_f64());
    let plane = |array: &Array| array.ty.shape[2..].iter().product::<usize>();
    let (x_plane, w_plane) = (plane(input), plane(kernel));
    let (channels, outputs) = (kernel.ty.shape[1], kernel.ty.shape[0] / axes.groups);
    let met = met_by_position(axes, input, kernel, ty);
    let positions = row_major(&ty.shape[2..]);
    let mut sums = Vec::with_capacity(ty.elements());
    each_index(&ty.shape, |result| {
        let (batch, output) =
            if axes.outputs_first { (result[1], result[0]) } else { (result[0], result[1]) };
        let group = output.checked_div(outputs).unwrap_or(0);
        let met = &met[offset(&result[2..], &positions)];
        let mut sum = 0.0;
        for channel in 0..channels {
            let w_start = (output * channels + channel) * w_plane;
            let x_start = ((batch * axes.groups + group) * channels + channel) * x_plane;
            for (tap, element) in met {
                sum += w[w_start + tap] * element.map_or(0.0, |element| x[x_start + element]);
            }
        }
        sums.push(sum);
    });
    Array::float(ty, sums)
}

/// For each spatial position of the result of a convolution the taps that meet something there, and the elements that they meet,
/// as offsets in a plane of the kernel and of the input. No element in the zeros around the input: they are multiplied like
/// any number, so that an infinite weight beside them gives NaN. Between two elements, taps meet nothing.
fn met_by_position(
    axes: &ConvolveAxes,
    input: &Array,
    kernel: &Array,
    ty: &Type,
) -> Vec<Vec<(usize, Option<usize>)>> {
    let mut by_position = Vec::new();
    each_index(&ty.shape[2..], |position| {
        let mut met = vec![(0, Some(0))];
        for (a, window) in axes.spatial.iter().enumerate() {
            let (taps, extent) = (kernel.ty.shape[a + 2], input.ty.shape[a + 2]);
            let dilation = window.input_dilation as isize;
            let along = |t: usize| {
                let at = (position[a] * window.stride + t * window.kernel_dilation) as isize - window.low;
                let element = usize::try_from(at / dilation).ok().filter(|i| *i < extent);
                (at % dilation == 0).then_some((t, element))
            };
            let along: Vec<(usize, Option<usize>)> = (0..taps).filter_map(along).collect();
            let both = |(tap, element): (usize, Option<usize>)| {
                along.iter().map(move |(t, i)| {
                    (tap * taps + t, element.zip(*i).map(|(element, i)| element * extent + i))
                })
            };
            met = met.into_iter().flat_map(both).collect();
        }
        by_position.push(met);
    });
    by_position
}

fn checked_index(i: i64, extent: usize, axis: usize) -> Result<usize, Error> {
    usize::try_from(i).ok().filter(|i| *i < extent).ok_or_else(|| {
        Error::new(
            "index",
            format!("{i} is out of range: axis {axis} has {extent} elements, numbered from 0"),
        )
    })
}

fn checked_indices(indices: &Array, extent: usize, axis: usize) -> Result<Vec<usize>, Error> {
    indices.integers().iter().map(|i| checked_index(*i, extent, axis)).collect()
}

fn gather(axis: usize, input: &Array, indices: &Array, ty: &Type) -> Result<Array, Error> {
    let picked = checked_indices(indices, input.ty.shape[axis], axis)?;
    let strides = row_major(&indices.ty.shape);
    let rank = indices.ty.rank();
    Ok(input.view(&ty.shape, |index| {
        let mut from = Dims::from_slice(&index[..axis]);
        from.push(picked[offset(&index[axis..axis + rank], &strides)]);
        from.extend_from_slice(&index[axis + rank..]);
        Some(from)
    }))
}

fn scatter(kind: ScatterKind, axis: usize, inputs: &[Array]) -> Result<Array, Error> {
    let (base, indices, updates) = (&inputs[0], &inputs[1], &inputs[2]);
    let picked = checked_indices(indices, base.ty.shape[axis], axis)?;
    let (strides, index_strides) = (row_major(&base.ty.shape), row_major(&indices.ty.shape));
    let rank = indices.ty.rank();
    let mut targets = Vec::with_capacity(updates.len());
    each_index(&updates.ty.shape, |index| {
        let mut to = Dims::from_slice(&index[..axis]);
        to.push(picked[offset(&index[axis..axis + rank], &index_strides)]);
        to.extend_from_slice(&index[axis + rank..]);
        targets.push(offset(&to, &strides));
    });
    Ok(match (&*base.data, &*updates.data) {
        (Data::Float(old), Data::Float(new)) => {
            let combine: fn(f64, f64) -> f64 = match kind {
                ScatterKind::Add => |old, new| old + new,
                ScatterKind::Max => |old, new| if new > old || new.is_nan() { new } else { old },
                ScatterKind::Set => |_, new| new,
            };
            Array::float(&base.ty, fold(new, &targets, old.clone(), combine))
        }
        _ => {
            let combine: fn(i64, i64) -> i64 = match kind {
                ScatterKind::Add => i64::wrapping_add,
                ScatterKind::Max => i64::max,
                ScatterKind::Set => |_, new| new,
            };
            let out = fold(updates.integers(), &targets, base.integers().to_vec(), combine);
            Array::whole(&base.ty, out.into_iter().map(|x| wrap(base.ty.dtype, x)).collect())
        }
    })
}

fn scan(
    body: &Graph,
    length: usize,
    carries: usize,
    slices: usize,
    reverse: bool,
    inputs: &[Array],
    rounding: Rounding,
) -> Result<Vec<Array>, Error> {
    let mut carried: Vec<Array> = inputs[..carries].to_vec();
    let stacked_types = body.results()[carries..].iter().map(|v| body.ty(*v));
    let mut stacked: Vec<Vec<f64>> =
        stacked_types.clone().map(|ty| vec![0.0; ty.elements() * length]).collect();
    for round in 0..length {
        let at = if reverse { length - 1 - round } else { round };
        let mut arguments = vec![Array::new(Type::scalar(DType::U32), [at as f64])];
        arguments.extend(carried.iter().cloned());
        for input in &inputs[carries..carries + slices] {
            let shape = &input.ty.shape[1..];
            let run: usize = shape.iter().product();
            arguments.push(input.take(shape, (at * run..(at + 1) * run).map(Some)));
        }
        arguments.extend_from_slice(&inputs[carries + slices..]);
        let mut results = interpret(body, &arguments, rounding)?;
        for (all, part) in stacked.iter_mut().zip(results.split_off(carries)) {
            let run = part.len();
            all[at * run..(at + 1) * run].copy_from_slice(&part.to_f64());
        }
        carried = results;
    }
    for (ty, all) in stacked_types.zip(stacked) {
        let mut shape = Dims::from_slice(&[length]);
        shape.extend_from_slice(&ty.shape);
        let ty = Type { dtype: ty.dtype, shape };
        carried.push(if ty.dtype.is_float() { Array::float(&ty, all) } else { Array::new(ty, all) });
    }
    Ok(carried)
}
