//! Runs that were killed, and go on.

use crate::common::Folder;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

const RUN: &str = "train digits data.train=3000 data.test=100 train.epochs=6 train.checkpoints.epochs=1";

/// Starts the run and kills it, as with kill -9, once it has told of this epoch or, where epochs are
/// shorter than the pause between two lines, of a later one.
fn killed(folder: &Folder, arguments: &str, after: usize) {
    let mut child: Child = folder
        .command()
        .args(arguments.split(' '))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let epoch = |line: &str| line.strip_prefix("epoch ")?.split_once('/')?.0.parse::<usize>().ok();
    while epoch(&line).is_none_or(|epoch| epoch < after) {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0, "training ended early");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let folder = Folder::new();
    folder.run(&format!("{RUN} --quiet --out whole")).ok();
    killed(&folder, &format!("{RUN} --out cut"), 3);
    let err = folder.run("train cut --resume").ok().err;
    assert!(err.contains("going on from"), "{err}");
    for file in ["weights.safetensors", "recipe.toml", "history.csv", "transform.json"] {
        let of = |run: &str| fs::read(folder.path(run).join(file)).unwrap();
        assert!(of("whole") == of("cut"), "{file}");
    }
    let lines = fs::read_to_string(folder.path("cut/metrics.jsonl")).unwrap();
    let epochs: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(epochs, [1, 2, 3, 4, 5, 6]);
    let test = |run: &str| folder.run(&format!("evaluate {run} --json")).ok().json();
    assert_eq!(test("whole"), test("cut"));
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_said() {
    let folder = Folder::new();
    folder.run(&format!("{RUN} --quiet --out whole")).ok();
    killed(&folder, &format!("{RUN} --out cut"), 4);
    let mut found: Vec<_> =
        fs::read_dir(folder.path("cut/checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("checkpoint-"));
    found.sort();
    let weights = found.last().unwrap().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let err = folder.run("train cut --resume").ok().err;
    assert!(err.contains(&*found.last().unwrap().file_name().unwrap().to_string_lossy()), "{err}");
    let of = |run: &str| fs::read(folder.path(run).join("weights.safetensors")).unwrap();
    assert!(of("whole") == of("cut"));
}

#[test]
fn beginning_anew_puts_an_interrupted_run_aside() {
    let folder = Folder::new();
    killed(&folder, &format!("{RUN} --out run"), 2);
    let err = folder.run(&format!("{RUN} --out run train.epochs=1")).ok().err;
    assert!(err.contains("checkpoints-before") && err.contains("--resume"), "{err}");
    assert!(folder.path("run/checkpoints-before").is_dir());
    folder.run("train run/recipe.toml --out other --resume train.epochs=1 --quiet").ok();
}
