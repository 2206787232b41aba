//! The type rule of every op: what operands it takes and what it makes of them. Messages say what was found and what
//! would fit.

use crate::convolve;
use crate::dtype::DType;
use crate::formula;
use crate::graph::{Graph, Value};
use crate::op::{CallGradient, ContractAxes, Op, Reduction};
use crate::shape::{Dims, Type, show};
use crate::source::Source;
use smallvec::{SmallVec, smallvec};

type Types = SmallVec<[Type; 1]>;

/// Largest number of elements of one value, so that offsets in bytes never overflow an i64.
const MAX_ELEMENTS: usize = 1 << 40;
/// Most positions that an i32 counts.
const MAX_I32_POSITIONS: usize = 1 << 31;
/// Most elements of one random tensor: Philox's counter numbers blocks of four in a u32.
const MAX_RANDOM: usize = 1 << 34;

pub(crate) fn types(op: &Op, inputs: &[&Type]) -> Result<Types, String> {
    inputs.iter().try_for_each(|ty| check_size(ty))?;
    let outputs = rule(op, inputs)?;
    outputs.iter().try_for_each(check_size)?;
    Ok(outputs)
}

/// Refuses what is too large. Extents of 0 do not count, so that any choice of a type's axes multiplies without overflow.
pub(crate) fn check_size(ty: &Type) -> Result<(), String> {
    let mut extents = ty.shape.iter().filter(|d| **d != 0);
    match extents.try_fold(1usize, |n, d| n.checked_mul(*d).filter(|n| *n <= MAX_ELEMENTS)) {
        Some(_) => Ok(()),
        None => Err(format!("a tensor of shape {} is larger than 2^40 elements; split it", show(&ty.shape))),
    }
}

