//! The GPUs of this machine, as their drivers list them.

use std::fmt;
use std::sync::OnceLock;
use warploom_device::{DeviceError, EnergyCounter};
use warploom_gpu::{Limits, MatrixUnits};

use crate::ready::ready;
use crate::system::{System, why_no_adapter};

/// What kind of hardware an adapter is, in the order of preference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A card with memory of its own.
    Discrete,
    /// Shares the processor's memory.
    Integrated,
    /// Given to a virtual machine.
    Virtual,
    /// The driver does not say.
    Other,
    /// A driver that computes on the processor.
    Software,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Discrete => "discrete",
            Kind::Integrated => "integrated",
            Kind::Virtual => "virtual",
            Kind::Other => "other",
            Kind::Software => "software",
        })
    }
}

/// A GPU and what its driver says of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Adapter {
    /// Its number: by kind, cards first and software last, then as the drivers list them.
    pub index: usize,
    /// Name of the hardware.
    pub name: String,
    /// Kind of the hardware.
    pub kind: Kind,
    /// The interface it is reached through: `vulkan`, `metal`, `dx12`.
    pub backend: String,
    /// Name of the driver.
    pub driver: String,
    /// The driver's version.
    pub driver_info: String,
    /// Vendor's and device's number on the bus.
    pub hardware: (u32, u32),
    /// Its place on the bus, `0000:65:00.0`; empty where the driver does not say.
    pub place: String,
    /// What shapes kernels.
    pub limits: Limits,
    /// Largest memory that can be allocated in one piece, in bytes.
    pub buffer_bytes: u64,
    /// Fewest and most invocations that run in step.
    pub subgroup: (u32, u32),
    /// Features that kernels or tools can use: `f16`, `subgroups`, `timestamps`, `pipeline cache`.
    pub features: Vec<&'static str>,
}

impl Adapter {
    /// The device's id: `wgpu:0`.
    pub fn id(&self) -> String {
        format!("wgpu:{}", self.index)
    }

    /// Whether it computes on the processor.
    pub fn is_software(&self) -> bool {
        self.kind == Kind::Software
    }

    /// What counts the energy of its work.
    pub fn energy_counter(&self) -> EnergyCounter {
        /// NVIDIA's number on the PCI bus.
        const NVIDIA: u32 = 0x10de;
        match (self.hardware.0, self.kind) {
            (NVIDIA, _) if !self.place.is_empty() => EnergyCounter::Nvidia(self.place.clone()),
            (NVIDIA, _) => EnergyCounter::Missing(format!(
                "the driver of {} does not say where it is on the bus; on device cuda:0 it is known",
                self.name
            )),
            (_, Kind::Software | Kind::Integrated) => EnergyCounter::Processor,
            _ => EnergyCounter::Missing(format!(
                "only GPUs of NVIDIA are known to count it, not {}",
                self.name
            )),
        }
    }
}

/// Every adapter of this machine. Empty where there is no driver.
pub fn adapters() -> Vec<Adapter> {
    found().iter().map(|(adapter, _)| adapter.clone()).collect()
}

/// The adapter with this number, or the first that is hardware.
pub(crate) fn choose(index: Option<usize>) -> Result<(Adapter, wgpu::Adapter), DeviceError> {
    // Where no GPU shows, its drivers need not be woken to learn that there is none.
    if index.is_none() && cfg!(target_os = "linux") && !System::here().shows_gpu() {
        let why = "no GPU: this machine shows none; `warploom doctor` says what was looked for. Software adapters, which compute \
                   on the processor, are used when named, as in wgpu:0; `warploom devices` lists them";
        return Err(DeviceError::Missing(why.into()));
    }
    let all = found();
    let position = match index {
        Some(index) => (index < all.len()).then_some(index),
        None => all.iter().position(|(adapter, _)| !adapter.is_software()),
    };
    match position {
        Some(position) => Ok(all[position].clone()),
        None => Err(DeviceError::Missing(why_not_chosen(index, all))),
    }
}

