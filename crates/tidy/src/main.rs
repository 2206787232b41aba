//! The local gate: formatting, lints, tests. `cargo run -p warploom-tidy`.

use std::process::{Command, ExitCode};
use std::time::Instant;
use warploom_tidy::files::root;

/// What must pass, in the order of how soon it answers.
const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["test", "--package", "warploom-tidy", "--quiet"],
    &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"],
    &["test", "--workspace"],
];

fn main() -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let started = Instant::now();
    for step in STEPS {
        let words = step.join(" ");
        println!("> cargo {words}");
        match Command::new(&cargo).args(*step).current_dir(root()).status() {
            Ok(status) if status.success() => {}
            Ok(_) => {
                eprintln!("the gate is shut: `cargo {words}` failed");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("the gate is shut: cargo did not start: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("the gate is open after {} s", started.elapsed().as_secs());
    ExitCode::SUCCESS
}
