//! What separates the languages that kernels are written in.
//!
//! Bodies are written in the common subset of WGSL and C++: `let` and `var` declarations (which C++ reads as `const auto`
//! and `auto`), `u32(x)`, `i32(x)` and `f32(x)`, `select(if_false, if_true, condition)`, `bitcast<u32>(x)`, `fma`, `for`,
//! `if`, assignments and calls. Everything else is asked of a [`Dialect`].

use crate::Argument;
use std::collections::BTreeSet;
use warploom_graph::{DType, Dims};

/// A language.
pub trait Dialect: Send + Sync {
    /// Its name: `wgsl`, `cuda`.
    fn name(&self) -> &'static str;
    /// Whether it has numbers of 64 bits.
    fn has_f64(&self) -> bool;
    /// A declaration of an array that an invocation has to itself, every element 0.
    fn local_array(&self, element: &str, name: &str, length: usize) -> String;
    /// The statement at which a workgroup's invocations wait for each other, and see what the others shared.
    fn barrier(&self) -> &'static str;
    /// The same, at which they also see what the others stored in arguments.
    fn storage_barrier(&self) -> &'static str;
    /// Reads a word of an argument that is [`Elements::Atomic`].
    fn atomic_load(&self, word: &str) -> String;
    /// Statements that write element `at`, the name of a `u32`, of an [`Elements::Atomic`] argument that is looked at as
    /// elements of so many bytes; they are the low end of `bits`, whose others are zero. Nobody else writes this element
    /// meanwhile.
    fn store_part(&self, argument: &str, at: &str, bytes: usize, bits: &str) -> String;
    /// What stands before a loop whose rounds are written out, so that arrays indexed by its variable are registers.
    fn unroll(&self) -> &'static str;
    /// The whole source.
    fn module(&self, module: &Module<'_>) -> String;
    /// The whole source around a user's text, or why the text is refused before any compiler sees it.
    fn own(&self, own: &Own<'_>) -> Result<String, String>;
}

/// How an argument is declared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Elements {
    /// An array of `f32`, `i32` or `u32`. Elements smaller than a word lie in words of `u32`, the first in the low bits; those of
    /// `f64` in two words.
    Words(DType),
    /// An array of `u32` of which several invocations may write parts of one word.
    Atomic,
    /// The faults, see [`crate::FAULT_WORDS`].
    Faults,
}

/// Memory that a workgroup shares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shared {
    /// Its name in the body.
    pub name: String,
    /// `f32`, `i32`, `u32`, `bool` or `f64`.
    pub element: &'static str,
    /// Elements.
    pub length: usize,
}

impl Shared {
    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.length * if self.element == "f64" { 8 } else { 4 }
    }
}

/// A kernel of the user's own. Its text sees each operand as the functions and constants that an [`Access`] stands for,
/// and not the memory itself: where that lies, and how smaller elements lie in words, is the compiler's to decide.
pub struct Own<'a> {
    /// What the user wrote, for a workgroup of these extents.
    pub text: &'a str,
    /// Invocations of a workgroup.
    pub workgroup: [u32; 3],
    /// The arguments, `a0`, `a1`, … in what follows, and how each is declared.
    pub arguments: &'a [(Argument, Elements)],
    /// Library functions that are called.
    pub functions: &'a BTreeSet<&'static str>,
    /// Inputs, then outputs.
    pub operands: &'a [Access],
}

/// How a user's text reads or writes one operand.
pub struct Access {
    /// `input0`, `output1`: the name of the function, and the beginning of those of the constants.
    pub name: String,
    /// `f32`, `f64`, `i32`, `u32` or `bool`: what is read or written.
    pub dtype: DType,
    /// The operand's shape.
    pub shape: Dims,
    /// Statements of the function, which sees the element's position `i`; of one that writes also `value`.
    pub statements: String,
    /// What the function gives; `None` of one that writes.
    pub value: Option<String>,
}

/// A kernel's parts.
///
/// The body sees `thread` (the invocation within its workgroup), `group` (the workgroup's number) as `u32`, the arguments
/// as `a0`, `a1`, …, and the functions of the dialect's library that it uses. The library has, with `f` for `f32`:
///
/// - `div_i32`, `div_u32`, `rem_f32`, `rem_i32`, `rem_u32`, `pow_f32`, `min_f32`, `max_f32`, `abs_i32`, `round_f32` (ties to
///   even), `sqrt_f32`, `exp_f32`, `log_f32`, `sin_f32`, `cos_f32`, `tanh_f32`, `erf_f32`, `shift_left`, `shift_right` (of
///   `u32`): the scalar instructions as [`warploom_graph::scalar::ScalarOp`] defines them;
/// - `f32_to_i32`, `f32_to_u32`, `f32_to_u8`: casts by the rules of [`warploom_graph::Op::Cast`];
/// - `to_half`, `to_bfloat` (f → the 16 bits, rounded to nearest even), `from_half`, `from_bfloat` (bits → f), `is_nan`,
///   `from_bits` (bits → f; unlike `bitcast` also for constants that are not finite);
/// - where the dialect has `f64`, those of `f32` among these for it (`exp_f64`, `f64_to_i32`, …), `fma_f64`, `abs_f64`, `floor_f64`,
///   `load_f64(words, element)`, `store_f64(words, element, x)`, `shuffle_down_f64`, `f64_to_f32_odd` (rounded so that it may be
///   rounded again), and the type `u64`;
/// - `philox(u32 element, stream, step, iteration, seed0, seed1)`: one random word;
/// - `check_index(i32 index, u32 extent, u32 kernel)`: the index, or 0 after a report to the faults.
pub struct Module<'a> {
    /// For people.
    pub name: &'a str,
    /// Invocations of a workgroup.
    pub workgroup: u32,
    /// Workgroups that share a multiprocessor, where compilers should divide its registers so; otherwise they choose.
    pub resident: Option<u32>,
    /// The arguments and how each is declared.
    pub arguments: &'a [(Argument, Elements)],
    /// Shared memories.
    pub shared: &'a [Shared],
    /// Library functions that the body calls by name; those that they call are not among them.
    pub functions: &'a BTreeSet<&'static str>,
    /// Statements.
    pub body: &'a str,
}
