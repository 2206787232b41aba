//! The Vulkan drivers (ICDs) that the loader is told of by files of JSON.
//!
//! Sources: Vulkan-Loader, docs/LoaderDriverInterface.md, "Driver Discovery on Linux", and docs/LoaderInterfaceArchitecture.md
//! for the variables.

use std::path::{Path, PathBuf};

use serde_json::Value;
use warploom_device::Check;

use super::hardware::{Gpu, Vendor};
use super::packages::Package;
use super::{System, listing};

/// Variables that take the place of the system's list; the first that is set counts.
const INSTEAD: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// Variables that hide some of what is listed.
const HIDING: [&str; 2] = ["VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE"];

/// A file that tells of a driver.
struct Manifest {
    path: PathBuf,
    /// Its library as the file names it, and where that is; or what is wrong with the file.
    library: Result<(String, Option<PathBuf>), String>,
}

impl Manifest {
    fn name(&self) -> String {
        self.path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
    }

    fn is_usable(&self) -> bool {
        matches!(self.library, Ok((_, Some(_))))
    }

    /// Whether it drives a GPU of this module of the kernel.
    fn is_for(&self, module: &str) -> bool {
        let parts: &[&str] = match module {
            "nvidia" => &["nvidia"],
            "nouveau" => &["nouveau"],
            "amdgpu" | "radeon" => &["radeon", "amdvlk", "amdgpu"],
            "i915" | "xe" => &["intel"],
            // Drivers of systems on chips are not named after modules.
            _ => return true,
        };
        let library = self.library.as_ref().map_or("", |(library, _)| library);
        parts.iter().any(|part| library.to_lowercase().contains(part))
    }

    /// What is wrong with it, if something is.
    fn check(&self, is_needed: bool) -> Option<Check> {
        let path = self.path.display();
        let found = match &self.library {
            Ok((_, Some(_))) => return None,
            Ok((library, None)) => format!("{path} names the library {library}, which is not there"),
            Err(reason) => format!("{path} tells of no Vulkan driver: {reason}"),
        };
        let advice = format!("install the driver that {path} belongs to again, or remove that file");
        Some(Check::problem(is_needed, format!("Vulkan driver {}", self.name()), found, advice))
    }
}

impl System {
    pub(super) fn check_drivers(&self, gpus: &[Gpu]) -> Vec<Check> {
        let (manifests, absent) = self.manifests();
        let usable: Vec<&Manifest> = manifests.iter().filter(|manifest| manifest.is_usable()).collect();
        // Where there is no GPU, or a driver is left, nothing that is present need fail by it.
        let is_needed = !gpus.is_empty() && usable.is_empty();
        let mut checks: Vec<Check> = Vec::new();
        if let (Some((variable, _)), Some(first)) = (self.instead(), absent.first()) {
            let found = format!("{variable} names {}, which is not there", first.display());
            checks.push(Check::problem(
                is_needed,
                "Vulkan drivers",
                found,
                format!("unset {variable}, or correct it"),
            ));
        }
        checks.extend(manifests.iter().filter_map(|manifest| manifest.check(is_needed)));
        match (usable.as_slice(), checks.is_empty()) {
            ([], true) => checks.push(self.no_driver(gpus)),
            ([], false) => {}
            _ => {
                let (chosen, hidden) =
                    (self.instead(), HIDING.iter().find(|name| self.variable(name).is_some()));
                let chosen = chosen.map_or(String::new(), |(variable, _)| format!(", by {variable}"));
                let hidden = hidden.map_or(String::new(), |name| format!("; {name} may hide some"));
                let names = listing(usable.iter().map(|manifest| manifest.name()));
                checks.push(Check::ok("Vulkan drivers", format!("{names}{chosen}{hidden}")));
                checks.extend(self.without_driver(gpus, &usable));
            }
        }
        checks.extend(self.mixed_versions(&usable));
        checks
    }

    fn instead(&self) -> Option<(&'static str, Vec<PathBuf>)> {
        let name = INSTEAD.into_iter().find(|name| self.variable(name).is_some())?;
        Some((name, std::env::split_paths(self.variable(name)?).collect()))
    }

