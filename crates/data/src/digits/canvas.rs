//! From line segments to a grey picture: ink by distance to the stroke, blur, noise.

use super::pen::Segment;
use super::{PIXELS, SIDE, Variation};
use crate::random::Random;

/// Squared pixels that stand for "no stroke near".
const FAR: f32 = 1e6;

/// Room to draw one picture in, reused for the next.
pub(super) struct Canvas {
    squared_distance: [f32; PIXELS],
    ink: [f32; PIXELS],
    blurred: [f32; PIXELS],
}

impl Canvas {
    pub(super) fn new() -> Self {
        Self { squared_distance: [FAR; PIXELS], ink: [0.0; PIXELS], blurred: [0.0; PIXELS] }
    }

    /// Draws `segments` into `picture`, `SIDE * SIDE` grey values row by row.
    pub(super) fn draw(
        &mut self,
        segments: &[Segment],
        variation: &Variation,
        random: &mut Random,
        picture: &mut [u8],
    ) {
        let radius = random.between(variation.radius[0], variation.radius[1]);
        let darkness = random.between(variation.ink[0], variation.ink[1]);
        let side_share = random.between(0.0, variation.blur);
        let noise = random.between(0.0, variation.noise);
        self.squared_distance.fill(FAR);
        for segment in segments {
            self.measure(segment, radius + 1.0);
        }
        for (ink, &squared) in self.ink.iter_mut().zip(&self.squared_distance) {
            // A pixel is a disc one wide: full half a pixel inside the edge, empty half outside.
            *ink = if squared < FAR { (radius + 0.5 - squared.sqrt()).clamp(0.0, 1.0) } else { 0.0 };
        }
        self.blur(side_share);
        quantise(&self.ink, 255.0 * darkness, 255.0 * noise, random, picture);
    }

    /// Lowers the distance of the pixels within `reach` of `segment`.
    fn measure(&mut self, segment: &Segment, reach: f32) {
        let ([ax, ay], [bx, by]) = (segment.from, segment.to);
        let (dx, dy) = (bx - ax, by - ay);
        let squared_length = dx * dx + dy * dy;
        let scale = if squared_length > 1e-12 { 1.0 / squared_length } else { 0.0 };
        let (columns, rows) = (cells(ax, bx, reach), cells(ay, by, reach));
        for row in rows {
            let py = row as f32 + 0.5 - ay;
            let line = &mut self.squared_distance[row * SIDE..][..SIDE];
            for column in columns.clone() {
                let px = column as f32 + 0.5 - ax;
                let t = ((px * dx + py * dy) * scale).clamp(0.0, 1.0);
                let (ex, ey) = (px - t * dx, py - t * dy);
                line[column] = line[column].min(ex * ex + ey * ey);
            }
        }
    }

    /// Gives `side_share` of each pixel's ink to each neighbour, first along rows, then columns.
    fn blur(&mut self, side_share: f32) {
        let middle = 1.0 - 2.0 * side_share;
        blur_along(&self.ink, &mut self.blurred, 1, middle, side_share);
        blur_along(&self.blurred, &mut self.ink, SIDE, middle, side_share);
    }
}

/// The pixels whose centres may lie within `reach` of the span from `a` to `b` on one axis.
fn cells(a: f32, b: f32, reach: f32) -> std::ops::Range<usize> {
    // `as` saturates: what lies left of the picture becomes 0.
    let start = (a.min(b) - reach) as usize;
    let end = (a.max(b) + reach + 1.0) as usize;
    start.min(SIDE)..end.min(SIDE)
}

/// What leaves the picture is lost; rows wrap into each other at the rim, where there is little ink.
fn blur_along(from: &[f32; PIXELS], to: &mut [f32; PIXELS], step: usize, middle: f32, side: f32) {
    for at in 0..step {
        to[at] = middle * from[at] + side * from[at + step];
        let last = PIXELS - 1 - at;
        to[last] = middle * from[last] + side * from[last - step];
    }
    for at in step..PIXELS - step {
        to[at] = middle * from[at] + side * (from[at - step] + from[at + step]);
    }
}

/// Grey values `0..=255` from ink, with noise of triangular density in `(-noise, noise)`.
fn quantise(ink: &[f32; PIXELS], scale: f32, noise: f32, random: &mut Random, picture: &mut [u8]) {
    let unit = noise / 255.0;
    for (pixels, inks) in picture.chunks_mut(4).zip(ink.chunks(4)) {
        let mut bits = random.bits();
        for (pixel, &ink) in pixels.iter_mut().zip(inks) {
            let (first, second) = ((bits & 255) as f32, (bits >> 8 & 255) as f32);
            bits >>= 16;
            *pixel = (ink * scale + (first + second - 255.0) * unit + 0.5) as u8;
        }
    }
}
