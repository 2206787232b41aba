//! Systems that lie in folders: what is missing is named, with what to do about it.
#![cfg(target_os = "linux")]

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use warploom_device::{Check, EnergyCounter, Status};
use warploom_gpu::{Limits, MatrixUnits};
use warploom_wgpu::{Adapter, DeviceMemory, Kind, System};

/// A root folder that goes with the test.
struct Tree(PathBuf);

const GPU: &str = "sys/bus/pci/devices/0000:01:00.0";

impl Tree {
    /// Debian on a machine with no GPU and nothing of Vulkan.
    fn bare() -> Tree {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("warploom-system-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let tree = Tree(std::env::temp_dir().join(name));
        tree.write("etc/os-release", "NAME=\"Debian\"\nID=debian\n");
        tree.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1234:1234::/home/alice:/bin/sh\n");
        tree.write(
            "proc/self/status",
            "Uid:\t1234\t1234\t1234\t1234\nGid:\t1234\t1234\t1234\t1234\nGroups:\t4444\n",
        );
        tree.write("proc/sys/kernel/osrelease", "6.1.0\n");
        tree
    }

    /// The same with one of AMD's cards, for which everything is there.
    fn whole() -> Tree {
        let tree = Tree::bare();
        tree.card("0x1002", "amdgpu");
        tree.write("sys/class/drm/card0/dev", "226:0");
        tree.write("sys/class/drm/card0-DP-1/status", "connected");
        tree.write("dev/dri/card0", "");
        tree.write("dev/dri/renderD128", "");
        tree.write("usr/lib/libvulkan.so.1.3.239", "");
        symlink("libvulkan.so.1.3.239", tree.0.join("usr/lib/libvulkan.so.1")).unwrap();
        tree.driver("radeon_icd.json", "/usr/lib/libvulkan_radeon.so");
        tree.write("usr/lib/libvulkan_radeon.so", "");
        tree
    }

    fn card(&self, vendor: &str, module: &str) {
        self.write(&format!("{GPU}/class"), "0x030000\n");
        self.write(&format!("{GPU}/vendor"), &format!("{vendor}\n"));
        if !module.is_empty() {
            symlink(format!("../../../bus/pci/drivers/{module}"), self.0.join(GPU).join("driver")).unwrap();
        }
    }

    fn driver(&self, name: &str, library: &str) {
        let text = format!(r#"{{"file_format_version": "1.0.0", "ICD": {{"library_path": "{library}"}}}}"#);
        self.write(&format!("usr/share/vulkan/icd.d/{name}"), &text);
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        let path = self.0.join(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    fn checks(&self, variables: &[(&str, &str)]) -> Vec<Check> {
        System::simulated(&self.0, variables, |_| Ok(())).checks()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The one check that tells of a problem.
#[track_caller]
fn problem(checks: &[Check], name: &str, status: Status, found: &[&str], advice: &[&str]) {
    let problems: Vec<&Check> = checks.iter().filter(|check| check.is_problem()).collect();
    let [problem] = problems.as_slice() else { panic!("{problems:#?}") };
    assert_eq!((problem.name.as_str(), problem.status), (name, status), "{problem:?}");
    let said = problem.advice.clone().unwrap();
    assert!(found.iter().all(|part| problem.found.contains(part)), "{problem:?}");
    assert!(advice.iter().all(|part| said.contains(part)), "{problem:?}");
}

#[track_caller]
fn named<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{checks:#?}"))
}

#[test]
fn a_whole_system_has_no_problem() {
    let checks = Tree::whole().checks(&[]);
    assert!(checks.iter().all(|check| check.status == Status::Ok), "{checks:#?}");
    assert_eq!(named(&checks, "GPU hardware").found, "AMD at 0000:01:00.0");
    assert_eq!(named(&checks, "kernel modules").found, "amdgpu; Linux 6.1.0");
    assert_eq!(named(&checks, "device nodes").found, "/dev/dri/renderD128 and /dev/dri/card0");
    assert_eq!(named(&checks, "Vulkan loader").found, "/usr/lib/libvulkan.so.1, version 1.3.239");
    assert_eq!(named(&checks, "Vulkan drivers").found, "radeon_icd.json");
}

#[test]
fn a_machine_without_a_gpu_has_wishes_and_no_failure() {
    let checks = Tree::bare().checks(&[]);
    assert!(checks.iter().all(|check| check.status != Status::Failed), "{checks:#?}");
    assert!(named(&checks, "GPU hardware").found.starts_with("none is seen"));
    assert!(named(&checks, "Vulkan loader").advice.as_ref().unwrap().contains("apt install libvulkan1"));
    assert!(
        named(&checks, "Vulkan drivers").advice.as_ref().unwrap().contains("apt install mesa-vulkan-drivers")
    );
}

#[test]
fn no_loader() {
    let tree = Tree::whole();
    tree.remove("usr/lib/libvulkan.so.1");
    let found = ["libvulkan.so.1", "the Vulkan loader", "none of the folders"];
    problem(&tree.checks(&[]), "Vulkan loader", Status::Failed, &found, &["sudo apt install libvulkan1"]);
    tree.write("etc/os-release", "ID=\"fedora\"\n");
    problem(&tree.checks(&[]), "Vulkan loader", Status::Failed, &found, &["sudo dnf install vulkan-loader"]);
    // A folder of the linker's configuration, and one of the environment.
    tree.write("opt/vulkan/libvulkan.so.1", "");
    let checks = tree.checks(&[("LD_LIBRARY_PATH", "/nowhere:/opt/vulkan")]);
    assert_eq!(named(&checks, "Vulkan loader").found, "/opt/vulkan/libvulkan.so.1");
    tree.write("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n");
    tree.write("etc/ld.so.conf.d/vulkan.conf", "# Vulkan\n/opt/vulkan\n");
    assert_eq!(named(&tree.checks(&[]), "Vulkan loader").status, Status::Ok);
}

#[test]
fn no_driver_is_listed() {
    let tree = Tree::whole();
    tree.remove("usr/share/vulkan/icd.d");
    let found = ["no Vulkan driver is listed", "/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d"];
    let advice = ["sudo apt install mesa-vulkan-drivers"];
    problem(&tree.checks(&[]), "Vulkan drivers", Status::Failed, &found, &advice);
    // The user's own list counts.
    tree.write(
        "home/alice/.local/share/vulkan/icd.d/own.json",
        r#"{"ICD": {"library_path": "libvulkan_radeon.so"}}"#,
    );
    let checks = tree.checks(&[("HOME", "/home/alice")]);
    assert_eq!(named(&checks, "Vulkan drivers").found, "own.json");
}

#[test]
fn a_driver_names_a_library_that_is_missing() {
    let tree = Tree::whole();
    tree.remove("usr/lib/libvulkan_radeon.so");
    let (name, path) = ("Vulkan driver radeon_icd.json", "/usr/share/vulkan/icd.d/radeon_icd.json");
    let found = [path, "/usr/lib/libvulkan_radeon.so", "is not there"];
    problem(&tree.checks(&[]), name, Status::Failed, &found, &["install the driver", "again", path]);
    tree.write(&path[1..], "{");
    problem(&tree.checks(&[]), name, Status::Failed, &[path, "not JSON"], &["again"]);
    // Those for other processors are passed over; paths are relative to the file.
    tree.write(&path[1..], r#"{"ICD": {"library_path": "/nowhere.so", "library_arch": "32"}}"#);
    tree.driver("near.json", "./radeon.so");
    tree.write("usr/share/vulkan/icd.d/radeon.so", "");
    assert_eq!(named(&tree.checks(&[]), "Vulkan drivers").found, "near.json");
}

#[test]
fn a_variable_hides_the_drivers() {
    let tree = Tree::whole();
    let checks = tree.checks(&[("VK_DRIVER_FILES", "/nowhere.json"), ("VK_ICD_FILENAMES", "/other.json")]);
    let found = ["VK_DRIVER_FILES", "/nowhere.json", "is not there"];
    problem(&checks, "Vulkan drivers", Status::Failed, &found, &["unset VK_DRIVER_FILES"]);
    let there = "/nowhere.json:/usr/share/vulkan/icd.d/radeon_icd.json";
    let checks = tree.checks(&[("VK_ICD_FILENAMES", there)]);
    let found = ["VK_ICD_FILENAMES", "/nowhere.json"];
    problem(&checks, "Vulkan drivers", Status::Warning, &found, &["unset VK_ICD_FILENAMES"]);
    assert!(checks.iter().any(|check| check.found == "radeon_icd.json, by VK_ICD_FILENAMES"), "{checks:#?}");
}

#[test]
fn no_device_node() {
    let tree = Tree::whole();
    tree.remove("dev/dri");
    let found = ["no /dev/dri/renderD*", "AMD at 0000:01:00.0", "/sys/class/drm lists 1 card"];
    problem(&tree.checks(&[]), "device nodes", Status::Failed, &found, &["dmesg"]);
    tree.write(".dockerenv", "");
    let found = ["no /dev/dri/renderD*", "this is a container"];
    problem(&tree.checks(&[]), "device nodes", Status::Failed, &found, &["--device /dev/dri"]);
}

/// Answers as the kernel does to a user who is in none of the node's groups.
fn refuse(node: &Path) -> io::Result<()> {
    assert!(node.exists());
    Err(io::Error::from_raw_os_error(13))
}

#[test]
fn no_permission() {
    let tree = Tree::whole();
    let node = tree.0.join("dev/dri/renderD128");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o660)).unwrap();
    let group = fs::metadata(&node).unwrap().gid();
    tree.write("etc/group", &format!("render:x:{group}:\nalice:x:1234:\nplants:x:4444:alice\n"));
    let checks = System::simulated(&tree.0, &[], refuse).checks();
    let found = [
        "/dev/dri/renderD128 (",
        ":render, mode 660)",
        "user alice (groups alice and plants)",
        "Permission denied",
    ];
    let advice = ["the group render", "sudo usermod -aG render $USER"];
    problem(&checks, "permissions", Status::Failed, &found, &advice);
    tree.write("run/.containerenv", "");
    let checks = System::simulated(&tree.0, &[], refuse).checks();
    let advice = ["--device /dev/dri/renderD128", "--group-add render"];
    problem(&checks, "permissions", Status::Failed, &found, &advice);
}

#[test]
fn the_kernel_does_not_drive_the_card() {
    let tree = Tree::bare();
    tree.card("0x10de", "");
    let checks = tree.checks(&[]);
    let first = checks.iter().find(|check| check.is_problem()).unwrap();
    assert!(first.name == "kernel modules" && first.found.contains("NVIDIA at 0000:01:00.0"), "{first:?}");
    assert!(first.advice.as_ref().unwrap().contains("sudo apt install nvidia-driver"), "{first:?}");
}

#[test]
fn drivers_for_other_hardware_and_of_other_versions() {
    let tree = Tree::whole();
    tree.remove(GPU);
    tree.card("0x10de", "nvidia");
    tree.write("dev/nvidia0", "");
    tree.write(
        "proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat\nGCC\n",
    );
    tree.write(
        "proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n",
    );
    let (name, gpu) = ("Vulkan drivers for the hardware", "NVIDIA H100 80GB HBM3 at 0000:01:00.0");
    problem(&tree.checks(&[]), name, Status::Failed, &[gpu], &["sudo apt install nvidia-vulkan-icd"]);
    // Compute containers have CUDA's libraries and not Vulkan's.
    let variables = [("container", "podman")];
    problem(&tree.checks(&variables), name, Status::Failed, &[gpu], &["NVIDIA_DRIVER_CAPABILITIES=all"]);

    tree.driver("nvidia_icd.json", "libGLX_nvidia.so.0");
    tree.write("usr/lib/libGLX_nvidia.so.535.104.05", "");
    let library = tree.0.join("usr/lib/libGLX_nvidia.so.0");
    symlink("libGLX_nvidia.so.535.104.05", &library).unwrap();
    let checks = tree.checks(&[]);
    assert!(checks.iter().all(|check| !check.is_problem()), "{checks:#?}");
    assert_eq!(named(&checks, "kernel modules").found, "nvidia 535.104.05; Linux 6.1.0");
    fs::remove_file(&library).unwrap();
    symlink("libGLX_nvidia.so.550.54.15", &library).unwrap();
    tree.write("usr/lib/libGLX_nvidia.so.550.54.15", "");
    let found = ["version 535.104.05", "version 550.54.15"];
    problem(&tree.checks(&[]), "NVIDIA's versions", Status::Failed, &found, &["restart the machine"]);
}

#[test]
fn no_adapter_is_told_with_what_is_there() {
    for (tree, status, found) in [
        (Tree::bare(), Status::Warning, "the drivers list none"),
        (Tree::whole(), Status::Failed, "there is AMD at 0000:01:00.0"),
    ] {
        let checks = System::simulated(&tree.0, &[], |_| Ok(())).check_adapters(&[]);
        problem(&checks, "adapters", status, &[found], &["VK_LOADER_DEBUG"]);
    }
}

fn adapter(vendor: u32, device: u32) -> Adapter {
    Adapter {
        index: 0,
        name: "card".into(),
        kind: Kind::Discrete,
        backend: "vulkan".into(),
        driver: "radv".into(),
        driver_info: String::new(),
        hardware: (vendor, device),
        place: String::new(),
        limits: Limits {
            workgroup: 1,
            groups: 1,
            shared_bytes: 1,
            arguments: 1,
            argument_bytes: 4,
            alignment: 4,
            parallel: 1,
            vector_bytes: 4,
            warp: 1,
            matrix_units: MatrixUnits::NONE,
        },
        buffer_bytes: 4,
        subgroup: (64, 64),
        features: Vec::new(),
    }
}

#[test]
fn nvidias_gpus_count_their_energy_and_what_is_in_a_processor_is_counted_there() {
    let place = || "0000:65:00.0".to_owned();
    let counter = |vendor, kind, place| Adapter { kind, place, ..adapter(vendor, 1) }.energy_counter();
    for kind in [Kind::Discrete, Kind::Virtual] {
        assert_eq!(counter(0x10de, kind, place()), EnergyCounter::Nvidia(place()));
        for (vendor, place, why) in
            [(0x10de, String::new(), "does not say where"), (0x1002, place(), "not card")]
        {
            let found = counter(vendor, kind, place);
            assert!(matches!(&found, EnergyCounter::Missing(text) if text.contains(why)), "{found:?}");
        }
    }
    for kind in [Kind::Integrated, Kind::Software] {
        assert_eq!(counter(0x8086, kind, place()), EnergyCounter::Processor);
    }
}

#[test]
fn memory_of_a_card_is_what_its_module_tells() {
    let tree = Tree::whole();
    for (file, text) in [
        ("vendor", "0x1002\n"),
        ("device", "0x740f\n"),
        ("mem_info_vram_total", "68702699520\n"),
        ("mem_info_vram_used", "11000000\n"),
    ] {
        tree.write(&format!("sys/class/drm/renderD128/device/{file}"), text);
    }
    let system = System::simulated(&tree.0, &[], |_| Ok(()));
    let memory = DeviceMemory { total: 68_702_699_520, free: 68_691_699_520 };
    assert_eq!(
        (system.memory(&adapter(0x1002, 0x740f)), system.memory(&adapter(0x1002, 0x73bf))),
        (Some(memory), None)
    );

    // What a run may take: all of a card; of the machine, where that is what computes; else not known.
    tree.write("proc/meminfo", "MemTotal:       16384 kB\nMemFree:         1000 kB\n");
    let capacity = |kind| system.capacity(&Adapter { kind, ..adapter(0x1002, 0x740f) });
    let [card, shared, software] = [Kind::Discrete, Kind::Integrated, Kind::Software].map(capacity);
    assert_eq!((card, shared, software), (Some(68_702_699_520), None, Some(16 << 20)));
}
