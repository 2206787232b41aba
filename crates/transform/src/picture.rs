//! Pictures: raw ones, and the steps to the size, channels and scale that a network takes.

use crate::error::{Error, Result};
use crate::resize::resize;
use serde::{Deserialize, Serialize};

/// The longest side that pictures are brought to.
const LONGEST: usize = 8192;

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    channels: usize,
    height: usize,
    width: usize,
    bytes: Vec<u8>,
}

impl Picture {
    /// `bytes` as `[height, width, channels]`; one channel for grey, three for red, green and blue.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the extents are not those of the bytes.
    pub fn new(bytes: Vec<u8>, [height, width, channels]: [usize; 3]) -> Result<Picture> {
        let pixels = height.checked_mul(width).filter(|pixels| *pixels > 0);
        let sound = matches!(channels, 1 | 3)
            && pixels.and_then(|pixels| pixels.checked_mul(channels)) == Some(bytes.len());
        if sound {
            return Ok(Picture { channels, height, width, bytes });
        }
        let found = bytes.len();
        Err(Error::invalid(
            format!("{found} bytes are no picture of height {height}, width {width} and {channels} channels"),
            "Give height × width × channels bytes with 1 or 3 channels",
        ))
    }

    /// `[height, width, channels]`.
    pub fn extents(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// The same picture with one or three channels: grey is repeated, colours are weighed as ITU-R BT.601 says.
    fn with_channels(&self, channels: usize) -> Vec<u8> {
        match (self.channels, channels) {
            (1, 3) => self.bytes.iter().flat_map(|grey| [*grey; 3]).collect(),
            (3, 1) => {
                let [red, green, blue] = [299, 587, 114];
                let grey = |pixel: &[u8; 3]| {
                    let [r, g, b] = pixel.map(u32::from);
                    ((red * r + green * g + blue * b + 500) / 1000) as u8
                };
                self.bytes.as_chunks::<3>().0.iter().map(grey).collect()
            }
            _ => self.bytes.clone(),
        }
    }
}

/// The steps of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTransform {
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Pixels down.
    pub height: usize,
    /// Pixels across.
    pub width: usize,
    /// What becomes of the bytes.
    pub pixels: PixelScale,
}

/// What becomes of bytes 0 to 255.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PixelScale {
    /// They stay bytes; training and prediction bring them to 0 to 1 on the device, a quarter of the traffic.
    #[default]
    Bytes,
    /// 0 to 1.
    Unit,
    /// -1 to 1.
    Symmetric,
    /// `(byte / 255 - mean) / deviation`, `[channels]`; a deviation of 0 divides by 1.
    Standard {
        /// Of each channel, in units of 255.
        mean: Vec<f32>,
        /// Of each channel, in units of 255.
        deviation: Vec<f32>,
    },
}

impl ImageTransform {
    /// Pictures of `[channels, height, width]` that stay bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] for other than 1 or 3 channels, or a side that is 0 or above 8,192.
    pub fn new([channels, height, width]: [usize; 3]) -> Result<ImageTransform> {
        let transform = ImageTransform { channels, height, width, pixels: PixelScale::Bytes };
        transform.check()?;
        Ok(transform)
    }

    /// `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// How many numbers a picture has.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Never: a side is at least 1.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Brings `picture` to the channels and the size, stretched where its proportions differ, as `[channels, height,
    /// width]` at the end of `to`. Bilinear, averaging over all pixels that fall into one when it shrinks.
    pub fn resize(&self, picture: &Picture, to: &mut Vec<u8>) {
        let pixels = picture.with_channels(self.channels);
        let start = to.len();
        to.resize(start + self.len(), 0);
        let from = [picture.height, picture.width, self.channels];
        resize(&pixels, from, [self.height, self.width], &mut to[start..]);
    }

    /// Refuses what cannot be carried out.
    pub(crate) fn check(&self) -> Result<()> {
        let [channels, height, width] = self.shape();
        if !matches!(channels, 1 | 3) || height.min(width) == 0 || height.max(width) > LONGEST {
            return Err(Error::invalid(
                format!("Pictures are to have {channels} channels, height {height} and width {width}"),
                format!("Give 1 channel (grey) or 3 (red, green, blue) and sides of 1 to {LONGEST}"),
            ));
        }
        self.pixels.check(channels)
    }
}

impl PixelScale {
    /// Fits [`PixelScale::Standard`]: `sums` are, for each channel, how often each byte occurs.
    ///
    /// # Errors
    /// [`Error::Invalid`] when nothing was counted.
    pub fn standard(histograms: &[[u64; 256]]) -> Result<PixelScale> {
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        for histogram in histograms {
            let counts =
                || histogram.iter().enumerate().map(|(byte, count)| (byte as f64 / 255.0, *count as f64));
            let total: f64 = counts().map(|(_, count)| count).sum();
            if total == 0.0 {
                return Err(Error::invalid("No pixels were given to fit on", "Give at least one picture"));
            }
            let average = counts().map(|(value, count)| value * count).sum::<f64>() / total;
            let variance =
                counts().map(|(value, count)| (value - average).powi(2) * count).sum::<f64>() / total;
            mean.push(average as f32);
            deviation.push(variance.sqrt() as f32);
        }
        Ok(PixelScale::Standard { mean, deviation })
    }

    /// Whether bytes stay bytes.
    pub fn is_bytes(&self) -> bool {
        *self == PixelScale::Bytes
    }

    /// Appends the numbers of `bytes`, `[channels, …]`, to `to`.
    pub fn apply(&self, bytes: &[u8], channels: usize, to: &mut Vec<f32>) {
        let plane = (bytes.len() / channels.max(1)).max(1);
        for (channel, bytes) in bytes.chunks(plane).enumerate() {
            let (offset, divisor) = self.parts(channel);
            let table: [f32; 256] = std::array::from_fn(|byte| (byte as f32 / 255.0 - offset) / divisor);
            to.extend(bytes.iter().map(|byte| table[usize::from(*byte)]));
        }
    }

    /// Offset and divisor of `(byte / 255 - offset) / divisor`.
    fn parts(&self, channel: usize) -> (f32, f32) {
        match self {
            PixelScale::Bytes | PixelScale::Unit => (0.0, 1.0),
            PixelScale::Symmetric => (0.5, 0.5),
            PixelScale::Standard { mean, deviation } => {
                let divisor = deviation.get(channel).copied().unwrap_or(1.0);
                (mean.get(channel).copied().unwrap_or(0.0), if divisor == 0.0 { 1.0 } else { divisor })
            }
        }
    }

    /// Refuses a scale that is not for pictures of `channels`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another number of means or deviations, and for values that are not finite or a deviation
    /// below 0.
    pub fn check(&self, channels: usize) -> Result<()> {
        let PixelScale::Standard { mean, deviation } = self else { return Ok(()) };
        let finite = mean.iter().chain(deviation).all(|value| value.is_finite());
        let positive = deviation.iter().all(|value| *value >= 0.0);
        if mean.len() == channels && deviation.len() == channels && finite && positive {
            return Ok(());
        }
        Err(Error::invalid(
            format!(
                "{} means and {} deviations are no scale of {channels} channels",
                mean.len(),
                deviation.len()
            ),
            "Give a finite mean and a deviation of at least 0 for each channel",
        ))
    }
}
