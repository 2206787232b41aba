//! Processors' counters, as a tree of files that a test moves.
#![cfg(unix)]

use crate::common::Folder;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use warploom_energy::rapl::Packages;

/// What the two kinds of counters in use hold: of 32 bits in 15.3 and in 61 µJ.
const AMD: u64 = 65_532_610_987;
const INTEL: u64 = 262_143_328_850;

const SECOND: Duration = Duration::from_secs(1);

fn find(folder: &Folder, now: Instant) -> Packages {
    Packages::find(folder.path(), now).unwrap()
}

fn why(folder: &Path) -> String {
    Packages::find(folder, Instant::now()).unwrap_err().to_string()
}

fn assert_joules(found: Result<f64, String>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-5, "{found} J, not {expected} J");
}

#[test]
fn packages_count_once_and_nothing_else_does() {
    let (folder, begin) = (Folder::new(), Instant::now());
    let zones = [
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "psys"),
        ("intel-rapl:2", "package-1"),
        ("intel-rapl:3", "package-1"),
        ("intel-rapl-mmio:0", "package-0"),
        ("dtpm:0", "package-0"),
    ];
    for (zone, name) in zones {
        folder.zone(zone, name, INTEL, 5_000_000);
    }
    // The kind of the zones, which is no zone.
    fs::create_dir(folder.path().join("intel-rapl")).unwrap();
    let mut packages = find(&folder, begin);
    assert_eq!(packages.count(), 2);
    assert_joules(packages.read(begin), 0.0);
    for (i, (zone, _)) in zones.into_iter().enumerate() {
        folder.write(&format!("{zone}/energy_uj"), 5_000_000 + 10u64.pow(i as u32 + 2));
    }
    assert_joules(packages.read(begin + SECOND), 1.000_1);
}

#[test]
fn counters_that_start_again_many_times_are_followed() {
    let (folder, begin) = (Folder::new(), Instant::now());
    // Watts of two packages, neither of which goes round with the other.
    let parts = [("intel-rapl:0", AMD, AMD - 1, 683), ("intel-rapl:1", INTEL, 17, 911)];
    for (i, (zone, range, first, _)) in parts.into_iter().enumerate() {
        folder.zone(zone, &format!("package-{i}"), range, first);
    }
    let mut packages = find(&folder, begin);
    assert!(packages.pause() > 8 * SECOND && packages.pause() <= 10 * SECOND, "{:?}", packages.pause());
    let mut rounds = [0; 2];
    for tick in 1..=400u32 {
        let now = begin + packages.pause() * tick;
        for (i, (zone, range, first, watts)) in parts.into_iter().enumerate() {
            let counted = first + (now - begin).as_micros() as u64 * watts;
            rounds[i] = counted / range;
            folder.write(&format!("{zone}/energy_uj"), counted % range);
        }
        let joules = (now - begin).as_micros() as f64 * 1e-6 * (683.0 + 911.0);
        assert_joules(packages.read(now), joules);
    }
    assert_eq!(rounds, [35, 11]);
}

#[test]
fn a_counter_that_was_not_read_for_too_long_has_no_sum() {
    let (folder, begin) = (Folder::new(), Instant::now());
    folder.zone("intel-rapl:0", "package-0", AMD, 0);
    let mut packages = find(&folder, begin);
    folder.write("intel-rapl:0/energy_uj", 3_000_000);
    assert_joules(packages.read(begin + 32 * SECOND), 3.0);
    let why = packages.read(begin + 65 * SECOND).unwrap_err();
    assert!(why.contains("intel-rapl:0/energy_uj was not read for 33 s"), "{why}");
    assert_eq!(packages.read(begin + 66 * SECOND), Err(why));
}

#[test]
fn a_counter_that_was_set_anew_is_no_energy() {
    let (folder, begin) = (Folder::new(), Instant::now());
    folder.zone("intel-rapl:0", "package-0", INTEL, 9_000_000_000);
    let mut packages = find(&folder, begin);
    folder.write("intel-rapl:0/energy_uj", 12);
    let why = packages.read(begin + SECOND).unwrap_err();
    assert!(why.contains("from 9000000000 to 12 in 1.0 s") && why.contains("set anew"), "{why}");
    folder.write("intel-rapl:0/energy_uj", 13);
    assert_eq!(packages.read(begin + 2 * SECOND), Err(why));
}

