//! The functions of cuBLASLt that are used, with the constants of its header.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::Path;

use cudarc::driver::sys::CUstream;

use crate::driver::functions;

pub(crate) type Handle = *mut c_void;
pub(crate) type Descriptor = *mut c_void;

/// What the library answers; 0 is success.
pub(crate) type Status = c_uint;

/// `cublasLtMatmulAlgo_t`, which only the library understands.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Algorithm([u64; 8]);

/// `cublasLtMatmulHeuristicResult_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Proposal {
    pub algorithm: Algorithm,
    pub scratch: usize,
    pub status: Status,
    waves: f32,
    reserved: [c_int; 4],
}

functions! {
    /// All are in CUDA 12.
    Api:
    version = "cublasLtGetVersion" () -> usize;
    cuda_version = "cublasLtGetCudartVersion" () -> usize;
    status_name = "cublasLtGetStatusName" (Status) -> *const c_char;
    status_text = "cublasLtGetStatusString" (Status) -> *const c_char;
    create = "cublasLtCreate" (*mut Handle) -> Status;
    destroy = "cublasLtDestroy" (Handle) -> Status;
    multiplier_create = "cublasLtMatmulDescCreate" (*mut Descriptor, c_uint, c_uint) -> Status;
    multiplier_destroy = "cublasLtMatmulDescDestroy" (Descriptor) -> Status;
    multiplier_set = "cublasLtMatmulDescSetAttribute" (Descriptor, c_uint, *const c_void, usize) -> Status;
    layout_create = "cublasLtMatrixLayoutCreate" (*mut Descriptor, c_uint, u64, u64, i64) -> Status;
    layout_destroy = "cublasLtMatrixLayoutDestroy" (Descriptor) -> Status;
    layout_set = "cublasLtMatrixLayoutSetAttribute" (Descriptor, c_uint, *const c_void, usize) -> Status;
    preference_create = "cublasLtMatmulPreferenceCreate" (*mut Descriptor) -> Status;
    preference_destroy = "cublasLtMatmulPreferenceDestroy" (Descriptor) -> Status;
    preference_set = "cublasLtMatmulPreferenceSetAttribute" (Descriptor, c_uint, *const c_void, usize) -> Status;
    propose = "cublasLtMatmulAlgoGetHeuristic"
        (Handle, Descriptor, Descriptor, Descriptor, Descriptor, Descriptor, Descriptor, c_int, *mut Proposal, *mut c_int)
        -> Status;
    algorithm_get = "cublasLtMatmulAlgoConfigGetAttribute"
        (*const Algorithm, c_uint, *mut c_void, usize, *mut usize) -> Status;
    multiply = "cublasLtMatmul"
        (Handle, Descriptor, *const c_void, u64, Descriptor, u64, Descriptor, *const c_void, u64, Descriptor, u64, Descriptor,
        *const Algorithm, u64, usize, CUstream) -> Status;
}

/// `CUBLAS_COMPUTE_32F`: products of f32 are f32's own, sums are in f32.
pub(crate) const COMPUTE_F32: c_uint = 68;
/// `CUBLAS_COMPUTE_32F_FAST_TF32`.
pub(crate) const COMPUTE_TF32: c_uint = 77;

/// `cudaDataType_t`.
pub(crate) const TYPE_F32: c_uint = 0;
pub(crate) const TYPE_F16: c_uint = 2;
pub(crate) const TYPE_BF16: c_uint = 14;

/// `cublasLtMatmulDescAttributes_t`.
pub(crate) const TRANSPOSE_LEFT: c_uint = 3;
pub(crate) const TRANSPOSE_RIGHT: c_uint = 4;
pub(crate) const EPILOGUE: c_uint = 7;
pub(crate) const BIAS_POINTER: c_uint = 8;

/// `cublasLtEpilogue_t`: bits that are combined; nothing of both is 1.
pub(crate) const EPILOGUE_NONE: c_uint = 1;
pub(crate) const EPILOGUE_RELU: c_uint = 2;
pub(crate) const EPILOGUE_BIAS: c_uint = 4;

/// `cublasLtMatrixLayoutAttribute_t`.
pub(crate) const LAYOUT_BATCH: c_uint = 5;
pub(crate) const LAYOUT_STRIDE: c_uint = 6;

/// `cublasLtMatmulPreferenceAttributes_t`.
pub(crate) const MOST_SCRATCH_BYTES: c_uint = 1;
pub(crate) const REDUCTION_SCHEMES: c_uint = 3;
/// Of the left, the right, the added and the resulting matrix.
pub(crate) const ALIGNMENTS: [c_uint; 4] = [5, 6, 7, 8];

/// `CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE`: parts of split sums are kept in f32 in scratch memory and added up in order by a
/// second kernel. No splitting is 0; other schemes add up in the result, in its dtype.
pub(crate) const REDUCTION_IN_SCRATCH: c_uint = 2;

/// `CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME`.
const ALGORITHM_REDUCTION: c_uint = 3;

impl Api {
    /// An answer as a result; `what` completes "cuBLASLt refused …".
    pub(crate) fn done(&self, what: &str, status: Status) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        let text = |ask: unsafe extern "C" fn(Status) -> *const c_char| {
            // SAFETY: gives a string of the library's own for every number.
            let text = unsafe { ask(status) };
            // SAFETY: not null, so such a string.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        let name = text(self.status_name).unwrap_or_else(|| "a code that it does not name".into());
        let why = text(self.status_text).map(|text| format!(", {text}")).unwrap_or_default();
        Err(format!("cuBLASLt refused {what}: {name} ({status}{why})"))
    }

    /// Whether an algorithm adds in one order every time.
    pub(crate) fn is_repeatable(&self, algorithm: &Algorithm) -> bool {
        let (mut scheme, mut written): (c_uint, usize) = (c_uint::MAX, 0);
        // SAFETY: as many bytes as announced are written to `scheme`.
        let answer = unsafe {
            (self.algorithm_get)(
                algorithm,
                ALGORITHM_REDUCTION,
                (&raw mut scheme).cast(),
                size_of_val(&scheme),
                &raw mut written,
            )
        };
        answer == 0 && matches!(scheme, 0 | REDUCTION_IN_SCRATCH)
    }
}

impl Proposal {
    /// What the library overwrites.
    pub(crate) fn empty() -> Proposal {
        Proposal { algorithm: Algorithm([0; 8]), scratch: 0, status: 0, waves: 0.0, reserved: [0; 4] }
    }
}
