//! Elementwise ops of other crates: one scalar expression with its derivative, or a whole [`Row`].

use crate::dtype::{DType, Literal};
use crate::elementwise::{Cotangents, Row};
use crate::expr::Expr;
use crate::scalar::{Emit, Register, Scalar, ScalarOp};
use std::cell::RefCell;

/// Defines elementwise ops of floats, each as a function that tensors and rule expressions apply. It fuses, differentiates
/// and runs on every device as the ops of [`crate::elementwise::TABLE`] do.
///
/// `expression` is the value in scalar instructions ([`Scalar`]) of up to three operands. `gradient` names the result and
/// its cotangent and gives one cotangent for each operand, as [`Expr`]s, of which it may be differentiated again. For other
/// dtypes write a [`Row`] and apply [`crate::Elementwise::new`].
///
/// ```
/// use warploom_graph::{Builder, DType, Graph, Origin, Type};
///
/// warploom_graph::elementwise! {
///     /// x / (a + |x|).
///     pub fn soft_clip(x, a) {
///         expression: x / (a + x.abs()),
///         gradient(y, dy): { let each = dy / (a + x.abs()); [each * (y.abs().neg() + 1.0), -(each * y)] },
///     }
/// }
///
/// let builder = Builder::new(Graph::new(), Origin::here());
/// let [x, a] = [0, 1].map(|_| builder.parameter(Type::new(DType::F32, &[4])));
/// assert_eq!(soft_clip(&x, &a).ty(), Type::new(DType::F32, &[4]));
/// ```
#[macro_export]
macro_rules! elementwise {
    ($(
        $(#[doc = $doc:literal])+
        $visibility:vis fn $name:ident($first:ident $(, $rest:ident)* $(,)?) {
            expression: $expression:expr,
            gradient($y:pat, $dy:pat): $gradient:expr $(,)?
        }
    )*) => {$(
        $(#[doc = $doc])+
        #[track_caller]
        $visibility fn $name<T: $crate::ElementwiseMethods>($first: &T $(, $rest: &T)*) -> T {
            const ARITY: usize = [stringify!($first) $(, stringify!($rest))*].len();

            #[allow(unused_variables)]
            fn expression<'b>(operands: &[$crate::scalar::Scalar<'b>]) -> $crate::scalar::Scalar<'b> {
                let &[$first $(, $rest)*] = operands else { unreachable!("arity was checked") };
                $expression
            }

            #[allow(unused_variables)]
            fn gradient<'b>(
                operands: &[$crate::Expr<'b>],
                $y: $crate::Expr<'b>,
                $dy: $crate::Expr<'b>,
            ) -> $crate::elementwise::Cotangents<'b> {
                #[allow(unused_imports)]
                use $crate::ElementwiseMethods as _;
                let &[$first $(, $rest)*] = operands else { unreachable!("arity was checked") };
                let cotangents: [$crate::Expr<'b>; ARITY] = $gradient;
                $crate::formula::cotangents(cotangents)
            }

            static ROW: $crate::elementwise::Row = $crate::elementwise::Row {
                name: stringify!($name),
                doc: concat!($($doc),+),
                arity: ARITY,
                types: $crate::elementwise::TypeRule::Float,
                reference: |operands| $crate::formula::evaluate(expression, operands),
                whole: None,
                gradient,
                expression,
                simplify: |_| None,
                samples: &[],
                onnx: None,
            };
            T::elementwise($crate::Elementwise::new(&ROW), &[$first $(, $rest)*])
        }
    )*};
}

/// One cotangent for each operand.
pub fn cotangents<const N: usize>(given: [Expr<'_>; N]) -> Cotangents<'_> {
    const { assert!(N <= 3, "an elementwise op has at most three operands") };
    let mut all = [None; 3];
    all.iter_mut().zip(given).for_each(|(slot, given)| *slot = Some(given));
    all
}

/// The value of an expression of floats in f64.
pub fn evaluate(expression: for<'b> fn(&[Scalar<'b>]) -> Scalar<'b>, operands: &[f64]) -> f64 {
    let sink = RefCell::new(Numbers(operands.to_vec()));
    let wrap = |(register, _)| Scalar::new(&sink, register, DType::F64);
    let scalars: Vec<Scalar> = (0..).zip(operands).map(wrap).collect();
    let result = expression(&scalars).register as usize;
    let registers = sink.borrow();
    registers.0[result]
}

/// Runs instructions at once; a bool is 0 or 1.
struct Numbers(Vec<f64>);

impl Emit for Numbers {
    fn emit(&mut self, op: ScalarOp, dtype: DType, operands: &[Register]) -> Register {
        let at = |i: usize| operands.get(i).map_or(f64::NAN, |register| self.0[*register as usize]);
        let value = number(op, dtype, at(0), at(1), at(2));
        self.0.push(value);
        self.0.len() as Register - 1
    }

    fn literal(&mut self, literal: Literal) -> Register {
        self.0.push(literal.to_f64());
        self.0.len() as Register - 1
    }
}

