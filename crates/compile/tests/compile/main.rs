//! What the passes make of programs.

mod precision;
mod recompute;
mod snapshots;
mod support;
