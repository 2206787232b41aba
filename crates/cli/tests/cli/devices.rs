//! `warploom devices` and `warploom doctor`, with whatever adapters there are and with none.

use crate::common::{Folder, Ran};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// Hides every Vulkan driver.
fn hidden(folder: &Folder) -> Command {
    let mut command = folder.command();
    command.env("VK_DRIVER_FILES", "/nowhere/driver.json");
    command
}

fn ran(command: &mut Command, arguments: &[&str]) -> Ran {
    Ran::new(command.args(arguments).output().unwrap())
}

fn named<'a>(list: &'a [Value], key: &str, name: &str) -> &'a Value {
    list.iter().find(|row| row[key] == name).unwrap_or_else(|| panic!("no {name} in {list:#?}"))
}

fn devices(command: &mut Command) -> Vec<Value> {
    ran(command, &["devices", "--json"]).ok().json().as_array().unwrap().clone()
}

#[test]
fn an_environment_that_asks_for_nonsense_is_told_so() {
    let folder = Folder::new();
    for (variable, value, told) in [
        ("WARPLOOM_THREADS", "many", "a number of threads"),
        ("WARPLOOM_THREADS", "0", "1 to 1024"),
        ("WARPLOOM_THREADS", "40000", "1 to 1024"),
        ("WARPLOOM_ISA", "sse9", "it takes"),
    ] {
        let ran = folder.command().env(variable, value).args(["plan", "digits", "--device", "cpu"]).output();
        let said = format!("{variable} is {value:?}");
        Ran::new(ran.unwrap()).fails(3, &[&said, told]);
    }
}

