//! What is said of NCCL, which nothing needs yet, in processes of their own.

use std::fs;

use crate::support::{Folder, again, build};
use warploom_cuda::{Search, check_gpus};

const DRIVER: (&str, &str) = ("driver.c", "libcuda.so.1");
const COMPILER: (&str, &str) = ("nvrtc.c", "libnvrtc.so.13");
const COLLECTIVES: (&str, &str) = ("nccl.c", "libnccl.so.2");

fn machine(libraries: &[(&str, &str)]) -> Option<Folder> {
    let folder = Folder::new();
    build(folder.path(), libraries).map(|()| folder)
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_check() {
    for check in check_gpus(&Search::here()).into_iter().filter(|check| check.name == "NCCL") {
        // The line of the harness has no end yet.
        println!("\ncheck {}: {} | {}", check.status, check.found, check.advice.unwrap_or_default());
    }
}

/// The one line about NCCL on a machine.
fn said(machine: &Folder, environment: &[(&str, &str)]) -> String {
    let outcome = again("collectives::scenario_check", machine.path(), environment);
    assert!(outcome.succeeded, "{}", outcome.printed);
    let lines: Vec<&str> = outcome.printed.lines().filter(|line| line.starts_with("check ")).collect();
    assert_eq!(lines.len(), 1, "{}", outcome.printed);
    lines[0].to_owned()
}

fn assert_says(line: &str, status: &str, parts: &[&str]) {
    assert!(line.starts_with(&format!("check {status}: ")), "{line}");
    for part in parts {
        assert!(line.contains(part), "no {part:?} in: {line}");
    }
}

#[test]
fn what_is_there_is_named_with_its_version() {
    let Some(machine) = machine(&[DRIVER, COMPILER, COLLECTIVES]) else { return };
    let path = machine.path().join(COLLECTIVES.1).display().to_string();
    assert_says(&said(&machine, &[]), "ok", &[&path, ", 2.30.7", "nothing computes on several GPUs yet"]);
    let oldest = said(&machine, &[("FAKE_NCCL_VERSION", "21602")]);
    assert_says(&oldest, "ok", &[", 2.16.2"]);
}

#[test]
fn what_is_missing_is_no_problem() {
    let Some(machine) = machine(&[DRIVER, COMPILER]) else { return };
    let parts = ["libnccl.so was not found", "nvidia-nccl", "nothing computes on several GPUs yet"];
    assert_says(&said(&machine, &[]), "ok", &parts);
}

#[test]
fn what_does_not_fit_is_named_with_why() {
    let whole = [DRIVER, COMPILER, COLLECTIVES];
    let another = [DRIVER, COMPILER, (COMPILER.0, COLLECTIVES.1)];
    let cases: [(&[(&str, &str)], &[(&str, &str)], &str); 3] = [
        (&another, &[], "does not load: it has no function ncclGetVersion"),
        (&whole, &[("FAKE_NCCL_VERSION", "21602"), ("FAKE_NCCL_ANSWER", "3")], "its version: code 3"),
        (&whole, &[("FAKE_NCCL_VERSION", "2804")], "version 2.8.4; NCCL 2.16.2 or newer is needed"),
    ];
    for (libraries, environment, part) in cases {
        let Some(machine) = machine(libraries) else { return };
        let line = said(&machine, environment);
        assert_says(
            &line,
            "warning",
            &[part, "nothing computes on several GPUs yet", "pip install nvidia-nccl"],
        );
    }
    let Some(machine) = machine(&[DRIVER, COMPILER]) else { return };
    fs::write(machine.path().join(COLLECTIVES.1), "no library").unwrap();
    assert_says(&said(&machine, &[]), "warning", &["does not load: ", COLLECTIVES.1]);
}

#[test]
fn a_library_that_fits_is_taken_behind_one_that_does_not() {
    let Some(machine) = machine(&[DRIVER, COMPILER, COLLECTIVES]) else { return };
    fs::write(machine.path().join("libnccl.so.9"), "no library").unwrap();
    assert_says(&said(&machine, &[]), "ok", &[COLLECTIVES.1]);
}
