//! Joules, by counters that a test moves.
#![cfg(target_os = "linux")]

use crate::common::{Folder, Ran};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const VARIABLE: &str = "WARPLOOM_POWERCAP";

/// Writes a file whole: whoever reads meanwhile sees what was there before.
fn replace(path: &Path, number: u64) {
    let part = path.with_extension("part");
    fs::write(&part, format!("{number}\n")).unwrap();
    fs::rename(part, path).unwrap();
}

/// A tree of one processor package.
fn package(folder: &Folder) -> PathBuf {
    for (file, content) in
        [("name", "package-0"), ("max_energy_range_uj", "262143328850"), ("energy_uj", "1")]
    {
        folder.write(&format!("powercap/intel-rapl:0/{file}"), content.as_bytes());
    }
    folder.path("powercap/intel-rapl:0/energy_uj")
}

/// Does something while a counter counts at 500 W, in units of a watt's second by `units`.
fn counting<R>(counter: &Path, units: f64, body: impl FnOnce() -> R) -> R {
    let (ended, begin) = (AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                replace(counter, 1 + (begin.elapsed().as_secs_f64() * 500.0 * units) as u64);
                thread::sleep(Duration::from_micros(500));
            }
        });
        let result = body();
        ended.store(true, Ordering::Relaxed);
        result
    })
}

fn run(folder: &Folder, tree: &Path, arguments: &str) -> Ran {
    Ran::new(folder.command().env(VARIABLE, tree).args(arguments.split(' ')).output().unwrap())
}

