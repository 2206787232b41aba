//! From data to predictions.

use crate::common::{Folder, idx, is_whole};
use serde_json::Value;
use std::fs;

#[test]
fn digits_from_training_to_prediction() {
    let folder = Folder::new();
    let summary = folder.run("train digits train.epochs=4 --json").ok().json();
    assert_eq!((summary["run"].as_str(), summary["device"].as_str()), (Some("runs/digits"), Some("cpu")));
    assert_eq!(summary["epochs"], 4);
    let test = summary["metrics"]["test"]["accuracy"].as_f64().unwrap();
    assert!(test >= 0.97, "{test}");
    for set in ["train", "validation"] {
        assert!(summary["metrics"][set]["loss"].as_f64().unwrap() > 0.0, "{summary}");
    }
    assert_eq!(summary["planned_bytes"], summary["peak_bytes"]);
    assert!(summary["launches_per_step"].as_f64().is_some_and(|launches| launches > 0.0 && launches <= 1.0));
    assert!(summary["seconds"].as_f64().unwrap() > 0.0 && summary.get("joules").is_some());
    let run = folder.path("runs/digits");
    assert!(is_whole(&run));
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("digits") && page.contains("LeNet, 61,706 parameters"));
    for shown in [" · convolution", "[64, 10]", "61,706\u{a0}parameters", "learning rate"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(fs::read_dir(run.join("tensorboard/validation")).unwrap().count() == 1);
    assert_eq!(fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().count(), 4);
    assert!(fs::read_to_string(run.join("recipe.toml")).unwrap().contains("epochs = 4"));

    let plan = folder.run("plan digits --json").ok().json();
    assert_eq!(plan["planned_bytes"], summary["planned_bytes"]);
    let kinds = ["state", "arena", "rings", "derived"].map(|kind| plan["by_kind"][kind].as_u64().unwrap());
    assert_eq!(kinds.iter().sum::<u64>(), plan["planned_bytes"].as_u64().unwrap());
    assert!(plan["parameters"] == 61_706 && plan["kernels"].as_u64().unwrap() > 0);
    assert_eq!(plan["kernels_started"], plan["kernels"]);
    assert!(plan["compile_ms"].as_f64().unwrap() > 0.0);

    let evaluated = folder.run("evaluate runs/digits --json").ok().json();
    assert_eq!(evaluated["metrics"]["test"]["accuracy"].as_f64(), Some(test));

    folder.write("two", &idx(0x08, &[2, 28, 28], &[0; 2 * 784]));
    folder.write("one", &idx(0x08, &[28, 28], &[128; 784]));
    let said = folder.run("predict runs/digits two one --json").ok();
    let lines: Vec<serde_json::Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((lines[1]["input"].as_str(), lines[1]["index"].as_u64()), (Some("two"), Some(1)));
    for line in &lines {
        let probability = line["probability"].as_f64().unwrap();
        assert!((0.1..=1.0).contains(&probability) && line["class"].as_str().unwrap().len() == 1, "{line}");
    }
    folder.run("predict runs/digits two --out out.csv").ok();
    assert_eq!(fs::read_to_string(folder.path("out.csv")).unwrap().lines().count(), 3);
    assert!(folder.run("predict runs/digits one").ok().out.contains(" %)"));
}

#[test]
fn a_linear_model_stays_behind() {
    let folder = Folder::new();
    let summary = folder.run("train digits-linear --json --quiet").ok().json();
    let test = summary["metrics"]["test"]["accuracy"].as_f64().unwrap();
    assert!((0.8..=0.92).contains(&test), "{test}");
    assert!(summary["launches_per_step"].as_f64().unwrap() < 1.0);
}

#[test]
fn the_two_programs_as_recipes() {
    let folder = Folder::new();
    for (name, wanted) in [("logistic", 0.0432529), ("sequential", 0.0476201)] {
        let summary = folder.run(&format!("train {name} --json --quiet --out {name}")).ok().json();
        let loss = summary["metrics"]["test"]["loss"].as_f64().unwrap();
        assert!((loss / wanted - 1.0).abs() < 1e-5, "{name}: {loss}");
        assert_eq!(summary["planned_bytes"], summary["peak_bytes"]);
    }
}

