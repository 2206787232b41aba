//! A GPU's counter, by a management library that a test moves.
#![cfg(target_os = "linux")]

use crate::common::Folder;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use warploom_energy::nvml::{Gpu, Nvml};

const UUID: &str = "b2f5f1b6-0c9d-4d1c-8f4e-4a1f6e0f7a11";
const SLICE: &str = "5ed2c9a4-1f0b-5b0e-9a3c-77c1d2e3f405";
const ENERGY: &str = "nvmlDeviceGetTotalEnergyConsumption";

fn open(library: PathBuf) -> Arc<Nvml> {
    Nvml::open_first(&[library]).unwrap()
}

fn gpu(library: PathBuf) -> Gpu {
    open(library).gpu(UUID).unwrap()
}

#[test]
fn a_gpu_is_found_by_uuid_or_place_and_its_counter_read() {
    let folder = Folder::new();
    let Some(library) = folder.library(&[]) else { return };
    let nvml = open(library.clone());
    assert_eq!((nvml.driver_version().as_deref(), nvml.path()), (Ok("580.65.06"), library.as_path()));
    for id in [UUID, "0000:65:00.0"] {
        let gpu = nvml.gpu(id).unwrap();
        // More than 32 bits hold.
        for millijoules in [0, 7_000_000_123] {
            folder.write("millijoules", millijoules);
            assert_eq!(gpu.millijoules(), Ok(millijoules));
        }
    }
    for id in ["b2f5f1b6-0000-0000-0000-000000000000", "0000:66:00.0", "a\0b"] {
        let why = nvml.gpu(id).unwrap_err();
        assert!(why.contains("Not Found (6)") || why.contains("no GPU has the id"), "{why}");
    }
    drop(nvml);
    let calls = folder.calls();
    assert_eq!(calls.iter().filter(|name| *name == "nvmlInit_v2").count(), 1);
    assert_eq!(calls.last().unwrap(), "nvmlShutdown");
}

#[test]
fn a_gpu_tells_how_it_does() {
    for flags in [&[][..], &["-DOLD"]] {
        let folder = Folder::new();
        let Some(library) = folder.library(flags) else { return };
        let gpu = gpu(library);
        assert_eq!((gpu.milliwatts(), gpu.limit_milliwatts()), (Ok(71_500), Ok(700_000)));
        assert_eq!((gpu.temperature(), gpu.corrects_memory()), (Ok(41), Ok(true)));
        // Uncorrected ones, since the driver was loaded.
        assert_eq!(gpu.memory_errors(), Ok(107));
        // Without work, which is no fault.
        folder.write("reasons", 1);
        assert_eq!(gpu.held_back(), Ok(Vec::new()));
        folder.write("reasons", 0x21);
        assert_eq!(gpu.held_back(), Ok(vec!["its temperature, by the driver"]));
    }
}

#[test]
fn what_is_refused_is_said_in_the_librarys_words_with_advice() {
    let folder = Folder::new();
    let Some(library) = folder.library(&[]) else { return };
    let gpu = gpu(library);
    for (code, words) in [
        (3, "the GPU's energy: Not Supported (3); it does not tell that of this GPU"),
        (15, "GPU is lost (15); restart the system"),
        (18, "(18); the driver was updated since the system started: restart it"),
        (4711, "Unknown Error (4711)"),
    ] {
        folder.write("refused", format!("{ENERGY} {code}"));
        let why = gpu.millijoules().unwrap_err();
        assert!(why.contains(words), "{why}");
        assert_eq!(gpu.temperature(), Ok(41));
    }
    fs::remove_file(folder.path().join("refused")).unwrap();
    assert_eq!(gpu.millijoules(), Ok(0));
}

#[test]
fn a_slice_of_a_gpu_counts_nothing() {
    let folder = Folder::new();
    let Some(library) = folder.library(&[]) else { return };
    let why = open(library).gpu(SLICE).unwrap().millijoules().unwrap_err();
    assert!(why.contains("slice of a GPU (MIG)") && why.contains("Not Supported"), "{why}");
}

#[test]
fn a_library_that_is_missing_broken_or_old_is_a_reason() {
    let folder = Folder::new();
    let path = folder.path().join("libnvidia-ml.so.1");
    let missing = Nvml::open_first(std::slice::from_ref(&path)).unwrap_err();
    assert!(missing.why.contains("was not found") && missing.why.contains("libnvidia-ml.so.1"), "{missing}");
    assert!(missing.advice.unwrap().contains("install NVIDIA's driver"));
    fs::write(&path, "no library").unwrap();
    let broken = Nvml::open_first(std::slice::from_ref(&path)).unwrap_err();
    assert!(broken.why.contains("does not load"), "{broken}");
    fs::remove_file(&path).unwrap();
    let Some(library) = folder.library(&["-DWITHOUT_ENERGY"]) else { return };
    let why = gpu(library.clone()).millijoules().unwrap_err();
    assert!(why.contains(&format!("has no function {ENERGY}: update the driver")), "{why}");
    folder.write("refused", "nvmlInit_v2 9");
    let why = Nvml::open_first(&[library]).unwrap_err().to_string();
    assert!(why.contains("refused to start") && why.contains("load the driver's kernel module"), "{why}");
}
