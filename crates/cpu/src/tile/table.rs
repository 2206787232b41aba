//! Which loop runs a scalar instruction, a conversion or a reduction.

use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Reduction};

use super::combine::{self, Combine};
use super::function::{Function, bits, double, float, narrow, signed, special, unsigned};
use super::lanes::{Accumulate, Block, Family, Lanes, Portable};
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use warploom_cpu_kernels::isa::Isa;

/// What a register's lanes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    F32,
    F64,
    I32,
    U32,
    /// A u32 of 0 or 1.
    Bool,
}

impl Class {
    /// The class of the registers that hold a dtype.
    pub(super) fn of(dtype: DType) -> Class {
        match dtype {
            DType::F16 | DType::BF16 | DType::F32 => Class::F32,
            DType::F64 => Class::F64,
            DType::I32 => Class::I32,
            DType::U8 | DType::U32 => Class::U32,
            DType::Bool => Class::Bool,
        }
    }

    /// Bytes of a lane.
    pub(super) fn bytes(self) -> usize {
        if self == Class::F64 { 8 } else { 4 }
    }
}

/// Calls a generic function with the family of `isa`.
macro_rules! with_family {
    ($isa:expr, $function:ident($($argument:expr),*)) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => $function::<Avx512>($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => $function::<Avx2>($($argument),*),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 | Isa::Avx2 => $function::<Portable>($($argument),*),
            Isa::Portable => $function::<Portable>($($argument),*),
        }
    };
}

/// The loop for `op` on operands of class `of` (for select, its branches'), whose operands vary where `varies` says so.
/// `None` where there is no such instruction, or none for this mix: all operands varying, and none, are always there.
pub(super) fn apply(isa: Isa, op: ScalarOp, of: Class, varies: [bool; 3]) -> Option<Lanes> {
    with_family!(isa, apply_in(op, of, varies))
}

/// The loop for a cast from a class to a dtype.
pub(super) fn cast(isa: Isa, from: Class, to: DType, varies: bool) -> Lanes {
    with_family!(isa, cast_in(from, to, varies))
}

/// The loop that widens storage to lanes.
pub(super) fn load(isa: Isa, stored: DType, varies: bool) -> Lanes {
    with_family!(isa, load_in(stored, varies))
}

/// How many lanes are stored, and from how many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StoreKind {
    /// One.
    One,
    /// One, repeated.
    Fill,
    /// As many as are stored.
    Copy,
}

/// The loop that narrows lanes to storage.
pub(super) fn store(isa: Isa, stored: DType, kind: StoreKind) -> Lanes {
    with_family!(isa, store_in(stored, kind))
}

/// The loops of a reduction, and its identity's bits. Not for arg-max.
#[derive(Clone, Copy)]
pub(super) struct Combiner {
    pub block: Block,
    pub accumulate: Accumulate,
    pub identity: u64,
}

/// The loops of a reduction of registers of a class; `None` for arg-max.
pub(super) fn combiner(isa: Isa, kind: Reduction, class: Class) -> Option<Combiner> {
    with_family!(isa, combiner_in(kind, class))
}

fn unary<I: Family, F: Function>(varies: [bool; 3]) -> Option<Lanes> {
    Some(if varies[0] { I::lanes::<F, true, false, false>() } else { I::one::<F>() })
}

fn binary<I: Family, F: Function>(varies: [bool; 3]) -> Option<Lanes> {
    if !I::MIXES {
        return binary_alike::<I, F>(varies);
    }
    Some(match (varies[0], varies[1]) {
        (true, true) => I::lanes::<F, true, true, false>(),
        (true, false) => I::lanes::<F, true, false, false>(),
        (false, true) => I::lanes::<F, false, true, false>(),
        (false, false) => I::one::<F>(),
    })
}

/// Without loops for mixes: for functions whose time makes repeating an operand negligible, and dtypes of little use.
fn binary_alike<I: Family, F: Function>(varies: [bool; 3]) -> Option<Lanes> {
    match (varies[0], varies[1]) {
        (true, true) => Some(I::lanes::<F, true, true, false>()),
        (false, false) => Some(I::one::<F>()),
        _ => None,
    }
}

fn ternary<I: Family, F: Function>(varies: [bool; 3]) -> Option<Lanes> {
    if !I::MIXES {
        return ternary_alike::<I, F>(varies);
    }
    Some(match varies {
        [true, true, true] => I::lanes::<F, true, true, true>(),
        [true, true, false] => I::lanes::<F, true, true, false>(),
        [true, false, true] => I::lanes::<F, true, false, true>(),
        [true, false, false] => I::lanes::<F, true, false, false>(),
        [false, true, true] => I::lanes::<F, false, true, true>(),
        [false, true, false] => I::lanes::<F, false, true, false>(),
        [false, false, true] => I::lanes::<F, false, false, true>(),
        [false, false, false] => I::one::<F>(),
    })
}

fn ternary_alike<I: Family, F: Function>(varies: [bool; 3]) -> Option<Lanes> {
    match varies {
        [true, true, true] => Some(I::lanes::<F, true, true, true>()),
        [false, false, false] => Some(I::one::<F>()),
        _ => None,
    }
}

