//! The `warploom` binary: subcommands over the library. Results go to standard output, progress and messages to standard
//! error. Exit codes: 0 success, 2 wrong input or a training that diverged, 3 the device or its memory, 130 interrupted.

mod args;
mod bench;
mod child;
mod commands;
mod interrupt;
mod output;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;
use warploom::train::Cause;

fn main() -> ExitCode {
    child::end_with_the_starter();
    warploom::register_devices();
    let outcome = match Arguments::parse().command {
        Command::Train(given) => commands::train(&given),
        Command::Evaluate(given) => commands::evaluate(&given),
        Command::Predict(given) => commands::predict(&given),
        Command::Plan(given) => commands::plan(&given),
        Command::Explain(given) => commands::explain(&given),
        Command::New(given) => commands::new(&given),
        Command::Recipes(given) => commands::recipes(&given),
        Command::Bench(given) => bench::run(&given),
        Command::Devices(given) => commands::devices(&given),
        Command::Doctor(given) => commands::doctor(&given),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            output::problem(&error.to_string());
            ExitCode::from(match error.cause() {
                Cause::Input => 2,
                Cause::Device => 3,
            })
        }
    }
}
