//! Why there is no adapter.

/// What a person needs to know who has a GPU and sees none: what was looked for, and what is not there.
pub(crate) fn why_no_adapter() -> String {
    if cfg!(target_os = "linux") {
        linux::why_no_adapter()
    } else {
        "the system lists no GPU; install the vendor's driver".into()
    }
}

/// Vulkan on Linux: a loader (`libvulkan.so.1`) that reads which drivers there are from files of JSON.
/// Source: Vulkan-Loader, LoaderInterfaceArchitecture.md and LoaderDriverInterface.md.
mod linux {
    use std::env;
    use std::path::{Path, PathBuf};

    const LOADER: &str = "libvulkan.so.1";

    pub(super) fn why_no_adapter() -> String {
        let drivers = drivers();
        if !has_loader() {
            format!(
                "no GPU: the Vulkan loader, {LOADER}, is not installed (Debian, Ubuntu: apt install libvulkan1)"
            )
        } else if let Some(variable) = chosen_by().filter(|_| drivers.is_empty()) {
            format!("no GPU: {variable} names no Vulkan driver that is there; unset it, or correct it")
        } else if drivers.is_empty() {
            "no GPU: the Vulkan loader is there, but no driver is listed in /usr/share/vulkan/icd.d or /etc/vulkan/icd.d; \
             install the vendor's driver (Debian, Ubuntu: apt install mesa-vulkan-drivers for AMD, Intel and software)"
                .into()
        } else {
            let names: Vec<String> = drivers
                .iter()
                .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
                .collect();
            format!(
                "no GPU: Vulkan drivers are listed ({}), but none reports an adapter; see that /dev/dri/renderD* or \
                 /dev/nvidia* exist and that this user may open them (groups render and video)",
                names.join(", ")
            )
        }
    }

    /// The variable that takes the place of the system's list.
    fn chosen_by() -> Option<&'static str> {
        ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].into_iter().find(|name| env::var_os(name).is_some())
    }

    fn has_loader() -> bool {
        let set = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let machine = format!("{}-linux-gnu", env::consts::ARCH);
        let usual = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib"].map(PathBuf::from);
        let usual = usual.into_iter().flat_map(|folder| [folder.join(&machine), folder]);
        env::split_paths(&set).chain(usual).any(|folder| folder.join(LOADER).exists())
    }

    /// Files that describe drivers.
    fn drivers() -> Vec<PathBuf> {
        if let Some(list) = chosen_by().and_then(env::var_os) {
            return env::split_paths(&list).filter(|path| path.exists()).collect();
        }
        let folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
        folders.iter().flat_map(|folder| files(Path::new(folder))).collect()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .collect()
    }
}
