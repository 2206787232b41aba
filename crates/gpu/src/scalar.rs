//! Scalar instructions and literals as expressions.

use crate::code::Code;
use warploom_device::DeviceError;
use warploom_device::kernel::register_dtype;
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Literal};

/// The name of the type in which a register is held.
///
/// # Errors
/// [`DeviceError::Unsupported`] for `f64` where the dialect has none.
pub(crate) fn type_name(code: &Code<'_>, dtype: DType) -> Result<&'static str, DeviceError> {
    let dialect = code.context.dialect;
    match register_dtype(dtype) {
        DType::F64 if !dialect.has_f64() => {
            Err(DeviceError::Unsupported(format!("kernels in {} hold no f64; cast to f32", dialect.name())))
        }
        held => Ok(held.name()),
    }
}

/// A literal as an expression.
pub(crate) fn literal(code: &mut Code<'_>, literal: Literal) -> Result<String, DeviceError> {
    let value = literal.to_f64();
    Ok(match register_dtype(literal.dtype()) {
        DType::Bool => (value != 0.0).to_string(),
        DType::U32 => format!("{}u", value as u32),
        DType::I32 => format!("i32({})", value as i32),
        DType::F64 => {
            type_name(code, DType::F64)?;
            double(value)
        }
        _ => float(code, value as f32),
    })
}

/// An `f32` as an expression.
pub(crate) fn float(code: &mut Code<'_>, value: f32) -> String {
    // Constants that are not finite, and those that a compiler may take for zero, go through bits.
    if value.is_normal() && value > 0.0 || value.to_bits() == 0 {
        format!("{value:?}f")
    } else if value.is_normal() {
        format!("({value:?}f)")
    } else {
        code.call("from_bits", &[&format!("{}u", value.to_bits())])
    }
}

/// An `f64` as an expression.
pub(crate) fn double(value: f64) -> String {
    if value.is_normal() && value > 0.0 || value.to_bits() == 0 {
        format!("{value:?}")
    } else if value.is_normal() {
        format!("({value:?})")
    } else {
        format!("bitcast<f64>(u64({}u) << 32 | {}u)", value.to_bits() >> 32, value.to_bits() as u32)
    }
}

/// Zero of a register dtype.
pub(crate) fn zero(dtype: DType) -> &'static str {
    match register_dtype(dtype) {
        DType::Bool => "false",
        DType::I32 => "i32(0)",
        DType::U32 => "0u",
        DType::F64 => "0.0",
        _ => "0.0f",
    }
}

