//! The Vulkan loader, and libraries where the dynamic linker looks for them.

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};

use warploom_device::Check;

use super::System;
use super::hardware::Gpu;
use super::packages::Package;

const LOADER: &str = "libvulkan.so.1";

/// How deep files of the linker's configuration may include each other.
const DEPTH: usize = 8;

impl System {
    pub(super) fn check_loader(&self, gpus: &[Gpu]) -> Check {
        let name = "Vulkan loader";
        if let Some(path) = self.library(LOADER) {
            let target = self.link(&path).unwrap_or_default();
            let version = target.strip_prefix("libvulkan.so.").filter(|version| version.contains('.'));
            let version = version.map_or(String::new(), |version| format!(", version {version}"));
            return Check::ok(name, format!("{}{version}", path.display()));
        }
        let found = format!("{LOADER}, the Vulkan loader, is in none of the folders of the dynamic linker");
        let advice = self.install(Package::Loader);
        Check::problem(!gpus.is_empty(), name, found, advice)
    }

    /// Where the linker finds a library: a path as it is, a name in the linker's folders.
    pub(super) fn library(&self, name: &str) -> Option<PathBuf> {
        if name.contains('/') {
            return self.exists(name).then(|| name.into());
        }
        self.folders().into_iter().map(|folder| folder.join(name)).find(|path| self.exists(path))
    }

    /// The linker's folders: LD_LIBRARY_PATH, /etc/ld.so.conf, and those that are built in. Source: ld.so(8).
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        if let Some(list) = self.variable("LD_LIBRARY_PATH") {
            folders.extend(std::env::split_paths(list).filter(|folder| folder.is_absolute()));
        }
        self.configured(Path::new("/etc/ld.so.conf"), DEPTH, &mut folders);
        let machine = format!("{ARCH}-linux-gnu");
        for folder in ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from) {
            folders.extend([folder.join(&machine), folder]);
        }
        folders
    }

    /// Folders that a file of the linker's configuration names, a line each, and those of the files that it includes.
    fn configured(&self, file: &Path, depth: usize, folders: &mut Vec<PathBuf>) {
        let text = self.read(file).unwrap_or_default();
        for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            match line.strip_prefix("include ").map(|pattern| Path::new("/etc").join(pattern.trim())) {
                Some(pattern) if depth > 0 => self.included(&pattern, depth - 1, folders),
                None if line.starts_with('/') => folders.push(line.into()),
                Some(_) | None => {}
            }
        }
    }

    /// Files of a pattern whose last part may have one star, as every distribution writes it.
    fn included(&self, pattern: &Path, depth: usize, folders: &mut Vec<PathBuf>) {
        let (Some(parent), Some(last)) = (pattern.parent(), pattern.file_name()) else { return };
        let last = last.to_string_lossy();
        let (head, tail) = last.split_once('*').unwrap_or((&last, ""));
        for name in self.names(parent) {
            if name == *last || last.contains('*') && name.starts_with(head) && name.ends_with(tail) {
                self.configured(&parent.join(name), depth, folders);
            }
        }
    }
}
