//! Recording one op: the fast way for operands that plainly fit, the graph's own rule for all else.

use crate::device::Device;
use crate::error::Error;
use crate::node::Kind;
use crate::scope;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::sync::Arc;
use warploom_graph::{Arithmetic, Dims, Graph, Op, Origin, Reduction, Type, Value};

impl Tensor {
    /// Applies an op of one output. A failed operand passes through unchanged.
    #[track_caller]
    pub(crate) fn apply(op: Op, inputs: &[&Tensor]) -> Tensor {
        if let Some(failed) = inputs.iter().find(|t| t.is_failed()) {
            return Tensor::clone(failed);
        }
        let origin = scope::origin();
        let device = match common_device(inputs) {
            Ok(device) => device,
            Err(message) => return Tensor::failed(Error::at(op.name(), message, &origin)),
        };
        match plain(&op, inputs) {
            Some(ty) => make(op, ty, inputs, origin, device),
            None => match by_rule(&op, inputs, &origin) {
                Ok(mut types) => make(op, types.remove(0), inputs, origin, device),
                Err(error) => Tensor::failed(error.into()),
            },
        }
    }

    /// Applies a scan or call.
    #[track_caller]
    pub(crate) fn apply_several(op: Op, inputs: &[&Tensor]) -> Vec<Tensor> {
        let origin = scope::origin();
        let outputs = match &op {
            Op::Scan { body, .. } | Op::Call { body, .. } => body.results().len(),
            _ => 1,
        };
        let fail = |tensor: Tensor| vec![tensor; outputs];
        if let Some(failed) = inputs.iter().find(|t| t.is_failed()) {
            return fail(Tensor::clone(failed));
        }
        let device = match common_device(inputs) {
            // Without operands, where it is recorded.
            Ok(device) => device.or_else(|| Device::current().ok()),
            Err(message) => return fail(Tensor::failed(Error::at(op.name(), message, &origin))),
        };
        match by_rule(&op, inputs, &origin) {
            Err(error) => fail(Tensor::failed(error.into())),
            Ok(types) => {
                let inputs = inputs.iter().copied().cloned().collect();
                Tensor::several(op, types, inputs, origin, device)
            }
        }
    }

    /// The outputs of a scan or call whose types are known.
    pub(crate) fn several(
        op: Op,
        types: Vec<Type>,
        inputs: SmallVec<[Tensor; 3]>,
        origin: Origin,
        device: Option<Device>,
    ) -> Vec<Tensor> {
        let first = types.first().cloned().unwrap_or_else(|| Type::scalar(warploom_graph::DType::Bool));
        let maker = Tensor::lazy(
            Kind::Several(Arc::new(op), types.clone()),
            first,
            inputs,
            origin.clone(),
            device.clone(),
        );
        let output = |(slot, ty)| {
            let input = SmallVec::from_iter([maker.clone()]);
            Tensor::lazy(Kind::Output(slot), ty, input, origin.clone(), device.clone())
        };
        types.into_iter().enumerate().map(output).collect()
    }

    /// An op without operands whose rule allows it, on the device of `self`.
    #[track_caller]
    pub(crate) fn constant_like(&self, op: Op) -> Tensor {
        let origin = scope::origin();
        match by_rule(&op, &[], &origin) {
            Ok(mut types) => make(op, types.remove(0), &[], origin, self.0.device.clone()),
            Err(error) => Tensor::failed(error.into()),
        }
    }
}

fn make(op: Op, ty: Type, inputs: &[&Tensor], origin: Origin, device: Option<Device>) -> Tensor {
    Tensor::lazy(Kind::Op(Arc::new(op)), ty, inputs.iter().copied().cloned().collect(), origin, device)
}

/// The device of all operands.
pub(crate) fn common_device<T: Borrow<Tensor>>(inputs: &[T]) -> Result<Option<Device>, String> {
    let Some((first, rest)) = inputs.split_first() else { return Ok(None) };
    let device = &first.borrow().0.device;
    for other in rest {
        if let (Some(a), Some(b)) = (device, &other.borrow().0.device)
            && a != b
        {
            return Err(format!(
                "one operand is on {}, another on {}; move one with .to(&device)",
                a.id(),
                b.id()
            ));
        }
    }
    Ok(device.clone())
}