/// A scalar instruction whose first operand is a register of `of` (for select, its branches').
pub(crate) fn apply(
    code: &mut Code<'_>,
    op: ScalarOp,
    dtype: DType,
    of: DType,
    [a, b, c]: [&str; 3],
) -> Result<String, DeviceError> {
    use DType::{Bool, F32, F64, I32, U32};
    type_name(code, of)?;
    type_name(code, dtype)?;
    let of = register_dtype(of);
    let by_width = |single, double| if of == F64 { double } else { single };
    Ok(match (op, of) {
        (ScalarOp::Add, I32) => format!("i32(u32({a}) + u32({b}))"),
        (ScalarOp::Sub, I32) => format!("i32(u32({a}) - u32({b}))"),
        (ScalarOp::Mul, I32) => format!("i32(u32({a}) * u32({b}))"),
        (ScalarOp::Add, _) => format!("({a} + {b})"),
        (ScalarOp::Sub, _) => format!("({a} - {b})"),
        (ScalarOp::Mul, _) => format!("({a} * {b})"),
        (ScalarOp::Div, I32) => code.call("div_i32", &[a, b]),
        (ScalarOp::Div, U32) => code.call("div_u32", &[a, b]),
        (ScalarOp::Div, _) => format!("({a} / {b})"),
        (ScalarOp::Rem, I32) => code.call("rem_i32", &[a, b]),
        (ScalarOp::Rem, U32) => code.call("rem_u32", &[a, b]),
        (ScalarOp::Rem, _) => code.call(by_width("rem_f32", "rem_f64"), &[a, b]),
        (ScalarOp::Pow, _) => code.call(by_width("pow_f32", "pow_f64"), &[a, b]),
        (ScalarOp::Min, F32 | F64) => code.call(by_width("min_f32", "min_f64"), &[a, b]),
        (ScalarOp::Max, F32 | F64) => code.call(by_width("max_f32", "max_f64"), &[a, b]),
        (ScalarOp::Min, Bool) => format!("({a} && {b})"),
        (ScalarOp::Max, Bool) => format!("({a} || {b})"),
        (ScalarOp::Min, _) => format!("min({a}, {b})"),
        (ScalarOp::Max, _) => format!("max({a}, {b})"),
        (ScalarOp::MulAdd, F64) => code.call("fma_f64", &[a, b, c]),
        (ScalarOp::MulAdd, _) => format!("fma({a}, {b}, {c})"),
        (ScalarOp::Neg, I32) => format!("i32(0u - u32({a}))"),
        (ScalarOp::Neg, U32) => format!("(0u - {a})"),
        (ScalarOp::Neg, _) => format!("(-{a})"),
        (ScalarOp::Abs, I32) => code.call("abs_i32", &[a]),
        (ScalarOp::Abs, U32) => a.to_owned(),
        (ScalarOp::Abs, F64) => code.call("abs_f64", &[a]),
        (ScalarOp::Abs, _) => format!("abs({a})"),
        (ScalarOp::Floor, F32) => format!("floor({a})"),
        (ScalarOp::Floor, F64) => code.call("floor_f64", &[a]),
        (ScalarOp::Round, F32 | F64) => code.call(by_width("round_f32", "round_f64"), &[a]),
        (ScalarOp::Floor | ScalarOp::Round, _) => a.to_owned(),
        (ScalarOp::Sqrt, _) => code.call(by_width("sqrt_f32", "sqrt_f64"), &[a]),
        (ScalarOp::Exp, _) => code.call(by_width("exp_f32", "exp_f64"), &[a]),
        (ScalarOp::Log, _) => code.call(by_width("log_f32", "log_f64"), &[a]),
        (ScalarOp::Sin, _) => code.call(by_width("sin_f32", "sin_f64"), &[a]),
        (ScalarOp::Cos, _) => code.call(by_width("cos_f32", "cos_f64"), &[a]),
        (ScalarOp::Tanh, _) => code.call(by_width("tanh_f32", "tanh_f64"), &[a]),
        (ScalarOp::Erf, _) => code.call(by_width("erf_f32", "erf_f64"), &[a]),
        (ScalarOp::Less, Bool) => format!("(!{a} && {b})"),
        (ScalarOp::LessEqual, Bool) => format!("(!{a} || {b})"),
        (ScalarOp::Less, _) => format!("({a} < {b})"),
        (ScalarOp::LessEqual, _) => format!("({a} <= {b})"),
        // Compilers that take no number for NaN would find this always true.
        (ScalarOp::Equal, F32) if a == b => format!("(!{})", code.call("is_nan", &[a])),
        (ScalarOp::Equal, _) => format!("({a} == {b})"),
        (ScalarOp::Select, _) => format!("select({c}, {b}, {a})"),
        (ScalarOp::And, Bool) => format!("({a} && {b})"),
        (ScalarOp::Or, Bool) => format!("({a} || {b})"),
        (ScalarOp::Xor, Bool) => format!("({a} != {b})"),
        (ScalarOp::And, _) => format!("({a} & {b})"),
        (ScalarOp::Or, _) => format!("({a} | {b})"),
        (ScalarOp::Xor, _) => format!("({a} ^ {b})"),
        (ScalarOp::ShiftLeft | ScalarOp::ShiftRight, _) => {
            let function = if op == ScalarOp::ShiftLeft { "shift_left" } else { "shift_right" };
            let shifted = code.call(function, &[&format!("u32({a})"), &format!("u32({b})")]);
            if of == I32 { format!("i32({shifted})") } else { shifted }
        }
        (ScalarOp::Cast, _) => cast(code, of, dtype, a),
    })
}

/// Conversion of a register of `of` to `dtype`, by the rules of [`warploom_graph::Op::Cast`].
fn cast(code: &mut Code<'_>, of: DType, dtype: DType, a: &str) -> String {
    use DType::{BF16, Bool, F16, F32, F64, I32, U8, U32};
    match (of, dtype) {
        (F32, Bool) => format!("((bitcast<u32>({a}) & 2147483647u) != 0u)"),
        (F64 | I32 | U32, Bool) => format!("({a} != {})", zero(of)),
        (F32, I32) => code.call("f32_to_i32", &[a]),
        (F32, U32) => code.call("f32_to_u32", &[a]),
        (F32, U8) => code.call("f32_to_u8", &[a]),
        (F64, I32) => code.call("f64_to_i32", &[a]),
        (F64, U32) => code.call("f64_to_u32", &[a]),
        (F64, U8) => code.call("f64_to_u8", &[a]),
        (I32, U32) => format!("u32({a})"),
        (I32 | U32, U8) => format!("(u32({a}) & 255u)"),
        (U32, I32) => format!("i32({a})"),
        (Bool, I32) => format!("select(i32(0), i32(1), {a})"),
        (Bool, U32 | U8) => format!("select(0u, 1u, {a})"),
        (Bool, F32 | F16 | BF16) => format!("select(0.0f, 1.0f, {a})"),
        (Bool, F64) => format!("select(0.0, 1.0, {a})"),
        (_, F16) => {
            let single = to_single(code, of, a);
            let bits = code.call("to_half", &[&single]);
            code.call("from_half", &[&bits])
        }
        (_, BF16) => {
            let single = to_single(code, of, a);
            let bits = code.call("to_bfloat", &[&single]);
            code.call("from_bfloat", &[&bits])
        }
        (F64 | I32 | U32, F32) => format!("f32({a})"),
        (F32 | I32 | U32, F64) => format!("f64({a})"),
        _ => a.to_owned(),
    }
}

/// An `f32` from which rounding to fewer bits gives what it gives from a register of `of`.
fn to_single(code: &mut Code<'_>, of: DType, a: &str) -> String {
    match of {
        DType::F32 => a.to_owned(),
        DType::F64 => code.call("f64_to_f32_odd", &[a]),
        _ => format!("f32({a})"),
    }
}