#[test]
fn the_same_seed_gives_the_same_weights() {
    let folder = Folder::new();
    folder.pictures(20);
    let weights = |run: &str, more: &str| {
        folder.run(&format!("train small.toml --quiet --out {run}{more}")).ok();
        fs::read(folder.path(run).join("weights.safetensors")).unwrap()
    };
    assert_eq!(weights("a", ""), weights("b", ""));
    assert_ne!(weights("a", ""), weights("c", " train.seed=1"));
    // Another place to run from: the recipe beside the run has the data's full path.
    let from_elsewhere = std::process::Command::new(env!("CARGO_BIN_EXE_warploom"))
        .args(["evaluate", "--json"])
        .arg(folder.path("a"))
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    assert!(from_elsewhere.status.success());
}

#[test]
fn what_is_listed_and_explained() {
    let folder = Folder::new();
    let list = folder.run("recipes --json").ok().json();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in [
        "digits",
        "mnist",
        "image-folder",
        "tabular",
        "resnet-cifar",
        "digits-linear",
        "logistic",
        "sequential",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let explained = folder.run("explain digits --kernels").ok().out;
    for part in [
        "Graph, after",
        "product contract",
        "instructions",
        "Memory of the step",
        "arena 0 at",
        "planned",
        "store f32",
    ] {
        assert!(explained.contains(part), "{part}");
    }
    assert!(folder.run("explain sequential --json").ok().json()["kernels"].as_array().unwrap().len() > 3);

    // The same instructions, over the same buffers, in both forms.
    let explained = folder.run("explain digits --kernels device=cpu").ok().out;
    let object = folder.run("explain digits --kernels device=cpu --json").ok().json();
    let between = |first: &str, last: &str| -> Vec<&str> {
        let after = explained.split_once(first).unwrap().1;
        after.split_once(last).unwrap().0.lines().map(str::trim).collect()
    };
    let kernels = object["kernels"].as_array().unwrap().iter();
    let instructions = kernels.flat_map(|kernel| kernel["instructions"].as_array().unwrap());
    let steps: Vec<&str> = instructions.map(|line| line.as_str().unwrap()).collect();
    assert!(steps.len() > 100);
    assert_eq!(steps, between("\nsteps\n", "\narena "));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let buffers = object["buffers"].as_array().unwrap().iter();
    let buffers: Vec<String> = buffers
        .map(|b| format!("{}: {} {}", text(&b["buffer"]), text(&b["type"]), text(&b["place"])))
        .collect();
    assert_eq!(buffers, between("\nbuffers\n", "\nsteps\n"));
}

#[test]
fn benchmarks_print_rows() {
    let folder = Folder::new();
    let rows = folder.run("bench W1,seed_sequential,lstm --json --budget 0.05").ok().out;
    let rows: Vec<serde_json::Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (workload, loss) in [("W1_seed_logistic", 0.0432529), ("W2_seed_sequential", 0.0476201)] {
        let found: Vec<_> = rows.iter().filter(|row| row["workload"] == workload).collect();
        assert_eq!(found.len(), 2);
        for row in found {
            assert!((row["final_loss"].as_f64().unwrap() / loss - 1.0).abs() < 1e-5, "{row}");
            assert!(
                row["ms_median"].as_f64().unwrap() > 0.0
                    && row["framework"] == "warploom"
                    && row["steps"] == 1000
            );
        }
    }
    assert!(rows.iter().any(|row| row["workload"] == "W7_lstm" && row["status"] == "not built yet"));
    assert!(folder.run("bench --first-step W3").ok().out.starts_with("FIRST_STEP_DONE "));
    folder.run("bench W99").fails(2, &["no workload `W99`", "W3 mlp"]);
}

/// The other framework is a shell script here, and the time is too short for all that there is to do.
#[test]
#[cfg(unix)]
fn a_device_is_checked_from_all_sides_within_its_time() {
    let folder = Folder::new();
    let row = r#"{"framework":"torch","mode":"compile","workload":"W3_mlp","phase":"train","batch":128,"ms_median":0.001}"#;
    folder.write("peers/bench_torch.py", format!("echo '{row}'\n").as_bytes());
    let begun = std::time::Instant::now();
    let check = "bench gpu-check --device cpu --minutes 0.2 --budget 0.02 --peers peers --python sh --out a.html --json";
    let ran = folder.run(check);
    assert!(begun.elapsed().as_secs() < 60);
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let written = std::fs::read(folder.path("a.json")).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&written).unwrap(), found);
    assert!(std::fs::read_to_string(folder.path("a.html")).unwrap().contains("ops and casts"));
    assert!(found["conformance"][0]["ran"].as_u64().unwrap() > 100, "{found}");
    assert!(
        found["conformance"].as_array().unwrap().iter().all(|part| part["wrong"] == serde_json::json!([]))
    );
    folder.run("bench gpu-check --device cpu --peers nowhere").fails(2, &["nowhere has no bench_torch.py"]);
    folder.run("bench gpu-check --minutes 0").fails(2, &["--minutes is 0"]);
    folder.run("bench gpu-check --devices cpu,wgpu:0").fails(2, &["one device", "cpu,wgpu:0"]);
    for (ignored, told) in [
        ("train.epochs=3", "gpu-check takes no `train.epochs=3`"),
        ("--precision f16", "gpu-check takes no --precision"),
        ("--threads 1", "gpu-check takes no --threads"),
        ("--out a.json", "--out a.json is the page"),
        ("--peers peers --python ./nowhere", "./nowhere"),
    ] {
        folder.run(&format!("bench gpu-check --device cpu {ignored}")).fails(2, &[told]);
    }
}

