//! Joules, where the machine counts them.

use std::fs;
use std::path::{Path, PathBuf};

const FOLDER: &str = "/sys/class/powercap";

/// Intel's and AMD's running average power limit counters, as Linux shows them: one for each processor package.
pub struct Meter {
    packages: Vec<Package>,
}

struct Package {
    counter: PathBuf,
    /// Microjoules at the beginning.
    begin: u64,
    /// Where the counter starts again.
    range: u64,
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

impl Meter {
    /// Begins to measure.
    ///
    /// # Errors
    /// Why the machine does not say what it uses, for people.
    pub fn start() -> Result<Meter, String> {
        let entries = fs::read_dir(FOLDER)
            .map_err(|_| format!("this machine has no {FOLDER}, where Linux counts it"))?;
        let mut packages = Vec::new();
        let mut refused = false;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // `intel-rapl:0` is a package; `intel-rapl:0:0` a part of it.
            if !name.starts_with("intel-rapl:") || name.matches(':').count() != 1 {
                continue;
            }
            let counter = entry.path().join("energy_uj");
            match (number(&counter), number(&entry.path().join("max_energy_range_uj"))) {
                (Some(begin), Some(range)) => packages.push(Package { counter, begin, range }),
                (None, _) | (_, None) => refused = true,
            }
        }
        match (packages.is_empty(), refused) {
            (false, _) => Ok(Meter { packages }),
            (true, true) => {
                Err(format!("{FOLDER}/intel-rapl*/energy_uj may not be read; root may, and can allow it"))
            }
            (true, false) => {
                Err(format!("{FOLDER} has no energy counters; virtual machines often hide them"))
            }
        }
    }

    /// Joules of all packages since the start; `None` if a counter is gone. A counter that started again once is followed.
    pub fn joules(&self) -> Option<f64> {
        let mut microjoules = 0;
        for package in &self.packages {
            let now = number(&package.counter)?;
            microjoules +=
                if now >= package.begin { now - package.begin } else { now + package.range - package.begin };
        }
        Some(microjoules as f64 * 1e-6)
    }
}
