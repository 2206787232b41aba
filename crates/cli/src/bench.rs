//! `warploom bench`: the workloads on which frameworks are compared, each in a process of its own so that its peak of
//! resident memory is its own, printed as the scripts for other frameworks print theirs.

mod conformance;
mod devices;
mod gpu_check;
mod kernels;
mod measure;
mod networks;
mod row;
mod seed;
mod workloads;

use crate::args::Bench;
use crate::child::{attended, this_program};
use crate::commands::{Ended, value_of, with_device};
use crate::interrupt::end_at_once;
use crate::output::{line, problem, table};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use warploom::recipes;
use warploom::tensor::{Device, Precision};
use warploom::{Error, Result};
use workloads::{Workload, chosen};

/// Seconds for each phase.
const BUDGET: f64 = 4.0;

/// What a workload is told.
pub struct Setting {
    device: Device,
    budget: f64,
}

pub fn run(given: &Bench) -> Ended {
    end_at_once();
    if let Some(budget) = given.budget.filter(|budget| !(*budget >= 0.0 && budget.is_finite())) {
        return Err(Error::invalid(format!("--budget is {budget}; give seconds, 0 and more")));
    }
    let asked = given.workload.as_deref().unwrap_or("all");
    if asked == gpu_check::NAME {
        return gpu_check::run(given);
    }
    let overrides = with_device(&given.overrides, "--devices", given.devices.as_deref())?;
    let named = value_of(&overrides, "device").unwrap_or("cpu");
    let devices: Vec<&str> = named.split(',').map(str::trim).collect();
    // What is not there is found before anything is measured.
    for (at, device) in devices.iter().enumerate() {
        Device::named(device)?;
        if devices[..at].contains(device) {
            return Err(Error::invalid(format!("--devices has {device} twice; name devices to compare")));
        }
    }
    let precision = precision(given.precision.as_deref())?;
    let setting = || -> Result<Setting> {
        let device = Device::named(named)?.with_precision(precision)?;
        Ok(Setting { device, budget: given.budget.unwrap_or(BUDGET) })
    };
    if (asked, given.here) == (conformance::NAME, true) {
        return conformance::run(&setting()?);
    }
    if let (Err(no_workload), false) = (chosen(asked), given.here) {
        let is_recipe = asked.ends_with(".toml") || recipes::built_in().iter().any(|row| row.name == asked);
        if !is_recipe {
            return Err(no_workload);
        }
        if given.precision.is_some() || given.budget.is_some() {
            return Err(Error::invalid(
                "bench of a recipe takes no --precision and no --budget; say train.precision=… and train.epochs=…",
            ));
        }
        recipes::find(asked, &given.overrides)?;
        return devices::compare(given, asked, &devices);
    }
    if let Some(id) = &given.first_step {
        let device = Device::named(named)?;
        return match id.as_str() {
            "W3" | "mlp" => networks::first_step(&device).map(|()| ExitCode::SUCCESS),
            _ => Err(Error::invalid(format!("the first step of {id} is not built; W3 is"))),
        };
    }
    let chosen = chosen(asked)?;
    if let Some(ignored) = given.overrides.first() {
        return Err(Error::invalid(format!(
            "{asked} takes no `{ignored}`: the work is fixed; another device goes with --devices, other numbers with --precision"
        )));
    }
    if given.here {
        let setting = setting()?;
        if given.sweep {
            networks::sweep(&setting)?;
            return Ok(ExitCode::SUCCESS);
        }
        for workload in chosen {
            match workload.run {
                Some(run) => run(&setting)?,
                None => line(row::not_built(workload)),
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = Vec::new();
    let mut whole = true;
    for workload in chosen {
        for device in &devices {
            whole &= in_a_process(workload, device, given, &mut rows)?;
        }
    }
    if !given.json {
        table(&rows);
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The precision of a name, f32 where none is given.
fn precision(name: Option<&str>) -> Result<Precision> {
    let Some(name) = name else { return Ok(Precision::default()) };
    Precision::named(name).ok_or_else(|| {
        let all = Precision::ALL.map(Precision::name).join(", ");
        Error::invalid(format!("--precision is `{name}`; there are {all}"))
    })
}

fn in_a_process(
    workload: &Workload,
    device: &str,
    given: &Bench,
    rows: &mut Vec<Vec<String>>,
) -> Result<bool> {
    if rows.is_empty() {
        rows.push(row::HEADINGS.map(str::to_owned).to_vec());
    }
    let (mut child, _held) = start(workload, device, given)?;
    if let Some(output) = child.stdout.take() {
        for text in BufReader::new(output).lines().map_while(std::result::Result::ok) {
            if given.json {
                line(&text);
            }
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                rows.push(row::readable(&value));
            }
        }
    }
    let ended = child.wait().map_err(Error::io("wait for", std::path::Path::new(workload.id)))?;
    if !ended.success() {
        problem(&format!("{} ended with {ended}", workload.id));
    }
    Ok(ended.success())
}

fn start(workload: &Workload, device: &str, given: &Bench) -> Result<(Child, Option<ChildStdin>)> {
    let program = this_program()?;
    let mut command = Command::new(&program);
    command.args(["bench", workload.id, "--here", "--json", "--device", device]);
    command.args(["--budget", &given.budget.unwrap_or(BUDGET).to_string()]).stdout(Stdio::piped());
    if let Some(precision) = &given.precision {
        command.args(["--precision", precision]);
    }
    if let Some(threads) = given.threads {
        command.env("WARPLOOM_THREADS", threads.to_string());
    }
    attended(&mut command).map_err(Error::io("start", &program))
}