fn why_not_chosen(index: Option<usize>, all: &[(Adapter, wgpu::Adapter)]) -> String {
    let list = |all: &[(Adapter, wgpu::Adapter)]| {
        let line = |(adapter, _): &(Adapter, wgpu::Adapter)| format!("{} ({})", adapter.id(), adapter.name);
        all.iter().map(line).collect::<Vec<_>>().join(", ")
    };
    match (index, all) {
        (_, []) => why_no_adapter(),
        (Some(index), _) => format!("no adapter has the number {index}; there is {}", list(all)),
        (None, [(only, _)]) => format!(
            "there is only a software adapter, {}, which computes on the processor; to use it, name it: {}",
            only.name,
            only.id()
        ),
        (None, _) => format!("there are only software adapters; to use one, name it: {}", list(all)),
    }
}

/// All adapters. The drivers are asked once in a process: that takes tens of milliseconds, and some write messages.
fn found() -> &'static [(Adapter, wgpu::Adapter)] {
    static FOUND: OnceLock<Vec<(Adapter, wgpu::Adapter)>> = OnceLock::new();
    FOUND.get_or_init(ask)
}

fn ask() -> Vec<(Adapter, wgpu::Adapter)> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        // Validation layers are for those who write drivers and wgpu: WGPU_VALIDATION=1 asks for them.
        flags: wgpu::InstanceFlags::empty().with_env(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut all: Vec<wgpu::Adapter> = ready(instance.enumerate_adapters(backends));
    all.sort_by_key(|adapter| kind(&adapter.get_info()));
    all.into_iter().enumerate().map(|(index, adapter)| (describe(index, &adapter), adapter)).collect()
}

fn kind(info: &wgpu::AdapterInfo) -> Kind {
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
        wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
        wgpu::DeviceType::VirtualGpu => Kind::Virtual,
        wgpu::DeviceType::Cpu => Kind::Software,
        wgpu::DeviceType::Other => Kind::Other,
    }
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> Adapter {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let known = [
        (wgpu::Features::SHADER_F16, "f16"),
        (wgpu::Features::SUBGROUP, "subgroups"),
        (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
        (wgpu::Features::PIPELINE_CACHE, "pipeline cache"),
    ];
    let kind = kind(&info);
    Adapter {
        index,
        name: info.name,
        kind,
        backend: info.backend.to_str().into(),
        driver: info.driver,
        driver_info: info.driver_info,
        hardware: (info.vendor, info.device),
        place: info.device_pci_bus_id,
        limits: kernel_limits(&limits, kind),
        buffer_bytes: limits.max_buffer_size,
        subgroup: (info.subgroup_min_size, info.subgroup_max_size),
        features: known
            .into_iter()
            .filter(|(bit, _)| features.contains(*bit))
            .map(|(_, name)| name)
            .collect(),
    }
}

/// Alignment of every buffer within a memory, at least, in bytes: what drivers ask for at most.
const ALIGNMENT: u32 = 256;

fn kernel_limits(limits: &wgpu::Limits, kind: Kind) -> Limits {
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Limits {
        workgroup: limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x),
        groups: limits.max_compute_workgroups_per_dimension,
        shared_bytes: limits.max_compute_workgroup_storage_size as usize,
        arguments: limits.max_storage_buffers_per_shader_stage.min(limits.max_bindings_per_bind_group)
            as usize,
        // Sizes of bindings are multiples of 4.
        argument_bytes: bytes(limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)) / 4 * 4,
        alignment: limits.min_storage_buffer_offset_alignment.max(ALIGNMENT) as usize,
        // No interface tells how many invocations a device holds. By kind, so that results are the same on equal devices.
        parallel: match kind {
            Kind::Discrete | Kind::Virtual | Kind::Other => 1 << 16,
            Kind::Integrated => 1 << 13,
            Kind::Software => 1 << 6,
        },
        // WGSL has no loads of several elements of an array, and its subgroups no size that is known beforehand.
        vector_bytes: 4,
        warp: 1,
        matrix_units: MatrixUnits::NONE,
    }
}
