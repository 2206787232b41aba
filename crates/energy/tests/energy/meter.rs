//! What a run is told.
#![cfg(target_os = "linux")]

use crate::common::Folder;
use std::thread::sleep;
use std::time::{Duration, Instant};
use warploom_energy::nvml::Nvml;
use warploom_energy::{Energy, Meter};

const UUID: &str = "b2f5f1b6-0c9d-4d1c-8f4e-4a1f6e0f7a11";
const ROOMY: u64 = 262_143_328_850;

/// Goes twice round a small counter within a second and a half, without asking the meter meanwhile: nothing if the machine
/// did not let the meter's thread run in time.
fn twice_round() -> Option<(f64, f64)> {
    const RANGE: u64 = 2_000_000_000;
    let (folder, mut counted) = (Folder::new(), RANGE - 100_000_000);
    folder.zone("intel-rapl:0", "package-0", RANGE, counted);
    let (meter, begin) = (Meter::start(folder.path(), None), Instant::now());
    let first = counted;
    while counted < 2 * RANGE + 200_000_000 {
        sleep(Duration::from_millis(10));
        counted = first + begin.elapsed().as_micros() as u64 * 1600;
        folder.write("intel-rapl:0/energy_uj", counted % RANGE);
    }
    let energy = meter.read();
    let unread = energy.processor.as_ref().is_err_and(|why| why.contains("was not read for"));
    (!unread).then(|| (energy.joules().unwrap(), (counted - first) as f64 * 1e-6))
}

#[test]
fn a_counter_is_followed_while_nobody_asks() {
    let (found, expected) = (0..5).find_map(|_| twice_round()).expect("the thread reads in time");
    assert!((found - expected).abs() < 1e-3 && expected > 2000.0, "{found} J, not {expected} J");
}

#[test]
fn processor_and_gpu_are_told_apart_and_together() {
    let folder = Folder::new();
    let Some(library) = folder.library(&[]) else { return };
    folder.zone("intel-rapl:0", "package-0", ROOMY, 0);
    folder.write("millijoules", 5_000);
    let gpu = || Nvml::open_first(std::slice::from_ref(&library)).unwrap().gpu(UUID);
    let meter = Meter::start(folder.path(), Some(gpu()));
    let begin = meter.read();
    assert_eq!(begin, Energy { processor: Ok(0.0), gpu: Some(Ok(0.0)) });
    folder.write("millijoules", 50_250);
    folder.write("intel-rapl:0/energy_uj", 2_250_000);
    let now = meter.read();
    assert_eq!(now, Energy { processor: Ok(2.25), gpu: Some(Ok(45.25)) });
    assert_eq!((now.joules(), now.per_joule(950)), (Ok(47.5), Some(20.0)));
    assert_eq!((now.known().as_deref(), now.unknown()), (Some("2.25 J processor + 45.25 J GPU"), None));
    folder.write("millijoules", 60_250);
    assert_eq!(meter.read().since(&now), Energy { processor: Ok(0.0), gpu: Some(Ok(10.0)) });
    // A driver that was loaded anew.
    folder.write("millijoules", 4_999);
    let lost = meter.read();
    assert!(lost.joules().unwrap_err().contains("from 5000 to 4999 mJ"), "{lost:?}");
    assert_eq!((lost.processor.clone(), lost.per_joule(950)), (Ok(2.25), None));
}

#[test]
fn a_gpu_counts_without_the_processor_but_a_processor_not_for_its_gpu() {
    let folder = Folder::new();
    let Some(library) = folder.library(&[]) else { return };
    let nvml = Nvml::open_first(&[library]).unwrap();
    let meter = Meter::start(folder.path(), Some(nvml.gpu(UUID)));
    folder.write("millijoules", 7_500);
    let energy = meter.read();
    assert_eq!(energy.joules(), Ok(7.5));
    assert_eq!(energy.known().as_deref(), Some("7.50 J GPU"));
    assert!(energy.unknown().unwrap().starts_with("processor not measured: "), "{energy:?}");

    folder.zone("intel-rapl:0", "package-0", ROOMY, 0);
    folder.write("refused", "nvmlDeviceGetTotalEnergyConsumption 3");
    for gpu in [nvml.gpu(UUID), Err("Not Supported".into())] {
        let energy = Meter::start(folder.path(), Some(gpu)).read();
        assert!(energy.joules().unwrap_err().contains("Not Supported"), "{energy:?}");
        assert_eq!(energy.known().as_deref(), Some("0.0000 J processor"));
        assert!(energy.unknown().unwrap().starts_with("GPU not measured: "), "{energy:?}");
    }
}

#[test]
fn what_nothing_counts_is_unknown_with_the_reason() {
    let folder = Folder::new();
    let meter = Meter::start(&folder.path().join("none"), None);
    let energy = meter.read();
    assert_eq!(energy.since(&energy), energy);
    let why = energy.joules().unwrap_err().to_owned();
    assert!(why.contains("has no "), "{why}");
    assert_eq!((energy.known(), energy.unknown()), (None, Some(format!("processor not measured: {why}"))));
    assert_eq!(energy.per_joule(3), None);
}
