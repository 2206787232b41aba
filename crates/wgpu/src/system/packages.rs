//! How what is missing is installed, on the distribution that this is.

use super::System;

/// Something that distributions package.
#[derive(Clone, Copy)]
pub(super) enum Package {
    /// `libvulkan.so.1`.
    Loader,
    /// Mesa's Vulkan drivers: AMD, Intel, software and others.
    Mesa,
    /// NVIDIA's driver with its kernel module.
    NvidiaDriver,
    /// NVIDIA's Vulkan driver where the kernel module is there.
    NvidiaVulkan,
}

/// Distributions that package alike: a name as `ID` or `ID_LIKE` of /etc/os-release has it, how they install, and the
/// names of [`Package::Loader`], [`Package::Mesa`], [`Package::NvidiaDriver`] and [`Package::NvidiaVulkan`].
const FAMILIES: [(&str, &str, [&str; 4]); 6] = [
    // Before Debian, which it is like.
    (
        "ubuntu",
        "sudo apt install",
        [
            "libvulkan1",
            "mesa-vulkan-drivers",
            "ubuntu-drivers-common && sudo ubuntu-drivers install",
            "libnvidia-gl-VERSION",
        ],
    ),
    (
        "debian",
        "sudo apt install",
        ["libvulkan1", "mesa-vulkan-drivers", "nvidia-driver", "nvidia-vulkan-icd"],
    ),
    (
        "fedora",
        "sudo dnf install",
        ["vulkan-loader", "mesa-vulkan-drivers", "akmod-nvidia", "xorg-x11-drv-nvidia-libs"],
    ),
    (
        "arch",
        "sudo pacman -S",
        ["vulkan-icd-loader", "vulkan-radeon vulkan-intel vulkan-swrast", "nvidia", "nvidia-utils"],
    ),
    (
        "suse",
        "sudo zypper install",
        ["libvulkan1", "Mesa-vulkan-drivers", "nvidia-driver-G06-kmp", "nvidia-gl-G06"],
    ),
    (
        "alpine",
        "apk add",
        ["vulkan-loader", "mesa-vulkan-ati mesa-vulkan-intel mesa-vulkan-swrast", "nvidia", "nvidia"],
    ),
];

impl System {
    /// "install …", with the command where the distribution is known.
    pub(super) fn install(&self, package: Package) -> String {
        let what = match package {
            Package::Loader => "the Vulkan loader",
            Package::Mesa => "Mesa's Vulkan drivers",
            Package::NvidiaDriver => "NVIDIA's driver",
            Package::NvidiaVulkan => "NVIDIA's Vulkan driver, of the kernel module's version",
        };
        let release = self.read("/etc/os-release").unwrap_or_default();
        let value = |key: &str| {
            let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches('"').to_lowercase()
        };
        let ids = format!("{} {}", value("ID"), value("ID_LIKE"));
        let family = FAMILIES.iter().find(|(name, ..)| ids.split(' ').any(|id| id.starts_with(name)));
        // openSUSE's ids have the name at their end.
        let family =
            family.or_else(|| FAMILIES.iter().find(|(name, ..)| *name == "suse" && ids.contains(name)));
        match family {
            Some((_, how, names)) => format!("install {what}: {how} {}", names[package as usize]),
            None => {
                format!("install {what} (Debian, Ubuntu: apt install {})", FAMILIES[1].2[package as usize])
            }
        }
    }
}
