//! Arithmetic with NumPy's broadcasting: operators, and every row of the elementwise table as a method.

use crate::apply::common_device;
use crate::device::Device;
use crate::error::Error;
use crate::node::Kind;
use crate::scope;
use crate::tensor::Tensor;
use crate::variable::Variable;
use smallvec::{SmallVec, smallvec};
use std::ops;
use warploom_graph::shape::{broadcast, show};
use warploom_graph::{DType, Dims, Elementwise, ElementwiseMethods, Literal, Op, Type};

impl ElementwiseMethods for Tensor {
    #[track_caller]
    fn elementwise(op: Elementwise, operands: &[&Tensor]) -> Tensor {
        record(op, operands.iter().copied().cloned().collect(), None)
    }
}

type Operands = SmallVec<[Tensor; 3]>;

/// Records a row; `literal` is one more operand at a position, which takes the other operands' dtype.
#[track_caller]
fn record(row: Elementwise, operands: Operands, literal: Option<(u8, f64)>) -> Tensor {
    if let Some(failed) = operands.iter().find(|t| t.is_failed()) {
        return Tensor::clone(failed);
    }
    let origin = scope::origin();
    match checked(row, &operands, literal) {
        Err(message) => Tensor::failed(Error::at(row.row().name, message, &origin)),
        Ok(Recorded { ty, literal, device }) => {
            Tensor::lazy(Kind::Elementwise { row, literal }, ty, operands, origin, device)
        }
    }
}

struct Recorded {
    ty: Type,
    literal: Option<(u8, Literal)>,
    device: Option<Device>,
}

fn checked(row: Elementwise, operands: &[Tensor], literal: Option<(u8, f64)>) -> Result<Recorded, String> {
    let rules = row.row();
    let Some(first) = operands.first() else { return Err("takes at least one tensor".into()) };
    if operands.len() + literal.is_some() as usize != rules.arity {
        return Err(format!("takes {} operands, found {}", rules.arity, operands.len()));
    }
    let device = common_device(operands)?;
    let mut dtypes = [first.ty().dtype; 3];
    for (dtype, operand) in dtypes.iter_mut().zip(operands) {
        *dtype = operand.ty().dtype;
    }
    let literal = match literal {
        None => None,
        Some((position, number)) => {
            let dtype = first.ty().dtype;
            let value = Literal::new(dtype, number);
            if !dtype.is_float() && value.to_f64() != number {
                return Err(format!("{number} is not a value of {dtype}; cast the tensor first"));
            }
            // Only rows of two operands take a literal, and both are of one dtype.
            dtypes[1] = dtype;
            Some((position, value))
        }
    };
    let mut shape = Dims::from_slice(first.extents());
    for other in &operands[1..] {
        if other.extents() != &shape[..] {
            shape = broadcast(&shape, other.extents()).ok_or_else(|| misfit(operands))?;
        }
    }
    Ok(Recorded { ty: Type { dtype: rules.types.result(&dtypes[..rules.arity])?, shape }, literal, device })
}

fn misfit(operands: &[Tensor]) -> String {
    let parts: Vec<String> = operands
        .iter()
        .map(|t| match t.name() {
            Some(name) => format!("{} (`{name}`)", show(t.extents())),
            None => show(t.extents()),
        })
        .collect();
    format!(
        "shapes {} do not broadcast: aligned at the last axis, extents must be equal or 1",
        parts.join(" and ")
    )
}

impl Tensor {
    /// Stretched to a shape it is known to broadcast to.
    #[track_caller]
    pub(crate) fn stretched(&self, shape: &[usize]) -> Tensor {
        let from = self.extents();
        if from == shape {
            return self.clone();
        }
        if from.len() == shape.len() {
            return Tensor::apply(Op::Expand(Dims::from_slice(shape)), &[self]);
        }
        let mut full = Dims::from_elem(1, shape.len() - from.len());
        full.extend_from_slice(from);
        let same = full[..] == *shape;
        let aligned = Tensor::apply(Op::Reshape(full), &[self]);
        if same { aligned } else { Tensor::apply(Op::Expand(Dims::from_slice(shape)), &[&aligned]) }
    }

    #[track_caller]
    pub(crate) fn with_literal(&self, row: Elementwise, value: f64) -> Tensor {
        record(row, smallvec![self.clone()], Some((1, value)))
    }

    /// To the power of a literal.
    #[track_caller]
    pub fn powf(&self, exponent: f64) -> Tensor {
        self.with_literal(Elementwise::POW, exponent)
    }

    /// The smaller of each element and a literal; NaN stays.
    #[track_caller]
    pub fn at_most(&self, limit: f64) -> Tensor {
        self.with_literal(Elementwise::MINIMUM, limit)
    }

    /// The larger of each element and a literal; NaN stays.
    #[track_caller]
    pub fn at_least(&self, limit: f64) -> Tensor {
        self.with_literal(Elementwise::MAXIMUM, limit)
    }

