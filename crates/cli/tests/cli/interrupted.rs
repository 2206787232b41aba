//! Ctrl-C.

use crate::common::{Folder, Ran, is_whole};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn interrupted_by(signal: &str) {
    let folder = Folder::new();
    let mut child = folder
        .command()
        .args("train digits train.epochs=100000 --json".split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once an epoch is told, the loop is under way.
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("epoch 1/") {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0, "training ended early");
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    let drained =
        std::thread::spawn(move || errors.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let ran = Ran::new(child.wait_with_output().unwrap());
    let err = drained.join().unwrap();
    assert_eq!(ran.code, Some(130), "{err}");
    assert!(err.contains("warploom train runs/digits --resume"), "{err}");
    assert_eq!(ran.json()["interrupted"], true);
    assert!(ran.json()["epochs"].as_u64().unwrap() >= 1);
    assert!(is_whole(&folder.path("runs/digits")));
    let note = folder.run("evaluate runs/digits --json").ok().err;
    assert!(
        note.contains(" of 100000 epochs") && note.contains("warploom train runs/digits --resume"),
        "{note}"
    );
}

#[test]
#[cfg(unix)]
fn ctrl_c_saves_what_was_learned() {
    interrupted_by("-INT");
}

#[test]
#[cfg(unix)]
fn termination_does_too() {
    interrupted_by("-TERM");
}

/// What a benchmark measures runs in a process of its own, which holds on to standard error.
#[test]
fn a_benchmark_leaves_nobody_behind() {
    let folder = Folder::new();
    let mut bench = folder.command();
    bench.args(["bench", "W1", "--budget", "60", "--json"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut bench = bench.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let since = Instant::now();
    bench.kill().unwrap();
    bench.wait().unwrap();
    bench.stderr.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
}