/// The result's type where operands fit at first sight; `None` sends the question to the graph's rule.
fn plain(op: &Op, inputs: &[&Tensor]) -> Option<Type> {
    match op {
        Op::Reduce { kind: Reduction::Sum, axes } => {
            let [input] = inputs else { return None };
            let ty = input.ty();
            let ascending = axes.windows(2).all(|pair| pair[0] < pair[1]);
            if !ty.dtype.is_float() || !ascending || axes.last().is_some_and(|a| *a >= ty.rank()) {
                return None;
            }
            let shape: Dims = (0..ty.rank()).filter(|a| !axes.contains(a)).map(|a| ty.shape[a]).collect();
            Some(Type { dtype: ty.dtype, shape })
        }
        Op::Contract(axes) => {
            let [lhs, rhs] = inputs else { return None };
            let (lhs, rhs) = (lhs.ty(), rhs.ty());
            let ([], [(l, r)]) = (&axes.batch[..], &axes.sum[..]) else { return None };
            if axes.arithmetic != Arithmetic::Own {
                return None;
            }
            if lhs.dtype != rhs.dtype || !lhs.dtype.is_float() || lhs.shape.get(*l)? != rhs.shape.get(*r)? {
                return None;
            }
            let free = |shape: &Dims, summed: usize| -> Dims {
                (0..shape.len()).filter(|a| *a != summed).map(|a| shape[a]).collect()
            };
            let mut shape = free(&lhs.shape, *l);
            shape.extend_from_slice(&free(&rhs.shape, *r));
            Some(Type { dtype: lhs.dtype, shape })
        }
        Op::Reshape(shape) => {
            let [input] = inputs else { return None };
            let elements = shape.iter().try_fold(1usize, |n, extent| n.checked_mul(*extent))?;
            (elements == input.ty().elements())
                .then(|| Type { dtype: input.ty().dtype, shape: shape.clone() })
        }
        Op::Expand(shape) => {
            let [input] = inputs else { return None };
            let from = &input.ty().shape;
            let fits = from.len() == shape.len() && from.iter().zip(shape).all(|(a, b)| a == b || *a == 1);
            let elements = shape.iter().try_fold(1usize, |n, extent| n.checked_mul(*extent));
            (fits && elements? < 1 << 40).then(|| Type { dtype: input.ty().dtype, shape: shape.clone() })
        }
        Op::Cast(dtype) => {
            let [input] = inputs else { return None };
            Some(Type { dtype: *dtype, shape: input.ty().shape.clone() })
        }
        Op::StopGradient | Op::Barrier => {
            let [input] = inputs else { return None };
            Some(input.ty().clone())
        }
        Op::Parameter(_)
        | Op::Fill { .. }
        | Op::Iota { .. }
        | Op::Random { .. }
        | Op::Elementwise(_)
        | Op::Permute(_)
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Unfold { .. }
        | Op::Concat(_)
        | Op::Reduce { .. }
        | Op::Convolve(_)
        | Op::Gather { .. }
        | Op::Scatter { .. }
        | Op::Scan { .. }
        | Op::Call { .. } => None,
    }
}

/// The result's types by the graph's own rule, asked of a graph of one node.
pub(crate) fn by_rule(
    op: &Op,
    inputs: &[&Tensor],
    origin: &Origin,
) -> Result<Vec<Type>, warploom_graph::Error> {
    let mut graph = Graph::new();
    let values: SmallVec<[Value; 4]> =
        inputs.iter().map(|t| graph.parameter(t.ty().clone(), origin.clone())).collect();
    let node = graph.add(op.clone(), &values, origin.clone())?;
    Ok(graph.node(node).outputs().map(|v| graph.ty(v).clone()).collect())
}