fn lines(folder: &Folder) -> Vec<Value> {
    let text = fs::read_to_string(folder.path("runs/digits/metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Examples that a run says to learn from.
fn learned(ran: &Ran) -> f64 {
    let before = ran.err.split(" examples to learn from").next().unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The joules of a run that learned from so many examples, which its other figures must agree with.
#[track_caller]
fn joules(of: &Value, examples: f64) -> f64 {
    let joules = of["joules"].as_f64().unwrap_or_else(|| panic!("{of:#}"));
    let rate = of["samples_per_joule"].as_f64().unwrap_or_else(|| panic!("{of:#}"));
    assert!(joules > 0.0 && (rate * joules / examples - 1.0).abs() < 1e-2, "{examples} examples: {of:#}");
    joules
}

#[test]
fn runs_epochs_and_evaluations_have_their_joules() {
    let folder = Folder::new();
    let (counter, tree) = (package(&folder), folder.path("powercap"));
    let train = "train digits data.train=1500 data.test=300 train.epochs=2 --json";
    let (trained, resumed, evaluated) = counting(&counter, 1e6, || {
        let trained = run(&folder, &tree, train).ok();
        let resumed = run(&folder, &tree, "train runs/digits --resume train.epochs=3 --json").ok();
        (trained, resumed, run(&folder, &tree, "evaluate runs/digits --json").ok())
    });
    let examples = learned(&trained);
    let (whole, summary) = (joules(&trained.json(), 2.0 * examples), trained.json());
    assert_eq!(summary["energy"]["processor"]["joules"], summary["joules"]);
    assert_eq!(summary["energy"].as_object().unwrap().len(), 1, "{summary:#}");
    let epochs: f64 = lines(&folder)[..2].iter().map(|line| joules(line, examples)).sum();
    // Between epochs, checkpoints; after the last, the test.
    assert!(epochs < whole && epochs > 0.2 * whole, "{epochs} of {whole} J");
    let said = trained.err.lines().find(|line| line.starts_with("energy:")).unwrap();
    assert!(
        said.contains(" J processor, ") && said.ends_with("samples/J (everything that ran there included)"),
        "{said}"
    );
    let page = fs::read_to_string(folder.path("runs/digits/report.html")).unwrap();
    assert!(page.contains("training examples a joule") && page.contains("Energy of the whole processor"));
    // What the process before used is in its epochs' lines.
    joules(&resumed.json(), examples);
    assert!(resumed.err.contains("samples/J since it was gone on with"), "{}", resumed.err);
    joules(&lines(&folder)[2], examples);
    joules(&evaluated.json(), 300.0);
}

#[test]
fn where_nothing_counts_joules_are_null_with_the_reason() {
    let folder = Folder::new();
    let nowhere = Path::new("/nowhere/powercap");
    let ran = run(&folder, nowhere, "train digits data.train=300 data.test=60 train.epochs=2 --json").ok();
    let evaluated = run(&folder, nowhere, "evaluate runs/digits --json").ok().json();
    for found in [ran.json(), evaluated] {
        assert!(found["joules"].is_null() && found["samples_per_joule"].is_null(), "{found:#}");
        let part = &found["energy"]["processor"];
        assert!(part["joules"].is_null(), "{found:#}");
        assert!(
            part["reason"]
                .as_str()
                .unwrap()
                .contains("WARPLOOM_POWERCAP names /nowhere/powercap, which is not there"),
            "{found:#}"
        );
    }
    for line in lines(&folder) {
        assert_eq!(
            (line.get("joules"), line.get("samples_per_joule")),
            (Some(&Value::Null), Some(&Value::Null))
        );
    }
    assert_eq!(ran.err.matches("/nowhere/powercap").count(), 1, "{}", ran.err);
    assert!(ran.err.contains("energy:  processor not measured: WARPLOOM_POWERCAP names"), "{}", ran.err);
}

#[test]
fn a_tree_that_was_named_is_told_with_the_variable() {
    let folder = Folder::new();
    let tree = folder.path("powercap");
    let found = |tree: &Path| {
        let report = run(&folder, tree, "doctor --device cpu --json").json();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "processor energy").unwrap();
        check["found"].as_str().unwrap().to_owned()
    };
    assert_eq!(found(&tree), format!("WARPLOOM_POWERCAP names {}, which is not there", tree.display()));
    fs::create_dir(&tree).unwrap();
    let empty = format!("{}, which WARPLOOM_POWERCAP names, has no energy counters", tree.display());
    assert!(found(&tree).starts_with(&empty), "{}", found(&tree));
    let file = folder.write("file", b"");
    let no_folder = format!("{}, which WARPLOOM_POWERCAP names, cannot be read", file.display());
    assert!(found(&file).starts_with(&no_folder), "{}", found(&file));
}

/// NVIDIA's libraries without a GPU, in a folder; nothing without a C compiler.
fn libraries(folder: &Folder) -> Option<PathBuf> {
    let path = folder.path("libraries");
    fs::create_dir(&path).unwrap();
    let fakes = [
        ("cuda/tests/fake/driver.c", "libcuda.so.1"),
        ("cuda/tests/fake/nvrtc.c", "libnvrtc.so.13"),
        ("energy/tests/fake/nvml.c", "libnvidia-ml.so.1"),
    ];
    for (source, library) in fakes {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(source);
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-DUUID=\"00112233-4455-6677-8899-aabbccddeeff\""]);
        compiler
            .arg(format!("-DFOLDER=\"{}\"", path.display()))
            .arg("-o")
            .arg(path.join(library))
            .arg(source);
        match compiler.status() {
            Ok(status) => assert!(status.success(), "{library} does not compile"),
            Err(error) => {
                let required = std::env::var("WARPLOOM_REQUIRE_CPP").is_ok_and(|value| value == "1");
                assert!(!required, "a C compiler is required and not found: {error}");
                println!("skipped: no C compiler: {error}");
                return None;
            }
        }
    }
    Some(path)
}

/// Kernels compute nothing there, so that a training ends with losses that are not finite.
#[test]
fn a_gpu_counts_its_own() {
    let folder = Folder::new();
    let Some(libraries) = libraries(&folder) else { return };
    let ran = |arguments: &str| {
        let mut command = folder.command();
        command.env("WARPLOOM_CUDA_PATH", &libraries).env(VARIABLE, "/nowhere").env("WARPLOOM_CACHE", "");
        Ran::new(command.args(arguments.split(' ')).output().unwrap())
    };
    let data = "data.train=600 data.test=60 train.epochs=3";
    let train =
        |device: &str| ran(&format!("train digits-linear device={device} {data} --out runs/digits --json"));
    let (failed, epochs, evaluated) = counting(&libraries.join("millijoules"), 1e3, || {
        let failed = train("cuda:0");
        let epochs = lines(&folder);
        train("cpu").ok();
        (failed, epochs, ran("evaluate runs/digits device=cuda:0 --json").ok().json())
    });
    let examples = learned(&failed);
    failed.fails(2, &["the training diverged"]);
    assert_eq!(epochs.len(), 3);
    // The counter may stand still in so short an epoch.
    let counted = epochs.iter().filter(|line| line["joules"].as_f64().unwrap() > 0.0);
    assert!(counted.map(|line| joules(line, examples)).sum::<f64>() > 0.0, "{epochs:#?}");
    joules(&evaluated, 60.0);
    assert_eq!(evaluated["energy"]["gpu"]["joules"], evaluated["joules"]);
    assert!(evaluated["energy"]["processor"]["reason"].is_string(), "{evaluated:#}");
}

#[test]
fn doctor_says_what_counts_and_how_a_gpu_does() {
    let folder = Folder::new();
    let (_, tree) = (package(&folder), folder.path("powercap"));
    let checks = |ran: Ran| ran.json()["checks"].as_array().unwrap().clone();
    let check = |checks: &[Value], name: &str| {
        let found = checks.iter().find(|check| check["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {checks:#?}"));
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        (text("status"), text("found"), text("advice"))
    };
    let (status, found, _) =
        check(&checks(run(&folder, &tree, "doctor --device cpu --json")), "processor energy");
    assert!(status == "ok" && found.starts_with("1 package counted in "), "{found}");
    let none = run(&folder, Path::new("/nowhere"), "doctor --device cpu --json");
    assert_eq!(check(&checks(none), "processor energy").0, "skipped");

    let Some(libraries) = libraries(&folder) else { return };
    let examined = || {
        let mut command = folder.command();
        command.env("WARPLOOM_CUDA_PATH", &libraries).env("WARPLOOM_CACHE", "");
        checks(Ran::new(command.args(["doctor", "--device", "cuda:0", "--json"]).output().unwrap()))
    };
    fs::write(libraries.join("millijoules"), "12345678").unwrap();
    fs::write(libraries.join("refused"), "nvmlDeviceGetTotalEccErrors 3").unwrap();
    let well = examined();
    assert!(check(&well, "NVIDIA's management library").1.ends_with("libnvidia-ml.so.1, driver 580.65.06"));
    let (status, found, _) = check(&well, "cuda:0 health");
    let expected = "41 °C, 72 of 700 W, errors of memory are corrected (ECC), clocks not held back";
    assert_eq!((status.as_str(), found.as_str()), ("ok", expected));
    assert_eq!(check(&well, "cuda:0 energy").1, "counted, 12346 J since its driver was loaded");

    fs::write(libraries.join("reasons"), "64").unwrap();
    fs::write(
        libraries.join("refused"),
        "nvmlDeviceGetTotalEccErrors 3 nvmlDeviceGetTotalEnergyConsumption 3 nvmlDeviceGetEccMode 3",
    )
    .unwrap();
    let hot = examined();
    let (status, found, advice) = check(&hot, "cuda:0 health");
    assert_eq!(
        (status.as_str(), found.as_str()),
        ("warning", "41 °C, 72 of 700 W, clocks held back by its temperature, by the hardware")
    );
    assert!(advice.contains("cooling"), "{advice}");
    let (status, found, _) = check(&hot, "cuda:0 energy");
    assert!(status == "skipped" && found.contains("Not Supported"), "{found}");

    fs::remove_file(libraries.join("refused")).unwrap();
    let (status, found, advice) = check(&examined(), "cuda:0 health");
    assert!(status == "warning" && found.contains("107 errors of memory could not be corrected"), "{found}");
    assert!(advice.contains("do not trust"), "{advice}");
    fs::remove_file(libraries.join("libnvidia-ml.so.1")).unwrap();
    let (status, found, _) = check(&examined(), "NVIDIA's management library");
    assert!(status == "warning" && found.contains("was not found"), "{found}");
}
