//! Where NVIDIA's libraries lie on a machine: the toolkit's, the system's and Python packages' places.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders which alone are searched, separated as in `PATH`.
pub const FOLDERS_VARIABLE: &str = "WARPLOOM_CUDA_PATH";

/// A library of NVIDIA's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Library {
    /// The driver, which comes with the kernel module and never with a toolkit.
    Driver,
    /// The compiler of CUDA C++.
    Nvrtc,
    /// Matrix products.
    CublasLt,
    /// Convolutions.
    Cudnn,
    /// Sums over several GPUs.
    Nccl,
    /// Power, clocks and health of GPUs; comes with the driver.
    Nvml,
}

impl Library {
    /// All of them.
    pub const ALL: [Library; 6] =
        [Library::Driver, Library::Nvrtc, Library::CublasLt, Library::Cudnn, Library::Nccl, Library::Nvml];

    /// The file's name without its version.
    pub fn file(self) -> &'static str {
        match (self, cfg!(windows)) {
            (Library::Driver, false) => "libcuda.so",
            (Library::Nvrtc, false) => "libnvrtc.so",
            (Library::CublasLt, false) => "libcublasLt.so",
            (Library::Cudnn, false) => "libcudnn.so",
            (Library::Nccl, false) => "libnccl.so",
            (Library::Nvml, false) => "libnvidia-ml.so",
            (Library::Driver, true) => "nvcuda.dll",
            (Library::Nvrtc, true) => "nvrtc64.dll",
            (Library::CublasLt, true) => "cublasLt64.dll",
            (Library::Cudnn, true) => "cudnn64.dll",
            (Library::Nccl, true) => "nccl64.dll",
            (Library::Nvml, true) => "nvml.dll",
        }
    }

    /// How one gets it.
    pub fn advice(self) -> &'static str {
        match self {
            Library::Driver | Library::Nvml => {
                "install NVIDIA's driver for this system; in a container, start it with the GPU passed through \
                 (`docker run --gpus all`)"
            }
            Library::Nvrtc => "install it with `pip install nvidia-cuda-nvrtc`, or NVIDIA's CUDA toolkit",
            Library::CublasLt => "install it with `pip install nvidia-cublas`, or NVIDIA's CUDA toolkit",
            Library::Cudnn => "install it with `pip install nvidia-cudnn-cu13`, or NVIDIA's package cudnn",
            Library::Nccl => "install it with `pip install nvidia-nccl-cu13`, or NVIDIA's package libnccl2",
        }
    }

    fn is_of_the_driver(self) -> bool {
        matches!(self, Library::Driver | Library::Nvml)
    }

    /// The version in a file's name, if it is this library's: `libnvrtc.so.13` has 13, `nvrtc64_130_0.dll` has 130.0.
    fn version(self, name: &str) -> Option<Vec<u32>> {
        let stem = self.file();
        let rest = match stem.strip_suffix(".dll") {
            None => name.strip_prefix(stem)?.strip_prefix('.').or((name == stem).then_some("")),
            Some(stem) => {
                let rest = name.strip_suffix(".dll")?.strip_prefix(stem)?;
                rest.strip_prefix('_').or(rest.is_empty().then_some(""))
            }
        }?;
        rest.split(['.', '_']).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
    }
}

/// What a search found, and where it looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Files of the library, the one to take first.
    pub files: Vec<PathBuf>,
    /// Folders that exist and were looked into, in order.
    pub looked: Vec<PathBuf>,
}

impl Found {
    /// Why there is none and what to do.
    pub fn why_missing(&self, library: Library) -> String {
        let looked = if self.looked.is_empty() {
            "none of the folders that usually hold it exists".to_owned()
        } else {
            let folders: Vec<String> =
                self.looked.iter().map(|folder| folder.display().to_string()).collect();
            format!("looked in {}", folders.join(", "))
        };
        format!(
            "{} was not found ({looked}); {}; where it lies elsewhere, name its folder in {FOLDERS_VARIABLE}",
            library.file(),
            library.advice()
        )
    }
}

/// Where to search: a file system and an environment.
#[derive(Clone, Debug)]
pub struct Search {
    root: PathBuf,
    environment: HashMap<String, OsString>,
}

