//! GPUs on the system's buses, and the kernel's modules that drive them.

use std::fmt;

use warploom_device::Check;

use super::packages::Package;
use super::{System, listing};

/// Who makes GPUs that have Vulkan drivers. Graphics of servers' consoles and of virtual machines are no GPUs here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Vendor {
    Nvidia,
    Amd,
    Intel,
    /// Part of a system on a chip.
    Other,
}

impl Vendor {
    /// By the number on the PCI bus, as `0x10de`.
    fn of(number: &str) -> Option<Vendor> {
        match number {
            "0x10de" => Some(Vendor::Nvidia),
            "0x1002" => Some(Vendor::Amd),
            "0x8086" => Some(Vendor::Intel),
            _ => None,
        }
    }
}

/// A GPU that the system shows, whether or not anything drives it.
pub(super) struct Gpu {
    /// Where it is: an address on the PCI bus, or what stands for it.
    pub place: String,
    pub vendor: Vendor,
    /// Its model, where the kernel says.
    pub model: Option<String>,
    /// The kernel's module that drives it.
    pub module: Option<String>,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vendor = match self.vendor {
            Vendor::Nvidia => "NVIDIA",
            Vendor::Amd => "AMD",
            Vendor::Intel => "Intel",
            Vendor::Other => "GPU",
        };
        write!(f, "{} at {}", self.model.as_deref().unwrap_or(vendor), self.place)
    }
}

/// Modules that keep a GPU for a virtual machine.
const RESERVING: [&str; 2] = ["vfio-pci", "pci-stub"];

/// Modules of display devices that no hardware stands behind.
const VIRTUAL: [&str; 3] = ["vgem", "vkms", "virtio_gpu"];

impl Gpu {
    fn is_reserved(&self) -> bool {
        self.module.as_deref().is_some_and(|module| RESERVING.contains(&module))
    }

    /// Whether a module drives it for this system's programs.
    pub(super) fn is_driven(&self) -> bool {
        self.module.is_some() && !self.is_reserved()
    }

    /// Whether NVIDIA's own module drives it, which has device nodes of its own.
    pub(super) fn is_driven_by_nvidia(&self) -> bool {
        self.module.as_deref() == Some("nvidia")
    }
}

impl System {
    /// Every GPU that shows on the PCI bus, in `/sys/class/drm`, to NVIDIA's module, or in `/dev`.
    pub(super) fn gpus(&self) -> Vec<Gpu> {
        let mut gpus = self.on_pci();
        gpus.extend(self.on_chips());
        let nvidia = |place: String| {
            let model = self.nvidia_model(&place);
            Gpu { place, vendor: Vendor::Nvidia, model, module: Some("nvidia".into()) }
        };
        // Containers may hide /sys, and /proc too.
        for place in self.names("/proc/driver/nvidia/gpus") {
            if gpus.iter().all(|gpu| gpu.place != place) {
                gpus.push(nvidia(place));
            }
        }
        if gpus.iter().all(|gpu| gpu.vendor != Vendor::Nvidia) {
            gpus.extend(self.nvidia_nodes().into_iter().map(nvidia));
        }
        if gpus.is_empty() && !self.exists("/sys/class/drm") {
            let described =
                |place: String| Gpu { place, vendor: Vendor::Other, model: None, module: Some("?".into()) };
            gpus.extend(self.render_nodes().into_iter().map(described));
        }
        if self.exists("/dev/dxg") {
            // Windows' GPUs within its subsystem for Linux.
            let (model, module) = (Some("Windows' GPU".into()), Some("dxgkrnl".into()));
            gpus.push(Gpu { place: "/dev/dxg".into(), vendor: Vendor::Other, model, module });
        }
        gpus
    }

    fn on_pci(&self) -> Vec<Gpu> {
        let folder = "/sys/bus/pci/devices";
        let describe = |place: String| {
            let read = |name: &str| self.read(format!("{folder}/{place}/{name}"));
            // Base class 3: display controllers. Source: PCI Code and ID Assignment Specification.
            let is_display = read("class")?.starts_with("0x03");
            let vendor = Vendor::of(&read("vendor")?).filter(|_| is_display)?;
            let module = self.link(format!("{folder}/{place}/driver"));
            let model = match vendor {
                Vendor::Nvidia => self.nvidia_model(&place),
                Vendor::Amd | Vendor::Intel | Vendor::Other => None,
            };
            Some(Gpu { place, vendor, model, module })
        };
        self.names(folder).into_iter().filter_map(describe).collect()
    }