#[test]
fn devices_are_listed_with_their_keys() {
    let folder = Folder::new();
    let list = devices(&mut folder.command());
    for device in &list {
        for key in ["id", "kind", "name", "backend"] {
            assert!(device[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {device}");
        }
        for key in ["driver", "memory_bytes", "software", "dtypes", "chosen_as", "problem"] {
            assert!(device.get(key).is_some(), "{key}: {device}");
        }
        let dtypes: Vec<&str> =
            device["dtypes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let is_cpu = device["id"] == "cpu";
        assert!(device["problem"].is_string() || dtypes.contains(&"f32"), "{device}");
        assert_eq!(dtypes.contains(&"f64"), is_cpu, "{device}");
        assert_eq!(device["software"], device["kind"] == "software", "{device}");
        let chosen = device["chosen_as"].as_array().unwrap();
        assert!(
            device["software"] != true || chosen.is_empty(),
            "software is only used when named: {device}"
        );
    }
    let cpu = named(&list, "id", "cpu");
    assert_eq!((cpu["kind"].as_str(), cpu["threads"].as_u64()), (Some("cpu"), Some(2)));
    assert!(["avx512", "avx2", "portable"].contains(&cpu["instruction_set"].as_str().unwrap()));
    let best = |row: &&Value| row["chosen_as"].as_array().unwrap().contains(&"best".into());
    assert_eq!(list.iter().filter(best).count(), 1, "{list:#?}");

    let table = folder.run("devices").ok();
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(lines.len(), list.len() + 1, "{}", table.out);
    assert!(lines[0].starts_with("id ") && lines[1].starts_with("cpu "), "{}", table.out);
    for (device, line) in list.iter().zip(&lines[1..]) {
        assert!(line.contains(device["name"].as_str().unwrap()), "{line}");
        assert_eq!(line.ends_with("f64"), device["id"] != "cpu" && device["problem"].is_null(), "{line}");
    }
}

/// What a software adapter computes in is this machine's memory.
#[test]
fn software_adapters_are_planned_for_and_listed_as_such() {
    let folder = Folder::new();
    let list = devices(&mut folder.command());
    let Some(adapter) = list.iter().find(|device| device["software"] == true) else { return };
    let id = adapter["id"].as_str().unwrap();
    assert_eq!(adapter["memory_bytes"], named(&list, "id", "cpu")["memory_bytes"]);
    let plan =
        folder.run(&format!("plan digits-linear data.train=300 train.batch=auto --device {id} --json"));
    assert!(plan.ok().json()["batch"].as_u64().unwrap() > 100);
    let plan = folder.run(&format!("plan digits data.train=300 --device {id} --json")).ok().json();
    assert!(
        plan["kernels_started"].as_u64() < plan["kernels"].as_u64(),
        "small kernels share a start: {plan}"
    );

    let plan = format!("plan digits data.train=20000 train.batch=18000 --device {id}");
    let refused = folder.run(&plan);
    // Unless its buffers are larger than those of most.
    if refused.code != Some(0) {
        let parts = ["a tensor of this needs", "in one buffer; with train.batch=", &format!("{id} holds")];
        refused.fails(3, &parts);
    }

    if !list.iter().any(|device| device["kind"] != "cpu" && device["software"] == false) {
        let asked = folder.run("train digits device=abacus");
        assert!(!asked.err.contains("no such device"), "{}", asked.err);
        asked.fails(3, &[&format!("devices here: cpu, {id} (software, used only when named)")]);
    }
}

#[test]
fn without_drivers_the_cpu_is_listed_and_chosen_and_the_reason_told() {
    let folder = Folder::new();
    let list = devices(&mut hidden(&folder));
    let vulkan_only = list.iter().filter(|row| row["backend"] == "vulkan").count();
    assert_eq!(vulkan_only, 0, "{list:#?}");
    if cfg!(target_os = "linux") {
        assert_eq!((list.len(), &list[0]["chosen_as"][0]), (1, &"best".into()), "{list:#?}");
        let told = ran(&mut hidden(&folder), &["devices"]).ok().err;
        assert!(told.contains("device = \"gpu\"") && told.contains("warploom doctor"), "{told}");
    }
}

fn doctor(command: &mut Command, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let ran = ran(command.arg("doctor").arg("--json"), arguments);
    let report = ran.json();
    let checks = report["checks"].as_array().unwrap().clone();
    for check in &checks {
        let status = check["status"].as_str().unwrap();
        assert!(check["name"].is_string() && check["found"].is_string(), "{check}");
        assert!(["ok", "warning", "failed", "skipped"].contains(&status), "{check}");
        assert_eq!(check["advice"].is_string(), ["warning", "failed"].contains(&status), "{check}");
    }
    assert_eq!(report["ok"], checks.iter().all(|check| check["status"] != "failed"), "{report:#}");
    assert_eq!(ran.code, Some(if report["ok"] == true { 0 } else { 3 }), "{report:#}");
    (ran.code, checks)
}

#[test]
fn every_device_computes_what_is_right() {
    let folder = Folder::new();
    let (_, checks) = doctor(&mut folder.command(), &[]);
    let list = devices(&mut folder.command());
    let required = std::env::var_os("WARPLOOM_REQUIRE_GPU").is_some_and(|value| value == "1");
    assert!(list.len() > 1 || !required, "no adapter: {checks:#?}");
    for device in list {
        for what in ["memory", "kernel", "matrix product"] {
            let check = named(&checks, "name", &format!("{} {what}", device["id"].as_str().unwrap()));
            assert!(check["status"] == "ok" || what == "memory", "{check}");
        }
    }
    // Skipped where there is no driver of NVIDIA's.
    assert_ne!(named(&checks, "name", "CUDA")["status"], "failed");
    // What calls no driver comes first, then the CPU, then what drivers list.
    let place = |name: &str| checks.iter().position(|check| check["name"] == name).unwrap();
    assert!(place("CUDA") < place("cpu kernel") && place("cpu kernel") < place("adapters"));
}

#[test]
fn without_drivers_the_cpu_is_proven_and_what_is_missing_named() {
    let folder = Folder::new();
    let (_, checks) = doctor(&mut hidden(&folder), &[]);
    assert_eq!(named(&checks, "name", "cpu matrix product")["status"], "ok");
    if cfg!(target_os = "linux") {
        let hides =
            |check: &&Value| check["found"].as_str().unwrap().contains("VK_DRIVER_FILES names /nowhere");
        let check = checks.iter().find(hides).unwrap_or_else(|| panic!("{checks:#?}"));
        assert!(check["advice"].as_str().unwrap().contains("unset VK_DRIVER_FILES"), "{check}");
        assert!(named(&checks, "name", "adapters")["advice"].is_string());
    }
}

#[test]
fn one_device_alone() {
    let folder = Folder::new();
    let (code, checks) = doctor(&mut folder.command(), &["--device", "cpu"]);
    let names: Vec<&str> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    assert_eq!(
        (code, names),
        (Some(0), vec!["processor energy", "cpu memory", "cpu kernel", "cpu matrix product"])
    );
    let (code, checks) = doctor(&mut folder.command(), &["--device", "wgpu:99"]);
    let check = named(&checks, "name", "wgpu:99");
    assert_eq!((code, check["status"].as_str()), (Some(3), Some("failed")));
    for absent in ["wgpu:99", "abacus"] {
        let said = ran(&mut folder.command(), &["doctor", "--device", absent]).out;
        let told = format!("There is no device `{absent}` here; there are cpu");
        assert!(said.contains(&told) && !said.contains("does not work"), "{said}");
    }
    let (code, checks) =
        doctor(folder.command().env("WARPLOOM_CUDA_PATH", "/nowhere"), &["--device", "cuda:0"]);
    assert_eq!(code, Some(3));
    assert!(named(&checks, "name", "cuda:0")["found"].as_str().unwrap().contains("no NVIDIA driver"));
}

/// What is said twice and differently is refused by whatever command takes both.
#[test]
fn an_option_and_a_key_that_differ_are_two_answers() {
    let folder = Folder::new();
    for (command, option, other) in [
        ("plan digits --device cpu", "--device cpu", "wgpu:7"),
        ("explain digits --device cpu", "--device cpu", "\"gpu\""),
        ("bench digits --devices cpu", "--devices cpu", "wgpu:7"),
    ] {
        let told = format!("{option} and device={} are two answers", other.trim_matches('"'));
        folder.run(&format!("{command} device={other}")).fails(2, &[&told]);
    }
    folder.run("plan digits-linear data.train=300 --device cpu device=cpu").ok();
    let two = ["--data a.csv and data.path=b.csv are two answers"];
    folder.run("evaluate run --data a.csv data.path=b.csv").fails(2, &two);
    // Of a recipe the key alone says the device too; workloads have no keys.
    folder.run("bench digits device=wgpu:77").fails(3, &["no device `wgpu:77`"]);
    folder.run("bench digits --precision bf16").fails(2, &["no --precision", "train.precision="]);
    folder.run("bench W1 device=cpu").fails(2, &["W1 takes no `device=cpu`", "--devices"]);
}

#[test]
fn for_people_each_check_is_a_line_and_the_end_says_what_to_do() {
    let folder = Folder::new();
    let said = ran(&mut hidden(&folder), &["doctor"]);
    let (lines, end) = said.out.split_once("\n\n").unwrap();
    assert!(
        lines.lines().all(|line| ["✓ ", "! ", "✗ ", "– "].iter().any(|mark| line.starts_with(mark))),
        "{lines}"
    );
    assert!(lines.contains("✓ cpu kernel: 4100 numbers"), "{lines}");
    let verdict = if said.code == Some(0) { "What is here works." } else { "does not work." };
    assert!(end.contains(verdict), "{end}");
    if cfg!(target_os = "linux") {
        assert!(end.contains("1. ") && end.contains("unset VK_DRIVER_FILES"), "{end}");
    }
    let help = folder.run("doctor --help").ok().out;
    assert!(help.contains("Examples:") && !help.contains("--here"), "{help}");
}

/// Kernels have the bits in a shared dispatch that they have alone: a launch of two steps is what its rounds make one by one.
#[test]
fn a_launch_of_several_steps_is_verified() {
    let folder = Folder::new();
    let list = devices(&mut folder.command());
    let Some(gpu) = list.iter().find(|device| device["kind"] != "cpu" && device["problem"].is_null()) else {
        return;
    };
    let row =
        |i: i32| format!("{},{},{}\n", f64::from(i % 7) * 0.3, f64::from(i % 5) - 1.5, f64::from(i % 3));
    let rows: String = (0..32).map(row).collect();
    fs::write(folder.path("rows.csv"), format!("a,b,y\n{rows}")).unwrap();
    let recipe = "name = 'rows'\ntask = 'regression'\n[data]\nkind = 'csv'\npath = 'rows.csv'\n[split]\nvalidation = 0\n\
                  test = 0\n[model]\nlayers = [{ kind = 'dense', units = 32 }, 'dense']\n[train]\nepochs = 1\nbatch = 16\n\
                  optimizer = 'sgd'\n";
    fs::write(folder.path("rows.toml"), recipe).unwrap();
    let ran = folder.run(&format!("train rows.toml device={} --verify", gpu["id"].as_str().unwrap())).ok();
    assert!(ran.err.contains("verified "), "{}", ran.err);
}