impl Search {
    /// This machine and this process' environment.
    pub fn here() -> Search {
        let names = [
            FOLDERS_VARIABLE,
            "CUDA_PATH",
            "CUDA_HOME",
            "LD_LIBRARY_PATH",
            "VIRTUAL_ENV",
            "CONDA_PREFIX",
            "PATH",
            "HOME",
            "SystemRoot",
        ];
        let environment = names.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?)));
        Search { root: PathBuf::from("/"), environment: environment.collect() }
    }

    /// A machine whose `/` is a folder, and an environment.
    pub fn simulated(root: &Path, environment: &[(&str, OsString)]) -> Search {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Search { root: root.to_owned(), environment: environment.collect() }
    }

    /// Every file of a library, in the order in which folders are preferred, newer versions first within one.
    pub fn find(&self, library: Library) -> Found {
        let mut found = Found { files: Vec::new(), looked: Vec::new() };
        for folder in self.folders(library) {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            if found.looked.contains(&folder) {
                continue;
            }
            let mut versions: Vec<(Vec<u32>, PathBuf)> = entries
                .filter_map(|entry| {
                    let name = entry.ok()?.file_name();
                    Some((library.version(name.to_str()?)?, folder.join(name)))
                })
                .collect();
            versions.sort();
            // `libcuda.so` of a toolkit is a stub for linkers; of the driver's own names the versioned one is first.
            found.files.extend(versions.into_iter().rev().map(|(_, file)| file));
            found.looked.push(folder);
        }
        found
    }

    fn folders(&self, library: Library) -> Vec<PathBuf> {
        if let Some(folders) = self.environment.get(FOLDERS_VARIABLE).filter(|value| !value.is_empty()) {
            return std::env::split_paths(folders).collect();
        }
        let mut folders = Vec::new();
        if !library.is_of_the_driver() {
            self.toolkits(&["CUDA_PATH", "CUDA_HOME"], &mut folders);
        }
        folders.extend(self.listed("LD_LIBRARY_PATH"));
        if !library.is_of_the_driver() {
            self.python(&mut folders);
        }
        self.system(&mut folders);
        if !library.is_of_the_driver() {
            let mut installed = children(&self.at("usr/local"), "cuda");
            installed.push(self.at("opt/cuda"));
            installed.iter().for_each(|toolkit| within_toolkit(toolkit, &mut folders));
        }
        folders
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn listed(&self, variable: &str) -> Vec<PathBuf> {
        let value = self.environment.get(variable);
        let folders = value.map(|value| std::env::split_paths(value).collect()).unwrap_or_default();
        let folders: Vec<PathBuf> = folders;
        folders.into_iter().filter(|folder| folder.is_absolute()).collect()
    }

    fn toolkits(&self, variables: &[&str], folders: &mut Vec<PathBuf>) {
        for toolkit in variables.iter().flat_map(|variable| self.listed(variable)) {
            within_toolkit(&toolkit, folders);
        }
    }

    /// Packages of NVIDIA's for Python, which lie in `site-packages/nvidia`: of the active environment, then of every
    /// Python on the path, which is not run for it.
    fn python(&self, folders: &mut Vec<PathBuf>) {
        let mut prefixes = self.listed("VIRTUAL_ENV");
        for conda in self.listed("CONDA_PREFIX") {
            folders.push(conda.join("lib"));
            prefixes.push(conda);
        }
        for folder in self.listed("PATH") {
            let python = ["python3", "python", "python.exe"].map(|name| folder.join(name));
            if let (Some(python), Some(prefix)) = (python.iter().find(|file| file.exists()), folder.parent())
            {
                prefixes.push(prefix.to_owned());
                // A link to an interpreter elsewhere: what it sees lies there too.
                let real = fs::canonicalize(python).ok();
                prefixes.extend(real.as_deref().and_then(|file| Some(file.parent()?.parent()?.to_owned())));
            }
        }
        prefixes.extend(self.listed("HOME").into_iter().map(|home| home.join(".local")));
        prefixes.extend([self.at("usr/local"), self.at("usr")]);
        for prefix in prefixes {
            let mut libraries = children(&prefix.join("lib"), "python3");
            libraries.push(prefix.join("Lib"));
            for packages in libraries.iter().flat_map(|python| {
                ["site-packages", "dist-packages"].map(|packages| python.join(packages).join("nvidia"))
            }) {
                for package in children(&packages, "") {
                    folders.extend([package.join("lib"), package.join("bin"), package.join("bin/x86_64")]);
                }
            }
        }
    }

    /// What the dynamic loader searches, and where drivers put themselves beside it.
    fn system(&self, folders: &mut Vec<PathBuf>) {
        let windows = self.environment.get("SystemRoot").filter(|_| cfg!(windows));
        folders.extend(windows.map(|folder| Path::new(folder).join("System32")));
        let mut configured = Vec::new();
        self.loader_configuration(&self.at("etc/ld.so.conf"), 0, &mut configured);
        folders.append(&mut configured);
        let usual = [
            "usr/lib/x86_64-linux-gnu",
            "usr/lib/aarch64-linux-gnu",
            "lib/x86_64-linux-gnu",
            "usr/lib64",
            "lib64",
            "usr/lib",
            "lib",
            "usr/local/lib",
            "usr/local/nvidia/lib64",
            "usr/lib/wsl/lib",
            "run/opengl-driver/lib",
        ];
        folders.extend(usual.map(|folder| self.at(folder)));
    }

    /// Folders of `ld.so.conf` and the files that it includes.
    fn loader_configuration(&self, file: &Path, depth: usize, folders: &mut Vec<PathBuf>) {
        let Ok(text) = fs::read_to_string(file) else { return };
        for line in text.lines().map(|line| line.split('#').next().unwrap_or("").trim()) {
            match line.strip_prefix("include ") {
                // `*.conf` in a folder is the only pattern in use.
                Some(pattern) if depth == 0 => {
                    let folder = Path::new(pattern.trim()).parent().and_then(Path::to_str).unwrap_or("");
                    let folder =
                        if folder.starts_with('/') { self.at(folder) } else { self.at("etc").join(folder) };
                    for included in children(&folder, "") {
                        if included.extension().is_some_and(|extension| extension == "conf") {
                            self.loader_configuration(&included, depth + 1, folders);
                        }
                    }
                }
                None if line.starts_with('/') => folders.push(self.at(line)),
                _ => {}
            }
        }
    }
}

fn within_toolkit(toolkit: &Path, folders: &mut Vec<PathBuf>) {
    let parts = ["lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib", "bin", "bin/x64"];
    folders.extend(parts.map(|part| toolkit.join(part)));
}

/// What lies in a folder under a name that begins so, in the order of names, the last first: newer versions first.
fn children(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let named = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(prefix))
    };
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(named).collect();
    found.sort();
    found.reverse();
    found
}
