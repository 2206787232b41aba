//! Memory of a GPU, where the kernel says: Vulkan by way of wgpu does not.

use super::System;
use crate::adapters::Adapter;

/// Memory of a device, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceMemory {
    /// All of it.
    pub total: u64,
    /// What no program holds now.
    pub free: u64,
}

impl System {
    /// Memory of the card that is this adapter; nothing where the kernel's module does not tell it. AMD's does. Source: Linux,
    /// Documentation/gpu/amdgpu/driver-misc.rst, "Memory info".
    pub fn memory(&self, adapter: &Adapter) -> Option<DeviceMemory> {
        let (vendor, device) = adapter.hardware;
        self.names("/sys/class/drm").into_iter().find_map(|name| {
            let read = |file: &str| self.read(format!("/sys/class/drm/{name}/device/{file}"));
            let is_it = name.starts_with("renderD")
                && read("vendor")? == format!("{vendor:#06x}")
                && read("device")? == format!("{device:#06x}");
            let number = |file: &str| read(file)?.parse::<u64>().ok();
            let total = number("mem_info_vram_total").filter(|_| is_it)?;
            Some(DeviceMemory { total, free: total.saturating_sub(number("mem_info_vram_used")?) })
        })
    }
}
