//! What the drivers list in the end.

use warploom_device::Check;

use super::{System, listing};
use crate::adapters::{Adapter, Kind};

impl System {
    /// What is to be said of the adapters that were found: whether the hardware is among them, then each with its limits and
    /// versions, as a check named after its id.
    pub fn check_adapters(&self, all: &[Adapter]) -> Vec<Check> {
        let mut checks = vec![self.check_listed(all)];
        checks.extend(all.iter().map(describe));
        checks
    }

    fn check_listed(&self, all: &[Adapter]) -> Check {
        let name = "adapters";
        let gpus = if cfg!(target_os = "linux") { self.gpus() } else { Vec::new() };
        let advice = match cfg!(target_os = "linux") {
            true => {
                "where nothing else is amiss, see what the Vulkan loader says: VK_LOADER_DEBUG=error,warn,driver \
                 warploom devices"
            }
            false => "if there is a GPU, install its vendor's driver",
        };
        let software = || listing(all.iter().map(|adapter| format!("{}, {}", adapter.id(), adapter.name)));
        let hardware = all.iter().filter(|adapter| !adapter.is_software());
        match (hardware.clone().count(), all.is_empty(), gpus.is_empty()) {
            (0, true, true) => Check::problem(false, name, "the drivers list none", advice),
            (0, true, false) => Check::problem(
                true,
                name,
                format!("the drivers list none, though there is {}", listing(&gpus)),
                advice,
            ),
            (0, false, true) => {
                let found = format!(
                    "software only, {}, which computes on the processor and is used when named",
                    software()
                );
                Check::ok(name, found)
            }
            (0, false, false) => {
                let found = format!("software only, {}, though there is {}", software(), listing(&gpus));
                Check::problem(true, name, found, advice)
            }
            _ => Check::ok(name, listing(all.iter().map(Adapter::id))),
        }
    }
}

fn describe(adapter: &Adapter) -> Check {
    let mib = |bytes: usize| bytes / (1 << 20);
    let kind = match adapter.kind {
        Kind::Software => "software, on the processor".to_owned(),
        kind => kind.to_string(),
    };
    let (limits, (fewest, most)) = (adapter.limits, adapter.subgroup);
    let driver = [adapter.backend.as_str(), &adapter.driver, &adapter.driver_info];
    let driver: Vec<&str> = driver.into_iter().filter(|text| !text.is_empty()).collect();
    let subgroup = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
    let features =
        if adapter.features.is_empty() { "none of note".into() } else { adapter.features.join(", ") };
    let found = format!(
        "{} ({kind}), {}; buffers up to {} MiB, of which a kernel sees {} MiB at a time; workgroups of {} with {} KiB, subgroups \
         of {subgroup}; features: {features}",
        adapter.name,
        driver.join(" "),
        mib(usize::try_from(adapter.buffer_bytes).unwrap_or(usize::MAX)),
        mib(limits.argument_bytes),
        limits.workgroup,
        limits.shared_bytes / 1024,
    );
    Check::ok(adapter.id(), found)
}
