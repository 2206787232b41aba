//! The closed set of scalar instructions that every backend spells, and the handle in which rows of the elementwise
//! table write their expressions.

use crate::dtype::{DType, Literal};
use std::cell::RefCell;
use std::ops;

/// One scalar instruction. Operands have the instruction's dtype unless said otherwise.
///
/// Registers hold f32, f64, i32, u32 or bool: f16, bf16 and u8 are widened when loaded, and a [`ScalarOp::Cast`] to f16
/// or bf16 rounds a value held in f32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ScalarOp {
    /// `a + b`, wrapping for integers.
    Add,
    /// `a - b`, wrapping for integers.
    Sub,
    /// `a * b`, wrapping for integers.
    Mul,
    /// `a / b`; integers truncate, by zero gives 0, and the lowest i32 by -1 wraps to itself.
    Div,
    /// Remainder with the sign of `a` (C's fmod), exact; integers by zero give 0.
    Rem,
    /// `a` to the power of `b` (floats), with C's pow at special points.
    Pow,
    /// Smaller; NaN if either is NaN; `b` where equal.
    Min,
    /// Larger; NaN if either is NaN; `b` where equal.
    Max,
    /// `a * b + c` rounded once (floats).
    MulAdd,
    /// `-a`, wrapping for integers.
    Neg,
    /// Magnitude; the lowest i32 wraps to itself.
    Abs,
    /// Largest whole number not above.
    Floor,
    /// Nearest whole number, ties to even.
    Round,
    /// Square root, correctly rounded.
    Sqrt,
    /// e to the power.
    Exp,
    /// Natural logarithm.
    Log,
    /// Sine of radians.
    Sin,
    /// Cosine of radians.
    Cos,
    /// Hyperbolic tangent.
    Tanh,
    /// Error function.
    Erf,
    /// `a < b`, gives bool.
    Less,
    /// `a <= b`, gives bool.
    LessEqual,
    /// `a == b`, gives bool.
    Equal,
    /// `a ? b : c` with `a` bool.
    Select,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// `a << b` with `b` read as unsigned, 0 from 32 on.
    ShiftLeft,
    /// Logical `a >> b` with `b` read as unsigned, 0 from 32 on.
    ShiftRight,
    /// Conversion from the operand's dtype to the instruction's, by the rules of [`crate::Op::Cast`].
    Cast,
}

impl ScalarOp {
    /// Every instruction, for tests and writers' tables.
    pub const ALL: [ScalarOp; 30] = {
        use ScalarOp::*;
        [
            Add, Sub, Mul, Div, Rem, Pow, Min, Max, MulAdd, Neg, Abs, Floor, Round, Sqrt, Exp, Log, Sin, Cos,
            Tanh, Erf, Less, LessEqual, Equal, Select, And, Or, Xor, ShiftLeft, ShiftRight, Cast,
        ]
    };

    /// Number of operands.
    pub const fn arity(self) -> usize {
        use ScalarOp::*;
        match self {
            Neg | Abs | Floor | Round | Sqrt | Exp | Log | Sin | Cos | Tanh | Erf | Cast => 1,
            Add | Sub | Mul | Div | Rem | Pow | Min | Max | Less | LessEqual | Equal | And | Or | Xor
            | ShiftLeft | ShiftRight => 2,
            MulAdd | Select => 3,
        }
    }

    /// The dtype of the result for operands of `dtype` (for select, of its branches).
    pub const fn result(self, dtype: DType) -> DType {
        match self {
            ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal => DType::Bool,
            _ => dtype,
        }
    }

    /// The name in printed kernels.
    pub const fn name(self) -> &'static str {
        use ScalarOp::*;
        match self {
            Add => "add",
            Sub => "sub",
            Mul => "mul",
            Div => "div",
            Rem => "rem",
            Pow => "pow",
            Min => "min",
            Max => "max",
            MulAdd => "mul_add",
            Neg => "neg",
            Abs => "abs",
            Floor => "floor",
            Round => "round",
            Sqrt => "sqrt",
            Exp => "exp",
            Log => "log",
            Sin => "sin",
            Cos => "cos",
            Tanh => "tanh",
            Erf => "erf",
            Less => "less",
            LessEqual => "less_equal",
            Equal => "equal",
            Select => "select",
            And => "and",
            Or => "or",
            Xor => "xor",
            ShiftLeft => "shift_left",
            ShiftRight => "shift_right",
            Cast => "cast",
        }
    }
}

/// A register of the code being emitted.
pub type Register = u32;