fn apply_in<I: Family>(op: ScalarOp, of: Class, varies: [bool; 3]) -> Option<Lanes> {
    use ScalarOp::*;
    macro_rules! on_floats {
        ($module:ident, $binary:ident, $ternary:ident, $sin:expr, $cos:expr) => {
            match op {
                Add => $binary::<I, $module::Add>(varies),
                Sub => $binary::<I, $module::Sub>(varies),
                Mul => $binary::<I, $module::Mul>(varies),
                Div => $binary::<I, $module::Div>(varies),
                Rem => binary_alike::<I, $module::Rem>(varies),
                Pow => binary_alike::<I, $module::Pow>(varies),
                Min => $binary::<I, $module::Min>(varies),
                Max => $binary::<I, $module::Max>(varies),
                MulAdd => $ternary::<I, $module::MulAdd>(varies),
                Neg => unary::<I, $module::Neg>(varies),
                Abs => unary::<I, $module::Abs>(varies),
                Floor => unary::<I, $module::Floor>(varies),
                Round => unary::<I, $module::Round>(varies),
                Sqrt => unary::<I, $module::Sqrt>(varies),
                Exp => unary::<I, $module::Exp>(varies),
                Log => unary::<I, $module::Log>(varies),
                Sin => {
                    if varies[0] {
                        $sin
                    } else {
                        unary::<I, $module::Sin>(varies)
                    }
                }
                Cos => {
                    if varies[0] {
                        $cos
                    } else {
                        unary::<I, $module::Cos>(varies)
                    }
                }
                Tanh => unary::<I, $module::Tanh>(varies),
                Erf => unary::<I, $module::Erf>(varies),
                Less => $binary::<I, $module::Less>(varies),
                LessEqual => $binary::<I, $module::LessEqual>(varies),
                Equal => $binary::<I, $module::Equal>(varies),
                Select => $ternary::<I, $module::Select>(varies),
                And | Or | Xor | ShiftLeft | ShiftRight | Cast => None,
            }
        };
    }
    match of {
        Class::F32 => on_floats!(
            float,
            binary,
            ternary,
            Some(I::bounded::<float::Sin, special::SinBounded>()),
            Some(I::bounded::<float::Cos, special::CosBounded>())
        ),
        Class::F64 => {
            on_floats!(
                double,
                binary_alike,
                ternary_alike,
                unary::<I, double::Sin>(varies),
                unary::<I, double::Cos>(varies)
            )
        }
        // Where the bits are those of u32, its loops serve.
        Class::I32 => match op {
            Div => binary_alike::<I, signed::Div>(varies),
            Rem => binary_alike::<I, signed::Rem>(varies),
            Min => binary::<I, signed::Min>(varies),
            Max => binary::<I, signed::Max>(varies),
            Abs => unary::<I, special::AbsI32>(varies),
            Less => binary::<I, signed::Less>(varies),
            LessEqual => binary::<I, signed::LessEqual>(varies),
            Add | Sub | Mul | Neg | Equal | Select | And | Or | Xor | ShiftLeft | ShiftRight => {
                apply_in::<I>(op, Class::U32, varies)
            }
            Pow | MulAdd | Floor | Round | Sqrt | Exp | Log | Sin | Cos | Tanh | Erf | Cast => None,
        },
        Class::U32 => match op {
            Add => binary::<I, bits::Add>(varies),
            Sub => binary::<I, bits::Sub>(varies),
            Mul => binary::<I, bits::Mul>(varies),
            Div => binary_alike::<I, unsigned::Div>(varies),
            Rem => binary_alike::<I, unsigned::Rem>(varies),
            Min => binary::<I, unsigned::Min>(varies),
            Max => binary::<I, unsigned::Max>(varies),
            Neg => unary::<I, bits::Neg>(varies),
            Abs => unary::<I, bits::Copy>(varies),
            Less => binary::<I, unsigned::Less>(varies),
            LessEqual => binary::<I, unsigned::LessEqual>(varies),
            Equal => binary::<I, bits::Equal>(varies),
            Select => ternary::<I, bits::Select>(varies),
            And => binary::<I, bits::And>(varies),
            Or => binary::<I, bits::Or>(varies),
            Xor => binary::<I, bits::Xor>(varies),
            ShiftLeft => binary::<I, bits::ShiftLeft>(varies),
            ShiftRight => binary::<I, bits::ShiftRight>(varies),
            Pow | MulAdd | Floor | Round | Sqrt | Exp | Log | Sin | Cos | Tanh | Erf | Cast => None,
        },
        Class::Bool => match op {
            Min | Max | Less | LessEqual | Equal | Select | And | Or | Xor => {
                apply_in::<I>(op, Class::U32, varies)
            }
            Add | Sub | Mul | Div | Rem | Pow | MulAdd | Neg | Abs | Floor | Round | Sqrt | Exp | Log
            | Sin | Cos | Tanh | Erf | ShiftLeft | ShiftRight | Cast => None,
        },
    }
}

