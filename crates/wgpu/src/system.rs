//! What a GPU needs of the system before a driver can list it, looked at from outside: nothing here calls a driver.
//!
//! In the order in which things depend on each other: `hardware` on its buses and the kernel's modules, `nodes` of devices
//! and their permissions, the Vulkan `loader`, the `drivers` that it is told of, what is `listed` in the end. Only Linux is
//! looked at; elsewhere the system brings the driver, and what is listed is all there is to say.

mod drivers;
mod hardware;
mod listed;
mod loader;
mod memory;
mod nodes;
mod packages;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use warploom_device::Check;

pub use memory::DeviceMemory;

/// A Linux system: files below a root folder, environment variables, and what a device node answers.
pub struct System {
    root: PathBuf,
    variables: HashMap<String, OsString>,
    open: fn(&Path) -> io::Result<()>,
}

impl System {
    /// This machine, as this process sees it.
    pub fn here() -> System {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        System { root: "/".into(), variables: variables.collect(), open }
    }

    /// The system that lies in a folder. `open` answers whether a device node, by its path below `root`, opens.
    pub fn simulated(root: &Path, variables: &[(&str, &str)], open: fn(&Path) -> io::Result<()>) -> System {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value)));
        System { root: root.into(), variables: variables.collect(), open }
    }

    /// Everything before the first call of a driver, in the order in which it should be mended. Empty but on Linux.
    pub fn checks(&self) -> Vec<Check> {
        if !cfg!(target_os = "linux") {
            return Vec::new();
        }
        let gpus = self.gpus();
        let mut checks = vec![self.check_hardware(&gpus), self.check_modules(&gpus)];
        checks.extend(self.check_nodes(&gpus));
        checks.push(self.check_loader(&gpus));
        checks.extend(self.check_drivers(&gpus));
        checks
    }

    /// Whether a GPU shows, whether or not anything drives it. Known on Linux alone.
    pub fn shows_gpu(&self) -> bool {
        cfg!(target_os = "linux") && !self.gpus().is_empty()
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.at(path).exists()
    }

    /// A file's text without the white space around it.
    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.at(path)).ok().map(|text| text.trim().to_owned())
    }

    /// The name of what a link points at.
    fn link(&self, path: impl AsRef<Path>) -> Option<String> {
        Some(fs::read_link(self.at(path)).ok()?.file_name()?.to_string_lossy().into_owned())
    }

    /// Names in a folder, sorted; none where there is no folder.
    fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.at(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    fn variable(&self, name: &str) -> Option<&OsString> {
        self.variables.get(name).filter(|value| !value.is_empty())
    }

    /// Whether this is a container, by the marks that Docker, Podman, Kubernetes and systemd leave.
    fn is_container(&self) -> bool {
        let marked = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"];
        let groups = || self.read("/proc/1/cgroup").unwrap_or_default();
        marked.iter().any(|path| self.exists(path))
            || self.variable("container").is_some()
            || self.variable("KUBERNETES_SERVICE_HOST").is_some()
            || ["docker", "kubepods", "lxc"].iter().any(|name| groups().contains(name))
    }
}

fn open(node: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).write(true).open(node).map(drop)
}

/// Why there is no adapter: the first thing that is missing, and what to do about it.
pub(crate) fn why_no_adapter() -> String {
    let system = System::here();
    let (checks, listed) = (system.checks(), system.check_adapters(&[]));
    let first = checks.iter().chain(&listed).find(|check| check.is_problem());
    let Some(first) = first else { return "no GPU".into() };
    let advice = first.advice.as_ref().map_or(String::new(), |advice| format!("; {advice}"));
    format!("no GPU: {}{advice}; `warploom doctor` examines the whole system", first.found)
}

/// `a, b and c`.
fn listing(names: impl IntoIterator<Item = impl ToString>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.as_slice() {
        [] => "none".into(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
