//! What a GPU allows a kernel.

/// The numbers by which kernels are shaped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Limits {
    /// Most invocations of a workgroup.
    pub workgroup: u32,
    /// Most workgroups along each axis of a dispatch.
    pub groups: u32,
    /// Most bytes that a workgroup shares.
    pub shared_bytes: usize,
    /// Most memories that a kernel may see.
    pub arguments: usize,
    /// Most bytes of one argument.
    pub argument_bytes: usize,
    /// Alignment of an argument's offset, in bytes; a power of two.
    pub alignment: usize,
    /// Invocations that fill the device. With fewer, work is split further where a kernel can be.
    pub parallel: u32,
    /// Most bytes that an invocation loads or stores at once, from an address that is a multiple of as many; a power of two,
    /// at least 4.
    pub vector_bytes: usize,
    /// Neighbouring invocations that exchange values without shared memory, a power of two; 1 where kernels have no way to.
    pub warp: u32,
    /// What a warp, then of 32 invocations, multiplies in one instruction.
    pub matrix_units: MatrixUnits,
}

/// Operands of which a warp multiplies small matrices, with sums in `f32`: `16 x 16` by `16 x 8` elements of 16 bits,
/// `16 x 8` by `8 x 8` of 32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct MatrixUnits {
    /// Of `bf16`.
    pub bf16: bool,
    /// Of `f16`.
    pub f16: bool,
    /// Of `f32`, rounded to 11 bits of precision.
    pub tf32: bool,
}

impl MatrixUnits {
    /// Units for no operands.
    pub const NONE: MatrixUnits = MatrixUnits { bf16: false, f16: false, tf32: false };
    /// Units for all of them.
    pub const ALL: MatrixUnits = MatrixUnits { bf16: true, f16: true, tf32: true };
}
