//! The mean and spread of pictures.

use crate::array::Values;
use crate::batches::{FeatureView, Loader, LoaderOptions};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use warploom_transform::PixelScale;

/// Fits [`PixelScale::Standard`] to the pictures of `training`, as they are without augmentation.
///
/// # Errors
/// [`Error::Invalid`] when examples are no bytes or there are none; what the loader reports.
pub fn fit_pixels(training: &Dataset) -> Result<PixelScale> {
    if !matches!(training.features().values(), Values::U8(_)) {
        return Err(Error::invalid(
            "Pixels were to be fitted, but the examples are no bytes",
            "Fit bytes alone",
        ));
    }
    let channels = training.example_shape()[0];
    let plane = training.features().example_len() / channels;
    let mut histograms = vec![[0_u64; 256]; channels];
    let plain = training.clone().without_changes();
    let mut loader = Loader::new(&plain, LoaderOptions { shuffle: false, ..LoaderOptions::default() })?;
    for batch in loader.epoch(0, 0)? {
        let batch = batch?;
        let FeatureView::U8(bytes) = batch.features() else { continue };
        for (place, bytes) in bytes.chunks(plane).enumerate() {
            let histogram = &mut histograms[place % channels];
            bytes.iter().for_each(|byte| histogram[usize::from(*byte)] += 1);
        }
    }
    Ok(PixelScale::standard(&histograms)?)
}