fn rule(op: &Op, inputs: &[&Type]) -> Result<Types, String> {
    match op {
        Op::Parameter(_) => Err("a parameter is added with Graph::parameter".into()),
        Op::Fill { value, shape } => {
            operands(inputs, 0)?;
            one(value.dtype(), shape)
        }
        Op::Iota { dtype, shape, axis } => {
            operands(inputs, 0)?;
            check_axis(*axis, shape.len())?;
            if !matches!(dtype, DType::I32 | DType::U32) {
                return Err(format!("counts in i32 or u32, not in {dtype}; cast the result"));
            }
            if shape[*axis] > MAX_I32_POSITIONS {
                return Err(format!("axis {axis} of {} has more than 2^31 positions", show(shape)));
            }
            one(*dtype, shape)
        }
        Op::Random { shape, .. } => {
            operands(inputs, 3)?;
            let want = [Type::new(DType::U32, &[2]), Type::scalar(DType::U32), Type::scalar(DType::U32)];
            for (found, want) in inputs.iter().zip(&want) {
                if *found != want {
                    return Err(format!("takes seed u32[2], step u32[] and iteration u32[]; found {found}"));
                }
            }
            let ty = Type::new(DType::U32, shape);
            if ty.elements() > MAX_RANDOM {
                return Err(format!(
                    "draws at most 2^34 elements from one stream, not {}; split it",
                    show(shape)
                ));
            }
            Ok(smallvec![ty])
        }
        Op::Elementwise(op) => {
            let row = op.row();
            operands(inputs, row.arity)?;
            for other in &inputs[1..] {
                if other.shape != inputs[0].shape {
                    return Err(format!(
                        "operands of shapes {} and {}; they must be equal, or broadcast (extents of 1 stretch)",
                        show(&inputs[0].shape),
                        show(&other.shape)
                    ));
                }
            }
            let dtypes: SmallVec<[DType; 3]> = inputs.iter().map(|t| t.dtype).collect();
            let result = row.types.result(&dtypes)?;
            if op.position().is_none() {
                formula::check(row, &dtypes, result)?;
            }
            one(result, &inputs[0].shape)
        }
        Op::Cast(dtype) => {
            operands(inputs, 1)?;
            one(*dtype, &inputs[0].shape)
        }
        Op::Reshape(shape) => {
            operands(inputs, 1)?;
            let ty = Type::new(inputs[0].dtype, shape);
            if ty.elements() != inputs[0].elements() {
                let found = match ty.elements() {
                    usize::MAX => "too many".into(),
                    elements => elements.to_string(),
                };
                return Err(format!(
                    "{} elements of shape {} cannot take shape {}, which has {found}",
                    inputs[0].elements(),
                    show(&inputs[0].shape),
                    show(shape),
                ));
            }
            Ok(smallvec![ty])
        }
        Op::Permute(axes) => {
            operands(inputs, 1)?;
            let rank = inputs[0].rank();
            for (i, axis) in axes.iter().enumerate() {
                check_axis(*axis, rank)?;
                if axes[..i].contains(axis) {
                    return Err(format!("axis {axis} is named twice in {}", show(axes)));
                }
            }
            if axes.len() != rank {
                return Err(format!("names {} axes of a tensor of rank {rank}; name each once", axes.len()));
            }
            let shape: Dims = axes.iter().map(|a| inputs[0].shape[*a]).collect();
            one(inputs[0].dtype, &shape)
        }
        Op::Expand(shape) => {
            operands(inputs, 1)?;
            let from = &inputs[0].shape;
            if from.len() != shape.len() || from.iter().zip(shape).any(|(a, b)| a != b && *a != 1) {
                return Err(format!(
                    "shape {} cannot stretch to {}: the rank stays and only extents of 1 stretch",
                    show(from),
                    show(shape)
                ));
            }
            one(inputs[0].dtype, shape)
        }
        Op::Slice { starts, sizes, steps } => {
            operands(inputs, 1)?;
            let shape = &inputs[0].shape;
            if starts.len() != shape.len() || sizes.len() != shape.len() || steps.len() != shape.len() {
                return Err(format!("one start, size and step is needed for each axis of {}", show(shape)));
            }
            for axis in 0..shape.len() {
                let (start, size, step) = (starts[axis] as i128, sizes[axis] as i128, steps[axis] as i128);
                let extent = shape[axis] as i128;
                let last = start + (size - 1) * step;
                let fits =
                    if size > 0 { start < extent && (0..extent).contains(&last) } else { start <= extent };
                if step == 0 {
                    return Err(format!("the step along axis {axis} is 0; take 1, or -1 to walk backwards"));
                }
                if !fits {
                    return Err(format!(
                        "{size} elements from {start} by {step} do not lie within axis {axis}, which has {}",
                        shape[axis]
                    ));
                }
            }
            one(inputs[0].dtype, sizes)
        }
        Op::Pad { low, high } => {
            operands(inputs, 1)?;
            let shape = &inputs[0].shape;
            if low.len() != shape.len() || high.len() != shape.len() {
                return Err(format!(
                    "one low and one high padding is needed for each axis of {}",
                    show(shape)
                ));
            }
            let padded: Option<Dims> =
                (0..shape.len()).map(|a| shape[a].checked_add(low[a])?.checked_add(high[a])).collect();
            one(inputs[0].dtype, &padded.ok_or("padding overflows the shape")?)
        }
        Op::Unfold { axis, size, step, dilation } => {
            operands(inputs, 1)?;
            unfold(*axis, *size, *step, *dilation, inputs[0])
        }
        Op::Concat(axis) => concat(*axis, inputs),
        Op::Reduce { kind, axes } => reduce(*kind, axes, inputs),
        Op::Contract(axes) => contract(axes, inputs),
        Op::Convolve(axes) => {
            operands(inputs, 2)?;
            Ok(smallvec![convolve::infer(axes, inputs[0], inputs[1])?])
        }
        Op::Gather { axis } => {
            operands(inputs, 2)?;
            one(inputs[0].dtype, &gathered(*axis, inputs[0], inputs[1])?)
        }
        Op::Scatter { axis, .. } => {
            operands(inputs, 3)?;
            let want = gathered(*axis, inputs[0], inputs[1])?;
            if inputs[2].shape != want || inputs[2].dtype != inputs[0].dtype {
                return Err(format!(
                    "updates are {}; base {} and indices {} need {}{}",
                    inputs[2],
                    inputs[0],
                    inputs[1],
                    inputs[0].dtype,
                    show(&want)
                ));
            }
            if inputs[0].dtype == DType::Bool {
                return Err("does not combine bool; cast to u8".into());
            }
            one(inputs[0].dtype, &inputs[0].shape)
        }
        Op::Scan { body, length, carries, slices, .. } => scan(body, *length, *carries, *slices, inputs),
        Op::Call { body, gradient, sources, .. } => call(body, gradient, sources, inputs),
        Op::StopGradient | Op::Barrier => {
            operands(inputs, 1)?;
            Ok(smallvec![inputs[0].clone()])
        }
    }
}

fn one(dtype: DType, shape: &[usize]) -> Result<Types, String> {
    Ok(smallvec![Type::new(dtype, shape)])
}

fn operands(inputs: &[&Type], want: usize) -> Result<(), String> {
    if inputs.len() == want { Ok(()) } else { Err(format!("takes {want} operands, found {}", inputs.len())) }
}

fn check_axis(axis: usize, rank: usize) -> Result<(), String> {
    if axis < rank { Ok(()) } else { Err(format!("axis {axis} of a tensor of rank {rank}")) }
}

