//! Kernels as a device's own source.

/// A kernel that was written as source, with its launch.
#[derive(Clone, PartialEq, Debug)]
pub struct WrittenKernel {
    /// A name for people, made of the ops within.
    pub name: String,
    /// The source, in the device's language.
    pub source: String,
    /// Invocations of a workgroup.
    pub workgroup: u32,
    /// Workgroups along each axis.
    pub groups: [u32; 3],
    /// Bytes that a workgroup shares.
    pub shared_bytes: usize,
    /// Arithmetic operations of one launch, index arithmetic left out.
    pub operations: u64,
    /// Bytes that one launch must read and write at least.
    pub traffic: u64,
}
