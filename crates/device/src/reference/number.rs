//! A register of the reference: a value with how far an honest executor may be from it.

use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Elementwise};

use crate::kernel::register_dtype;

/// A value, and how far from it another may be that was rounded elsewhere on the way. Whole numbers and truth values are
/// f64 here as well, which holds them all. An infinite error says that nothing is known: what overflowed, or hangs on a
/// comparison that rounding may turn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Number {
    /// The value, rounded as the register's dtype is.
    pub value: f64,
    /// The largest error allowed; 0 where every executor has the same bits.
    pub error: f64,
}

impl Number {
    /// A number without rounding.
    pub fn exact(value: f64) -> Number {
        Number { value, error: 0.0 }
    }

    fn undecided(value: f64) -> Number {
        Number { value, error: f64::INFINITY }
    }

    /// Whether `got`, stored as `dtype`, is this number. Rounding is monotone, so what an honest executor stores lies
    /// between the ends of the error, rounded.
    pub fn admits(self, got: f64, dtype: DType) -> bool {
        let [low, high] = [-self.error, self.error].map(|error| dtype.round(self.value + error));
        self.error.is_infinite()
            || got.is_nan() && self.value.is_nan()
            || (low <= got && got <= high)
            || got == dtype.round(self.value)
    }
}

/// The error of one instruction, relative to the result: twice that of rounding to nearest. In f64 the reference rounds too;
/// in f32 compilers of GPUs may take constants together first, which moves a rounding elsewhere.
fn unit(dtype: DType) -> f64 {
    if dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) }
}

/// The smallest normal magnitude: executors may take what lies below for zero.
fn smallest(dtype: DType) -> f64 {
    if dtype == DType::F64 { f64::MIN_POSITIVE } else { f64::from(f32::MIN_POSITIVE) }
}

/// A sum of floats in any order.
pub(crate) struct Sum {
    dtype: DType,
    value: f64,
    error: f64,
    /// Sum of magnitudes.
    magnitude: f64,
    terms: f64,
    /// Whether all terms are whole: then sums below the mantissa's range are exact in any order.
    whole: bool,
}

impl Sum {
    pub fn new(dtype: DType) -> Sum {
        Sum { dtype: register_dtype(dtype), value: 0.0, error: 0.0, magnitude: 0.0, terms: 0.0, whole: true }
    }

    pub fn add(&mut self, term: f64, error: f64) {
        self.value += term;
        self.error += error;
        self.magnitude += term.abs();
        self.terms += 1.0;
        self.whole &= term == term.trunc();
    }

    /// The most that sums lose where each is rounded by `unit` of its magnitude.
    pub fn worst(&self, unit: f64) -> f64 {
        self.terms * unit * self.magnitude
    }

    /// The sum; `roundings` is the number of roundings of each term before it was added.
    pub fn finish(&self, roundings: f64) -> Number {
        if !self.magnitude.is_finite() {
            // An infinity or NaN among the terms decides, whatever the others are rounded to.
            let certain = self.error == 0.0 && !self.value.is_finite();
            return if certain { Number::exact(self.value) } else { Number::undecided(self.value) };
        }
        let unit = unit(self.dtype);
        let exact = self.whole && self.error == 0.0 && self.magnitude * unit < 0.5;
        let lost = (self.terms + roundings) * (unit * self.magnitude + smallest(self.dtype));
        let value = self.dtype.round(self.value);
        let overflows = !self.dtype.round(self.magnitude).is_finite();
        if overflows || self.error.is_nan() {
            return Number::undecided(value);
        }
        Number { value, error: if exact { 0.0 } else { self.error + lost } }
    }
}

/// A scalar instruction on registers of `of` (for select, its branches').
pub(crate) fn apply(op: ScalarOp, dtype: DType, of: DType, x: [Number; 3]) -> Number {
    match op {
        ScalarOp::Select => select(dtype, x),
        ScalarOp::Cast => cast(dtype, of, x[0]),
        _ if of.is_float() => float(op, of, x),
        _ => {
            let value = whole(op, of, x.map(|x| x.value as i64)) as f64;
            let known = x[..op.arity()].iter().all(|x| x.error == 0.0);
            if known { Number::exact(value) } else { Number::undecided(value) }
        }
    }
}

