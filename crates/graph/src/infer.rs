//! The type rule of every op: what operands it takes and what it makes of them. Messages say what was found and what
//! would fit.

use crate::dtype::DType;
use crate::op::{ContractAxes, Op, Reduction};
use crate::shape::{Dims, Type, show};
use smallvec::{SmallVec, smallvec};

type Types = SmallVec<[Type; 1]>;

/// Largest number of elements of one value: offsets are computed in i64 and indices are i32 per axis.
const MAX_ELEMENTS: usize = 1 << 40;

pub(crate) fn types(op: &Op, inputs: &[&Type]) -> Result<Types, String> {
    let outputs = rule(op, inputs)?;
    for ty in &outputs {
        let elements = ty.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        if elements.is_none_or(|n| n > MAX_ELEMENTS) {
            return Err(format!("a result of shape {} is larger than 2^40 elements", show(&ty.shape)));
        }
    }
    Ok(outputs)
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
            one(DType::U32, shape)
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
            one(row.types.result(&dtypes)?, &inputs[0].shape)
        }
        Op::Cast(dtype) => {
            operands(inputs, 1)?;
            one(*dtype, &inputs[0].shape)
        }
        Op::Reshape(shape) => {
            operands(inputs, 1)?;
            let elements = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
            if elements != Some(inputs[0].elements()) {
                return Err(format!(
                    "{} elements of shape {} cannot take shape {}, which has {}",
                    inputs[0].elements(),
                    show(&inputs[0].shape),
                    show(shape),
                    elements.map_or("too many".into(), |n| n.to_string()),
                ));
            }
            one(inputs[0].dtype, shape)
        }
        Op::Permute(axes) => {
            operands(inputs, 1)?;
            let rank = inputs[0].rank();
            let mut seen = vec![false; rank];
            for axis in axes {
                check_axis(*axis, rank)?;
                if std::mem::replace(&mut seen[*axis], true) {
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
                let last = start + (size - 1) * step;
                if step == 0 || size > 0 && (start >= shape[axis] as i128 || last < 0 || last >= shape[axis] as i128) {
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
                return Err(format!("one low and one high padding is needed for each axis of {}", show(shape)));
            }
            let padded: Option<Dims> =
                (0..shape.len()).map(|a| shape[a].checked_add(low[a])?.checked_add(high[a])).collect();
            one(inputs[0].dtype, &padded.ok_or("padding overflows the shape")?)
        }
        Op::Concat(axis) => concat(*axis, inputs),
        Op::Reduce { kind, axes } => reduce(*kind, axes, inputs),
        Op::Contract(axes) => contract(axes, inputs),
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
        Op::Scan { body, length, carries, slices, .. } => {
            let parameters: Vec<&Type> = body.parameters().iter().map(|v| body.ty(*v)).collect();
            let results: Vec<&Type> = body.results().iter().map(|v| body.ty(*v)).collect();
            operands(inputs, parameters.len().checked_sub(1).ok_or("the body needs an iteration parameter")?)?;
            if *parameters[0] != Type::scalar(DType::U32) {
                return Err(format!("the body's first parameter is the iteration u32[], not {}", parameters[0]));
            }
            for (i, (found, want)) in inputs.iter().zip(&parameters[1..]).enumerate() {
                let sliced = (*carries..carries + slices).contains(&i);
                let fits = if sliced {
                    found.dtype == want.dtype && found.shape.first() == Some(length) && found.shape[1..] == want.shape[..]
                } else {
                    found == want
                };
                if !fits {
                    return Err(format!("input {i} is {found}, the body takes {want} over {length} iterations"));
                }
            }
            if results.len() < *carries || results[..*carries] != parameters[1..1 + carries] {
                return Err("the body's first results must have its carries' types".into());
            }
            let stacked = results[*carries..].iter().map(|ty| {
                let mut shape: Dims = smallvec![*length];
                shape.extend_from_slice(&ty.shape);
                Type { dtype: ty.dtype, shape }
            });
            Ok(results[..*carries].iter().map(|ty| (*ty).clone()).chain(stacked).collect())
        }
        Op::Call { body, .. } => {
            operands(inputs, body.parameters().len())?;
            for (i, (found, want)) in inputs.iter().zip(body.parameters()).enumerate() {
                if *found != body.ty(*want) {
                    return Err(format!("argument {i} is {found}, the body takes {}", body.ty(*want)));
                }
            }
            Ok(body.results().iter().map(|v| body.ty(*v).clone()).collect())
        }
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
        shape[axis] += ty.shape[axis];
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
                return Err(format!("axis {} of {} is empty", axes[0], show(&input.shape)));
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
    one(lhs.dtype, &shape)
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
