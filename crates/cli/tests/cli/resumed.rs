//! Runs that were killed, and go on.

use crate::common::Folder;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::LazyLock;

const RUN: &str = "train digits data.train=2000 data.test=100 train.epochs=6 train.checkpoints.epochs=1";

const FILES: [&str; 4] = ["weights.safetensors", "recipe.toml", "history.csv", "transform.json"];

/// What the same run leaves that nobody breaks off: [`FILES`], and what its test gives.
struct Unbroken {
    files: [Vec<u8>; 4],
    test: Value,
}

static UNBROKEN: LazyLock<Unbroken> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.run(&format!("{RUN} --quiet --out whole")).ok();
    let files = FILES.map(|file| fs::read(folder.path("whole").join(file)).unwrap());
    Unbroken { files, test: folder.run("evaluate whole --json").ok().json() }
});

/// Whether the run in the folder `cut` ended with the weights of the unbroken one.
fn has_the_same_weights(folder: &Folder) -> bool {
    fs::read(folder.path("cut").join(FILES[0])).unwrap() == UNBROKEN.files[0]
}

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
    killed(&folder, &format!("{RUN} --out cut"), 3);
    for command in ["evaluate cut", "predict cut x"] {
        folder.run(command).fails(2, &["was cut off and has no weights yet", "warploom train cut --resume"]);
    }
    let err = folder.run("train cut --resume").ok().err;
    assert!(err.contains("going on from"), "{err}");
    // Its page has the command that repeats the whole run.
    let page = fs::read_to_string(folder.path("cut/report.html")).unwrap();
    assert!(page.contains(&format!("<code>warploom {RUN} --out cut</code>")), "the command");
    for (file, unbroken) in FILES.iter().zip(&UNBROKEN.files) {
        assert!(fs::read(folder.path("cut").join(file)).unwrap() == *unbroken, "{file}");
    }
    let lines = fs::read_to_string(folder.path("cut/metrics.jsonl")).unwrap();
    let epochs: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(epochs, [1, 2, 3, 4, 5, 6]);
    assert_eq!(folder.run("evaluate cut --json").ok().json(), UNBROKEN.test);
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_said() {
    let folder = Folder::new();
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
    assert!(has_the_same_weights(&folder));
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

const SHORT: &str = "train digits data.train=300 data.test=50 train.epochs=2 --out run";

#[test]
fn a_finished_run_is_left_as_it_is_or_goes_on_to_more_epochs() {
    let folder = Folder::new();
    folder.run(&format!("{SHORT} --quiet")).ok();
    let summary = folder.run("train run --resume --json").ok();
    assert!(summary.err.contains("run is finished after 2 epochs, and is left as it is"), "{}", summary.err);
    assert_eq!(summary.json()["epochs"], 2);
    let files = ["report.html", "summary.json", "run.json", "recipe.toml", "metrics.jsonl", "history.csv"];
    let all = || files.map(|file| fs::read(folder.path("run").join(file)).unwrap());
    let before = all();
    folder.run(&format!("{SHORT} --resume")).ok();
    for other in ["train.seed=7", "train.batch=32", "train.tensorboard=false"] {
        let key = other.split('=').next().unwrap();
        folder.run(&format!("train run --resume {other}")).fails(2, &[key, "is finished after 2 epochs"]);
    }
    folder.run("train run --resume train.epochs=1").fails(2, &["`train.epochs` is 1", "2 epochs behind it"]);
    assert!(all() == before);

    let said = folder.run("train run --resume train.epochs=3").ok().err;
    assert!(said.contains("epoch 3, batch 1") && said.contains("epoch 3/3"), "{said}");
    let page = fs::read_to_string(folder.path("run/report.html")).unwrap();
    assert!(page.contains(&format!("<code>warploom {SHORT} --quiet train.epochs=3</code>")));
    assert_eq!(fs::read_to_string(folder.path("run/metrics.jsonl")).unwrap().lines().count(), 3);
}

#[test]
fn fewer_epochs_than_are_done_are_refused() {
    let folder = Folder::new();
    killed(&folder, &format!("{RUN} --out cut"), 3);
    let before = fs::read(folder.path("cut/recipe.toml")).unwrap();
    folder
        .run("train cut --resume train.epochs=1")
        .fails(2, &["`train.epochs` is 1", "epochs behind it", "say train.epochs=", "or more"]);
    assert!(fs::read(folder.path("cut/recipe.toml")).unwrap() == before);
}

#[test]
fn a_run_that_is_killed_after_its_first_epoch_has_something_to_go_on_from() {
    let folder = Folder::new();
    // The clock would wait for half a minute.
    let run = RUN.strip_suffix(" train.checkpoints.epochs=1").unwrap();
    killed(&folder, &format!("{run} --out cut"), 2);
    let err = folder.run("train cut --resume").ok().err;
    assert!(err.contains("going on from") && !err.contains("beginning anew"), "{err}");
    assert!(has_the_same_weights(&folder));
}
