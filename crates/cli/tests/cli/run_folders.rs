//! Run folders that are taken, newer, or no longer there.

use crate::common::{Folder, Ran};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn one_run_at_a_time() {
    let folder = Folder::new();
    let long = "train digits train.epochs=1000 --out run";
    let mut child =
        folder.command().args(long.split(' ')).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // Drivers may have something to say before.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("digits on ")), "it begins");
    let process = format!("process {}", child.id());
    folder.run("train digits --out run").fails(2, &["another run", &process, "--out"]);
    folder.run("evaluate run").fails(2, &["the run in run is under way", &process]);
    child.kill().unwrap();
    child.wait().unwrap();
    // The dead process holds nothing.
    folder.run("train digits --out run train.epochs=1 data.train=200 data.test=20 --quiet").ok();
}

#[test]
fn a_newer_layout_is_refused() {
    let folder = Folder::new();
    folder.run("train digits --out run train.epochs=1 data.train=200 data.test=20 --quiet").ok();
    let now = fs::read_to_string(folder.path("run/run.json")).unwrap();
    folder.write(
        "run/run.json",
        now.replace("\"format\": 1", "\"format\": 2").replace("0.1.0", "9.0.0").as_bytes(),
    );
    for command in ["evaluate run", "predict run x", "train digits --out run"] {
        folder.run(command).fails(2, &["run has layout 2", "Warploom 9.0.0", "newer Warploom"]);
    }
    folder.write("run/run.json", now.as_bytes());
    let stored = fs::read_to_string(folder.path("run/transform.json")).unwrap();
    folder.write("run/transform.json", stored.replace("\"version\": 1", "\"version\": 7").as_bytes());
    folder.run("predict run x").fails(2, &["version 7"]);
    folder.write("run/transform.json", b"{");
    folder.run("predict run x").fails(2, &["cannot be read"]);
}

/// A limit on the size of files stands for a full disk: writing fails in the middle.
#[test]
#[cfg(unix)]
fn a_full_disk_leaves_what_was_there() {
    let folder = Folder::new();
    let run = "train digits --out run train.epochs=1 data.train=200 data.test=20 --quiet";
    folder.run(run).ok();
    let before = fs::read(folder.path("run/weights.safetensors")).unwrap();
    let limited = format!("trap '' XFSZ; ulimit -f 100; exec \"$0\" {run} train.seed=1");
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(folder.path("")).args(["-c", &limited, env!("CARGO_BIN_EXE_warploom")]);
    Ran::new(shell.output().unwrap()).fails(2, &["could not write", "run", "no more space"]);
    assert!(fs::read(folder.path("run/previous/weights.safetensors")).unwrap() == before);
    folder.run("evaluate run/previous").ok();
}

/// Weights never stand beside the transforms of another run.
#[test]
fn a_run_that_follows_another_puts_it_aside() {
    let folder = Folder::new();
    let run = "train digits --out run train.epochs=1 data.train=200 data.test=20";
    folder.run(&format!("{run} --quiet")).ok();
    let before = fs::read(folder.path("run/weights.safetensors")).unwrap();
    folder.run(&format!("{run} train.seed=1")).ok();
    assert!(fs::read(folder.path("run/previous/weights.safetensors")).unwrap() == before);
    assert!(fs::read(folder.path("run/weights.safetensors")).unwrap() != before);
    let said = folder.run("evaluate run/previous").ok().out;
    assert!(said.ends_with("  (20 examples)\n"), "{said}");
    let scored = folder.run("evaluate run --json").ok();
    assert_eq!((&scored.json()["examples"], &scored.err[..]), (&20.into(), ""));
    // Its checkpoints went with it.
    let more = folder.run("train run/previous --resume train.epochs=2").ok().err;
    assert!(more.contains("epoch 2, batch 1"), "{more}");
    assert!(fs::read(folder.path("run/previous/weights.safetensors")).unwrap() != before);
}

#[test]
fn files_that_are_no_runs_are_not_overwritten() {
    let folder = Folder::new();
    folder.write("mine/recipe.toml", b"# mine");
    folder.run("train digits --out mine").fails(2, &["mine", "recipe.toml", "--out"]);
    assert_eq!(fs::read(folder.path("mine/recipe.toml")).unwrap(), b"# mine");
}

#[test]
fn a_refused_resume_changes_nothing() {
    let folder = Folder::new();
    folder.run("train digits --out run train.epochs=1 data.train=200 data.test=20 --quiet").ok();
    let before = fs::read(folder.path("run/recipe.toml")).unwrap();
    folder.run("train run --resume train.batch=32").fails(2, &["batch"]);
    assert!(fs::read(folder.path("run/recipe.toml")).unwrap() == before);
}

/// `/dev/full` stands for a full disk behind standard output.
#[test]
#[cfg(target_os = "linux")]
fn output_that_is_lost_is_a_failure() {
    let folder = Folder::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = folder.command().arg("recipes").stdout(full).output().unwrap();
    Ran::new(output).fails(2, &["standard output"]);
    folder.pictures(8);
    folder.run("train small.toml --out run --quiet").ok();
    folder
        .run("predict run data/t10k-images-idx3-ubyte --out /dev/full")
        .fails(2, &["could not write /dev/full", "free some space"]);
}

#[test]
fn files_of_digits_are_cut() {
    let folder = Folder::new();
    folder.pictures(32);
    let err = folder.run("train small.toml --out run data.train=16 data.test=4").ok().err;
    assert!(err.contains("16 examples to learn from, 0 to watch, 4 to test"), "{err}");
    assert!(folder.run("evaluate run").ok().out.contains("(4 examples)"));
    // Other data are not.
    assert!(folder.run("evaluate run --data data").ok().out.contains("(8 examples)"));
    folder.run("train small.toml data.train=33").fails(2, &["`data.train` is 33", "holds 32"]);
}

#[test]
fn a_network_that_no_memory_holds_is_refused() {
    let folder = Folder::new();
    let layers =
        "model.layers=[{kind=\"conv2d\",filters=100000000,kernel=3},{kind=\"flatten\"},{kind=\"dense\"}]";
    let output = folder.command().args(["plan", "digits", "model.name=", layers]).output().unwrap();
    assert_ne!(output.status.code(), Some(134), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(matches!(output.status.code(), Some(2 | 3)), "{output:?}");
}

/// Names that no text holds are names all the same.
#[cfg(target_os = "linux")]
#[test]
fn a_run_folder_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let run = std::ffi::OsStr::from_bytes(b"b\xff/run");
    let small = ["train", "digits", "data.train=100", "data.test=20", "train.epochs=1", "--quiet", "--out"];
    let mut command = folder.command();
    assert!(command.args(small).arg(run).status().unwrap().success());
    assert!(folder.command().arg("evaluate").arg(run).status().unwrap().success());
    folder.write("file", b"");
    let train = "train digits data.train=100 data.test=20 train.epochs=1 --quiet --out";
    folder.run(&format!("{train} file")).fails(2, &["file", "a file is where a folder is wanted"]);
    folder.run(&format!("{train} file/below")).fails(2, &["file", "a file is where a folder is wanted"]);
}
