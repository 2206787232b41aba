//! What a trained model says to each test example, for its report.

use warploom_data::transform::{PixelScale, Transform};
use warploom_data::{Dataset, FeatureView, Loader, LoaderOptions, TargetView, Values};
use warploom_nn::Model;
use warploom_report::Picture;
use warploom_tensor::Tensor;
use warploom_train::{Result, Training};

const BATCH: usize = 256;

/// What was said to an example of a class.
pub(crate) struct ToClass {
    pub truth: usize,
    pub said: usize,
    /// Of what was said.
    pub probability: f64,
}

/// What was said to all examples, in order: classes, or numbers in the target's own unit.
#[derive(Default)]
pub(crate) struct Judged {
    pub classes: Vec<ToClass>,
    /// Truth and prediction.
    pub numbers: Vec<(f64, f64)>,
}

/// Has the model predict `data`, without augmentation, in batches of at most `batch`: what training had room for.
pub(crate) fn judged(
    model: &Model,
    data: &Dataset,
    transform: Option<&Transform>,
    batch: usize,
) -> Result<Judged> {
    let mut all = Judged::default();
    let restored =
        |value: f32| transform.map_or(f64::from(value), |transform| transform.target.restore(value));
    let batch = BATCH.min(batch).min(data.len());
    let mut loader = Loader::new(data, LoaderOptions { batch, shuffle: false, ..LoaderOptions::default() })?;
    for batch in loader.epoch(0, 0)? {
        let batch = batch?;
        let shape: Vec<usize> = [batch.len()].iter().chain(data.example_shape()).copied().collect();
        let features = model.device().scope(|| match batch.features() {
            FeatureView::U8(bytes) => Tensor::from_slice(bytes, &shape),
            FeatureView::F32(values) => Tensor::from_slice(values, &shape),
        });
        let said = model.predict(&features)?.to_vec::<f32>()?;
        let width = (said.len() / batch.len()).max(1);
        match batch.targets() {
            TargetView::Classes(labels) => {
                all.classes
                    .extend(labels.iter().zip(said.chunks(width)).map(|(label, row)| to_class(*label, row)));
            }
            TargetView::Values(values) if width == 1 => {
                all.numbers.extend(
                    values.iter().zip(&said).map(|(truth, said)| (restored(*truth), restored(*said))),
                );
            }
            TargetView::Values(_) => {}
        }
    }
    Ok(all)
}

fn to_class(label: i32, logits: &[f32]) -> ToClass {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(at, _)| at);
    let highest = f64::from(logits.get(best).copied().unwrap_or(0.0));
    let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - highest).exp()).sum();
    ToClass { truth: label as usize, said: best, probability: 1.0 / sum }
}

/// The pictures at these places of `data`; none where examples are no pictures of bytes.
pub(crate) fn pictures(data: &Dataset, places: &[usize]) -> Result<Vec<Picture>> {
    let &[channels @ (1 | 3), height, width] = data.example_shape() else { return Ok(Vec::new()) };
    if places.is_empty() || !matches!(data.features().values(), Values::U8(_)) {
        return Ok(Vec::new());
    }
    let chosen = data.subset(places)?.with_pixel_scale(PixelScale::Bytes)?;
    let options = LoaderOptions { batch: places.len(), shuffle: false, ..LoaderOptions::default() };
    let mut loader = Loader::new(&chosen, options)?;
    let mut drawn = Vec::new();
    for batch in loader.epoch(0, 0)? {
        let batch = batch?;
        let FeatureView::U8(bytes) = batch.features() else { continue };
        for planes in bytes.chunks(channels * height * width) {
            drawn.push(picture(planes, channels, height, width));
        }
    }
    Ok(drawn)
}

/// From planes, `[channels, height, width]`.
fn picture(planes: &[u8], channels: usize, height: usize, width: usize) -> Picture {
    let (height_u32, width_u32) = (height as u32, width as u32);
    if channels == 1 {
        return Picture::Grey { width: width_u32, height: height_u32, pixels: planes.to_vec() };
    }
    let plane = height * width;
    let pixels = (0..plane).flat_map(|at| [planes[at], planes[plane + at], planes[2 * plane + at]]).collect();
    Picture::Rgb { width: width_u32, height: height_u32, pixels }
}
