//! What is found, and what is said when nothing is.

use std::process::Command;

use crate::support::open;
use warploom_wgpu::{Kind, Wgpu, adapters};

#[test]
fn adapters_are_numbered_hardware_first() {
    let Some(gpu) = open() else { return };
    let all = adapters();
    assert_eq!(all[0], *gpu.adapter());
    for (number, adapter) in all.iter().enumerate() {
        assert_eq!((adapter.index, adapter.id()), (number, format!("wgpu:{number}")));
        assert!(!adapter.name.is_empty() && adapter.limits.workgroup >= 64, "{adapter:?}");
        assert!(adapter.limits.argument_bytes as u64 <= adapter.buffer_bytes, "{adapter:?}");
    }
    assert!(all.is_sorted_by_key(|adapter| adapter.kind));
}

#[test]
fn a_software_adapter_is_only_used_when_it_is_named() {
    let all = adapters();
    if all.is_empty() || all.iter().any(|adapter| adapter.kind != Kind::Software) {
        println!("skipped: the adapters are not software only");
        return;
    }
    let error = Wgpu::open(None).err().unwrap().to_string();
    // Where no hardware shows, the drivers are not asked for a name.
    assert!(error.contains(&all[0].name) || error.contains("shows none"), "{error}");
    assert!(error.contains("wgpu:0"), "{error}");
    let error = Wgpu::open(Some(all.len())).err().unwrap().to_string();
    assert!(error.contains(&format!("no adapter has the number {}; there is wgpu:0", all.len())), "{error}");
}

/// Runs in a process of its own, where the test below hides the drivers.
#[test]
#[ignore = "a part of the test below"]
fn print_what_is_found_without_drivers() {
    assert!(adapters().is_empty());
    println!("found: {}", Wgpu::open(None).err().unwrap());
    println!("found: {}", Wgpu::open(Some(0)).err().unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn without_drivers_the_reason_is_told() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--nocapture", "print_what_is_found_without_drivers"]);
    let output = command.env("VK_DRIVER_FILES", "/nowhere/driver.json").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("found: no such device: no GPU").count(), 2, "{text}");
    // Where there is a loader, what hides the drivers is named.
    assert!(text.contains("VK_DRIVER_FILES") || text.contains("libvulkan.so.1"), "{text}");
}
