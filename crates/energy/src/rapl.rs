//! Joules of processors: the running average power limit counters of Intel and AMD, as Linux shows them.
//!
//! A folder of the powercap tree is a zone: `intel-rapl:0` a package with all that is in it, graphics included, on AMD's
//! processors too; `intel-rapl:0:0` a part of it; `intel-rapl-mmio:0` the same package by another way; the zone named `psys`
//! the whole board. Only packages count, each once.
//! Source: <https://docs.kernel.org/power/powercap/powercap.html>.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Uncounted;

/// Names another folder than `/sys/class/powercap`: in a container, where the host's lies.
pub const FOLDER_VARIABLE: &str = "WARPLOOM_POWERCAP";

/// A package that computes nothing uses watts: one whose counter stands still so long does not count.
const STILL: Duration = Duration::from_secs(2);

/// No processor package draws more watts: what says otherwise is no energy, and within a time in which a counter may have
/// gone round at this power, nobody knows whether it did.
const MOST_WATTS: u64 = 2000;

/// Counters move in steps of a millisecond and more, so that two readings side by side may be further apart than that power
/// allows, in microjoules.
const STEP: u64 = 10_000_000;

/// How often counters are read at least: those of today go round in half a minute and more at `MOST_WATTS`.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where the counters are.
pub fn folder() -> PathBuf {
    std::env::var_os(FOLDER_VARIABLE)
        .filter(|folder| !folder.is_empty())
        .map_or_else(|| "/sys/class/powercap".into(), PathBuf::from)
}

/// All processor packages of a machine.
///
/// Counters start again at zero after some 65 or 262 kJ, minutes at full power. They are followed as often as they do, if
/// [`Packages::read`] is called at least once in [`Packages::pause`].
#[derive(Debug)]
pub struct Packages {
    packages: Vec<Package>,
    began: Instant,
    /// Why the sum is not known any more.
    lost: Option<String>,
}

#[derive(Debug)]
struct Package {
    counter: PathBuf,
    /// Where the counter starts again, in microjoules.
    range: u64,
    last: u64,
    read: Instant,
    /// Microjoules since the beginning.
    used: u64,
}

impl Packages {
    /// Begins to measure.
    ///
    /// # Errors
    /// Why the machine does not say what it uses. A machine of several packages is measured as a whole or not at all.
    pub fn find(folder: &Path, now: Instant) -> Result<Packages, Uncounted> {
        let (shown, is_named) = (folder.display(), is_named(folder));
        // Where somebody said so.
        let named = if is_named { format!(", which {FOLDER_VARIABLE} names,") } else { String::new() };
        let entries = fs::read_dir(folder).map_err(|error| match error.kind() {
            ErrorKind::NotFound if is_named => {
                Uncounted::new(format!("{FOLDER_VARIABLE} names {shown}, which is not there"))
            }
            ErrorKind::NotFound => {
                Uncounted::new(format!("this machine has no {shown}, where Linux counts processors' energy"))
            }
            _ => Uncounted::new(format!("{shown}{named} cannot be read: {error}")),
        })?;
        let mut zones: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_whole(path)).collect();
        zones.sort();
        let mut names: Vec<String> = Vec::new();
        let mut packages = Vec::new();
        for zone in zones {
            let Ok(name) = fs::read_to_string(zone.join("name")) else { continue };
            if name.starts_with("package") && !names.contains(&name) {
                packages.push(Package::open(&zone, now).map_err(|unread| unread.uncounted(folder))?);
                names.push(name);
            }
        }
        if packages.is_empty() {
            return Err(Uncounted::new(format!(
                "{shown}{named} has no energy counters of a processor; virtual machines often hide them"
            )));
        }
        Ok(Packages { packages, began: now, lost: None })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.packages.len()
    }

    /// After how long they must be read again.
    pub fn pause(&self) -> Duration {
        let shortest = self.packages.iter().map(|package| package.safe() / 4).min();
        shortest.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
    }

    /// Joules of all packages since the beginning.
    ///
    /// # Errors
    /// Why they are not known: a counter is gone, was set anew, or was not read for so long that it may have gone round unseen.
    /// From then on they are not.
    pub fn read(&mut self, now: Instant) -> Result<f64, String> {
        if let Some(why) = &self.lost {
            return Err(why.clone());
        }
        if let Err(why) = self.packages.iter_mut().try_for_each(|package| package.follow(now)) {
            self.lost = Some(why.clone());
            return Err(why);
        }
        let elapsed = now.saturating_duration_since(self.began);
        if let Some(still) = self.packages.iter().find(|package| package.used == 0 && elapsed >= STILL) {
            let counter = still.counter.display();
            return Err(format!(
                "{counter} did not move in {:.0} s: it does not count",
                elapsed.as_secs_f64()
            ));
        }
        Ok(self.packages.iter().map(|package| package.used as f64 * 1e-6).sum())
    }
}

