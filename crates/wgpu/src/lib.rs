//! GPUs of Vulkan, Metal and DirectX 12 through wgpu; kernels are written as WGSL.
//!
//! [`Wgpu`] is the device, [`adapters`] lists what there is. `prepare` makes a program ready, with `pipelines` that
//! compile its kernels; `executable` launches it: its dispatches, bound by `bindings`, become one submission, written by
//! `record`. `transfer` copies between host and device.
//! `context` orders what is submitted, and `health` keeps what went wrong until somebody can be told. [`System`] examines what
//! must be there before a driver lists anything.

mod adapters;
mod bindings;
mod context;
mod executable;
mod executor;
mod faults;
mod health;
mod library;
mod memory;
mod merge;
mod pipeline_cache;
mod pipelines;
mod prepare;
mod profile;
mod ready;
mod record;
mod system;
mod transfer;
mod wgsl;

pub use adapters::{Adapter, Kind, adapters};
pub use executor::Wgpu;
pub use profile::Timing;
pub use system::{DeviceMemory, System};
pub use wgsl::Wgsl;
