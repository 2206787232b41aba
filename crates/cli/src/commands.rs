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
    if let Some(other) = device_of(overrides).filter(|other| *other != device) {
        return Err(Error::invalid(format!(
            "{option} {device} and device={other} are two answers; give one of them"
        )));
    }
    Ok(overrides.iter().cloned().chain([format!("device={device}")]).collect())
}

/// What the key `device` is set to.
pub fn device_of(overrides: &[String]) -> Option<&str> {
    let mut pairs = overrides.iter().rev().filter_map(|given| given.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim() == "device")?;
    Some(value.trim().trim_matches(['"', '\'']))
}