fn select(dtype: DType, [condition, a, b]: [Number; 3]) -> Number {
    let (taken, other) = if condition.value != 0.0 { (a, b) } else { (b, a) };
    if condition.error == 0.0 || a == b {
        return taken;
    }
    let apart = difference(taken.value, other.value);
    match dtype.is_float() {
        true => Number { value: taken.value, error: taken.error.max(apart + other.error) },
        false => Number::undecided(taken.value),
    }
}

/// How far two results are apart; NaN is none from NaN and any from a number.
fn difference(a: f64, b: f64) -> f64 {
    if a == b || a.is_nan() && b.is_nan() {
        return 0.0;
    }
    let apart = (a - b).abs();
    if apart.is_nan() { f64::INFINITY } else { apart }
}

/// How far `f` moves when its operands move to the ends of their errors; exact where `f` is monotone in each of them.
fn spread(f: impl Fn([f64; 3]) -> f64, x: [Number; 3]) -> f64 {
    if x.iter().all(|x| x.error == 0.0) {
        return 0.0;
    }
    if x.iter().any(|x| x.error.is_infinite()) {
        return f64::INFINITY;
    }
    let centre = f(x.map(|x| x.value));
    (0..8)
        .map(|corner: usize| {
            let at = |i: usize| x[i].value + if corner >> i & 1 == 1 { x[i].error } else { -x[i].error };
            difference(f([at(0), at(1), at(2)]), centre)
        })
        .fold(0.0, f64::max)
}

fn cast(dtype: DType, of: DType, x: Number) -> Number {
    let to = |x: f64| match (of.is_float(), dtype) {
        (_, DType::Bool) => f64::from(x != 0.0),
        (true, DType::U8 | DType::I32 | DType::U32) => {
            let whole = if x.is_nan() { 0.0 } else { x.trunc() };
            whole.clamp(dtype.lowest().to_f64(), dtype.highest().to_f64())
        }
        _ => dtype.round(x),
    };
    let (value, error) = (to(x.value), spread(|x| to(x[0]), [x, Number::exact(0.0), Number::exact(0.0)]));
    if dtype.is_float() || error == 0.0 { Number { value, error } } else { Number::undecided(value) }
}

fn float(op: ScalarOp, of: DType, mut x: [Number; 3]) -> Number {
    use ScalarOp::*;
    let of = register_dtype(of);
    let arity = op.arity();
    x[arity..].fill(Number::exact(0.0));
    for x in &mut x[..arity] {
        if x.value != 0.0 && x.value.abs() < smallest(of) {
            x.error = x.error.max(x.value.abs());
        }
    }
    let given = x.map(|x| x.value);
    let exact = calculate(op, given);
    if matches!(op, Less | LessEqual | Equal) {
        let room = x[0].error + x[1].error;
        let sure =
            room == 0.0 || (given[0] - given[1]).abs() > room || given[0].is_nan() || given[1].is_nan();
        return if sure && room.is_finite() { Number::exact(exact) } else { Number::undecided(exact) };
    }
    let moved = match op {
        Sin | Cos if x[0].error > 0.0 => x[0].error.min(2.0),
        Div if x[1].error > 0.0 && given[1].abs() <= x[1].error => f64::INFINITY,
        Pow if (x[0].error > 0.0 || x[1].error > 0.0) && given[0] <= x[0].error => f64::INFINITY,
        Rem if spread(|x| (x[0] / x[1]).trunc(), x) > 0.0 => f64::INFINITY,
        _ => spread(|x| calculate(op, x), x),
    };
    let value = of.round(exact);
    let overflows = !value.is_finite() && given[..arity].iter().all(|x| x.is_finite());
    if overflows || moved.is_infinite() {
        return Number::undecided(value);
    }
    let below = if value != 0.0 && value.abs() < smallest(of) || value == 0.0 && exact != 0.0 {
        smallest(of)
    } else {
        0.0
    };
    let lost = if value.is_finite() { roundings(op, of, given, exact) * unit(of) + below } else { 0.0 };
    Number { value, error: moved + lost }
}

