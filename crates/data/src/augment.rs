//! Pictures changed at random, so that a network meets each in many forms.

mod steps;

use crate::error::{Error, Result};
use crate::random::Random;
use serde::{Deserialize, Serialize};
pub(crate) use steps::Pixel;

/// A random change. The size of a picture stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Augment {
    /// Left and right are exchanged.
    FlipHorizontal {
        /// How often, 0 to 1.
        probability: f32,
    },
    /// Top and bottom are exchanged.
    FlipVertical {
        /// How often, 0 to 1.
        probability: f32,
    },
    /// The picture is padded on each side, then cut to its size at a place drawn evenly.
    Crop {
        /// Pixels on each side.
        padding: usize,
        /// The padding's value, in the pixels' own unit.
        #[serde(default)]
        fill: f32,
    },
    /// The picture is turned about its centre, bilinear, by an angle drawn evenly.
    Rotate {
        /// The largest angle to either side, in degrees, 0 to 180.
        degrees: f32,
        /// The value of what lies outside, in the pixels' own unit.
        #[serde(default)]
        fill: f32,
    },
    /// All pixels are multiplied by a factor drawn evenly from `1 - reach` to `1 + reach`.
    Brightness {
        /// 0 to 1.
        reach: f32,
    },
    /// The distance of all pixels to the picture's mean is multiplied by a factor drawn evenly from `1 - reach` to
    /// `1 + reach`.
    Contrast {
        /// 0 to 1.
        reach: f32,
    },
}

/// Random changes, one after the other. What happens to an example depends on the loader's seed, the epoch and the
/// example's number alone. Bytes are rounded and kept within 0 to 255 after each; numbers are not bounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Augmentation {
    steps: Vec<Augment>,
}

impl Augmentation {
    /// `steps` in this order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value outside its range.
    pub fn new(steps: Vec<Augment>) -> Result<Self> {
        steps.iter().try_for_each(Augment::check)?;
        Ok(Self { steps })
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Augment] {
        &self.steps
    }

    /// Changes `picture`, `[channels, height, width]`.
    pub(crate) fn apply<T: Pixel>(
        &self,
        picture: &mut [T],
        shape: [usize; 3],
        random: &mut Random,
        scratch: &mut Vec<T>,
    ) {
        for step in &self.steps {
            step.apply(picture, shape, random, scratch);
        }
    }
}

impl Augment {
    fn apply<T: Pixel>(
        &self,
        picture: &mut [T],
        [_, height, width]: [usize; 3],
        random: &mut Random,
        scratch: &mut Vec<T>,
    ) {
        match *self {
            Augment::FlipHorizontal { probability } => {
                if random.between(0.0, 1.0) < probability {
                    picture.chunks_mut(width).for_each(<[T]>::reverse);
                }
            }
            Augment::FlipVertical { probability } => {
                if random.between(0.0, 1.0) < probability {
                    picture.chunks_mut(height * width).for_each(|plane| steps::flip_vertical(plane, width));
                }
            }
            Augment::Crop { padding, fill } => {
                let mut shift = || random.below(2 * padding as u64 + 1) as isize - padding as isize;
                let shift = [shift(), shift()];
                steps::shift(picture, [height, width], shift, T::of(fill), scratch);
            }
            Augment::Rotate { degrees, fill } => {
                let radians = f64::from(random.between(-degrees, degrees)).to_radians();
                steps::rotate(picture, [height, width], radians, fill, scratch);
            }
            Augment::Brightness { reach } => {
                steps::stretch(picture, 0.0, random.between(1.0 - reach, 1.0 + reach))
            }
            Augment::Contrast { reach } => {
                let mean = steps::mean(picture);
                steps::stretch(picture, mean, random.between(1.0 - reach, 1.0 + reach));
            }
        }
    }

    fn check(&self) -> Result<()> {
        const MOST_PADDING: usize = 4096;
        let unit = |value: f32| (0.0..=1.0).contains(&value);
        let (sound, wanted) = match *self {
            Augment::FlipHorizontal { probability } | Augment::FlipVertical { probability } => {
                (unit(probability), "a probability of 0 to 1")
            }
            Augment::Crop { padding, fill } => (
                padding <= MOST_PADDING && fill.is_finite(),
                "a padding of at most 4,096 pixels and a finite fill",
            ),
            Augment::Rotate { degrees, fill } => {
                ((0.0..=180.0).contains(&degrees) && fill.is_finite(), "0 to 180 degrees and a finite fill")
            }
            Augment::Brightness { reach } | Augment::Contrast { reach } => (unit(reach), "a reach of 0 to 1"),
        };
        if sound {
            return Ok(());
        }
        Err(Error::invalid(
            format!("The augmentation {self:?} cannot be carried out"),
            format!("Give {wanted}"),
        ))
    }
}

#[cfg(test)]
mod tests;