/// Whether a folder is a zone that is no part of another: `intel-rapl:` and a number.
fn is_whole(path: &Path) -> bool {
    let number = path.file_name().and_then(|name| name.to_str()?.strip_prefix("intel-rapl:"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whether a folder is the one of [`FOLDER_VARIABLE`].
fn is_named(folder: &Path) -> bool {
    std::env::var_os(FOLDER_VARIABLE).is_some_and(|named| Path::new(&named) == folder)
}

/// A file of which the number is not known.
enum Unread {
    Refused(PathBuf, std::io::Error),
    /// What is in it or beside it makes no sense.
    Nonsense(String),
}

impl Unread {
    fn uncounted(self, folder: &Path) -> Uncounted {
        match &self {
            Unread::Refused(_, error) if error.kind() == ErrorKind::PermissionDenied => {
                let advice = format!(
                    "root may read it, and may allow everyone until the system starts again: \
                     sudo chmod a+r {}/intel-rapl:*/energy_uj",
                    folder.display()
                );
                Uncounted::advised(self.told("cannot be read"), advice)
            }
            _ => Uncounted::new(self.told("cannot be read")),
        }
    }

    /// For people; `what` is said of a file that the system refuses.
    fn told(&self, what: &str) -> String {
        match self {
            Unread::Refused(path, error) => format!("{} {what}: {error}", path.display()),
            Unread::Nonsense(why) => why.clone(),
        }
    }
}

fn number(path: &Path) -> Result<u64, Unread> {
    let text = fs::read(path).map_err(|error| Unread::Refused(path.into(), error))?;
    let text = String::from_utf8_lossy(&text);
    let nonsense = |_| {
        let start: String = text.trim().chars().take(40).collect();
        Unread::Nonsense(format!("{} holds {start:?}, which is no number of microjoules", path.display()))
    };
    text.trim().parse().map_err(nonsense)
}

impl Package {
    fn open(zone: &Path, now: Instant) -> Result<Package, Unread> {
        let (counter, limit) = (zone.join("energy_uj"), zone.join("max_energy_range_uj"));
        let (last, range) = (number(&counter)?, number(&limit)?);
        if range == 0 || last > range {
            return Err(Unread::Nonsense(format!(
                "{} says that the counter starts again after {range} µJ, where it stands at {last} µJ: no sum is known of such \
                 a counter",
                limit.display()
            )));
        }
        Ok(Package { counter, range, last, read: now, used: 0 })
    }

    /// How long it takes at least to go round once.
    fn safe(&self) -> Duration {
        Duration::from_micros(self.range / MOST_WATTS)
    }

    fn follow(&mut self, now: Instant) -> Result<(), String> {
        let value = number(&self.counter).map_err(|unread| unread.told("can no longer be read"))?;
        let (pause, counter) = (now.saturating_duration_since(self.read), self.counter.display());
        if pause > self.safe() {
            return Err(format!(
                "{counter} was not read for {:.0} s, in which it may have started again at zero unseen",
                pause.as_secs_f64()
            ));
        }
        let step = match value.checked_sub(self.last) {
            Some(step) => step,
            None => self.range.saturating_sub(self.last).saturating_add(value),
        };
        if u128::from(step) > pause.as_micros() * u128::from(MOST_WATTS) + u128::from(STEP) {
            return Err(format!(
                "{counter} went from {} to {value} in {:.1} s, which is more than a processor uses: it was set anew",
                self.last,
                pause.as_secs_f64()
            ));
        }
        (self.last, self.read, self.used) = (value, now, self.used + step);
        Ok(())
    }
}