#[test]
fn a_counter_that_stands_still_does_not_count() {
    let (folder, begin) = (Folder::new(), Instant::now());
    folder.zone("intel-rapl:0", "package-0", INTEL, 5);
    let mut packages = find(&folder, begin);
    assert_joules(packages.read(begin + SECOND), 0.0);
    let why = packages.read(begin + 2 * SECOND).unwrap_err();
    assert!(why.contains("intel-rapl:0/energy_uj did not move in 2 s"), "{why}");
    folder.write("intel-rapl:0/energy_uj", 1_000_005);
    assert_joules(packages.read(begin + 3 * SECOND), 1.0);
}

#[test]
fn a_counter_beyond_its_range_is_none() {
    for (range, counter) in [(0, 0), (0, 7), (1000, 1001)] {
        let folder = Folder::new();
        folder.zone("intel-rapl:0", "package-0", range, counter);
        let why = why(folder.path());
        let told = format!("starts again after {range} µJ, where it stands at {counter} µJ");
        assert!(why.contains("max_energy_range_uj says") && why.contains(&told), "{why}");
    }
}

#[test]
fn a_counter_that_vanishes_is_told_from_then_on() {
    let (folder, begin) = (Folder::new(), Instant::now());
    folder.zone("intel-rapl:0", "package-0", INTEL, 1);
    folder.zone("intel-rapl:1", "package-1", INTEL, 1);
    let mut packages = find(&folder, begin);
    fs::remove_dir_all(folder.path().join("intel-rapl:1")).unwrap();
    let why = packages.read(begin + SECOND).unwrap_err();
    assert!(why.contains("intel-rapl:1/energy_uj can no longer be read"), "{why}");
    folder.zone("intel-rapl:1", "package-1", INTEL, 1);
    assert_eq!(packages.read(begin + 2 * SECOND), Err(why));
}

#[test]
fn a_machine_without_counters_says_so() {
    let folder = Folder::new();
    let missing = why(&folder.path().join("none"));
    assert!(missing.contains("has no ") && missing.contains("/none"), "{missing}");
    let empty = why(folder.path());
    assert!(empty.contains("no energy counters") && empty.contains("virtual machines"), "{empty}");
    folder.zone("intel-rapl:0", "psys", INTEL, 1);
    assert_eq!(why(folder.path()), empty);
    folder.zone("intel-rapl:0", "package-0", INTEL, 1);
    for (file, nonsense) in [("max_energy_range_uj", ""), ("energy_uj", "much")] {
        folder.write(&format!("intel-rapl:0/{file}"), nonsense);
        let why = why(folder.path());
        assert!(
            why.contains(&format!("intel-rapl:0/{file} holds {nonsense:?}, which is no number")),
            "{why}"
        );
    }
}

/// The reason, in a process that is not root's: root may read everything.
fn why_for_everyone(folder: &Folder) -> String {
    if let Err(why) = Packages::find(folder.path(), Instant::now()) {
        return why.to_string();
    }
    // Where root builds, others may not get to this binary.
    let copy = folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut again = Command::new(&copy);
    again.args(["rapl::scenario", "--exact", "--ignored", "--nocapture"]).env("FOLDER", folder.path());
    const NOBODY: u32 = 65_534;
    String::from_utf8(again.uid(NOBODY).output().unwrap().stdout).unwrap()
}

#[test]
#[ignore = "a part of the test below, in a process of its own"]
fn scenario() {
    println!("{}", why(std::env::var_os("FOLDER").unwrap().as_ref()));
}

#[test]
fn one_counter_that_may_not_be_read_leaves_the_machine_unmeasured() {
    let folder = Folder::new();
    folder.zone("intel-rapl:0", "package-0", INTEL, 1);
    folder.zone("intel-rapl:1", "package-1", INTEL, 1);
    let counter = folder.path().join("intel-rapl:1/energy_uj");
    fs::set_permissions(&counter, Permissions::from_mode(0o400)).unwrap();
    let why = why_for_everyone(&folder);
    let refused = format!("{} cannot be read: Permission denied", counter.display());
    let advice = format!("sudo chmod a+r {}/intel-rapl:*/energy_uj", folder.path().display());
    assert!(why.contains(&refused) && why.contains(&advice), "{why}");
}
