//! Memory of a GPU, where its kernel module or its tool says: Vulkan by way of wgpu does not.

use std::path::Path;
use std::process::Command;

use super::System;
use crate::adapters::{Adapter, Kind};

/// Memory of a device, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceMemory {
    /// All of it.
    pub total: u64,
    /// What no program holds now.
    pub free: u64,
}

/// NVIDIA's number on the PCI bus.
const NVIDIA: u32 = 0x10de;

impl System {
    /// Memory of the card that is this adapter, the first of several of a kind: from AMD's module, or from NVIDIA's tool.
    /// Nothing for others.
    pub fn memory(&self, adapter: &Adapter) -> Option<DeviceMemory> {
        match adapter.hardware.0 {
            NVIDIA if self.root == Path::new("/") => by_nvidia(&said_by_nvidia()?, adapter.hardware),
            _ => self.by_module(adapter.hardware),
        }
    }

    /// Memory that programs of this adapter can take, in bytes, where that is sure: all of a card's, and of this machine's for
    /// a software adapter. What shares the processor's memory may take more than its module tells.
    pub fn capacity(&self, adapter: &Adapter) -> Option<usize> {
        let bytes = match adapter.kind {
            Kind::Software => self.host_memory()?,
            Kind::Integrated => return None,
            Kind::Discrete | Kind::Virtual | Kind::Other => self.memory(adapter)?.total,
        };
        usize::try_from(bytes).ok()
    }

    /// All memory of this machine, in bytes.
    fn host_memory(&self) -> Option<u64> {
        let text = self.read("/proc/meminfo")?;
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }

    /// Source: Linux, Documentation/gpu/amdgpu/driver-misc.rst, "Memory info".
    fn by_module(&self, (vendor, device): (u32, u32)) -> Option<DeviceMemory> {
        self.names("/sys/class/drm").into_iter().find_map(|name| {
            let read = |file: &str| self.read(format!("/sys/class/drm/{name}/device/{file}"));
            let number = |file: &str| read(file)?.parse::<u64>().ok();
            let is_it = name.starts_with("renderD")
                && read("vendor")? == format!("{vendor:#06x}")
                && read("device")? == format!("{device:#06x}");
            let total = number("mem_info_vram_total").filter(|_| is_it)?;
            Some(DeviceMemory { total, free: total.saturating_sub(number("mem_info_vram_used")?) })
        })
    }
}

/// A line for each GPU: number on the bus, all memory and free memory in MiB.
fn said_by_nvidia() -> Option<String> {
    let asked = ["--query-gpu=pci.device_id,memory.total,memory.free", "--format=csv,noheader,nounits"];
    let output =
        Command::new("nvidia-smi").args(asked).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

fn by_nvidia(said: &str, (vendor, device): (u32, u32)) -> Option<DeviceMemory> {
    // The device's number stands before the vendor's: 0x233010DE.
    let number = format!("0x{device:04X}{vendor:04X}");
    said.lines().find_map(|line| {
        let mut cells = line.split(',').map(str::trim);
        let is_it = cells.next()?.eq_ignore_ascii_case(&number);
        let mut mebibytes = || cells.next()?.parse::<u64>().ok()?.checked_mul(1 << 20);
        let (total, free) = (mebibytes()?, mebibytes()?);
        is_it.then_some(DeviceMemory { total, free })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_nvidias_tool() {
        let said = "0x1EB810DE, 15360, 15000\n0x233010DE, 81559, 81000\n0x232110DE, [N/A], [N/A]\n";
        let memory = by_nvidia(said, (NVIDIA, 0x2330)).unwrap();
        assert_eq!((memory.total >> 20, memory.free >> 20), (81559, 81000));
        assert_eq!((by_nvidia(said, (NVIDIA, 0x2321)), by_nvidia("", (NVIDIA, 0x2330))), (None, None));
    }
}
