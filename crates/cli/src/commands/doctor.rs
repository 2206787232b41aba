//! `warploom doctor`: what the system gives, then whether each device computes.
//!
//! What calls no driver comes first, then the CPU. Drivers are called in processes of their own (`apart`), so that one that
//! crashes or hangs is a finding like any other. `proof` is what every device computes, `energy` what counts joules.

mod apart;
mod energy;
mod memory;
mod proof;

use super::Ended;
use crate::args::Doctor;
use crate::interrupt::end_at_once;
use crate::output::line;
use serde_json::{Value, json};
use std::process::ExitCode;
use warploom::cuda::{Search, check_gpus, check_libraries};
use warploom::device::{Check, Status};
use warploom::wgpu::{System, adapters};

/// The exit code where something that is present does not work.
const BROKEN: u8 = 3;

/// What a process of its own lists in place of a device's proof.
const ADAPTERS: &str = "adapters";

/// The same for what NVIDIA's management library tells.
const COUNTERS: &str = "counters";

pub fn doctor(given: &Doctor) -> Ended {
    end_at_once();
    if let Some(part) = &given.here {
        examine_here(part);
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report { checks: Vec::new(), is_json: given.json, absent: None };
    let asked = given.device.as_deref();
    if asked != Some("cpu") {
        report.extend(System::here().checks());
        report.add(check_libraries(&Search::here()));
    }
    if asked.is_none_or(|id| id == "cpu") {
        report.add(energy::processor());
        proof::examine("cpu", &mut |check| report.add(check));
    }
    if asked != Some("cpu") {
        let listed = apart::examine(ADAPTERS);
        let ids: Vec<String> =
            listed.iter().map(|check| check.name.clone()).filter(|name| name.contains(':')).collect();
        report.extend(listed);
        if asked.is_none_or(|id| id.starts_with("cuda")) {
            report.extend(apart::examine(COUNTERS));
        }
        for id in asked.map_or(ids.clone(), |id| vec![id.to_owned()]) {
            let checks = apart::examine(&id);
            // `gpu` and `best` are listed by no driver, and are here where one of them opens.
            let is_unopened = |check: &Check| check.advice.as_deref() == Some(proof::NOT_OPENED);
            if !ids.contains(&id) && checks.iter().any(is_unopened) {
                let here: Vec<&str> = std::iter::once("cpu").chain(ids.iter().map(String::as_str)).collect();
                report.absent =
                    Some(format!("There is no device `{id}` here; there are {}.", here.join(", ")));
            }
            report.extend(checks);
        }
    }
    Ok(report.end())
}

/// In a process of its own: prints each check as a line of JSON when it is done.
fn examine_here(part: &str) {
    let mut print = |check: Check| line(as_json(&check));
    match part {
        ADAPTERS => {
            check_gpus(&Search::here()).into_iter().for_each(&mut print);
            System::here().check_adapters(&adapters()).into_iter().for_each(print);
        }
        COUNTERS => energy::nvidia().into_iter().for_each(print),
        id => proof::examine(id, &mut print),
    }
}

fn as_json(check: &Check) -> Value {
    json!({
        "name": check.name, "status": check.status.name(), "found": check.found, "advice": check.advice,
    })
}

/// Checks, printed as they come unless they are to be JSON.
struct Report {
    checks: Vec<Check>,
    is_json: bool,
    /// What is told where the device that was asked for is not here.
    absent: Option<String>,
}

impl Report {
    fn add(&mut self, check: Check) {
        if !self.is_json {
            let mark = match check.status {
                Status::Ok => '✓',
                Status::Warning => '!',
                Status::Failed => '✗',
                Status::Skipped => '–',
            };
            line(format_args!("{mark} {}: {}", check.name, check.found));
        }
        self.checks.push(check);
    }

    fn extend(&mut self, checks: Vec<Check>) {
        checks.into_iter().for_each(|check| self.add(check));
    }

    fn end(&self) -> ExitCode {
        let is_ok = self.checks.iter().all(|check| check.status != Status::Failed);
        if self.is_json {
            line(json!({ "ok": is_ok, "checks": self.checks.iter().map(as_json).collect::<Vec<_>>() }));
        } else {
            self.advise();
        }
        if is_ok { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) }
    }

    fn advise(&self) {
        let failed = self.checks.iter().filter(|check| check.status == Status::Failed).count();
        match (&self.absent, failed) {
            (_, 0) => line("\nWhat is here works."),
            (Some(absent), 1) => line(format_args!("\n{absent}")),
            (None, _) => line("\nSomething that is here does not work."),
            (Some(absent), _) => line(format_args!("\n{absent} Something that is here does not work.")),
        }
        let wishes = match System::here().shows_gpu() {
            true => "What could be better:",
            false => "For a GPU, of which none is seen, or for software adapters:",
        };
        for (heading, status) in [("What to do, in order:", Status::Failed), (wishes, Status::Warning)] {
            let with = self.checks.iter().filter(|check| check.status == status);
            let mut advice: Vec<&String> = with.filter_map(|check| check.advice.as_ref()).collect();
            // Kept in order: what is said twice counts where it is said first.
            let mut said = std::collections::HashSet::new();
            advice.retain(|text| said.insert(*text));
            if !advice.is_empty() {
                line(heading);
            }
            for (number, text) in advice.iter().enumerate() {
                line(format_args!("  {}. {text}", number + 1));
            }
        }
    }
}
