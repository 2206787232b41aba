//! The driver's functions, loaded from the file that was found.
//!
//! Handles and constants are cudarc's. Its own loader asks for libraries by name, so it may take another file than the one
//! found, and panics where a function is missing; and its results are an enum, which a newer driver's codes are not in.

use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};
use std::path::Path;

use cudarc::driver::sys::{
    CUcontext, CUdevice, CUdeviceptr, CUevent, CUfunction, CUgraph, CUgraphExec, CUmemAccessDesc,
    CUmemoryPool, CUmodule, CUstream,
};

/// What a function of the driver answers; 0 is success.
pub(crate) type Code = c_uint;

macro_rules! functions {
    ($(#[$about:meta])* $table:ident: $($name:ident = $symbol:literal ($($argument:ty),*) -> $result:ty;)*) => {
        $(#[$about])*
        pub(crate) struct $table {
            $(pub $name: unsafe extern "C" fn($($argument),*) -> $result,)*
        }

        impl $table {
            /// Loads a library, which stays loaded, and all functions.
            ///
            /// # Errors
            /// What the system's loader says, or which function is missing.
            pub(crate) fn load(path: &Path) -> Result<$table, String> {
                // SAFETY: the file has the name of a library of NVIDIA's, whose initialisers may run in any program.
                let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
                let table = $table {
                    $(
                        // SAFETY: the types are those of NVIDIA's header for this symbol.
                        $name: *unsafe { library.get($symbol.as_bytes()) }
                            .map_err(|_| format!("it has no function {}", $symbol))?,
                    )*
                };
                // Drivers start threads that outlive every use of theirs here.
                std::mem::forget(library);
                Ok(table)
            }
        }
    };
}
pub(crate) use functions;

functions! {
    /// The driver's functions that are used. All are in drivers for CUDA 12.
    Api:
    init = "cuInit" (c_uint) -> Code;
    version = "cuDriverGetVersion" (*mut c_int) -> Code;
    error_name = "cuGetErrorName" (Code, *mut *const c_char) -> Code;
    error_text = "cuGetErrorString" (Code, *mut *const c_char) -> Code;
    device_count = "cuDeviceGetCount" (*mut c_int) -> Code;
    device = "cuDeviceGet" (*mut CUdevice, c_int) -> Code;
    device_name = "cuDeviceGetName" (*mut c_char, c_int, CUdevice) -> Code;
    device_attribute = "cuDeviceGetAttribute" (*mut c_int, c_uint, CUdevice) -> Code;
    device_uuid = "cuDeviceGetUuid_v2" (*mut [u8; 16], CUdevice) -> Code;
    device_memory = "cuDeviceTotalMem_v2" (*mut usize, CUdevice) -> Code;
    device_pool = "cuDeviceGetDefaultMemPool" (*mut CUmemoryPool, CUdevice) -> Code;
    pool_set = "cuMemPoolSetAttribute" (CUmemoryPool, c_uint, *mut c_void) -> Code;
    pool_open = "cuMemPoolSetAccess" (CUmemoryPool, *const CUmemAccessDesc, usize) -> Code;
    reaches = "cuDeviceCanAccessPeer" (*mut c_int, CUdevice, CUdevice) -> Code;
    context_retain = "cuDevicePrimaryCtxRetain" (*mut CUcontext, CUdevice) -> Code;
    context_release = "cuDevicePrimaryCtxRelease_v2" (CUdevice) -> Code;
    context_set = "cuCtxSetCurrent" (CUcontext) -> Code;
    stream_create = "cuStreamCreate" (*mut CUstream, c_uint) -> Code;
    stream_destroy = "cuStreamDestroy_v2" (CUstream) -> Code;
    stream_wait = "cuStreamWaitEvent" (CUstream, CUevent, c_uint) -> Code;
    stream_synchronize = "cuStreamSynchronize" (CUstream) -> Code;
    event_create = "cuEventCreate" (*mut CUevent, c_uint) -> Code;
    event_destroy = "cuEventDestroy_v2" (CUevent) -> Code;
    event_record = "cuEventRecord" (CUevent, CUstream) -> Code;
    event_elapsed = "cuEventElapsedTime" (*mut f32, CUevent, CUevent) -> Code;
    event_synchronize = "cuEventSynchronize" (CUevent) -> Code;
    memory_allocate = "cuMemAllocAsync" (*mut CUdeviceptr, usize, CUstream) -> Code;
    memory_free = "cuMemFreeAsync" (CUdeviceptr, CUstream) -> Code;
    host_allocate = "cuMemHostAlloc" (*mut *mut c_void, usize, c_uint) -> Code;
    host_free = "cuMemFreeHost" (*mut c_void) -> Code;
    fill_bytes = "cuMemsetD8Async" (CUdeviceptr, u8, usize, CUstream) -> Code;
    copy_in = "cuMemcpyHtoDAsync_v2" (CUdeviceptr, *const c_void, usize, CUstream) -> Code;
    copy_out = "cuMemcpyDtoHAsync_v2" (*mut c_void, CUdeviceptr, usize, CUstream) -> Code;
    copy_within = "cuMemcpyDtoDAsync_v2" (CUdeviceptr, CUdeviceptr, usize, CUstream) -> Code;
    copy_between = "cuMemcpyPeerAsync"
        (CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, usize, CUstream) -> Code;
    module_load = "cuModuleLoadData" (*mut CUmodule, *const c_void) -> Code;
    module_unload = "cuModuleUnload" (CUmodule) -> Code;
    module_function = "cuModuleGetFunction" (*mut CUfunction, CUmodule, *const c_char) -> Code;
    function_attribute = "cuFuncGetAttribute" (*mut c_int, c_uint, CUfunction) -> Code;
    occupancy = "cuOccupancyMaxActiveBlocksPerMultiprocessor" (*mut c_int, CUfunction, c_int, usize) -> Code;
    launch = "cuLaunchKernel"
        (CUfunction, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, CUstream, *mut *mut c_void, *mut *mut c_void)
        -> Code;
    capture_begin = "cuStreamBeginCapture_v2" (CUstream, c_uint) -> Code;
    capture_end = "cuStreamEndCapture" (CUstream, *mut CUgraph) -> Code;
    graph_instantiate = "cuGraphInstantiateWithFlags" (*mut CUgraphExec, CUgraph, c_ulonglong) -> Code;
    graph_destroy = "cuGraphDestroy" (CUgraph) -> Code;
    graph_launch = "cuGraphLaunch" (CUgraphExec, CUstream) -> Code;
    executable_destroy = "cuGraphExecDestroy" (CUgraphExec) -> Code;
}