fn calculate(op: ScalarOp, [a, b, c]: [f64; 3]) -> f64 {
    use ScalarOp::*;
    match op {
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        Div => a / b,
        Rem => a % b,
        Pow => a.powf(b),
        Min if a.is_nan() || b.is_nan() => f64::NAN,
        Max if a.is_nan() || b.is_nan() => f64::NAN,
        Min => {
            if a < b {
                a
            } else {
                b
            }
        }
        Max => {
            if a > b {
                a
            } else {
                b
            }
        }
        MulAdd => a.mul_add(b, c),
        Neg => -a,
        Abs => a.abs(),
        Floor => a.floor(),
        Round => a.round_ties_even(),
        Sqrt => a.sqrt(),
        Exp => a.exp(),
        Log => a.ln(),
        Sin => a.sin(),
        Cos => a.cos(),
        Tanh => a.tanh(),
        Erf => (Elementwise::ERF.row().reference)(&[a]),
        Less => f64::from(a < b),
        LessEqual => f64::from(a <= b),
        Equal => f64::from(a == b),
        Select | And | Or | Xor | ShiftLeft | ShiftRight | Cast => f64::NAN,
    }
}

/// The magnitude that roundings of the instruction itself may lose, in units: one for each rounding of the arithmetic, four
/// for a quotient (shading languages allow 2.5 units in the last place), sixteen for an elementary function.
fn roundings(op: ScalarOp, of: DType, [a, b, _]: [f64; 3], exact: f64) -> f64 {
    use ScalarOp::*;
    let held = |x: f64| {
        if of == DType::F64 { x == x.trunc() && x.abs() < 9.0e15 } else { of.round(x) == x }
    };
    let magnitude = exact.abs();
    match op {
        Add | Sub | Mul => {
            if held(exact) {
                0.0
            } else {
                magnitude
            }
        }
        MulAdd if held(a * b) => {
            if held(exact) {
                0.0
            } else {
                magnitude
            }
        }
        // Fused, or not.
        MulAdd => magnitude + (a * b).abs(),
        Div => 4.0 * magnitude,
        Sqrt => 2.0 * magnitude,
        Pow | Exp | Log | Sin | Cos | Tanh | Erf => 16.0 * magnitude,
        Rem | Min | Max | Neg | Abs | Floor | Round | Less | LessEqual | Equal | Select | And | Or | Xor
        | ShiftLeft | ShiftRight | Cast => 0.0,
    }
}

/// An instruction on whole numbers or truth values, wrapped to the dtype.
fn whole(op: ScalarOp, of: DType, [a, b, _]: [i64; 3]) -> i64 {
    use ScalarOp::*;
    let shift = |left: bool| match b as u32 {
        count @ 0..32 => i64::from(if left { (a as u32) << count } else { a as u32 >> count }),
        _ => 0,
    };
    let value = match op {
        Add => a.wrapping_add(b),
        Sub => a.wrapping_sub(b),
        Mul => a.wrapping_mul(b),
        Div => a.checked_div(b).unwrap_or(0),
        Rem => a.checked_rem(b).unwrap_or(0),
        Min => a.min(b),
        Max => a.max(b),
        Neg => -a,
        Abs => a.abs(),
        Less => i64::from(a < b),
        LessEqual => i64::from(a <= b),
        Equal => i64::from(a == b),
        And => a & b,
        Or => a | b,
        Xor => a ^ b,
        ShiftLeft => shift(true),
        ShiftRight => shift(false),
        Floor | Round | Pow | MulAdd | Sqrt | Exp | Log | Sin | Cos | Tanh | Erf | Select | Cast => a,
    };
    wrap(of, value)
}

/// A whole number as the dtype holds it.
pub(crate) fn wrap(dtype: DType, x: i64) -> i64 {
    match register_dtype(dtype) {
        DType::Bool => i64::from(x != 0),
        DType::I32 => i64::from(x as i32),
        _ => i64::from(x as u32),
    }
}