/// The types a region takes and returns.
fn signature(region: &Graph) -> Result<(Vec<&Type>, Vec<&Type>), String> {
    if let Some(missing) = region.results().iter().find(|v| v.index() >= region.value_count()) {
        return Err(format!("the region returns value {}, which it does not make", missing.index()));
    }
    let types = |values: &[Value]| values.iter().map(|v| region.ty(*v)).collect();
    Ok((types(region.parameters()), types(region.results())))
}

fn scan(
    body: &Graph,
    length: usize,
    carries: usize,
    slices: usize,
    inputs: &[&Type],
) -> Result<Types, String> {
    let (parameters, results) = signature(body)?;
    let (iteration, parameters) = parameters.split_first().ok_or("the body needs an iteration parameter")?;
    if **iteration != Type::scalar(DType::U32) {
        return Err(format!("the body's first parameter is the iteration u32[], not {iteration}"));
    }
    operands(inputs, parameters.len())?;
    let sliced = carries..carries.saturating_add(slices);
    if sliced.end > inputs.len() {
        return Err(format!(
            "{carries} carries and {slices} slices are more than its {} operands",
            inputs.len()
        ));
    }
    if u32::try_from(length).is_err() {
        return Err(format!("counts iterations in u32, not up to {length}; nest two scans"));
    }
    for (i, (found, want)) in inputs.iter().zip(parameters).enumerate() {
        let fits = if sliced.contains(&i) {
            found.dtype == want.dtype && found.shape.split_first() == Some((&length, &want.shape[..]))
        } else {
            found == want
        };
        if !fits {
            return Err(match sliced.contains(&i) {
                true => {
                    format!("input {i} is {found}, the body takes {length} slices of {want} along axis 0")
                }
                false => format!("input {i} is {found}, the body takes {want}"),
            });
        }
    }
    for (i, want) in parameters[..carries].iter().enumerate() {
        if results.get(i) != Some(want) {
            let found = results.get(i).map_or("nothing".into(), |ty| ty.to_string());
            return Err(format!(
                "the body returns {found} for carry {i}, which is {want}; carries keep their type"
            ));
        }
    }
    if results.is_empty() {
        return Err("the body returns nothing; return a carry or a value to stack".into());
    }
    let stacked = results[carries..].iter().map(|ty| {
        let mut shape: Dims = smallvec![length];
        shape.extend_from_slice(&ty.shape);
        Type { dtype: ty.dtype, shape }
    });
    Ok(results[..carries].iter().map(|ty| (*ty).clone()).chain(stacked).collect())
}

fn call(
    body: &Graph,
    gradient: &CallGradient,
    sources: &[Source],
    inputs: &[&Type],
) -> Result<Types, String> {
    let (parameters, results) = signature(body)?;
    operands(inputs, parameters.len())?;
    for (i, (found, want)) in inputs.iter().zip(&parameters).enumerate() {
        if found != want {
            return Err(format!("argument {i} is {found}, the body takes {want}"));
        }
    }
    if results.is_empty() {
        return Err("the body returns nothing".into());
    }
    sources.iter().try_for_each(|source| source.check(&results))?;
    if let CallGradient::Region(region) = gradient {
        let found = signature(region)?;
        let want: Vec<&Type> = parameters.iter().chain(&results).chain(&results).copied().collect();
        if found.0 != want {
            return Err(format!(
                "its gradient takes ({}); it must take the inputs, the outputs and the outputs' cotangents: ({})",
                list(&found.0),
                list(&want)
            ));
        }
        if found.1 != parameters {
            return Err(format!(
                "its gradient returns ({}); it must return one cotangent for each input, of the input's type: ({})",
                list(&found.1),
                list(&parameters)
            ));
        }
    }
    Ok(results.into_iter().cloned().collect())
}

fn list(types: &[&Type]) -> String {
    types.iter().map(|ty| ty.to_string()).collect::<Vec<_>>().join(", ")
}

fn unfold(axis: usize, size: usize, step: usize, dilation: usize, input: &Type) -> Result<Types, String> {
    check_axis(axis, input.rank())?;
    if size == 0 || step == 0 || dilation == 0 {
        return Err(format!("size {size}, step {step} and dilation {dilation} must be at least 1"));
    }
    let extent = input.shape[axis];
    let Some(room) = convolve::dilated(size, dilation).and_then(|span| extent.checked_sub(span)) else {
        return Err(format!(
            "a window of {size} elements, {dilation} apart, is longer than axis {axis} of {}",
            show(&input.shape)
        ));
    };
    let mut shape = input.shape.clone();
    shape[axis] = room / step + 1;
    shape.insert(axis + 1, size);
    Ok(smallvec![Type { dtype: input.dtype, shape }])
}

