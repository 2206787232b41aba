//! Element types and literal scalars.

use std::fmt;

/// The type of one element of a tensor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DType {
    /// Truth value, stored as one byte, 0 or 1.
    Bool,
    /// Unsigned 8-bit integer; storage for pictures and codes.
    U8,
    /// Signed 32-bit integer; the type of indices.
    I32,
    /// Unsigned 32-bit integer; random bits, seeds and counters.
    U32,
    /// IEEE half precision; storage, arithmetic is done in f32 and rounded after each op.
    F16,
    /// bfloat16; storage, arithmetic is done in f32 and rounded after each op.
    BF16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
}

impl DType {
    /// Every dtype, for tests and tables.
    pub const ALL: [DType; 8] =
        [DType::Bool, DType::U8, DType::I32, DType::U32, DType::F16, DType::BF16, DType::F32, DType::F64];

    /// Bytes of one stored element.
    pub const fn bytes(self) -> usize {
        match self {
            DType::Bool | DType::U8 => 1,
            DType::F16 | DType::BF16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::F64 => 8,
        }
    }

    /// Whether values are floating-point numbers, and so have gradients.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// Whether values are whole numbers (truth values are not).
    pub const fn is_integer(self) -> bool {
        matches!(self, DType::U8 | DType::I32 | DType::U32)
    }

    /// The name used in printed graphs, errors and files.
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "u8",
            DType::I32 => "i32",
            DType::U32 => "u32",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F32 => "f32",
            DType::F64 => "f64",
        }
    }

    /// The value of this dtype that stands for an f64. Floats round once, to nearest, ties to even. Integers truncate
    /// and wrap as two's complement (what is not finite gives 0), unlike [`crate::Op::Cast`], which saturates: so -1 is
    /// the u32 of all ones. Truth is `!= 0`.
    pub fn round(self, x: f64) -> f64 {
        let word = || x.trunc().rem_euclid(4294967296.0) as u32;
        match self {
            DType::F64 => x,
            DType::F32 => x as f32 as f64,
            DType::F16 => half::f16::from_f32(round_to_odd(x)).to_f64(),
            DType::BF16 => half::bf16::from_f32(round_to_odd(x)).to_f64(),
            DType::Bool => (x != 0.0) as u8 as f64,
            DType::U8 => word() as u8 as f64,
            DType::I32 => word() as i32 as f64,
            DType::U32 => word() as f64,
        }
    }

    /// The smallest value of this dtype (negative infinity for floats): where a maximum starts.
    pub fn lowest(self) -> Literal {
        match self {
            DType::Bool | DType::U8 | DType::U32 => Literal::int(self, 0),
            DType::I32 => Literal::int(self, i32::MIN as i64),
            DType::F16 | DType::BF16 | DType::F32 | DType::F64 => Literal::float(self, f64::NEG_INFINITY),
        }
    }

    /// The largest value of this dtype (infinity for floats): where a minimum starts.
    pub fn highest(self) -> Literal {
        match self {
            DType::Bool => Literal::int(self, 1),
            DType::U8 => Literal::int(self, 255),
            DType::I32 => Literal::int(self, i32::MAX as i64),
            DType::U32 => Literal::int(self, u32::MAX as i64),
            DType::F16 | DType::BF16 | DType::F32 | DType::F64 => Literal::float(self, f64::INFINITY),
        }
    }
}

/// `x` as f32, with the last bit set where `x` lies between two f32. Rounding this to a narrower float gives what rounding
/// `x` itself would (Boldo & Melquiond, "Emulation of FMA and correctly rounded sums", 2008); going through the nearest
/// f32 would round ties wrongly.
fn round_to_odd(x: f64) -> f32 {
    let nearest = x as f32;
    if x.is_nan() || nearest as f64 == x {
        return nearest;
    }
    let too_far = (nearest as f64).abs() > x.abs();
    f32::from_bits((nearest.to_bits() - too_far as u32) | 1)
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One scalar of a known dtype. Equality is equality of bits, so that NaN equals itself and 0 differs from -0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Literal {
    dtype: DType,
    /// Bits of an f64 for floats, of an i64 otherwise; always a value that `dtype` holds.
    bits: u64,
}

impl Literal {
    /// A literal of any dtype from a number, by the rules of [`DType::round`].
    pub fn new(dtype: DType, value: f64) -> Literal {
        if dtype.is_float() {
            Literal::float(dtype, value)
        } else {
            Literal::int(dtype, dtype.round(value) as i64)
        }
    }

    fn float(dtype: DType, value: f64) -> Literal {
        Literal { dtype, bits: dtype.round(value).to_bits() }
    }

    fn int(dtype: DType, value: i64) -> Literal {
        Literal { dtype, bits: value as u64 }
    }

    /// The dtype.
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The value as f64; exact, since every dtype's values fit.
    pub fn to_f64(self) -> f64 {
        if self.dtype.is_float() { f64::from_bits(self.bits) } else { self.bits as i64 as f64 }
    }

    /// Whether the value equals `x` (NaN never does).
    pub fn is(self, x: f64) -> bool {
        self.to_f64() == x
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dtype.is_float() {
            write!(f, "{:?}", self.to_f64())
        } else {
            write!(f, "{}", self.bits as i64)
        }
    }
}
