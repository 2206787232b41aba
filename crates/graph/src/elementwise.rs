//! The open table of elementwise ops. One row is one op: adding one touches this file alone. Methods on tensors, gradients,
//! kernels for every executor, tests and the printed op table follow from the row.

use crate::dtype::DType;
use crate::erf::{TWO_OVER_SQRT_PI, erf};
use crate::expr::Expr;
use crate::scalar::Scalar;

/// Which dtypes an op takes and what it gives. Operands have one dtype unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TypeRule {
    /// Floats to the same float.
    Float,
    /// Floats, i32, u32 to the same.
    Number,
    /// Floats and i32 to the same.
    Signed,
    /// Anything to bool.
    Compare,
    /// Floats to bool.
    FloatTest,
    /// Bool to bool.
    Logic,
    /// Bool, i32, u32 to the same.
    Bits,
    /// i32, u32 to the same.
    Words,
    /// bool and two of any one dtype, to that dtype.
    Select,
}

impl TypeRule {
    /// The result's dtype, or why the operands do not fit.
    pub fn result(self, operands: &[DType]) -> Result<DType, String> {
        let (first, rest) = if self == TypeRule::Select {
            if operands[0] != DType::Bool {
                return Err(format!("chooses by a bool condition, found {}; compare first", operands[0]));
            }
            (operands[1], &operands[2..])
        } else {
            (operands[0], &operands[1..])
        };
        if let Some(other) = rest.iter().find(|d| **d != first) {
            return Err(format!("operands of dtypes {first} and {other}; cast one to the other"));
        }
        if !self.accepts(first) {
            return Err(format!("does not take {first}; cast it first"));
        }
        Ok(match self {
            TypeRule::Compare | TypeRule::FloatTest => DType::Bool,
            _ => first,
        })
    }

    /// Whether value operands of this dtype are taken.
    pub fn accepts(self, dtype: DType) -> bool {
        match self {
            TypeRule::Float | TypeRule::FloatTest => dtype.is_float(),
            TypeRule::Number => dtype.is_float() || matches!(dtype, DType::I32 | DType::U32),
            TypeRule::Signed => dtype.is_float() || dtype == DType::I32,
            TypeRule::Compare | TypeRule::Select => true,
            TypeRule::Logic => dtype == DType::Bool,
            TypeRule::Words => matches!(dtype, DType::I32 | DType::U32),
            TypeRule::Bits => matches!(dtype, DType::Bool | DType::I32 | DType::U32),
        }
    }
}

/// The cotangents of up to three operands; `None` where no gradient passes.
pub type Cotangents<'b> = [Option<Expr<'b>>; 3];

/// One elementwise op with all its rules.
pub struct Row {
    /// The name in graphs and errors, and of the method on tensors.
    pub name: &'static str,
    /// What it computes.
    pub doc: &'static str,
    /// Number of operands.
    pub arity: usize,
    /// Which dtypes it takes and gives.
    pub types: TypeRule,
    /// The value in f64, for float operands.
    pub reference: fn(&[f64]) -> f64,
    /// The value in i64 before wrapping to the dtype, for whole and bool operands.
    pub whole: Option<fn(&[i64]) -> i64>,
    /// Operands, result and its cotangent to the operands' cotangents.
    pub gradient: for<'b> fn(&[Expr<'b>], Expr<'b>, Expr<'b>) -> Cotangents<'b>,
    /// The value in scalar instructions.
    pub expression: for<'b> fn(&[Scalar<'b>]) -> Scalar<'b>,
    /// A cheaper equal expression, where the operands allow one.
    pub simplify: for<'b> fn(&[Expr<'b>]) -> Option<Expr<'b>>,
    /// Values at which tests try each operand.
    pub samples: &'static [f64],
    /// ONNX operator, where one is the same.
    pub onnx: Option<&'static str>,
}

/// An elementwise op: a row of [`TABLE`], or one of another crate ([`crate::elementwise!`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Elementwise(Place);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Table(u16),
    Elsewhere(Elsewhere),
}

/// A row of another crate, told apart from others by where it lies and not by its name.
#[derive(Clone, Copy)]
struct Elsewhere(&'static Row);

impl PartialEq for Elsewhere {
    fn eq(&self, other: &Elsewhere) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Elsewhere {}

impl std::hash::Hash for Elsewhere {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.0, state);
    }
}

