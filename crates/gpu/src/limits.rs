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
}
