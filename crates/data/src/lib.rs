//! Data for Warploom: where examples come from, how they are split, and how they are served as
//! batches while the device computes.
//!
//! ```
//! use warploom_data::{FeatureView, Loader, LoaderOptions, digits};
//!
//! let (train, test) = digits(0, 1000)?.split_off_stratified(0.2, 0)?;
//! assert_eq!((train.len(), test.len()), (800, 200));
//!
//! let mut loader = Loader::new(&train, LoaderOptions { batch: 128, ..LoaderOptions::default() })?;
//! for batch in loader.epoch(0, 0)? {
//!     let batch = batch?;
//!     let FeatureView::U8(pixels) = batch.features() else { unreachable!("digits are bytes") };
//!     assert_eq!(pixels.len(), batch.len() * 28 * 28);
//! }
//! # Ok::<(), warploom_data::Error>(())
//! ```

mod array;
mod augment;
mod batches;
pub mod csv;

mod dataset;
mod digits;
mod error;
mod generate;
pub mod idx;
pub mod images;
mod parts;
mod random;
mod split;
#[cfg(test)]
mod testing;

pub use array::{Array, Targets, Values};
pub use augment::{Augment, Augmentation};
pub use batches::{Batch, Epoch, FeatureView, Loader, LoaderOptions, TargetView};
pub use dataset::Dataset;
pub use digits::{SIDE as DIGIT_SIDE, digits};
pub use error::{Error, Result};
pub use generate::logistic;
pub use parts::{Part, Parts, SplitRule};
pub use warploom_transform as transform;