fn number(op: ScalarOp, dtype: DType, a: f64, b: f64, c: f64) -> f64 {
    let (x, y) = (a as i64, b as i64);
    let value = match op {
        ScalarOp::Add => a + b,
        ScalarOp::Sub => a - b,
        ScalarOp::Mul => a * b,
        ScalarOp::Div | ScalarOp::Rem if !dtype.is_float() && b == 0.0 => 0.0,
        ScalarOp::Div => a / b,
        ScalarOp::Rem => a % b,
        ScalarOp::Pow => a.powf(b),
        ScalarOp::Min | ScalarOp::Max if a.is_nan() || b.is_nan() => f64::NAN,
        ScalarOp::Min => a.min(b),
        ScalarOp::Max => a.max(b),
        ScalarOp::MulAdd => a.mul_add(b, c),
        ScalarOp::Neg => -a,
        ScalarOp::Abs => a.abs(),
        ScalarOp::Floor => a.floor(),
        ScalarOp::Round => a.round_ties_even(),
        ScalarOp::Sqrt => a.sqrt(),
        ScalarOp::Exp => a.exp(),
        ScalarOp::Log => a.ln(),
        ScalarOp::Sin => a.sin(),
        ScalarOp::Cos => a.cos(),
        ScalarOp::Tanh => a.tanh(),
        ScalarOp::Erf => crate::erf::erf(a),
        ScalarOp::Less => f64::from(a < b),
        ScalarOp::LessEqual => f64::from(a <= b),
        ScalarOp::Equal => f64::from(a == b),
        ScalarOp::Select => [c, b][usize::from(a != 0.0)],
        ScalarOp::And => (x & y) as f64,
        ScalarOp::Or => (x | y) as f64,
        ScalarOp::Xor => (x ^ y) as f64,
        ScalarOp::ShiftLeft => f64::from((x as u32).checked_shl(y as u32).unwrap_or(0)),
        ScalarOp::ShiftRight => f64::from((x as u32).checked_shr(y as u32).unwrap_or(0)),
        ScalarOp::Cast => a,
    };
    match dtype {
        DType::Bool => f64::from(value != 0.0),
        DType::F64 => value,
        _ if dtype.is_float() => dtype.round(value),
        _ => value.trunc().clamp(dtype.lowest().to_f64(), dtype.highest().to_f64()),
    }
}

/// What is wrong with the instructions of a row, applied to operands of these dtypes, whose result is to be of another.
pub(crate) fn check(row: &Row, operands: &[DType], result: DType) -> Result<(), String> {
    let registers: Vec<DType> = operands.iter().map(|dtype| held(*dtype)).collect();
    let sink = RefCell::new(Types { registers: registers.clone(), wrong: None });
    let wrap = |(register, dtype)| Scalar::new(&sink, register, dtype);
    let scalars: Vec<Scalar> = (0..).zip(registers).map(wrap).collect();
    let found = (row.expression)(&scalars).dtype;
    match sink.borrow_mut().wrong.take() {
        Some(wrong) => Err(wrong),
        None if found == held(result) => Ok(()),
        None => Err(format!("its expression gives {found}; it must give {}", held(result))),
    }
}

/// The dtype of a register that holds a value.
fn held(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        DType::U8 => DType::U32,
        DType::Bool | DType::I32 | DType::U32 | DType::F32 | DType::F64 => dtype,
    }
}

/// Follows the dtypes of registers and keeps the first instruction that does not fit.
struct Types {
    registers: Vec<DType>,
    wrong: Option<String>,
}

impl Emit for Types {
    fn emit(&mut self, op: ScalarOp, dtype: DType, operands: &[Register]) -> Register {
        let types: Vec<DType> = operands.iter().map(|register| self.registers[*register as usize]).collect();
        if self.wrong.is_none() && !fits(op, &types) {
            let types: Vec<String> = types.iter().map(|dtype| dtype.to_string()).collect();
            self.wrong = Some(format!("its expression has {} of {}", op.name(), types.join(", ")));
        }
        self.registers.push(dtype);
        self.registers.len() as Register - 1
    }

    fn literal(&mut self, literal: Literal) -> Register {
        self.registers.push(literal.dtype());
        self.registers.len() as Register - 1
    }
}

fn fits(op: ScalarOp, types: &[DType]) -> bool {
    use ScalarOp::*;
    let (first, rest) = match op {
        Select if types[0] != DType::Bool => return false,
        Select => (types[1], &types[2..]),
        _ => (types[0], &types[1..]),
    };
    let allowed = match op {
        Pow | MulAdd | Floor | Round | Sqrt | Exp | Log | Sin | Cos | Tanh | Erf => first.is_float(),
        Add | Sub | Mul | Div | Rem | Min | Max | Neg | Abs => first != DType::Bool,
        And | Or | Xor => !first.is_float(),
        ShiftLeft | ShiftRight => matches!(first, DType::I32 | DType::U32),
        Less | LessEqual | Equal | Select | Cast => true,
    };
    allowed && rest.iter().all(|dtype| *dtype == first)
}
