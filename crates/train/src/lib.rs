//! Training as Keras has it: [`Training::compile`], [`Training::fit`], [`Training::evaluate`], [`Training::predict`].
//!
//! A fit records its programs first — a step for the full batch and one for the last, the same for evaluation — and
//! only then sends batches: `examples` says where they come from, `pass` records and drives the programs, `totals`
//! keeps loss and metrics on the device, `session` puts them together and knows every byte before the first batch,
//! `trainer` is the loop over epochs. Between launches it calls [`callbacks`] and writes [`checkpoint`]s; where an update
//! is not finite, `diagnose` says where that began.

pub mod callbacks;
pub mod checkpoint;
mod compiled;
mod confusion;
mod crc32c;
mod diagnose;
mod dry;
mod error;
mod events;
mod exact;
mod examples;
mod files;
mod fit;
mod history;
mod log_file;
mod memory;
pub mod metrics;
mod pass;
mod plan;
mod predict;
mod progress;
mod rate;
mod saver;
mod session;
mod snapshot;
mod totals;
mod trainer;
mod training;
mod weighting;
pub mod weights;

pub use callbacks::Callback;
pub use checkpoint::Checkpoints;
pub use confusion::{Average, ConfusionMatrix};
pub use diagnose::{Found, NotFinite, Stage};
pub use dry::dry_device;
pub use error::{Cause, Error, Result};
pub use examples::scaled;
pub use fit::{EpochReport, Evaluate, Fit};
pub use history::{History, Outcome, Scores};
pub use memory::{Bound, Shortage};
pub use metrics::Metric;
pub use plan::RunPlan;
pub use snapshot::Snapshot;
pub use training::Training;