impl Elementwise {
    /// The op of a row of another crate, which has one place for the whole life of the program.
    ///
    /// # Panics
    /// If the row has no operands, or more than three.
    pub const fn new(row: &'static Row) -> Elementwise {
        assert!(matches!(row.arity, 1..=3), "an elementwise op has one to three operands");
        Elementwise(Place::Elsewhere(Elsewhere(row)))
    }

    /// The row.
    pub fn row(self) -> &'static Row {
        match self.0 {
            Place::Table(position) => &TABLE[position as usize],
            Place::Elsewhere(row) => row.0,
        }
    }

    /// The position in [`TABLE`], if the row is there.
    pub fn position(self) -> Option<usize> {
        match self.0 {
            Place::Table(position) => Some(position as usize),
            Place::Elsewhere(_) => None,
        }
    }

    /// The op of every row of [`TABLE`].
    pub fn all() -> impl Iterator<Item = Elementwise> {
        (0..TABLE.len() as u16).map(|position| Elementwise(Place::Table(position)))
    }
}

impl std::fmt::Debug for Elementwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.row().name)
    }
}

fn one(a: Expr<'_>) -> Cotangents<'_> {
    [Some(a), None, None]
}

fn two<'b>(a: Expr<'b>, b: Expr<'b>) -> Cotangents<'b> {
    [Some(a), Some(b), None]
}

/// `dz` to the first operand where it wins, half to each where they are even, else to the second.
fn split<'b>(dz: Expr<'b>, wins: Expr<'b>, even: Expr<'b>) -> Cotangents<'b> {
    let (zero, half) = (dz.like(0.0), dz * 0.5);
    two(wins.select(&dz, &even.select(&half, &zero)), wins.select(&zero, &even.select(&half, &dz)))
}

