//! `warploom train`.

use super::Ended;
use crate::args::Train;
use crate::interrupt::{INTERRUPTED, stop_flag};
use crate::output::{bytes, line, note};
use std::process::ExitCode;
use warploom::recipes::{self, Options, Outcome};

pub fn train(given: &Train) -> Ended {
    let recipe = recipes::find(&given.recipe, &given.overrides)?;
    let stop = stop_flag();
    let options = Options { out: given.out.clone(), quiet: given.quiet, stop: Some(&stop) };
    let outcome = recipes::train(&recipe, &options)?;
    if !given.quiet {
        report(&outcome);
    }
    if given.json {
        line(&outcome.summary);
    }
    let interrupted = outcome.history.interrupted();
    Ok(if interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

fn report(outcome: &Outcome) {
    let history = &outcome.history;
    let run = outcome.folder.path().display();
    if history.interrupted() {
        let epochs = history.epochs().len();
        note(format_args!("interrupted after {epochs} whole epochs; what was learned is in {run}"));
        return;
    }
    if let Some(test) = history.test() {
        let what = if outcome.test_is_train {
            "test (the examples learned from: there are no others)"
        } else {
            "test"
        };
        note(format_args!("{what}: {test}"));
    }
    let rate = history.samples_per_second();
    note(format_args!("{:.1} s, {rate:.0} samples/s", history.seconds()));
    let planned = outcome.summary["planned_bytes"].as_u64().unwrap_or(0);
    let peak = outcome.summary["peak_bytes"].as_u64().unwrap_or(0);
    note(format_args!("memory: planned {}, peak {}", bytes(planned), bytes(peak)));
    match &outcome.joules {
        Ok(joules) => {
            note(format_args!("energy: {joules:.0} J (processor packages, everything that ran on them)"))
        }
        Err(why) => note(format_args!("energy: not measured; {why}")),
    }
    note(format_args!("run: {run}"));
}
