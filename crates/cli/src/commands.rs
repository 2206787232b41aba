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

/// How a subcommand ends.
pub type Ended = warploom::Result<std::process::ExitCode>;