fn one_operand<I: Family, F: Function>(varies: bool) -> Lanes {
    if varies { I::lanes::<F, true, false, false>() } else { I::one::<F>() }
}

fn cast_in<I: Family>(from: Class, to: DType, varies: bool) -> Lanes {
    macro_rules! pick {
        ($($F:path),*; $at:expr) => { [$(one_operand::<I, $F> as fn(bool) -> Lanes),*][$at](varies) };
    }
    let at = match to {
        DType::Bool => 0,
        DType::U8 => 1,
        DType::I32 => 2,
        DType::U32 => 3,
        DType::F16 => 4,
        DType::BF16 => 5,
        DType::F32 => 6,
        DType::F64 => 7,
    };
    match from {
        Class::F32 => pick!(
            float::ToBool, float::ToU8, float::ToI32, float::ToU32,
            narrow::RoundF16, narrow::RoundBf16, bits::Copy, special::F32ToF64; at),
        Class::F64 => pick!(
            double::ToBool, double::ToU8, double::ToI32, double::ToU32,
            special::F64ToF16, special::F64ToBf16, special::F64ToF32, special::CopyF64; at),
        Class::I32 => pick!(
            bits::ToBool, bits::ToU8, bits::Copy, bits::Copy,
            signed::ToF16, signed::ToBf16, signed::ToF32, signed::ToF64; at),
        Class::U32 | Class::Bool => pick!(
            bits::ToBool, bits::ToU8, bits::Copy, bits::Copy,
            unsigned::ToF16, unsigned::ToBf16, unsigned::ToF32, unsigned::ToF64; at),
    }
}

fn load_in<I: Family>(stored: DType, varies: bool) -> Lanes {
    match stored {
        DType::Bool => one_operand::<I, narrow::FromBool>(varies),
        DType::U8 => one_operand::<I, narrow::FromU8>(varies),
        DType::F16 => one_operand::<I, narrow::FromF16>(varies),
        DType::BF16 => one_operand::<I, narrow::FromBf16>(varies),
        DType::I32 | DType::U32 | DType::F32 => one_operand::<I, bits::Copy>(varies),
        DType::F64 => one_operand::<I, special::CopyF64>(varies),
    }
}

fn store_in<I: Family>(stored: DType, kind: StoreKind) -> Lanes {
    fn of<I: Family, F: Function>(kind: StoreKind) -> Lanes {
        match kind {
            StoreKind::One => I::one::<F>(),
            StoreKind::Fill => I::lanes::<F, false, false, false>(),
            StoreKind::Copy => I::lanes::<F, true, false, false>(),
        }
    }
    match stored {
        DType::Bool | DType::U8 => of::<I, narrow::IntoU8>(kind),
        DType::F16 => of::<I, narrow::IntoF16>(kind),
        DType::BF16 => of::<I, narrow::IntoBf16>(kind),
        DType::I32 | DType::U32 | DType::F32 => of::<I, bits::Copy>(kind),
        DType::F64 => of::<I, special::CopyF64>(kind),
    }
}

fn combiner_in<I: Family>(kind: Reduction, class: Class) -> Option<Combiner> {
    fn of<I: Family, C: Combine>(identity: u64) -> Option<Combiner> {
        Some(Combiner { block: I::block::<C>(), accumulate: I::accumulate::<C>(), identity })
    }
    macro_rules! f32_bits {
        ($C:ident) => {
            u64::from(combine::$C::IDENTITY.to_bits())
        };
    }
    match (kind, class) {
        (Reduction::Sum, Class::F32) => of::<I, combine::SumF32>(f32_bits!(SumF32)),
        (Reduction::Sum, Class::F64) => of::<I, combine::SumF64>(combine::SumF64::IDENTITY.to_bits()),
        (Reduction::Sum, Class::I32 | Class::U32 | Class::Bool) => of::<I, combine::SumU32>(0),
        (Reduction::Max, Class::F32) => of::<I, combine::MaxF32>(f32_bits!(MaxF32)),
        (Reduction::Max, Class::F64) => of::<I, combine::MaxF64>(combine::MaxF64::IDENTITY.to_bits()),
        (Reduction::Max, Class::I32) => of::<I, combine::MaxI32>(u64::from(i32::MIN as u32)),
        (Reduction::Max, Class::U32 | Class::Bool) => of::<I, combine::MaxU32>(0),
        (Reduction::Min, Class::F32) => of::<I, combine::MinF32>(f32_bits!(MinF32)),
        (Reduction::Min, Class::F64) => of::<I, combine::MinF64>(combine::MinF64::IDENTITY.to_bits()),
        (Reduction::Min, Class::I32) => of::<I, combine::MinI32>(u64::from(i32::MAX as u32)),
        (Reduction::Min, Class::U32) => of::<I, combine::MinU32>(u64::from(u32::MAX)),
        (Reduction::Min, Class::Bool) => of::<I, combine::MinU32>(1),
        (Reduction::ArgMax, _) => None,
    }
}
