//! `warploom bench gpu-check`: what there is to know of a GPU, within minutes, as one page.
//!
//! Every part runs in a process of its own, with a deadline: a driver that crashes or hangs is a finding like any other. What
//! is found so far is written after each part. `found` holds it, `speed` compares, `page` draws, `peers` knows how the other
//! frameworks' scripts are called.

mod found;
mod page;
mod peers;
mod speed;

use crate::args::Bench;
use crate::child::{self, this_program};
use crate::commands::Ended;
use crate::output::{line, note};
use found::Found;
use peers::Peer;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use warploom::tensor::{Device, Precision};
use warploom::train::weights::write_atomically;
use warploom::{Error, Result};

/// What it is called on the command line.
pub const NAME: &str = "gpu-check";

/// The exit code where the device computes wrongly.
const WRONG: u8 = 3;

/// Seconds for each phase of a workload, where the user does not say.
const BUDGET: f64 = 0.5;

/// The share of the time that conformance may take, of which the larger part goes to random programs.
const CONFORMANCE: f64 = 0.2;

/// The most that one process may take of all the time: a first compilation by another framework takes a minute.
const ONE: f64 = 0.25;

/// Why something is left out at the end.
const NO_TIME: &str = "no time was left";

/// In the order of what there is to learn from them, should time run out.
const WORKLOADS: [&str; 6] = ["W3", "W5", "W4", "W11", "W1", "W2"];

/// Those for which precision matters.
const HEAVY: [&str; 3] = ["W3", "W5", "W11"];

/// Beside f32, where the device has them.
const NARROWER: [Precision; 2] = [Precision::Tf32, Precision::Bf16];

/// Those whose losses are fixed by their definition.
const PROGRAMS: [&str; 2] = ["W1", "W2"];

pub fn run(given: &Bench) -> Ended {
    if !(given.minutes > 0.0 && given.minutes.is_finite()) {
        return Err(Error::invalid(format!("--minutes is {}; give more than 0", given.minutes)));
    }
    if let Some(ignored) = given.overrides.first() {
        return Err(Error::invalid(format!("gpu-check takes no `{ignored}`: its work is fixed")));
    }
    if given.precision.is_some() {
        return Err(Error::invalid(
            "gpu-check takes no --precision: it measures in each that the device has",
        ));
    }
    if given.out.extension().is_some_and(|ending| ending == "json") {
        let out = given.out.display();
        return Err(Error::invalid(format!("--out {out} is the page; its numbers go beside it, as .json")));
    }
    if given.threads.is_some() {
        return Err(Error::invalid(
            "gpu-check takes no --threads: what it compares with has the whole machine",
        ));
    }
    let named = given.devices.as_deref().unwrap_or("gpu");
    if named.contains(',') {
        return Err(Error::invalid(format!("gpu-check examines one device; --devices is {named}")));
    }
    let device = Device::named(named)?;
    let peers = match &given.peers {
        Some(folder) => peers::find(folder, &given.python, &device)?,
        None => Vec::new(),
    };
    let has = |precision: &Precision| precision.on(device.capabilities()).is_ok_and(|on| on == *precision);
    let narrower: Vec<Precision> = NARROWER.into_iter().filter(has).collect();
    let of =
        |precision: Precision, all: &'static [&str]| all.iter().map(move |workload| (*workload, precision));
    let work: Vec<(&str, Precision)> = of(Precision::F32, &WORKLOADS)
        .chain(narrower.into_iter().flat_map(|precision| of(precision, &HEAVY)))
        .collect();
    let seconds = given.minutes * 60.0;
    let mut check = Check {
        given,
        id: device.id().to_owned(),
        began: Instant::now(),
        length: Duration::from_secs_f64(seconds.min(1e6)),
        found: Found::new(&device, given.peers.is_some()),
        took: HashMap::new(),
    };
    check.write()?;
    check.system()?;
    check.conformance()?;
    check.programs()?;
    check.workloads(&work, &peers)?;
    check.end()
}

/// A check under way.
struct Check<'a> {
    given: &'a Bench,
    /// The device's.
    id: String,
    began: Instant,
    length: Duration,
    found: Found,
    /// How long each kind of process took the last time.
    took: HashMap<String, Duration>,
}

