//! The same recipe on several devices: time, accuracy and plan side by side, and the batch from which one overtakes another.

use crate::args::Bench;
use crate::child::{attended, this_program};
use crate::commands::Ended;
use crate::output::{line, table};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use warploom::{Error, Result};

/// A folder that is gone when this is.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed from the system's temporary folder is the system's to remove.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Trains a recipe on each device in turn and prints a table.
pub fn compare(given: &Bench, recipe: &str, devices: &[&str]) -> Ended {
    let folder = Folder(std::env::temp_dir().join(format!("warploom-bench-{}", std::process::id())));
    let mut runs = Vec::new();
    for (i, device) in devices.iter().enumerate() {
        let out = folder.0.join(i.to_string());
        let mut words = vec!["train".to_owned(), recipe.to_owned(), format!("device={device}")];
        words.extend(given.overrides.iter().cloned());
        words.extend(["--json", "--quiet", "--out"].map(str::to_owned));
        words.push(out.display().to_string());
        let ended = lines_of(&words, given)?.pop();
        runs.push(ended.ok_or_else(|| Error::invalid(format!("training on {device} printed nothing")))?);
    }
    let mut steps = Vec::new();
    for device in devices {
        let words = ["bench", "W3", "--here", "--json", "--sweep", "--device", device];
        steps.push(lines_of(&words.map(str::to_owned), given)?);
    }
    if given.json {
        line(json!({ "recipe": recipe, "runs": runs, "steps": steps }));
    } else {
        print(recipe, devices, &runs, &steps);
    }
    Ok(ExitCode::SUCCESS)
}

/// What this program prints when it is called with these words, a JSON value a line.
fn lines_of(words: &[String], given: &Bench) -> Result<Vec<Value>> {
    let program = this_program()?;
    let mut command = Command::new(&program);
    if let Some(threads) = given.threads {
        command.env("WARPLOOM_THREADS", threads.to_string());
    }
    let started = attended(command.args(words).stdout(Stdio::piped()));
    let (child, _held) = started.map_err(Error::io("start", &program))?;
    let output = child.wait_with_output().map_err(Error::io("wait for", &program))?;
    if !output.status.success() {
        return Err(Error::invalid(format!("`warploom {}` ended with {}", words.join(" "), output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn print(recipe: &str, devices: &[&str], runs: &[Value], steps: &[Vec<Value>]) {
    line(format_args!("{recipe}, trained on each device from the same start\n"));
    let headings =
        ["device", "seconds", "samples/s", "joules", "samples/J", "test", "planned MiB", "peak MiB"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for run in runs {
        let mebibytes =
            |key: &str| format!("{:.2}", run[key].as_f64().unwrap_or(f64::NAN) / f64::from(1 << 20));
        let energy = |key: &str| run[key].as_f64().map_or("–".into(), |number| format!("{number:.1}"));
        rows.push(vec![
            run["device"].as_str().unwrap_or("?").to_owned(),
            format!("{:.2}", run["seconds"].as_f64().unwrap_or(f64::NAN)),
            format!("{:.0}", run["samples_per_second"].as_f64().unwrap_or(f64::NAN)),
            energy("joules"),
            energy("samples_per_joule"),
            test_score(run),
            mebibytes("planned_bytes"),
            mebibytes("peak_bytes"),
        ]);
    }
    table(&rows);
    line("\nA training step of a dense network (784, 512, 512, 10), in ms by batch\n");
    let batches: Vec<u64> = steps
        .iter()
        .max_by_key(|rows| rows.len())
        .map_or(Vec::new(), |rows| rows.iter().filter_map(|row| row["batch"].as_u64()).collect());
    let at = |device: usize, batch: u64| {
        steps[device].iter().find(|row| row["batch"] == batch).and_then(|row| row["ms_median"].as_f64())
    };
    let mut rows =
        vec![std::iter::once("batch".to_owned()).chain(devices.iter().map(|d| (*d).to_owned())).collect()];
    for batch in &batches {
        let times =
            (0..devices.len()).map(|device| at(device, *batch).map_or("–".into(), |ms| format!("{ms:.3}")));
        rows.push(std::iter::once(batch.to_string()).chain(times).collect::<Vec<_>>());
    }
    table(&rows);
    line("");
    for (device, name) in devices.iter().enumerate().skip(1) {
        let wins = |batch: &&u64| matches!((at(0, **batch), at(device, **batch)), (Some(first), Some(other)) if other < first);
        match batches.iter().find(wins) {
            Some(batch) => line(format_args!("{name} is faster than {} from batches of {batch}", devices[0])),
            None => line(format_args!("{name} is faster than {} at none of these", devices[0])),
        }
    }
}

/// The first metric of the test, or its loss.
fn test_score(run: &Value) -> String {
    let Some(scores) = run["metrics"]["test"].as_object() else { return "–".into() };
    let metric = scores.iter().find(|(name, _)| *name != "loss").or_else(|| scores.iter().next());
    metric.map_or("–".into(), |(name, value)| format!("{name} {:.4}", value.as_f64().unwrap_or(f64::NAN)))
}
