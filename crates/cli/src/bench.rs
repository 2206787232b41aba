//! `warploom bench`.

use crate::args::Bench;
use crate::commands::Ended;

/// Under way.
pub fn run(_: &Bench) -> Ended {
    Err(warploom::Error::invalid("no workload is built yet"))
}
