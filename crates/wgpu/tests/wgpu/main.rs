//! The executor of wgpu on an adapter, and what is said where there is none.

mod adapters;
mod cache;
mod launch;
mod library;
mod support;
#[cfg(target_os = "linux")]
mod system;