    /// Folders that list drivers, in the loader's order.
    fn listing_folders(&self) -> Vec<PathBuf> {
        let paths = |name: &str, usual: &str| -> Vec<PathBuf> {
            let list = self.variable(name).cloned().unwrap_or_else(|| usual.into());
            std::env::split_paths(&list).collect()
        };
        let home = |below: &str| self.variable("HOME").map(|home| Path::new(home).join(below));
        let own = |name: &str, below: &str| self.variable(name).map(PathBuf::from).or_else(|| home(below));
        let mut bases: Vec<PathBuf> = own("XDG_CONFIG_HOME", ".config").into_iter().collect();
        bases.extend(paths("XDG_CONFIG_DIRS", "/etc/xdg"));
        bases.push("/etc".into());
        bases.extend(own("XDG_DATA_HOME", ".local/share"));
        bases.extend(paths("XDG_DATA_DIRS", "/usr/local/share:/usr/share"));
        let mut folders: Vec<PathBuf> = Vec::new();
        for folder in bases.into_iter().map(|base| base.join("vulkan/icd.d")) {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }

    /// Drivers that the loader is told of, and files and folders that a variable names but are not there.
    fn manifests(&self) -> (Vec<Manifest>, Vec<PathBuf>) {
        let (mut files, mut absent) = (Vec::new(), Vec::new());
        let in_folder = |folder: &Path| -> Vec<PathBuf> {
            let names = self.names(folder).into_iter().filter(|name| name.ends_with(".json"));
            names.map(|name| folder.join(name)).collect()
        };
        let instead = self.instead();
        let added = self.variable("VK_ADD_DRIVER_FILES").filter(|_| instead.is_none());
        let named = instead.as_ref().map_or(Vec::new(), |(_, paths)| paths.clone());
        for path in named.into_iter().chain(added.into_iter().flat_map(std::env::split_paths)) {
            match self.at(&path) {
                real if real.is_dir() => files.extend(in_folder(&path)),
                real if real.exists() => files.push(path),
                _ => absent.push(path),
            }
        }
        if instead.is_none() {
            files.extend(self.listing_folders().iter().flat_map(|folder| in_folder(folder)));
        }
        (files.into_iter().filter_map(|path| self.manifest(path)).collect(), absent)
    }

    /// Nothing for a driver of another word size.
    fn manifest(&self, path: PathBuf) -> Option<Manifest> {
        let value = self.read(&path).ok_or_else(|| "it cannot be read".to_owned());
        let value = value.and_then(|text| {
            serde_json::from_str::<Value>(&text).map_err(|error| format!("it is not JSON: {error}"))
        });
        let bits = usize::BITS.to_string();
        let other = |value: &Value| value["ICD"]["library_arch"].as_str().is_some_and(|arch| arch != bits);
        if value.as_ref().is_ok_and(other) {
            return None;
        }
        let library = value.and_then(|value| {
            let name = value["ICD"]["library_path"].as_str().map(str::to_owned);
            name.ok_or_else(|| "it names no ICD.library_path".to_owned())
        });
        let found = |name: String| {
            // A path that is not absolute is below the file's folder.
            let place = match (name.contains('/'), path.parent()) {
                (true, Some(folder)) => self.library(&folder.join(&name).to_string_lossy()),
                _ => self.library(&name),
            };
            (name, place)
        };
        Some(Manifest { library: library.map(found), path })
    }

    fn no_driver(&self, gpus: &[Gpu]) -> Check {
        let (name, folders) = ("Vulkan drivers", self.listing_folders());
        let found = format!(
            "no Vulkan driver is listed: no .json in {}",
            listing(folders.iter().map(|f| f.display()))
        );
        let advice = match gpus.first() {
            Some(gpu) => self.install_for(gpu),
            None => format!("{}, of which one computes on the processor", self.install(Package::Mesa)),
        };
        Check::problem(!gpus.is_empty(), name, found, advice)
    }

    /// GPUs for which no usable driver is listed.
    fn without_driver(&self, gpus: &[Gpu], usable: &[&Manifest]) -> Option<Check> {
        let driven = |gpu: &&Gpu| gpu.is_driven();
        let is_served = |gpu: &Gpu| {
            gpu.module.as_deref().is_some_and(|module| usable.iter().any(|manifest| manifest.is_for(module)))
        };
        let without: Vec<&Gpu> = gpus.iter().filter(driven).filter(|gpu| !is_served(gpu)).collect();
        let (found, advice) = {
            let first = without.first()?;
            (format!("none of these Vulkan drivers is for {}", listing(&without)), self.install_for(first))
        };
        let name = "Vulkan drivers for the hardware";
        Some(Check::problem(!gpus.iter().any(is_served), name, found, advice))
    }

    fn install_for(&self, gpu: &Gpu) -> String {
        match gpu.vendor {
            Vendor::Nvidia if gpu.is_driven_by_nvidia() && self.is_container() => {
                "start the container with NVIDIA_DRIVER_CAPABILITIES=all, which brings the Vulkan driver as well as CUDA's \
                 (docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …)"
                    .into()
            }
            Vendor::Nvidia if gpu.is_driven_by_nvidia() => self.install(Package::NvidiaVulkan),
            Vendor::Nvidia | Vendor::Amd | Vendor::Intel | Vendor::Other => self.install(Package::Mesa),
        }
    }

    /// NVIDIA's driver works only with the kernel module of its own version: an update needs a restart.
    fn mixed_versions(&self, usable: &[&Manifest]) -> Option<Check> {
        let module = self.nvidia_version()?;
        let version = |manifest: &&Manifest| {
            let place = manifest.library.as_ref().ok()?.1.as_ref()?;
            let target = self.link(place)?;
            Some(target.split_once("nvidia.so.")?.1.to_owned())
        };
        let library = usable.iter().find_map(version).filter(|version| version.contains('.'))?;
        (library != module).then(|| {
            Check::problem(
                true,
                "NVIDIA's versions",
                format!("the kernel module is of version {module}, the Vulkan driver of version {library}"),
                "restart the machine, so that the kernel module of the driver's version is loaded; in a container, the \
                 driver must come from the machine outside",
            )
        })
    }
}
