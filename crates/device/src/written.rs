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
    /// What the compiled kernel takes, where the device says.
    pub resources: Option<Resources>,
}

/// What a compiled kernel takes of a GPU.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Resources {
    /// Registers of each thread.
    pub registers: u32,
    /// Bytes of each thread that lie in memory for want of registers, arrays of its own among them.
    pub spilled_bytes: usize,
    /// Bytes that a workgroup shares.
    pub shared_bytes: usize,
    /// Invocations that run at once, of those that the GPU could run, from 0 to 1.
    pub occupancy: f64,
}
