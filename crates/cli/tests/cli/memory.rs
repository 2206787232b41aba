//! Memory limits and batch sizes that follow from them.

use crate::common::Folder;
use serde_json::Value;
use std::fs;

const RUN: &str = "train digits data.train=1500 data.test=100 train.epochs=2 device=cpu --quiet --json";

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_limit_is_kept_and_changes_nothing() {
    let folder = Folder::new();
    let free = folder.run(&format!("{RUN} --out free")).ok().json();
    assert!(free.get("memory_limit").is_none() && free["batch"] == 64, "{free}");
    let held = folder.run(&format!("{RUN} --out held memory_limit=3900KiB")).ok().json();
    assert_eq!(number(&held["memory_limit"]), 3900 << 10);
    assert_eq!((&held["metrics"], held["batch"].as_u64()), (&free["metrics"], Some(64)));
    assert_eq!(held["planned_bytes"], held["peak_bytes"]);
    assert!(number(&held["peak_bytes"]) <= 3900 << 10 && number(&free["peak_bytes"]) > 3900 << 10);
    let cost = &held["recomputed"];
    assert!(number(&cost["values"]) > 0 && number(&cost["bytes_saved"]) > 0, "{cost}");
    assert!(cost["more_operations_percent"].as_f64().unwrap() > 0.0, "{cost}");
    let weights = |run: &str| fs::read(folder.path(run).join("weights.safetensors")).unwrap();
    assert!(weights("free") == weights("held"));

    let about: Value = serde_json::from_slice(&fs::read(folder.path("held/run.json")).unwrap()).unwrap();
    assert_eq!((&about["memory"]["limit"], &about["memory"]["recomputed"]), (&held["memory_limit"], cost));
    assert_eq!(about["memory"]["peak_bytes"], held["peak_bytes"]);
    let page = fs::read_to_string(folder.path("held/report.html")).unwrap();
    for shown in ["The memory limit is ", "values computed again by"] {
        assert!(page.contains(shown), "{shown}");
    }

    let plan = "plan digits data.train=1500 data.test=100 --device cpu memory_limit=3900KiB";
    let planned = folder.run(&format!("{plan} --json")).ok().json();
    assert_eq!((&planned["recomputed"], planned["batch"].as_u64()), (cost, Some(64)));
    assert_eq!(planned["planned_bytes"], held["planned_bytes"]);
    assert_eq!(planned["memory_limit"], held["memory_limit"]);
    let text = folder.run(plan).ok().out;
    assert!(text.contains("limit") && text.contains("% more operations"), "{text}");
    let share = folder.run("plan digits memory_limit=90% --json").ok().json();
    assert!(number(&share["memory_limit"]) > 1 << 28 && share["recomputed"].is_null(), "{share}");
}

#[test]
fn a_run_that_cannot_fit_is_refused_before_it_begins() {
    let folder = Folder::new();
    for command in [RUN, "plan digits data.train=1500 --json"] {
        let parts = [
            "with train.batch=64 this needs at least",
            "memory_limit is 3.0 MiB (3145728 bytes)",
            "with train.batch=",
        ];
        folder.run(&format!("{command} memory_limit=3MiB")).fails(3, &parts);
    }
    assert!(!folder.path("runs/digits").exists(), "nothing began");
    folder.run(&format!("{RUN} memory_limit=100KiB")).fails(3, &["no batch is small enough"]);
    folder
        .run("plan digits memory_limit=64MiX")
        .fails(2, &["`memory_limit` is `64MiX`", "64MiB, 1.5GiB or 50%"]);
    folder.run("plan digits train.batch=most").fails(2, &["`train.batch` cannot be `most`"]);
    folder.run("plan digits --device wgpu:77").fails(3, &["wgpu:77"]);
}

#[test]
fn an_evaluation_keeps_to_its_limit_by_smaller_batches() {
    let folder = Folder::new();
    folder.run(&format!("{} --out run", RUN.replace("data.test=100", "data.test=300"))).ok();
    let free = folder.run("evaluate run --json").ok().json();
    // Less than a batch of 256 takes, and more than the weights do.
    let held = folder.run("evaluate run --json memory_limit=1600KiB").ok().json();
    assert_eq!(free["metrics"]["test"]["accuracy"], held["metrics"]["test"]["accuracy"]);
    let loss = |scores: &Value| scores["metrics"]["test"]["loss"].as_f64().unwrap();
    assert!((loss(&free) / loss(&held) - 1.0).abs() < 1e-5, "{free} {held}");
    folder.run("evaluate run memory_limit=20KiB").fails(
        3,
        &[
            "with batch=1 this needs at least",
            "memory_limit is 20.0 KiB",
            "no batch is small enough: allow more memory",
        ],
    );
}

#[test]
fn an_automatic_batch_is_kept_by_the_run() {
    let folder = Folder::new();
    let auto = "train.batch=auto memory_limit=4MiB train.checkpoints.epochs=1";
    let ran = folder.run(&format!("{} {auto} --out run", RUN.replace(" --quiet", ""))).ok();
    let summary = ran.json();
    let batch = number(&summary["batch"]);
    let (peak, limit) = (number(&summary["peak_bytes"]), 4 << 20);
    assert!(peak <= limit && peak * 10 >= limit * 9, "{peak}");
    assert!(summary["recomputed"].is_null(), "{summary}");
    assert!(
        ran.err.contains(&format!("batch {batch}: plan ")) && ran.err.contains(" of 4.0 MiB"),
        "{}",
        ran.err
    );
    let recipe = fs::read_to_string(folder.path("run/recipe.toml")).unwrap();
    assert!(recipe.contains(&format!("batch = {batch}\n")), "{recipe}");
    // Another limit would give another number; what was begun goes on with its own, from folder and recipe alike.
    let again = folder.run("train run --resume train.epochs=3 memory_limit=8MiB --json").ok().json();
    assert_eq!((number(&again["batch"]), again["epochs"].as_u64()), (batch, Some(3)));
    let more = RUN.replace("epochs=2", "epochs=4");
    let again = folder.run(&format!("{more} {auto} --resume --out run memory_limit=6MiB")).ok().json();
    assert_eq!((number(&again["batch"]), again["epochs"].as_u64()), (batch, Some(4)));

    let plan = folder.run("plan digits-linear train.batch=auto memory_limit=5MiB --json").ok().json();
    let planned = number(&plan["planned_bytes"]);
    assert!(planned <= 5 << 20 && planned * 10 >= (5 << 20) * 9, "{plan}");
}
