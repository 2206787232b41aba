//! What the driver's codes mean to whoever reads the message.

use std::ffi::{CStr, c_char};

use super::api::{Api, Code};

pub(crate) const OUT_OF_MEMORY: Code = 2;
pub(crate) const NO_DEVICE: Code = 100;

/// Codes after which no call of the context succeeds: the process must start again (CUDA driver API, `CUresult`).
const FATAL: &[Code] = &[
    214, // ECC_UNCORRECTABLE
    220, // NVLINK_UNCORRECTABLE
    226, // CONTAINED
    700, // ILLEGAL_ADDRESS
    702, // LAUNCH_TIMEOUT
    709, // CONTEXT_IS_DESTROYED
    710, // ASSERT
    714, // HARDWARE_STACK_ERROR
    715, // ILLEGAL_INSTRUCTION
    716, // MISALIGNED_ADDRESS
    717, // INVALID_ADDRESS_SPACE
    718, // INVALID_PC
    719, // LAUNCH_FAILED
    721, // TENSOR_MEMORY_LEAK
    999, // UNKNOWN
];

/// Whether the device is lost to this process after such an answer.
pub(crate) fn is_fatal(code: Code) -> bool {
    FATAL.contains(&code)
}

/// Whether the driver does not do this between two GPUs: PEER_ACCESS_UNSUPPORTED, NOT_SUPPORTED.
pub(crate) fn is_unsupported(code: Code) -> bool {
    matches!(code, 217 | 801)
}

/// `CUDA_ERROR_OUT_OF_MEMORY (2, out of memory)`.
pub(crate) fn describe(api: &Api, code: Code) -> String {
    let text = |ask: unsafe extern "C" fn(Code, *mut *const c_char) -> Code| {
        let mut text = std::ptr::null();
        // SAFETY: `text` is where the driver writes a pointer; what it writes is a string of the driver's own that stays.
        let answer = unsafe { ask(code, &raw mut text) };
        // SAFETY: as above; null where the code is not known.
        (answer == 0 && !text.is_null())
            .then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    };
    match (text(api.error_name), text(api.error_text)) {
        (Some(name), Some(text)) => format!("{name} ({code}, {text})"),
        (Some(name), None) => format!("{name} ({code})"),
        (None, _) => format!("code {code}, which this driver does not explain"),
    }
}

/// What to do about a code.
pub(crate) fn advice(code: Code) -> &'static str {
    match code {
        OUT_OF_MEMORY => "`nvidia-smi` lists what else holds memory of the GPU",
        3 | 4 => "start the program again",
        46 => {
            "another process has the GPU to itself: end it, or set the compute mode with `nvidia-smi -c DEFAULT`"
        }
        NO_DEVICE => "check that `nvidia-smi -L` lists a GPU and that CUDA_VISIBLE_DEVICES does not hide it",
        101 => "`nvidia-smi -L` lists the GPUs and their numbers",
        200 | 209 | 218 | 222 | 223 | 300 => {
            "the compiled kernel does not fit the driver: update the driver, or delete the cache of kernels"
        }
        214 => "the GPU's memory has an error that cannot be corrected: reset the GPU or restart the machine",
        304 | 802 => {
            "the system is not ready: on machines with NVSwitch see that nvidia-fabricmanager runs, else restart the driver"
        }
        701 => {
            "the kernel needs more registers or shared memory than the GPU has: report it with `explain --kernels`"
        }
        702 => "the driver ends kernels that take seconds on a GPU with a display: lower the batch size",
        801 => {
            "the GPU or its virtualisation does not allow this call: update the driver, or use a whole GPU"
        }
        803 => {
            "library and kernel module of the driver differ in version: restart the machine, or reinstall the driver"
        }
        804 => {
            "the compatibility package for newer CUDA does not run on this GPU: take it out of LD_LIBRARY_PATH"
        }
        700 | 714..=719 => {
            "a kernel touched what it must not: run with `--verify`, which names the step, and report it"
        }
        _ => "`nvidia-smi` and the system's log (`dmesg | grep NVRM`) may say more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_without_repetition() {
        assert!(FATAL.is_sorted_by(|a, b| a < b));
        assert!(!is_fatal(OUT_OF_MEMORY) && is_fatal(700));
    }
}
