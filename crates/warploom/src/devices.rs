//! Which executors this build has.

use std::sync::Arc;
use warploom_device::{DeviceError, Executor};
use warploom_tensor::register;

/// Registers the executors of this build. It has happened before `main` where the system runs constructors, and
/// doing it again changes nothing.
pub fn register_devices() {
    register("cuda", cuda);
    register("wgpu", wgpu);
    #[cfg(feature = "cpu")]
    register("cpu", cpu);
}

ctor::declarative::ctor! {
    #[ctor(unsafe)]
    fn register_before_main() {
        register_devices();
    }
}

#[cfg(feature = "cuda")]
fn cuda(index: Option<usize>) -> Result<Arc<dyn Executor>, DeviceError> {
    Ok(Arc::new(warploom_cuda::Cuda::open(index)?))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: Option<usize>) -> Result<Arc<dyn Executor>, DeviceError> {
    Err(DeviceError::Missing("this build has no CUDA executor: its feature `cuda` is off".into()))
}

#[cfg(feature = "wgpu")]
fn wgpu(index: Option<usize>) -> Result<Arc<dyn Executor>, DeviceError> {
    Ok(Arc::new(warploom_wgpu::Wgpu::open(index)?))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(_: Option<usize>) -> Result<Arc<dyn Executor>, DeviceError> {
    Err(DeviceError::Missing("this build has no wgpu executor: its feature `wgpu` is off".into()))
}

#[cfg(feature = "cpu")]
fn cpu(index: Option<usize>) -> Result<Arc<dyn Executor>, DeviceError> {
    match index {
        None | Some(0) => Ok(Arc::new(warploom_cpu::Cpu::open(threads()?)?)),
        Some(number) => {
            Err(DeviceError::Missing(format!("there is one CPU, numbered 0; {number} was asked for")))
        }
    }
}

/// The number of threads that `WARPLOOM_THREADS` asks for, if it does.
#[cfg(feature = "cpu")]
fn threads() -> Result<Option<usize>, DeviceError> {
    let Some(asked) = std::env::var_os("WARPLOOM_THREADS").filter(|asked| !asked.is_empty()) else {
        return Ok(None);
    };
    let number = asked.to_str().and_then(|asked| asked.parse().ok());
    let most = warploom_cpu::MOST_THREADS;
    number.filter(|threads| (1..=most).contains(threads)).map(Some).ok_or_else(|| {
        DeviceError::Unsupported(format!(
            "WARPLOOM_THREADS is {asked:?}; it takes a number of threads, 1 to {most}, and nothing for one on each core"
        ))
    })
}
