//! `warploom train`.

use super::Ended;
use crate::args::Train;
use crate::interrupt::{INTERRUPTED, stop_flag};
use crate::output::{aligned, bytes, line, note, shell};
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use warploom::recipes::{self, Kept, Options, Outcome, Over, RunFolder, Trained};

pub fn train(given: &Train) -> Ended {
    let recipe = recipes::find(&given.recipe, &given.overrides)?;
    let stop = stop_flag();
    let path = PathBuf::from(&given.recipe);
    // The folder of a run stands for its recipe, and is gone on with where it lies.
    let own = (given.resume && path.is_dir()).then_some(path);
    let command = match &own {
        Some(run) if given.out.is_none() => gone_on(run, given),
        _ => repeated(),
    };
    let options = Options {
        out: given.out.clone().or(own),
        quiet: given.quiet,
        stop: Some(&stop),
        resume: given.resume,
        verify: given.verify,
        trace: given.trace.clone(),
        command: Some(command),
    };
    let outcome = match recipes::train(&recipe, &options)? {
        Trained::Now(outcome) => outcome,
        Trained::Before(over) => return Ok(finished(&over, given)),
    };
    let interrupted = outcome.history.interrupted();
    if interrupted {
        goes_on(&outcome);
    } else if !given.quiet {
        report(&outcome, given.trace.as_deref());
    }
    if given.json {
        line(&outcome.summary);
    }
    Ok(if interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// The command line as it was given, less what belongs to this one run.
fn repeated() -> String {
    let words = std::env::args_os().skip(1).filter(|word| word != "--resume");
    let words = words.map(|word| shell(&word.to_string_lossy()));
    std::iter::once("warploom".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// The command line that repeats a run from its beginning, where this one goes on with it.
fn gone_on(run: &Path, given: &Train) -> String {
    let began = RunFolder::command(run).unwrap_or_else(|| {
        let (recipe, out) = (run.join("recipe.toml").display().to_string(), run.display().to_string());
        format!("warploom train {} --out {}", shell(&recipe), shell(&out))
    });
    std::iter::once(began).chain(given.overrides.iter().map(|word| shell(word))).collect::<Vec<_>>().join(" ")
}

fn finished(over: &Over, given: &Train) -> ExitCode {
    let (run, epochs) = (over.folder.path().display().to_string(), over.epochs());
    let (how, more) = match over.stopped_early() {
        true => ("stopped early", String::new()),
        false => {
            let command = format!("warploom train {} --resume train.epochs={}", shell(&run), 2 * epochs);
            ("is finished", format!("; to train it further: {command}"))
        }
    };
    if !given.quiet {
        note(format_args!("{run} {how} after {epochs} epochs, and is left as it is{more}"));
    }
    if given.json {
        line(&over.summary);
    }
    ExitCode::SUCCESS
}

fn goes_on(outcome: &Outcome) {
    let (epochs, run) = (outcome.history.epochs().len(), outcome.folder.path().display().to_string());
    if stderr().is_terminal() {
        // In place of the bar.
        eprint!("\r\x1b[K");
    }
    note(format_args!("interrupted after {epochs} whole epochs; what was learned is in {run}"));
    note("go on with:");
    note(format_args!("  warploom train {} --resume", shell(&run)));
}

fn report(outcome: &Outcome, timeline: Option<&Path>) {
    let history = &outcome.history;
    for row in aligned(&results(outcome)) {
        note(row);
    }
    if let Some(Kept { epoch, by }) = &outcome.kept {
        let epochs = history.epochs().len();
        note(format_args!("weights: those of epoch {epoch} of {epochs}, the best by {by}"));
    }
    let rate = history.samples_per_second();
    note(format_args!("time:    {:.1} s, {rate:.0} samples/s", history.seconds()));
    let planned = outcome.summary["planned_bytes"].as_u64().unwrap_or(0);
    let peak = outcome.summary["peak_bytes"].as_u64().unwrap_or(0);
    let limit =
        history.plan().memory_limit.map_or(String::new(), |limit| format!(", limit {}", bytes(limit)));
    note(format_args!("memory:  planned {}, peak {}{limit}", bytes(planned), bytes(peak)));
    note(format_args!("energy:  {}", energy(outcome)));
    if let Some(verification) = &outcome.verification {
        note(format_args!("trust:   {verification}"));
    }
    if let Some(page) = &outcome.report {
        note(format_args!("report:  {}", page.display()));
    }
    if let Some(path) = timeline {
        note(format_args!("timeline: {}, to be opened at https://ui.perfetto.dev", path.display()));
    }
    let run = shell(&outcome.folder.path().display().to_string());
    note("next:");
    note(format_args!("  warploom predict {run} FILE…    # raw files, through the stored transforms"));
    note(format_args!("  warploom evaluate {run}         # the test scores again"));
}

/// What the run used.
fn energy(outcome: &Outcome) -> String {
    let rate = outcome.samples_per_joule.map_or(String::new(), |rate| format!(", {rate:.1} samples/J"));
    let since = if outcome.history.earlier_seconds() > 0.0 { " since it was gone on with" } else { "" };
    let known = outcome.energy.known();
    let known = known.map(|text| format!("{text}{rate}{since} (everything that ran there included)"));
    known.into_iter().chain(outcome.energy.unknown()).collect::<Vec<_>>().join("; ")
}

/// A row for each part of the data, a column for each score.
fn results(outcome: &Outcome) -> Vec<Vec<String>> {
    let scores = outcome.scores();
    let of = outcome.kept.as_ref().map_or(String::new(), |kept| format!(", epoch {}", kept.epoch));
    let test = outcome.history.test().cloned().unwrap_or_default();
    let names: Vec<&str> = test.iter().map(|(name, _)| name).collect();
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), shown);
    let row = |part: &str, value: &dyn Fn(&str) -> Option<f64>| -> Vec<String> {
        std::iter::once(part.to_owned()).chain(names.iter().map(|name| number(value(name)))).collect()
    };
    let mut rows =
        vec![std::iter::once(String::new()).chain(names.iter().map(|name| name.replace('_', " "))).collect()];
    rows.push(row(&format!("training{of}"), &|name| scores.get(name)));
    if names.iter().any(|name| scores.get(&format!("val_{name}")).is_some()) {
        rows.push(row(&format!("validation{of}"), &|name| scores.get(&format!("val_{name}"))));
    }
    match outcome.test_is_train {
        true => rows.push(row("training, afterwards", &|name| test.get(name))),
        false => rows.push(row("test", &|name| test.get(name))),
    }
    rows
}

/// Five digits, whatever the size.
fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 1e-3 => format!("{value:.3e}"),
        size if size >= 1e4 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}