#[test]
fn verified_training_checks_every_kernel_and_gives_the_same_bits() {
    let folder = Folder::new();
    let small = "data.train=48 data.test=16 train.batch=16 train.epochs=1";
    folder.run(&format!("train digits {small} --out plain --quiet")).ok();
    let told = folder.run(&format!("train digits {small} --out verified --verify")).ok().err;
    assert!(told.contains("trust:") && told.contains("verified"), "{told}");
    let weights = |run: &str| std::fs::read(folder.path(run).join("weights.safetensors")).unwrap();
    assert!(weights("plain") == weights("verified"));
}

#[test]
fn what_would_not_be_obeyed_is_refused() {
    let folder = Folder::new();
    folder.run("train digits data.train=256 data.test=64 train.epochs=1 --out run --quiet").ok();
    let again = "train run --resume train.epochs=2";
    folder
        .run(&format!("{again} train.learning_rate=0.5"))
        .fails(2, &["`train.learning_rate`", "gone on with"]);
    folder.run(&format!("{again} data.seed=9")).fails(2, &["`data.seed`"]);
    folder.run("evaluate run --data elsewhere").fails(2, &["built in", "--data"]);
    for other in ["split.seed=3", "train.epochs=99"] {
        folder.run(&format!("evaluate run {other}")).fails(2, &["evaluate takes no", &other[..5]]);
    }
    std::fs::remove_dir_all(folder.path("run").join("checkpoints")).unwrap();
    folder.run(again).fails(2, &["no whole checkpoint", "previous"]);
}

/// Every row of the timeline has something to say, and what a launch starts lies within the run.
#[test]
fn a_timeline_of_a_run() {
    let folder = Folder::new();
    folder.run("train digits data.train=256 train.epochs=2 --trace out.json").ok();
    let timeline: Value = serde_json::from_slice(&fs::read(folder.path("out.json")).unwrap()).unwrap();
    let spans: Vec<&Value> =
        timeline["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X").collect();
    let named = |name: &str| spans.iter().filter(|span| span["name"] == name).count();
    let stages = ["load the data", "compile", "prepare", "epoch 1", "epoch 2", "validation", "checkpoint"];
    for name in stages.into_iter().chain(["launch", "test", "report"]) {
        assert!(named(name) > 0, "no {name}");
    }
    assert!(named("batch") > 0 && named("convolve+add+relu") > 0 && named("to the device") > 0);
    let end = |span: &Value| span["ts"].as_f64().unwrap() + span["dur"].as_f64().unwrap();
    let last = spans.iter().find(|span| span["name"] == "epoch 2").unwrap();
    let inside = |span: &&&Value| span["ts"].as_f64() >= last["ts"].as_f64() && end(span) <= end(last) + 1.0;
    assert!(spans.iter().filter(inside).count() > 10, "an epoch is made of spans");

    let unwritable = "train digits data.train=256 train.epochs=1 --trace no/such/out.json";
    folder.run(unwritable).fails(2, &["no/such/out.json"]);
    fs::write(folder.path("kept.json"), "precious").unwrap();
    // A folder in which nobody may write is found before the run begins.
    #[cfg(target_os = "linux")]
    {
        folder
            .run("train digits data.train=256 train.epochs=1 --out late --trace /proc/out.json")
            .fails(2, &["could not write the timeline to /proc/out.json"]);
        assert!(!folder.path("late").exists());
    }
    let other = "train digits data.train=256 train.epochs=1 --trace kept.json";
    folder.run(other).fails(2, &["kept.json", "no timeline"]);
    assert_eq!(fs::read_to_string(folder.path("kept.json")).unwrap(), "precious");
}
