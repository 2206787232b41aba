//! The functions of cuDNN that are used, with the constants of its header.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::Path;

use cudarc::driver::sys::CUstream;

use crate::driver::functions;

pub(crate) type Handle = *mut c_void;
pub(crate) type Descriptor = *mut c_void;

/// What the library answers; 0 is success.
pub(crate) type Status = c_uint;

/// `cudnnConvolutionFwdAlgoPerf_t`, which is the same for the gradients.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Proposal {
    pub algorithm: c_uint,
    pub status: Status,
    time: f32,
    pub scratch: usize,
    pub is_repeatable: c_uint,
    pub math: c_uint,
    reserved: [c_int; 3],
}

/// Proposes algorithms for a convolution between the descriptors of two operands and of the result.
pub(crate) type Propose = unsafe extern "C" fn(
    Handle,
    Descriptor,
    Descriptor,
    Descriptor,
    Descriptor,
    c_int,
    *mut c_int,
    *mut Proposal,
) -> Status;

/// Queues a convolution of two operands.
pub(crate) type Run = unsafe extern "C" fn(
    Handle,
    *const c_void,
    Descriptor,
    u64,
    Descriptor,
    u64,
    Descriptor,
    c_uint,
    u64,
    usize,
    *const c_void,
    Descriptor,
    u64,
) -> Status;

functions! {
    /// All are in cuDNN 8 and 9.
    Api:
    version = "cudnnGetVersion" () -> usize;
    cuda_version = "cudnnGetCudartVersion" () -> usize;
    error_text = "cudnnGetErrorString" (Status) -> *const c_char;
    create = "cudnnCreate" (*mut Handle) -> Status;
    destroy = "cudnnDestroy" (Handle) -> Status;
    set_stream = "cudnnSetStream" (Handle, CUstream) -> Status;
    images_create = "cudnnCreateTensorDescriptor" (*mut Descriptor) -> Status;
    images_destroy = "cudnnDestroyTensorDescriptor" (Descriptor) -> Status;
    images_set = "cudnnSetTensor4dDescriptor" (Descriptor, c_uint, c_uint, c_int, c_int, c_int, c_int) -> Status;
    kernel_create = "cudnnCreateFilterDescriptor" (*mut Descriptor) -> Status;
    kernel_destroy = "cudnnDestroyFilterDescriptor" (Descriptor) -> Status;
    kernel_set = "cudnnSetFilter4dDescriptor" (Descriptor, c_uint, c_uint, c_int, c_int, c_int, c_int) -> Status;
    geometry_create = "cudnnCreateConvolutionDescriptor" (*mut Descriptor) -> Status;
    geometry_destroy = "cudnnDestroyConvolutionDescriptor" (Descriptor) -> Status;
    geometry_set = "cudnnSetConvolution2dDescriptor"
        (Descriptor, c_int, c_int, c_int, c_int, c_int, c_int, c_uint, c_uint) -> Status;
    geometry_set_groups = "cudnnSetConvolutionGroupCount" (Descriptor, c_int) -> Status;
    geometry_set_math = "cudnnSetConvolutionMathType" (Descriptor, c_uint) -> Status;
    geometry_output = "cudnnGetConvolution2dForwardOutputDim"
        (Descriptor, Descriptor, Descriptor, *mut c_int, *mut c_int, *mut c_int, *mut c_int) -> Status;
    propose_output = "cudnnGetConvolutionForwardAlgorithm_v7"
        (Handle, Descriptor, Descriptor, Descriptor, Descriptor, c_int, *mut c_int, *mut Proposal) -> Status;
    propose_input_gradient = "cudnnGetConvolutionBackwardDataAlgorithm_v7"
        (Handle, Descriptor, Descriptor, Descriptor, Descriptor, c_int, *mut c_int, *mut Proposal) -> Status;
    propose_kernel_gradient = "cudnnGetConvolutionBackwardFilterAlgorithm_v7"
        (Handle, Descriptor, Descriptor, Descriptor, Descriptor, c_int, *mut c_int, *mut Proposal) -> Status;
    output = "cudnnConvolutionForward"
        (Handle, *const c_void, Descriptor, u64, Descriptor, u64, Descriptor, c_uint, u64, usize, *const c_void, Descriptor, u64)
        -> Status;
    input_gradient = "cudnnConvolutionBackwardData"
        (Handle, *const c_void, Descriptor, u64, Descriptor, u64, Descriptor, c_uint, u64, usize, *const c_void, Descriptor, u64)
        -> Status;
    kernel_gradient = "cudnnConvolutionBackwardFilter"
        (Handle, *const c_void, Descriptor, u64, Descriptor, u64, Descriptor, c_uint, u64, usize, *const c_void, Descriptor, u64)
        -> Status;
}

/// `CUDNN_TENSOR_NCHW`.
pub(crate) const CHANNELS_FIRST: c_uint = 0;
/// `CUDNN_CROSS_CORRELATION`: the kernel is not turned.
pub(crate) const NOT_TURNED: c_uint = 1;

/// `cudnnDataType_t`.
pub(crate) const TYPE_F32: c_uint = 0;
pub(crate) const TYPE_F16: c_uint = 2;
pub(crate) const TYPE_BF16: c_uint = 9;

/// `cudnnMathType_t`: as the library likes, which is TF32 for f32 where the GPU has it; tensor cores; and f32's own.
pub(crate) const MATH_ANY: c_uint = 0;
pub(crate) const MATH_TENSOR: c_uint = 1;
pub(crate) const MATH_F32: c_uint = 3;

impl Api {
    /// An answer as a result; `what` completes "cuDNN refused …".
    pub(crate) fn done(&self, what: &str, status: Status) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: gives a string of the library's own for every number.
        let text = unsafe { (self.error_text)(status) };
        if text.is_null() {
            return Err(format!("cuDNN refused {what}: code {status}"));
        }
        // SAFETY: not null, so such a string.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        Err(format!("cuDNN refused {what}: {text} ({status})"))
    }
}
