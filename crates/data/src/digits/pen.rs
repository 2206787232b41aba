//! From a glyph to line segments in pixels, as one hand would write it this time.

use super::glyphs::{Glyph, Stroke};
use super::{MAX_POINTS, SIDE, Variation};
use crate::random::Random;

/// A point in pixels, x to the right and y down.
pub(super) type Point = [f32; 2];

/// A straight piece of a stroke, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) from: Point,
    pub(super) to: Point,
}

/// Straight pieces a smooth span between two points is cut into.
const SPAN_PIECES: usize = 5;
/// Straight pieces a bowed line between two corners is cut into.
const LINE_PIECES: usize = 3;

/// Appends the segments of `glyph` to `segments`, moved and bent at random.
pub(super) fn write(glyph: &Glyph, variation: &Variation, random: &mut Random, segments: &mut Vec<Segment>) {
    let placement = Placement::draw(variation, random);
    let mut points = [[0.0; 2]; MAX_POINTS];
    for (placed, point) in points.iter_mut().zip(glyph.points) {
        let trembling = point.map(|c| c + random.around_zero(variation.tremble));
        *placed = placement.apply(trembling);
    }
    for stroke in glyph.strokes {
        match stroke {
            Stroke::Lines(path) => {
                for ends in path.windows(2) {
                    let bow = random.around_zero(variation.bow);
                    line(points[usize::from(ends[0])], points[usize::from(ends[1])], bow, segments);
                }
            }
            Stroke::Curve(path) => curve(&points, path, segments),
        }
    }
}

/// Where the unit square lands on the picture: pixel = matrix · (point − middle) + centre.
struct Placement {
    matrix: [[f32; 2]; 2],
    centre: Point,
}

impl Placement {
    fn draw(variation: &Variation, random: &mut Random) -> Self {
        // Cayley's form of a rotation: exact in +, −, ·, / where sine and cosine differ by platform.
        let half_tangent = random.around_zero(variation.half_turn);
        let square = half_tangent * half_tangent;
        let (cos, sin) = ((1.0 - square) / (1.0 + square), 2.0 * half_tangent / (1.0 + square));
        let slant = random.around_zero(variation.slant);
        let height = random.between(variation.height[0], variation.height[1]);
        let width = height * random.between(variation.aspect[0], variation.aspect[1]);
        let (slanted, upright) = (slant * height, height);
        let matrix =
            [[cos * width, -cos * slanted - sin * upright], [sin * width, -sin * slanted + cos * upright]];
        let middle = SIDE as f32 / 2.0;
        let centre = [0, 1].map(|_| middle + random.around_zero(variation.shift));
        Self { matrix, centre }
    }

    fn apply(&self, point: Point) -> Point {
        let [x, y] = point.map(|c| c - 0.5);
        [0, 1].map(|row| self.matrix[row][0] * x + self.matrix[row][1] * y + self.centre[row])
    }
}

/// A line whose middle is pushed aside by `bow` times its length: a quadratic Bézier arc.
fn line(from: Point, to: Point, bow: f32, segments: &mut Vec<Segment>) {
    let along = [to[0] - from[0], to[1] - from[1]];
    let control =
        [(from[0] + to[0]) * 0.5 - 2.0 * bow * along[1], (from[1] + to[1]) * 0.5 + 2.0 * bow * along[0]];
    let mut last = from;
    for piece in 1..=LINE_PIECES {
        let t = piece as f32 / LINE_PIECES as f32;
        let s = 1.0 - t;
        let next = [0, 1].map(|axis| s * s * from[axis] + 2.0 * s * t * control[axis] + t * t * to[axis]);
        segments.push(Segment { from: last, to: next });
        last = next;
    }
}

/// A uniform Catmull–Rom spline through the points of `path`.
fn curve(points: &[Point; MAX_POINTS], path: &[u8], segments: &mut Vec<Segment>) {
    let (first, end) = (0, path.len() - 1);
    let closed = path[first] == path[end];
    let point = |at: usize| points[usize::from(path[at])];
    for span in 0..end {
        let (b, c) = (point(span), point(span + 1));
        let a = if span > 0 {
            point(span - 1)
        } else if closed {
            point(end - 1)
        } else {
            b
        };
        let d = if span + 2 <= end {
            point(span + 2)
        } else if closed {
            point(1)
        } else {
            c
        };
        let mut last = b;
        for piece in 1..=SPAN_PIECES {
            let t = piece as f32 / SPAN_PIECES as f32;
            let next = [0, 1].map(|axis| {
                let (a, b, c, d) = (a[axis], b[axis], c[axis], d[axis]);
                let cubic = 3.0 * (b - c) + d - a;
                let quadratic = 2.0 * a - 5.0 * b + 4.0 * c - d;
                b + 0.5 * t * (c - a + t * (quadratic + t * cubic))
            });
            segments.push(Segment { from: last, to: next });
            last = next;
        }
    }
}
