//! What counts energy here, and how NVIDIA's GPUs do, as their management library sees it.

use std::time::Instant;
use warploom::cuda::gpus;
use warploom::device::Check;
use warploom::recipes::energy::Uncounted;
use warploom::recipes::energy::nvml::{Gpu, Nvml};
use warploom::recipes::energy::rapl::{Packages, folder};

const LIBRARY: &str = "NVIDIA's management library";

/// Whether processors' counters can be read.
pub fn processor() -> Check {
    const NAME: &str = "processor energy";
    match Packages::find(&folder(), Instant::now()) {
        Ok(packages) => {
            let plural = if packages.count() == 1 { "" } else { "s" };
            Check::ok(NAME, format!("{} package{plural} counted in {}", packages.count(), folder().display()))
        }
        Err(why) => uncounted(NAME, why),
    }
}

/// What can be mended is a warning; what a machine does not have was not examined.
fn uncounted(name: &str, why: Uncounted) -> Check {
    match why.advice {
        Some(advice) => Check::problem(false, name, why.why, advice),
        None => Check::skipped(name, why.why),
    }
}

/// Health and energy counter of every GPU of NVIDIA's. Calls the driver.
pub fn nvidia() -> Vec<Check> {
    // Without a driver of NVIDIA's there is none; why is told elsewhere.
    let cards = gpus().unwrap_or_default();
    let nvml = match Nvml::open() {
        Ok(nvml) => nvml,
        Err(why) if cards.is_empty() => return vec![Check::skipped(LIBRARY, why.why)],
        Err(why) => return vec![uncounted(LIBRARY, why)],
    };
    let version = nvml.driver_version().map_or_else(|why| why, |version| format!("driver {version}"));
    let mut checks = vec![Check::ok(LIBRARY, format!("{}, {version}", nvml.path().display()))];
    for card in cards {
        let (health_name, energy_name) = (format!("{} health", card.id()), format!("{} energy", card.id()));
        match nvml.gpu(&card.uuid) {
            Ok(gpu) => checks.extend([health(&health_name, &gpu), energy(&energy_name, &gpu)]),
            Err(why) => checks.push(Check::skipped(health_name, why)),
        }
    }
    checks
}

fn energy(name: &str, gpu: &Gpu) -> Check {
    match gpu.millijoules() {
        Ok(count) => {
            Check::ok(name, format!("counted, {:.0} J since its driver was loaded", count as f64 * 1e-3))
        }
        Err(why) => Check::skipped(name, why),
    }
}

/// What the GPU tells of itself; what it does not tell is left out.
fn health(name: &str, gpu: &Gpu) -> Check {
    let watts = |milliwatts: u32| f64::from(milliwatts) * 1e-3;
    let power = gpu.milliwatts().map(|now| match gpu.limit_milliwatts() {
        Ok(limit) => format!("{:.0} of {:.0} W", watts(now), watts(limit)),
        Err(_) => format!("{:.0} W", watts(now)),
    });
    let corrected = gpu.corrects_memory().map(|does| {
        let whether = if does { "corrected" } else { "not corrected" };
        format!("errors of memory are {whether} (ECC)")
    });
    let (errors, held) = (gpu.memory_errors().unwrap_or(0), gpu.held_back());
    let clocks = held.as_ref().map(|reasons| match reasons[..] {
        [] => "clocks not held back".to_owned(),
        _ => format!("clocks held back by {}", reasons.join(", ")),
    });
    let temperature = gpu.temperature().map(|degrees| format!("{degrees} °C"));
    let told = [temperature, power, corrected, clocks.map_err(Clone::clone)];
    let found: Vec<&str> = told.iter().flatten().map(String::as_str).collect();
    let found = found.join(", ");
    if errors > 0 {
        let found =
            format!("{found}, {errors} errors of memory could not be corrected since its driver was loaded");
        let advice = "do not trust what the GPU computed since then: restart the machine, and have the GPU looked at if they come \
                      back (`nvidia-smi -q -d ECC,ROW_REMAPPER`)";
        return Check::problem(false, name, found, advice);
    }
    if held.is_ok_and(|reasons| !reasons.is_empty()) {
        let advice = "results are right, but slow: look after the GPU's cooling, power supply and power limit (`nvidia-smi -q -d \
                      PERFORMANCE,POWER`)";
        return Check::problem(false, name, found, advice);
    }
    match (found.is_empty(), told) {
        (true, [Err(why), ..]) => Check::skipped(name, why),
        _ => Check::ok(name, found),
    }
}