/// Names the operands; their number is checked when the op is recorded.
macro_rules! bind {
    ($operands:ident: $($name:ident),*) => { let &[$($name),*] = $operands else { unreachable!("arity was checked") }; };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

macro_rules! whole {
    (($($name:ident),*)) => { None };
    (($($name:ident),*) $whole:expr) => { Some(|operands| { bind!(operands: $($name),*); $whole }) };
}

macro_rules! gradient {
    (($($name:ident),*)) => { |_, _, _| [None, None, None] };
    (($($name:ident),*) $y:pat, $dy:pat, $gradient:expr) => {
        |operands, $y, $dy| { bind!(operands: $($name),*); $gradient }
    };
}

macro_rules! simplify {
    (($($name:ident),*)) => { |_| None };
    (($($name:ident),*) $simplify:expr) => { |operands| { bind!(operands: $($name),*); $simplify } };
}

macro_rules! table {
    ($(
        $(#[doc = $doc:literal])+
        $ID:ident $name:ident($first:ident $(, $rest:ident)*): $types:ident {
            reference: $reference:expr,
            $(whole: $whole:expr,)?
            $(gradient($y:pat, $dy:pat): $gradient:expr,)?
            expression: $expression:expr,
            $(simplify: $simplify:expr,)?
            samples: $samples:expr,
            $(onnx: $onnx:literal,)?
        }
    )*) => {
        #[allow(clippy::upper_case_acronyms, non_camel_case_types)]
        #[repr(u16)]
        enum Index { $($ID),* }

        #[allow(missing_docs)]
        impl Elementwise {
            $(pub const $ID: Elementwise = Elementwise(Place::Table(Index::$ID as u16));)*
        }

        /// Every elementwise op of this crate.
        #[allow(unused_variables)]
        pub static TABLE: &[Row] = &[$(Row {
            name: stringify!($name),
            doc: concat!($($doc),+),
            arity: [stringify!($first) $(, stringify!($rest))*].len(),
            types: TypeRule::$types,
            reference: |operands| { bind!(operands: $first $(, $rest)*); $reference },
            whole: whole!(($first $(, $rest)*) $($whole)?),
            gradient: gradient!(($first $(, $rest)*) $($y, $dy, $gradient)?),
            expression: |operands| { bind!(operands: $first $(, $rest)*); $expression },
            simplify: simplify!(($first $(, $rest)*) $($simplify)?),
            samples: $samples,
            onnx: optional!($($onnx)?),
        }),*];

        /// Every elementwise op as a method. Whatever can apply a row gets them all: tensors and rule expressions.
        pub trait ElementwiseMethods: Sized {
            /// Applies a row of the table.
            #[track_caller]
            fn elementwise(op: Elementwise, operands: &[&Self]) -> Self;
            $(
                $(#[doc = $doc])+
                #[track_caller]
                fn $name(&self $(, $rest: &Self)*) -> Self { Self::elementwise(Elementwise::$ID, &[self $(, $rest)*]) }
            )*
        }
    };
}

const NUMBERS: &[f64] = &[-3.0, -1.5, -1.0, -0.25, 0.0, 0.5, 1.0, 2.0, 7.0];
const POSITIVE: &[f64] = &[0.125, 0.5, 1.0, 1.75, 3.0, 8.0];
const UNIT: &[f64] = &[0.0, 1.0];
const NOT_ZERO: &[f64] = &[-3.0, -1.5, -1.0, -0.25, 0.5, 1.0, 2.0, 7.0];
const SPECIAL: &[f64] = &[-1.0, 0.0, 2.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
const HALVES: &[f64] = &[-2.5, -1.5, -0.7, -0.5, 0.0, 0.3, 0.5, 1.5, 2.5];
const COUNTS: &[f64] = &[0.0, 1.0, 3.0, 8.0, 31.0];

table! {
    /// Sum.
    ADD add(x, y): Number {
        reference: x + y,
        whole: x + y,
        gradient(_, dz): two(dz, dz),
        expression: x + y,
        simplify: if y.is(0.0) { Some(x) } else if x.is(0.0) { Some(y) } else { None },
        samples: NUMBERS,
        onnx: "Add",
    }
    /// Difference.
    SUB sub(x, y): Number {
        reference: x - y,
        whole: x - y,
        gradient(_, dz): two(dz, -dz),
        expression: x - y,
        simplify: if y.is(0.0) { Some(x) } else { None },
        samples: NUMBERS,
        onnx: "Sub",
    }
    /// Product.
    MUL mul(x, y): Number {
        reference: x * y,
        whole: x.wrapping_mul(y),
        gradient(_, dz): two(dz * y, dz * x),
        expression: x * y,
        simplify: if y.is(1.0) { Some(x) } else if x.is(1.0) { Some(y) } else { None },
        samples: NUMBERS,
        onnx: "Mul",
    }
    /// Quotient; integers truncate, and give 0 where the divisor is 0.
    DIV div(x, y): Number {
        reference: x / y,
        whole: if y == 0 { 0 } else { x / y },
        gradient(z, dz): two(dz / y, -(dz * z / y)),
        expression: x / y,
        simplify: if y.is(1.0) { Some(x) } else { None },
        samples: NOT_ZERO,
        onnx: "Div",
    }
    /// Remainder with the sign of the dividend (C's fmod); integers give 0 where the divisor is 0.
    REM rem(x, y): Number {
        reference: x % y,
        whole: if y == 0 { 0 } else { x % y },
        gradient(z, dz): two(dz, -(dz * ((x - z) / y).round())),
        expression: x % y,
        samples: &[-7.3, -2.9, -1.3, 0.4, 1.7, 5.2],
    }
    /// x to the power of y. The gradient of x is 0 where y is 0, that of y is 0 where x is 0 and NaN where x is negative.
    POW pow(x, y): Float {
        reference: x.powf(y),
        gradient(z, dz): {
            let zero = x.like(0.0);
            let slope = y.equal(&zero).select(&zero, &(y * x.pow(&(y - 1.0))));
            let base = x.equal(&zero).select(&x.like(1.0), &x);
            two(dz * slope, dz * z * base.log())
        },
        expression: x.pow(y),
        simplify: if y.is(1.0) { Some(x) } else if y.is(2.0) { Some(x * x) } else { None },
        samples: POSITIVE,
        onnx: "Pow",
    }
    /// The smaller; NaN if either is NaN. Where equal, each operand gets half the gradient.
    MINIMUM minimum(x, y): Number {
        reference: if x < y || x.is_nan() { x } else { y },
        whole: x.min(y),
        gradient(_, dz): split(dz, x.less(&y), x.equal(&y)),
        expression: x.minimum(y),
        samples: NUMBERS,
        onnx: "Min",
    }
    /// The larger; NaN if either is NaN. Where equal, each operand gets half the gradient.
    MAXIMUM maximum(x, y): Number {
        reference: if x > y || x.is_nan() { x } else { y },
        whole: x.max(y),
        gradient(_, dz): split(dz, x.greater(&y), x.equal(&y)),
        expression: x.maximum(y),
        samples: NUMBERS,
        onnx: "Max",
    }
    /// x * y + z, rounded once. The compiler makes it of a product that is added to.
    MULTIPLY_ADD multiply_add(x, y, z): Float {
        reference: x.mul_add(y, z),
        gradient(_, dw): [Some(dw * y), Some(dw * x), Some(dw)],
        expression: x.mul_add(y, z),
        samples: &[-1.5, 0.0, 0.25, 3.0],
    }
    /// The opposite.
    NEG neg(x): Signed {
        reference: -x,
        whole: -x,
        gradient(_, dy): one(-dy),
        expression: -x,
        simplify: x.operands_of(Elementwise::NEG).map(|inner| inner[0]),
        samples: NUMBERS,
        onnx: "Neg",
    }
    /// Magnitude. The gradient at 0 is 0.
    ABS abs(x): Signed {
        reference: x.abs(),
        whole: x.abs(),
        gradient(_, dy): one(dy * x.sign()),
        expression: x.abs(),
        samples: NUMBERS,
        onnx: "Abs",
    }
    /// -1, 0 or 1 by the sign; NaN stays.
    SIGN sign(x): Signed {
        reference: if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x * 0.0 },
        whole: x.signum(),
        gradient(_, _): one(x.like(0.0)),
        expression: {
            let zero = x.like(0.0);
            zero.less(x).select(x.like(1.0), x.less(zero).select(x.like(-1.0), x * zero))
        },
        samples: NUMBERS,
        onnx: "Sign",
    }
    /// Largest whole number not above.
    FLOOR floor(x): Float {
        reference: x.floor(),
        gradient(_, _): one(x.like(0.0)),
        expression: x.floor(),
        samples: HALVES,
        onnx: "Floor",
    }
    /// Smallest whole number not below.
    CEIL ceil(x): Float {
        reference: x.ceil(),
        gradient(_, _): one(x.like(0.0)),
        expression: -((-x).floor()),
        samples: HALVES,
        onnx: "Ceil",
    }
    /// Nearest whole number, ties to even.
    ROUND round(x): Float {
        reference: x.round_ties_even(),
        gradient(_, _): one(x.like(0.0)),
        expression: x.round(),
        samples: HALVES,
        onnx: "Round",
    }
    /// Square root.
    SQRT sqrt(x): Float {
        reference: x.sqrt(),
        gradient(y, dy): one(dy * 0.5 / y),
        expression: x.sqrt(),
        samples: POSITIVE,
        onnx: "Sqrt",
    }
    /// One over the square root.
    RSQRT rsqrt(x): Float {
        reference: 1.0 / x.sqrt(),
        gradient(y, dy): one(dy * y * y * y * -0.5),
        expression: x.like(1.0) / x.sqrt(),
        samples: POSITIVE,
    }
    /// One over x.
    RECIPROCAL reciprocal(x): Float {
        reference: 1.0 / x,
        gradient(y, dy): one(-(dy * y * y)),
        expression: x.like(1.0) / x,
        samples: NOT_ZERO,
        onnx: "Reciprocal",
    }
    /// x times x.
    SQUARE square(x): Number {
        reference: x * x,
        whole: x.wrapping_mul(x),
        gradient(_, dy): one(dy * (x + x)),
        expression: x * x,
        samples: NUMBERS,
    }
    /// e to the power of x.
    EXP exp(x): Float {
        reference: x.exp(),
        gradient(y, dy): one(dy * y),
        expression: x.exp(),
        samples: NUMBERS,
        onnx: "Exp",
    }
    /// e to the power of x, less 1; accurate near 0.
    EXPM1 expm1(x): Float {
        reference: x.exp_m1(),
        gradient(y, dy): one(dy * (y + 1.0)),
        expression: {
            // Kahan's correction of u - 1 for u = exp(x); x itself where u rounds to 1. It is needed below 1 alone, where
            // nothing overflows.
            let u = x.exp();
            let one = x.like(1.0);
            let corrected = u.equal(one).select(x, (u - 1.0) * (x / u.log()));
            x.abs().less(one).select(corrected, u - 1.0)
        },
        samples: &[-20.0, -1.5, -1.0, -0.25, -1e-3, -1e-6, 0.0, 1e-6, 0.0625, 0.5, 1.0, 2.0, 7.0],
    }
    /// Natural logarithm.
    LOG log(x): Float {
        reference: x.ln(),
        gradient(_, dy): one(dy / x),
        expression: x.log(),
        samples: POSITIVE,
        onnx: "Log",
    }
    /// Natural logarithm of 1 + x; accurate near 0.
    LOG1P log1p(x): Float {
        reference: x.ln_1p(),
        gradient(_, dy): one(dy / (x + 1.0)),
        expression: {
            // Kahan's correction of log(u) for u = 1 + x; x itself where u rounds to 1. It is needed below 1 alone, where
            // nothing overflows.
            let u = x + 1.0;
            let one = x.like(1.0);
            let corrected = u.equal(one).select(x, u.log() * (x / (u - 1.0)));
            x.abs().less(one).select(corrected, u.log())
        },
        samples: &[-0.75, -0.25, -1e-3, -1e-6, 0.0, 1e-6, 0.0625, 0.5, 1.0, 1.75, 3.0, 8.0],
    }
    /// Sine of radians.
    SIN sin(x): Float {
        reference: x.sin(),
        gradient(_, dy): one(dy * x.cos()),
        expression: x.sin(),
        samples: NUMBERS,
        onnx: "Sin",
    }
    /// Cosine of radians.
    COS cos(x): Float {
        reference: x.cos(),
        gradient(_, dy): one(-(dy * x.sin())),
        expression: x.cos(),
        samples: NUMBERS,
        onnx: "Cos",
    }
    /// Hyperbolic tangent.
    TANH tanh(x): Float {
        reference: x.tanh(),
        gradient(y, dy): one(dy - dy * y * y),
        expression: x.tanh(),
        samples: NUMBERS,
        onnx: "Tanh",
    }
    /// Error function.
    ERF erf(x): Float {
        reference: erf(x),
        gradient(_, dy): one(dy * TWO_OVER_SQRT_PI * (-(x * x)).exp()),
        expression: x.erf(),
        samples: NUMBERS,
        onnx: "Erf",
    }
    /// Logistic function 1 / (1 + exp(-x)).
    SIGMOID sigmoid(x): Float {
        reference: 1.0 / (1.0 + (-x).exp()),
        gradient(y, dy): one(dy * (y - y * y)),
        expression: x.like(1.0) / ((-x).exp() + 1.0),
        samples: NUMBERS,
        onnx: "Sigmoid",
    }
    /// x times its logistic function (Elfwing et al., 2018; also called swish).
    SILU silu(x): Float {
        reference: x / (1.0 + (-x).exp()),
        gradient(_, dy): one({
            let s = x.sigmoid();
            dy * s * ((x - x * s) + 1.0)
        }),
        expression: x / ((-x).exp() + 1.0),
        samples: NUMBERS,
    }
    /// log(1 + exp(x)), without overflow.
    SOFTPLUS softplus(x): Float {
        reference: x.max(0.0) + (-x.abs()).exp().ln_1p(),
        gradient(_, dy): one(dy * x.sigmoid()),
        expression: {
            // log1p(e) by Kahan's correction: log(u) * e / (u - 1) for u = 1 + e, and e itself where u rounds to 1.
            let e = (-x.abs()).exp();
            let u = e + 1.0;
            let one = x.like(1.0);
            let tail = u.equal(one).select(e, u.log() * (e / (u - 1.0)));
            x.maximum(x.like(0.0)) + tail
        },
        samples: NUMBERS,
        onnx: "Softplus",
    }
    /// max(x, 0). The gradient at 0 is 0.
    RELU relu(x): Signed {
        reference: if x < 0.0 { 0.0 } else { x },
        whole: x.max(0),
        gradient(y, dy): one(y.greater(&y.like(0.0)).select(&dy, &y.like(0.0))),
        expression: x.maximum(x.like(0.0)),
        samples: &[-3.0, -0.25, 0.5, 2.0],
        onnx: "Relu",
    }
    /// Whether x < y.
    LESS less(x, y): Compare {
        reference: (x < y) as u8 as f64,
        whole: (x < y) as i64,
        expression: x.less(y),
        samples: NUMBERS,
        onnx: "Less",
    }
    /// Whether x <= y.
    LESS_EQUAL less_equal(x, y): Compare {
        reference: (x <= y) as u8 as f64,
        whole: (x <= y) as i64,
        expression: x.less_equal(y),
        samples: NUMBERS,
        onnx: "LessOrEqual",
    }
    /// Whether x > y.
    GREATER greater(x, y): Compare {
        reference: (x > y) as u8 as f64,
        whole: (x > y) as i64,
        expression: y.less(x),
        samples: NUMBERS,
        onnx: "Greater",
    }
    /// Whether x >= y.
    GREATER_EQUAL greater_equal(x, y): Compare {
        reference: (x >= y) as u8 as f64,
        whole: (x >= y) as i64,
        expression: y.less_equal(x),
        samples: NUMBERS,
        onnx: "GreaterOrEqual",
    }
    /// Whether x == y.
    EQUAL equal(x, y): Compare {
        reference: (x == y) as u8 as f64,
        whole: (x == y) as i64,
        expression: x.equal(y),
        samples: NUMBERS,
        onnx: "Equal",
    }
    /// Whether x != y.
    NOT_EQUAL not_equal(x, y): Compare {
        reference: (x != y) as u8 as f64,
        whole: (x != y) as i64,
        expression: x.equal(y).not(),
        samples: NUMBERS,
    }
    /// Whether neither infinite nor NaN.
    IS_FINITE is_finite(x): FloatTest {
        reference: x.is_finite() as u8 as f64,
        expression: x.abs().less(x.like(f64::INFINITY)),
        samples: SPECIAL,
    }
    /// Whether NaN.
    IS_NAN is_nan(x): FloatTest {
        reference: x.is_nan() as u8 as f64,
        expression: x.equal(x).not(),
        samples: SPECIAL,
        onnx: "IsNaN",
    }
    /// y where x, else z. Called as `condition.select(y, z)`.
    SELECT select(x, y, z): Select {
        reference: if x != 0.0 { y } else { z },
        whole: if x != 0 { y } else { z },
        gradient(_, dw): [None, Some(x.select(&dw, &dw.like(0.0))), Some(x.select(&dw.like(0.0), &dw))],
        expression: x.select(y, z),
        simplify: if x.is(1.0) { Some(y) } else if x.is(0.0) { Some(z) } else { None },
        samples: UNIT,
        onnx: "Where",
    }
    /// Bitwise (for bool logical) and.
    AND and(x, y): Bits {
        reference: ((x as i64) & (y as i64)) as f64,
        whole: x & y,
        expression: x.and(y),
        samples: UNIT,
    }
    /// Bitwise (for bool logical) or.
    OR or(x, y): Bits {
        reference: ((x as i64) | (y as i64)) as f64,
        whole: x | y,
        expression: x.or(y),
        samples: UNIT,
    }
    /// Bitwise (for bool logical) exclusive or.
    XOR xor(x, y): Bits {
        reference: ((x as i64) ^ (y as i64)) as f64,
        whole: x ^ y,
        expression: x.xor(y),
        samples: UNIT,
    }
    /// Logical not.
    NOT not(x): Logic {
        reference: 1.0 - x,
        whole: 1 - x,
        expression: x.not(),
        samples: UNIT,
        onnx: "Not",
    }
    /// x * 2^y for i32 and u32, wrapping; 0 from y = 32 on.
    SHIFT_LEFT shift_left(x, y): Words {
        reference: x * y.exp2(),
        whole: if (0..32).contains(&y) { x << y } else { 0 },
        expression: x.shift_left(y),
        samples: COUNTS,
    }
    /// The bits of x moved down by y for i32 and u32, filled with zeros; 0 from y = 32 on.
    SHIFT_RIGHT shift_right(x, y): Words {
        reference: (x / y.exp2()).floor(),
        whole: if (0..32).contains(&y) { (x as u32 >> y) as i64 } else { 0 },
        expression: x.shift_right(y),
        samples: COUNTS,
    }
}