/// Whoever collects scalar instructions.
pub trait Emit {
    /// Appends an instruction whose result has dtype `dtype` and returns its register.
    fn emit(&mut self, op: ScalarOp, dtype: DType, operands: &[Register]) -> Register;
    /// A register holding a literal.
    fn literal(&mut self, literal: Literal) -> Register;
}

/// A register with its dtype, with the operators in which expressions are written.
#[derive(Clone, Copy)]
pub struct Scalar<'b> {
    sink: &'b RefCell<dyn Emit + 'b>,
    /// The register.
    pub register: Register,
    /// Its dtype.
    pub dtype: DType,
}

impl<'b> Scalar<'b> {
    /// Wraps a register of `sink`.
    pub fn new(sink: &'b RefCell<dyn Emit + 'b>, register: Register, dtype: DType) -> Scalar<'b> {
        Scalar { sink, register, dtype }
    }

    fn apply(self, op: ScalarOp, rest: &[Scalar<'b>]) -> Scalar<'b> {
        let mut operands = [self.register; 3];
        for (slot, s) in operands[1..].iter_mut().zip(rest) {
            *slot = s.register;
        }
        let dtype = op.result(if op == ScalarOp::Select { rest[0].dtype } else { self.dtype });
        let register = self.sink.borrow_mut().emit(op, dtype, &operands[..rest.len() + 1]);
        Scalar { sink: self.sink, register, dtype }
    }

    /// A literal of the same dtype.
    pub fn like(self, value: f64) -> Scalar<'b> {
        let register = self.sink.borrow_mut().literal(Literal::new(self.dtype, value));
        Scalar { register, ..self }
    }

    /// Conversion to another dtype.
    pub fn cast(self, dtype: DType) -> Scalar<'b> {
        if dtype == self.dtype {
            return self;
        }
        let register = self.sink.borrow_mut().emit(ScalarOp::Cast, dtype, &[self.register]);
        Scalar { register, dtype, ..self }
    }

    /// `self ? a : b`.
    pub fn select(self, a: Scalar<'b>, b: Scalar<'b>) -> Scalar<'b> {
        self.apply(ScalarOp::Select, &[a, b])
    }

    /// `self * a + b`, rounded once.
    pub fn mul_add(self, a: Scalar<'b>, b: Scalar<'b>) -> Scalar<'b> {
        self.apply(ScalarOp::MulAdd, &[a, b])
    }

    /// Logical not of a bool.
    #[allow(clippy::should_implement_trait)] // a method like its neighbours; `!` would hide that it is for bool alone
    pub fn not(self) -> Scalar<'b> {
        self.apply(ScalarOp::Xor, &[self.like(1.0)])
    }
}

macro_rules! methods {
    ($($one:ident $Op1:ident),*; $($two:ident $Op2:ident),*) => {
        /// Instructions as methods, named as in [`ScalarOp`].
        #[allow(missing_docs)]
        impl<'b> Scalar<'b> {
            $(pub fn $one(self) -> Scalar<'b> { self.apply(ScalarOp::$Op1, &[]) })*
            $(pub fn $two(self, other: Scalar<'b>) -> Scalar<'b> { self.apply(ScalarOp::$Op2, &[other]) })*
        }
    };
}
methods! {
    abs Abs, floor Floor, round Round, sqrt Sqrt, exp Exp, log Log, sin Sin, cos Cos, tanh Tanh, erf Erf;
    pow Pow, minimum Min, maximum Max, less Less, less_equal LessEqual, equal Equal, and And, or Or, xor Xor,
    shift_left ShiftLeft, shift_right ShiftRight
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Op:ident),*) => {$(
        impl<'b> ops::$Trait for Scalar<'b> {
            type Output = Scalar<'b>;
            fn $method(self, other: Scalar<'b>) -> Scalar<'b> { self.apply(ScalarOp::$Op, &[other]) }
        }
        impl<'b> ops::$Trait<f64> for Scalar<'b> {
            type Output = Scalar<'b>;
            fn $method(self, other: f64) -> Scalar<'b> { self.apply(ScalarOp::$Op, &[self.like(other)]) }
        }
        impl<'b> ops::$Trait<Scalar<'b>> for f64 {
            type Output = Scalar<'b>;
            fn $method(self, other: Scalar<'b>) -> Scalar<'b> { other.like(self).apply(ScalarOp::$Op, &[other]) }
        }
    )*};
}
operators!(Add add Add, Sub sub Sub, Mul mul Mul, Div div Div, Rem rem Rem);

impl<'b> ops::Neg for Scalar<'b> {
    type Output = Scalar<'b>;
    fn neg(self) -> Scalar<'b> {
        self.apply(ScalarOp::Neg, &[])
    }
}
