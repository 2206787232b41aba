//! Something that is done over and over and must leave nothing behind.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes by which a process may grow from the first tenth of the rounds to the last: what allocators keep.
const SLACK: usize = 8 << 20;

/// Held while rounds are done, and by tests that must not run beside them: memory is told for the whole process.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `round`, told its number, `WARPLOOM_TEST_FAULTS` times, or `few` times where that is not said. Resident memory must
/// not grow.
pub fn over_and_over(what: &str, few: usize, mut round: impl FnMut(usize)) {
    let _alone = alone();
    let rounds = std::env::var("WARPLOOM_TEST_FAULTS").map_or(few, |rounds| rounds.parse().unwrap());
    let warm = rounds / 10;
    (0..warm).for_each(&mut round);
    let before = resident_bytes();
    (warm..rounds).for_each(&mut round);
    let (Some(before), Some(after)) = (before, resident_bytes()) else { return };
    let kib = |bytes: usize| bytes >> 10;
    println!("{what}: {} KiB after {warm} rounds, {} KiB after {rounds}", kib(before), kib(after));
    assert!(after <= before + SLACK, "{what}: {before} bytes after {warm} rounds, {after} after {rounds}");
}

/// Memory of this process, where the system tells.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? << 10)
}