    fn nvidia_model(&self, place: &str) -> Option<String> {
        let text = self.read(format!("/proc/driver/nvidia/gpus/{place}/information"))?;
        let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
        Some(model.trim().to_owned())
    }

    /// GPUs that are no PCI devices.
    fn on_chips(&self) -> Vec<Gpu> {
        let describe = |name: String| {
            let event = self.read(format!("/sys/class/drm/{name}/device/uevent"))?;
            let module = event.lines().find_map(|line| line.strip_prefix("DRIVER="))?.to_owned();
            let is_gpu = !event.contains("PCI_ID=") && !VIRTUAL.contains(&module.as_str());
            let place = format!("/sys/class/drm/{name}");
            is_gpu.then_some(Gpu { place, vendor: Vendor::Other, model: None, module: Some(module) })
        };
        let names = self.names("/sys/class/drm").into_iter();
        names.filter(|name| name.starts_with("renderD")).filter_map(describe).collect()
    }

    pub(super) fn check_hardware(&self, gpus: &[Gpu]) -> Check {
        let name = "GPU hardware";
        match gpus {
            [] => Check::ok(name, "none is seen on the PCI bus, in /sys/class/drm or in /dev"),
            _ => Check::ok(name, listing(gpus)),
        }
    }

    /// Whether the kernel drives what is there, and by which versions.
    pub(super) fn check_modules(&self, gpus: &[Gpu]) -> Check {
        let name = "kernel modules";
        let idle: Vec<&Gpu> = gpus.iter().filter(|gpu| gpu.module.is_none()).collect();
        let Some(first) = idle.first() else {
            return match gpus {
                [] => Check::skipped(name, "no GPU is seen"),
                _ => Check::ok(name, self.modules(gpus)),
            };
        };
        let found = format!("no module of the kernel drives {}", listing(&idle));
        let advice = match first.vendor {
            Vendor::Nvidia => format!(
                "{}, restart the machine, and see `dmesg | grep -i nvidia` if that does not help",
                self.install(Package::NvidiaDriver)
            ),
            Vendor::Amd => {
                "load it, `sudo modprobe amdgpu`, and see `dmesg | grep amdgpu`: an older kernel or missing \
                            firmware (linux-firmware, firmware-amd-graphics) stops it"
                    .into()
            }
            Vendor::Intel => {
                "load it, `sudo modprobe xe` or `sudo modprobe i915`, and see `dmesg | grep -e xe -e i915`: \
                              newer GPUs need a newer kernel"
                    .into()
            }
            Vendor::Other => "see `dmesg`".into(),
        };
        Check::problem(!gpus.iter().any(Gpu::is_driven), name, found, advice)
    }

    fn modules(&self, gpus: &[Gpu]) -> String {
        let mut modules: Vec<String> = Vec::new();
        for gpu in gpus {
            let Some(module) = &gpu.module else { continue };
            let described = match self.module_version(module) {
                Some(version) => format!("{module} {version}"),
                None if gpu.is_reserved() => format!("{module}, which keeps {gpu} for a virtual machine"),
                None => module.clone(),
            };
            if !modules.contains(&described) {
                modules.push(described);
            }
        }
        let kernel = self.read("/proc/sys/kernel/osrelease");
        format!(
            "{}{}",
            listing(modules),
            kernel.map_or(String::new(), |version| format!("; Linux {version}"))
        )
    }

    fn module_version(&self, module: &str) -> Option<String> {
        match module {
            "nvidia" => self.nvidia_version(),
            _ => self.read(format!("/sys/module/{module}/version")),
        }
    }

    /// Version of NVIDIA's module, from a line such as `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  …`.
    pub(super) fn nvidia_version(&self) -> Option<String> {
        let text =
            self.read("/proc/driver/nvidia/version").or_else(|| self.read("/sys/module/nvidia/version"))?;
        let is_version = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
        text.lines().next()?.split_whitespace().find(is_version).map(str::to_owned)
    }
}