fn concat(axis: usize, inputs: &[&Type]) -> Result<Types, String> {
    let first = inputs.first().ok_or("needs at least one operand")?;
    check_axis(axis, first.rank())?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for ty in inputs {
        let fits = ty.dtype == first.dtype
            && ty.rank() == first.rank()
            && (0..ty.rank()).all(|a| a == axis || ty.shape[a] == first.shape[a]);
        if !fits {
            return Err(format!("joins {first} and {ty} along axis {axis}; all else must be equal"));
        }
        shape[axis] = shape[axis].saturating_add(ty.shape[axis]);
    }
    one(first.dtype, &shape)
}

fn reduce(kind: Reduction, axes: &[usize], inputs: &[&Type]) -> Result<Types, String> {
    operands(inputs, 1)?;
    let input = inputs[0];
    for pair in axes.windows(2) {
        if pair[0] >= pair[1] {
            return Err(format!("axes {} must be ascending and distinct", show(axes)));
        }
    }
    if let Some(last) = axes.last() {
        check_axis(*last, input.rank())?;
    }
    let empty = axes.iter().any(|a| input.shape[*a] == 0);
    let dtype = match kind {
        Reduction::Sum if matches!(input.dtype, DType::Bool | DType::U8) => {
            return Err(format!("does not sum {}; cast to u32 or f32 first", input.dtype));
        }
        Reduction::Sum => input.dtype,
        Reduction::Max | Reduction::Min if empty => {
            return Err(format!("an axis of {} is empty: nothing is largest there", show(&input.shape)));
        }
        Reduction::Max | Reduction::Min => input.dtype,
        Reduction::ArgMax => {
            if axes.len() != 1 {
                return Err(format!("takes one axis, found {}", show(axes)));
            }
            if empty {
                return Err(format!(
                    "axis {} of {} is empty: nothing is largest there",
                    axes[0],
                    show(&input.shape)
                ));
            }
            if input.shape[axes[0]] > MAX_I32_POSITIONS {
                return Err(format!(
                    "axis {} of {} has more than 2^31 positions",
                    axes[0],
                    show(&input.shape)
                ));
            }
            DType::I32
        }
    };
    let shape: Dims = (0..input.rank()).filter(|a| !axes.contains(a)).map(|a| input.shape[a]).collect();
    one(dtype, &shape)
}

fn contract(axes: &ContractAxes, inputs: &[&Type]) -> Result<Types, String> {
    operands(inputs, 2)?;
    let (lhs, rhs) = (inputs[0], inputs[1]);
    if lhs.dtype != rhs.dtype {
        return Err(format!("operands of dtypes {} and {}; cast one", lhs.dtype, rhs.dtype));
    }
    if matches!(lhs.dtype, DType::Bool | DType::U8) {
        return Err(format!("does not multiply {}; cast to f32 or i32", lhs.dtype));
    }
    for (i, (l, r)) in axes.batch.iter().chain(&axes.sum).enumerate() {
        check_axis(*l, lhs.rank())?;
        check_axis(*r, rhs.rank())?;
        if lhs.shape[*l] != rhs.shape[*r] {
            let verb = if i < axes.batch.len() { "kept" } else { "summed over" };
            return Err(format!(
                "shapes {} and {}: axis {l} of the left has {}, axis {r} of the right has {}, and they are {verb} together",
                show(&lhs.shape),
                show(&rhs.shape),
                lhs.shape[*l],
                rhs.shape[*r]
            ));
        }
    }
    let (free_lhs, free_rhs) = (axes.free_lhs(lhs.rank()), axes.free_rhs(rhs.rank()));
    let named = axes.batch.len() + axes.sum.len();
    if free_lhs.len() + named != lhs.rank() || free_rhs.len() + named != rhs.rank() {
        return Err("an axis is named twice".into());
    }
    let shape: Dims = axes
        .batch
        .iter()
        .map(|p| lhs.shape[p.0])
        .chain(free_lhs.iter().map(|a| lhs.shape[*a]))
        .chain(free_rhs.iter().map(|a| rhs.shape[*a]))
        .collect();
    one(axes.arithmetic.result(lhs.dtype)?, &shape)
}

fn gathered(axis: usize, input: &Type, indices: &Type) -> Result<Dims, String> {
    check_axis(axis, input.rank())?;
    if indices.dtype != DType::I32 {
        return Err(format!("indices are {}; cast them to i32", indices.dtype));
    }
    let mut shape = Dims::from_slice(&input.shape[..axis]);
    shape.extend_from_slice(&indices.shape);
    shape.extend_from_slice(&input.shape[axis + 1..]);
    Ok(shape)
}
