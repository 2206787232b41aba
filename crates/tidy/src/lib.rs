//! The house rules that neither the compiler nor clippy knows: which crate may use which, that the documents tell the
//! truth about files, how long a file may be, where `unsafe` may stand.
//!
//! Every check returns what it found, a line each, empty where all is well; the tests are one to a check. The binary is
//! the local gate: `cargo run -p warploom-tidy`.

pub mod code;
pub mod documents;
pub mod edges;
pub mod files;
pub mod manifest;
pub mod sources;

/// What is wrong, each with its place and what to do. Empty where all is well.
pub type Findings = Vec<String>;