impl Check<'_> {
    /// The machine, as `doctor` sees it.
    fn system(&mut self) -> Result<()> {
        let rows = self.own("system", &["doctor", "--json", "--device", &self.id.clone()], ONE)?;
        self.found.system = rows.into_iter().next_back();
        self.write()
    }

    fn conformance(&mut self) -> Result<()> {
        let budget = (self.length.as_secs_f64() * CONFORMANCE).to_string();
        let id = self.id.clone();
        let words = ["bench", super::conformance::NAME, "--here", "--budget", &budget, "--device", &id];
        // Programs under way when the budget ends go on to their end.
        self.found.conformance = self.own("conformance", &words, 2.0 * CONFORMANCE)?;
        for name in super::conformance::PARTS {
            let ran = |part: &Value| part["part"] == name && part["ran"].as_u64() > Some(0);
            if !self.found.conformance.iter().any(ran) {
                self.found.leave_out(name, NO_TIME);
            }
        }
        self.write()
    }

    /// The same losses on the device and on the CPU.
    fn programs(&mut self) -> Result<()> {
        for workload in PROGRAMS {
            let mut ids = vec!["cpu".to_owned(), self.id.clone()];
            ids.dedup();
            for id in ids {
                let words = ["bench", workload, "--here", "--json", "--budget", "0", "--device", &id];
                let rows = self.own(&format!("losses of {workload} on {id}"), &words, ONE)?;
                self.found.programs.extend(rows);
            }
        }
        self.write()
    }

    /// Rounds over all workloads, each framework in turn, for as long as another round of a process fits in.
    fn workloads(&mut self, work: &[(&str, Precision)], peers: &[Peer]) -> Result<()> {
        let budget = self.given.budget.unwrap_or(BUDGET).to_string();
        let id = self.id.clone();
        for round in 0.. {
            let mut ran = false;
            for (workload, precision) in work {
                let name = format!("{workload} in {precision} with");
                let words = ["bench", workload, "--here", "--json", "--budget", &budget, "--device", &id];
                let mut command = Command::new(this_program()?);
                command.args(words).args(["--precision", precision.name()]);
                ran |= self.timed(&format!("{name} warploom"), &mut command, round, *precision)?;
                for peer in peers.iter().filter(|peer| peer.has(workload, *precision)) {
                    let mut command = peer.command(workload, *precision, &budget);
                    ran |= self.timed(&format!("{name} {}", peer.name), &mut command, round, *precision)?;
                }
                self.write()?;
            }
            // Without others, one round says it all.
            if !ran || peers.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Runs a process that measures, if there is time for it; whether it ran.
    fn timed(&mut self, name: &str, command: &mut Command, round: u64, precision: Precision) -> Result<bool> {
        if !self.fits(name) {
            if round == 0 {
                self.found.leave_out(name, NO_TIME);
            }
            return Ok(false);
        }
        let rows = self.process(name, command, ONE)?;
        if rows.is_empty() {
            self.found.leave_out(name, "it printed no measurement");
        }
        self.found.add_rows(rows, round, precision);
        Ok(true)
    }

    /// Whether what took so long the last time, if it ran before, ends in time now.
    fn fits(&self, name: &str) -> bool {
        let left = self.length.saturating_sub(self.began.elapsed());
        let least = Duration::from_secs(2);
        left > self.took.get(name).map_or(least, |took| *took + *took / 10)
    }

    /// What this program prints, as JSON.
    fn own(&mut self, name: &str, words: &[&str], share: f64) -> Result<Vec<Value>> {
        self.process(name, Command::new(this_program()?).args(words), share)
    }

    /// Runs a process for at most a share of all the time; the JSON values that it prints. What goes wrong is a finding.
    fn process(&mut self, name: &str, command: &mut Command, share: f64) -> Result<Vec<Value>> {
        let (now, end) = (Instant::now(), self.began + self.length);
        if now >= end {
            self.found.leave_out(name, NO_TIME);
            return Ok(Vec::new());
        }
        let deadline = end.min(now + self.length.mul_f64(share.min(1.0)));
        let since = self.began.elapsed().as_secs();
        note(format_args!("{:>2}:{:02} {name}", since / 60, since % 60));
        // The machine is ours: nobody waits for calm.
        let ended = child::run(command.env("PEERS_WAIT_MAX", "1"), deadline);
        let ended = ended.map_err(Error::io("start", Path::new(command.get_program())))?;
        self.took.insert(name.to_owned(), now.elapsed());
        let words = ended.last_words.map_or(String::new(), |words| format!(": {words}"));
        match ended.status {
            Some(status) if status.success() => {}
            Some(status) => self.found.leave_out(name, &format!("it ended with {status}{words}")),
            None => {
                let seconds = now.elapsed().as_secs_f64();
                self.found.leave_out(name, &format!("it was cut off after {seconds:.1} s"));
            }
        }
        Ok(ended.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Writes the page and its numbers.
    fn write(&mut self) -> Result<()> {
        self.found.seconds = self.began.elapsed().as_secs_f64();
        let out = &self.given.out;
        write_atomically(out, page::sheet(&self.found).to_html().as_bytes())?;
        write_atomically(&out.with_extension("json"), format!("{:#}\n", self.found.to_json()).as_bytes())
    }

    fn end(&mut self) -> Ended {
        self.found.is_finished = true;
        self.write()?;
        if self.given.json {
            line(self.found.to_json());
        } else {
            self.found.results().iter().for_each(|(name, value)| line(format_args!("{name}: {value}")));
            line(format_args!("the report is in {}", self.given.out.display()));
        }
        Ok(if self.found.is_wrong() { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
    }
}
