//! Making tensors: from numbers and bytes, filled, counted.

use crate::device::Device;
use crate::element::Element;
use crate::error::Error;
use crate::node::Kind;
use crate::scope;
use crate::tensor::Tensor;
use crate::variable::Variable;
use smallvec::SmallVec;
use std::sync::Arc;
use warploom_graph::shape::show;
use warploom_graph::{DType, Dims, Literal, Op, Origin, Type};

impl Tensor {
    /// From elements in row-major order, on the current device. A slice of f64 gives an f64 tensor.
    ///
    /// The tensor is failed if the shape has another number of elements, or the device lacks the dtype.
    #[track_caller]
    pub fn from_slice<T: Element>(elements: &[T], shape: &[usize]) -> Tensor {
        Tensor::from_bytes(T::DTYPE, shape, &T::to_bytes(elements))
    }

    /// From stored bytes: elements in row-major order, little-endian, as in the body of an NPY file.
    ///
    /// The tensor is failed if the number of bytes is not the shape's, a bool is neither 0 nor 1, or the device lacks
    /// the dtype.
    #[track_caller]
    pub fn from_bytes(dtype: DType, shape: &[usize], bytes: &[u8]) -> Tensor {
        let origin = scope::origin();
        Tensor::try_from_bytes(dtype, shape, bytes, origin).unwrap_or_else(Tensor::failed)
    }

    fn try_from_bytes(dtype: DType, shape: &[usize], bytes: &[u8], origin: Origin) -> Result<Tensor, Error> {
        let fail = |message: String| Error::at("from_bytes", message, &origin);
        let wanted = shape.iter().try_fold(dtype.bytes(), |n, extent| n.checked_mul(*extent));
        if wanted != Some(bytes.len()) {
            let (elements, rest) = (bytes.len() / dtype.bytes(), bytes.len() % dtype.bytes());
            let rest = if rest == 0 { String::new() } else { format!(" and {rest} bytes") };
            let message = format!("{elements} elements of {dtype}{rest} do not make shape {}", show(shape));
            return Err(fail(message));
        }
        if dtype == DType::Bool && bytes.iter().any(|b| *b > 1) {
            return Err(fail("a bool is stored as 0 or 1; use u8 and compare".into()));
        }
        let device = Device::current()?;
        device.check_dtype(dtype).map_err(fail)?;
        let memory = device.allocate(bytes.len())?;
        device.executor().upload(&memory, 0, bytes)?;
        Ok(Tensor::leaf(Type::new(dtype, shape), memory, None, origin, Some(device)))
    }

    /// Zeros (`false` for bool).
    #[track_caller]
    pub fn zeros(shape: &[usize], dtype: DType) -> Tensor {
        Tensor::full(shape, 0.0, dtype)
    }

    /// Ones (`true` for bool).
    #[track_caller]
    pub fn ones(shape: &[usize], dtype: DType) -> Tensor {
        Tensor::full(shape, 1.0, dtype)
    }

    /// One number everywhere. The number is structure: another one is another program.
    #[track_caller]
    pub fn full(shape: &[usize], value: f64, dtype: DType) -> Tensor {
        Tensor::constant(Op::Fill { value: Literal::new(dtype, value), shape: Dims::from_slice(shape) })
    }

    /// One number everywhere, with this tensor's shape, dtype and device.
    #[track_caller]
    pub fn full_like(&self, value: f64) -> Tensor {
        if self.is_failed() {
            return self.clone();
        }
        let ty = self.ty();
        self.constant_like(Op::Fill { value: Literal::new(ty.dtype, value), shape: ty.shape.clone() })
    }

    /// `0, 1, …, count - 1`, of shape `[count]`.
    #[track_caller]
    pub fn arange(count: usize, dtype: DType) -> Tensor {
        Tensor::iota(&[count], 0, dtype)
    }

    /// The position along `axis`, with the given shape.
    #[track_caller]
    pub fn iota(shape: &[usize], axis: usize, dtype: DType) -> Tensor {
        let counted = if dtype == DType::U32 { DType::U32 } else { DType::I32 };
        Tensor::constant(Op::Iota { dtype: counted, shape: Dims::from_slice(shape), axis }).cast(dtype)
    }

    /// An op without operands, on the current device.
    #[track_caller]
    fn constant(op: Op) -> Tensor {
        let origin = scope::origin();
        let made = Device::current().and_then(|device| {
            let mut types = crate::apply::by_rule(&op, &[], &origin)?;
            let ty = types.remove(0);
            device.check_dtype(ty.dtype).map_err(|message| Error::at(op.name(), message, &origin))?;
            Ok(Tensor::lazy(Kind::Op(Arc::new(op)), ty, SmallVec::new(), origin, Some(device)))
        });
        made.unwrap_or_else(Tensor::failed)
    }
}

macro_rules! scalars {
    ($($T:ty),*) => {$(
        /// A scalar on the current device. It is an input: another number is the same program.
        impl From<$T> for Tensor {
            #[track_caller]
            fn from(element: $T) -> Tensor { Tensor::from_slice(&[element], &[]) }
        }
    )*};
}
scalars!(f32, f64, i32, u32, u8, bool, half::f16, half::bf16);

/// Of shape `[N]`.
impl<T: Element, const N: usize> From<[T; N]> for Tensor {
    #[track_caller]
    fn from(elements: [T; N]) -> Tensor {
        Tensor::from_slice(&elements, &[N])
    }
}

/// Of shape `[M, N]`.
impl<T: Element, const N: usize, const M: usize> From<[[T; N]; M]> for Tensor {
    #[track_caller]
    fn from(rows: [[T; N]; M]) -> Tensor {
        Tensor::from_slice(rows.as_flattened(), &[M, N])
    }
}

/// Of shape `[L, M, N]`.
impl<T: Element, const N: usize, const M: usize, const L: usize> From<[[[T; N]; M]; L]> for Tensor {
    #[track_caller]
    fn from(planes: [[[T; N]; M]; L]) -> Tensor {
        Tensor::from_slice(planes.as_flattened().as_flattened(), &[L, M, N])
    }
}

/// Of shape `[length]`.
impl<T: Element> From<Vec<T>> for Tensor {
    #[track_caller]
    fn from(elements: Vec<T>) -> Tensor {
        Tensor::from_slice(&elements, &[elements.len()])
    }
}

/// Of shape `[length]`.
impl<T: Element> From<&[T]> for Tensor {
    #[track_caller]
    fn from(elements: &[T]) -> Tensor {
        Tensor::from_slice(elements, &[elements.len()])
    }
}

/// The same value.
impl From<&Tensor> for Tensor {
    fn from(tensor: &Tensor) -> Tensor {
        tensor.clone()
    }
}

/// The current version.
impl From<&Variable> for Tensor {
    fn from(variable: &Variable) -> Tensor {
        variable.value()
    }
}
