//! Training as Keras has it: [`Training::compile`], [`Training::fit`], [`Training::evaluate`], [`Training::predict`].
//!
//! A fit records its programs first — a step for the full batch and one for the last, the same for evaluation — and
//! only then sends batches: `examples` says where they come from, `pass` records and drives the programs, `totals`
//! keeps loss and metrics on the device, `session` puts them together and knows every byte before the first batch,
//! `training` is the loop over epochs.

mod compiled;
mod dry;
mod error;
mod examples;
mod fit;
mod history;
pub mod metrics;
mod pass;
mod plan;
mod predict;
mod progress;
mod session;
mod totals;
mod training;
pub mod weights;

pub use dry::dry_device;
pub use error::{Cause, Error, Result};
pub use examples::scaled;
pub use fit::{EpochReport, Fit};
pub use history::{History, Scores};
pub use metrics::Metric;
pub use plan::RunPlan;
pub use training::Training;
