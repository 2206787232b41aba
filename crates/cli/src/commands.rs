//! One file for each subcommand.

mod devices;
mod doctor;
mod evaluate;
mod explain;
mod new;
mod plan;
mod predict;
mod recipes;
mod train;

pub use devices::devices;
pub use doctor::doctor;
pub use evaluate::evaluate;
pub use explain::explain;
pub use new::new;
pub use plan::plan;
pub use predict::predict;
pub use recipes::recipes;
pub use train::train;

use warploom::{Error, Result};

/// How a subcommand ends.
pub type Ended = Result<std::process::ExitCode>;

/// `overrides` with what `--device` (or its like, `option`) says as the key `device`.
///
/// # Errors
/// The key is among them, with another value.
pub fn with_device(overrides: &[String], option: &str, device: Option<&str>) -> Result<Vec<String>> {
    let Some(device) = device else { return Ok(overrides.to_vec()) };
    one_answer(overrides, "device", (option, device))?;
    Ok(overrides.iter().cloned().chain([format!("device={device}")]).collect())
}

/// Refuses an option that says one thing where the key among `overrides` says another.
///
/// # Errors
/// With both.
pub fn one_answer(overrides: &[String], key: &str, (option, given): (&str, &str)) -> Result<()> {
    match value_of(overrides, key).filter(|other| *other != given) {
        None => Ok(()),
        Some(other) => Err(Error::invalid(format!(
            "{option} {given} and {key}={other} are two answers; give one of them"
        ))),
    }
}

/// What a key is set to.
pub fn value_of<'a>(overrides: &'a [String], key: &str) -> Option<&'a str> {
    let mut pairs = overrides.iter().rev().filter_map(|given| given.split_once('='));
    let (_, value) = pairs.find(|(other, _)| other.trim() == key)?;
    Some(value.trim().trim_matches(['"', '\'']))
}