    /// Between two literals; NaN stays.
    #[track_caller]
    pub fn clamp(&self, low: f64, high: f64) -> Tensor {
        self.at_least(low).at_most(high)
    }

    /// Compares with a literal: `x.compare(Elementwise::GREATER, 0.0)` is whether each element is above 0.
    #[track_caller]
    pub fn compare(&self, op: Elementwise, value: f64) -> Tensor {
        self.with_literal(op, value)
    }

    /// Conversion to another dtype; the tensor itself if it has it. Floats round to nearest even, floats to integers
    /// truncate toward zero and saturate, integers among themselves wrap, anything to bool is `!= 0`.
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Tensor {
        if self.is_failed() || self.ty().dtype == dtype {
            return self.clone();
        }
        if let Some(device) = &self.0.device
            && let Err(message) = device.check_dtype(dtype)
        {
            return Tensor::failed(Error::at("cast", message, &scope::origin()));
        }
        Tensor::apply(Op::Cast(dtype), &[self])
    }

    /// The same value, through which no gradient passes.
    #[track_caller]
    pub fn stop_gradient(&self) -> Tensor {
        Tensor::apply(Op::StopGradient, &[self])
    }

    /// The same value, across which the compiler moves, merges and recomputes nothing.
    #[track_caller]
    pub fn barrier(&self) -> Tensor {
        Tensor::apply(Op::Barrier, &[self])
    }
}

/// A number that can stand beside a tensor in arithmetic, where it takes the tensor's dtype.
///
/// On the left of an operator only f64 and i32 can stand: with more types Rust could not tell which one `1.0 - &x` means.
pub trait Scalar: Copy {
    /// The number; exact.
    fn number(self) -> f64;
}

macro_rules! scalars {
    ($($T:ty),*) => {$(
        impl Scalar for $T {
            fn number(self) -> f64 { self as f64 }
        }
    )*};
}
scalars!(f32, f64, i32, u32, u8);

/// One operator for every pair of tensor and variable, owned or borrowed, and for literals on either side.
macro_rules! operator {
    ($Trait:ident $method:ident $OP:ident) => {
        operator!(@pair $Trait $method $OP: Tensor, Tensor);
        operator!(@pair $Trait $method $OP: Tensor, &Tensor);
        operator!(@pair $Trait $method $OP: Tensor, &Variable);
        operator!(@pair $Trait $method $OP: &Tensor, Tensor);
        operator!(@pair $Trait $method $OP: &Tensor, &Tensor);
        operator!(@pair $Trait $method $OP: &Tensor, &Variable);
        operator!(@pair $Trait $method $OP: &Variable, Tensor);
        operator!(@pair $Trait $method $OP: &Variable, &Tensor);
        operator!(@pair $Trait $method $OP: &Variable, &Variable);
        operator!(@right $Trait $method $OP: Tensor, &Tensor, &Variable);
        operator!(@left $Trait $method $OP: f64; Tensor, &Tensor, &Variable);
        operator!(@left $Trait $method $OP: i32; Tensor, &Tensor, &Variable);
    };
    (@pair $Trait:ident $method:ident $OP:ident: $Lhs:ty, $Rhs:ty) => {
        impl ops::$Trait<$Rhs> for $Lhs {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: $Rhs) -> Tensor {
                record(Elementwise::$OP, smallvec![self.operand(), other.operand()], None)
            }
        }
    };
    (@right $Trait:ident $method:ident $OP:ident: $($Tensor:ty),*) => {$(
        /// The literal takes the tensor's dtype; it is structure: another number is another program.
        impl<S: Scalar> ops::$Trait<S> for $Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: S) -> Tensor {
                record(Elementwise::$OP, smallvec![self.operand()], Some((1, other.number())))
            }
        }
    )*};
    (@left $Trait:ident $method:ident $OP:ident: $Scalar:ty; $($Tensor:ty),*) => {$(
        /// The literal takes the tensor's dtype; it is structure: another number is another program.
        impl ops::$Trait<$Tensor> for $Scalar {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: $Tensor) -> Tensor {
                record(Elementwise::$OP, smallvec![other.operand()], Some((0, self.number())))
            }
        }
    )*};
}
operator!(Add add ADD);
operator!(Sub sub SUB);
operator!(Mul mul MUL);
operator!(Div div DIV);

macro_rules! negation {
    ($($Tensor:ty),*) => {$(
        impl ops::Neg for $Tensor {
            type Output = Tensor;
            #[track_caller]
            fn neg(self) -> Tensor { record(Elementwise::NEG, smallvec![self.operand()], None) }
        }
    )*};
}
negation!(Tensor, &Tensor, &Variable);

/// An operand of an operator as a tensor.
trait IntoOperand {
    fn operand(self) -> Tensor;
}

impl IntoOperand for Tensor {
    fn operand(self) -> Tensor {
        self
    }
}

impl IntoOperand for &Tensor {
    fn operand(self) -> Tensor {
        self.clone()
    }
}

impl IntoOperand for &Variable {
    fn operand(self) -> Tensor {
        self.value()
    }
}
