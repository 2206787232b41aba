//! How each digit is written: the table of styles.
//!
//! Points lie in the unit square, x to the right and y down. Strokes name points by number, so that
//! strokes that meet still meet after each point has been moved by a trembling hand.

/// One pass of the pen through the glyph's points.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stroke {
    /// Nearly straight lines with corners at the points.
    Lines(&'static [u8]),
    /// A smooth curve (Catmull–Rom) through the points; closed when it ends where it began.
    Curve(&'static [u8]),
}

/// One way of writing one digit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyph {
    /// What the style is called.
    #[cfg_attr(not(test), expect(dead_code, reason = "names the row for readers and tests"))]
    pub(super) style: &'static str,
    pub(super) points: &'static [[f32; 2]],
    pub(super) strokes: &'static [Stroke],
}

use Stroke::{Curve, Lines};

/// `STYLES[d]` are the ways of writing digit `d`, equally likely.
pub(super) const STYLES: [&[Glyph]; 10] = [
    &[
        Glyph {
            style: "round",
            points: &[[0.5, 0.06], [0.22, 0.28], [0.22, 0.7], [0.5, 0.94], [0.78, 0.7], [0.78, 0.28]],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 0])],
        },
        Glyph {
            style: "with a tail",
            points: &[
                [0.66, 0.16],
                [0.44, 0.08],
                [0.22, 0.34],
                [0.24, 0.74],
                [0.48, 0.93],
                [0.74, 0.74],
                [0.76, 0.32],
                [0.56, 0.1],
                [0.36, 0.16],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8])],
        },
        Glyph {
            style: "narrow",
            points: &[[0.54, 0.06], [0.34, 0.3], [0.32, 0.72], [0.48, 0.94], [0.66, 0.7], [0.68, 0.28]],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 0])],
        },
    ],
    &[
        Glyph { style: "bar", points: &[[0.5, 0.06], [0.5, 0.94]], strokes: &[Lines(&[0, 1])] },
        Glyph {
            style: "with a flag",
            points: &[[0.28, 0.3], [0.54, 0.06], [0.54, 0.94]],
            strokes: &[Lines(&[0, 1, 2])],
        },
        Glyph {
            style: "with a flag and a foot",
            points: &[[0.3, 0.26], [0.52, 0.06], [0.52, 0.92], [0.28, 0.92], [0.76, 0.92]],
            strokes: &[Lines(&[0, 1, 2]), Lines(&[3, 4])],
        },
    ],
    &[
        Glyph {
            style: "with a foot",
            points: &[[0.22, 0.28], [0.44, 0.07], [0.74, 0.24], [0.62, 0.52], [0.22, 0.9], [0.82, 0.9]],
            strokes: &[Curve(&[0, 1, 2, 3, 4]), Lines(&[4, 5])],
        },
        Glyph {
            style: "with a loop",
            points: &[
                [0.22, 0.26],
                [0.46, 0.07],
                [0.74, 0.24],
                [0.58, 0.58],
                [0.32, 0.88],
                [0.18, 0.84],
                [0.3, 0.72],
                [0.58, 0.88],
                [0.84, 0.84],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8])],
        },
        Glyph {
            style: "like a z",
            points: &[
                [0.24, 0.16],
                [0.52, 0.08],
                [0.74, 0.16],
                [0.56, 0.5],
                [0.24, 0.88],
                [0.52, 0.84],
                [0.8, 0.92],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4]), Curve(&[4, 5, 6])],
        },
    ],
    &[
        Glyph {
            style: "round",
            points: &[
                [0.24, 0.18],
                [0.5, 0.07],
                [0.72, 0.25],
                [0.42, 0.46],
                [0.74, 0.58],
                [0.74, 0.8],
                [0.48, 0.94],
                [0.2, 0.82],
            ],
            strokes: &[Curve(&[0, 1, 2, 3]), Curve(&[3, 4, 5, 6, 7])],
        },
        Glyph {
            style: "with a flat top",
            points: &[
                [0.22, 0.1],
                [0.76, 0.1],
                [0.46, 0.44],
                [0.74, 0.56],
                [0.74, 0.8],
                [0.46, 0.94],
                [0.2, 0.84],
            ],
            strokes: &[Lines(&[0, 1, 2]), Curve(&[2, 3, 4, 5, 6])],
        },
        Glyph {
            style: "with a loop in the middle",
            points: &[
                [0.26, 0.14],
                [0.54, 0.08],
                [0.72, 0.26],
                [0.5, 0.46],
                [0.38, 0.48],
                [0.46, 0.4],
                [0.72, 0.56],
                [0.68, 0.84],
                [0.4, 0.94],
                [0.18, 0.8],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])],
        },
    ],
    &[
        Glyph {
            style: "open",
            points: &[[0.3, 0.1], [0.2, 0.56], [0.84, 0.56], [0.66, 0.14], [0.64, 0.94]],
            strokes: &[Lines(&[0, 1, 2]), Lines(&[3, 4])],
        },
        Glyph {
            style: "closed",
            points: &[[0.62, 0.94], [0.62, 0.06], [0.16, 0.64], [0.86, 0.64]],
            strokes: &[Lines(&[0, 1, 2, 3])],
        },
        Glyph {
            style: "rounded and open",
            points: &[[0.24, 0.08], [0.22, 0.4], [0.42, 0.54], [0.74, 0.44], [0.76, 0.08], [0.68, 0.94]],
            strokes: &[Curve(&[0, 1, 2, 3]), Lines(&[4, 5])],
        },
    ],
    &[
        Glyph {
            style: "with a roof",
            points: &[
                [0.78, 0.1],
                [0.34, 0.1],
                [0.28, 0.46],
                [0.54, 0.4],
                [0.76, 0.62],
                [0.64, 0.88],
                [0.38, 0.94],
                [0.2, 0.84],
            ],
            strokes: &[Lines(&[0, 1, 2]), Curve(&[2, 3, 4, 5, 6, 7])],
        },
        Glyph {
            style: "in one sweep",
            points: &[
                [0.76, 0.1],
                [0.48, 0.12],
                [0.3, 0.28],
                [0.5, 0.46],
                [0.72, 0.64],
                [0.58, 0.9],
                [0.22, 0.88],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6])],
        },
        Glyph {
            style: "with a loose roof",
            points: &[
                [0.36, 0.16],
                [0.32, 0.46],
                [0.58, 0.44],
                [0.74, 0.66],
                [0.56, 0.92],
                [0.24, 0.88],
                [0.36, 0.12],
                [0.84, 0.06],
            ],
            strokes: &[Lines(&[0, 1]), Curve(&[1, 2, 3, 4, 5]), Lines(&[6, 7])],
        },
    ],
    &[
        Glyph {
            style: "round",
            points: &[
                [0.68, 0.08],
                [0.4, 0.28],
                [0.24, 0.64],
                [0.42, 0.93],
                [0.7, 0.84],
                [0.72, 0.6],
                [0.48, 0.5],
                [0.26, 0.66],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7])],
        },
        Glyph {
            style: "with a straight stem",
            points: &[[0.56, 0.06], [0.28, 0.62], [0.34, 0.9], [0.6, 0.92], [0.74, 0.7], [0.54, 0.54]],
            strokes: &[Lines(&[0, 1]), Curve(&[1, 2, 3, 4, 5, 1])],
        },
        Glyph {
            style: "with a hooked top",
            points: &[
                [0.76, 0.2],
                [0.54, 0.07],
                [0.3, 0.3],
                [0.24, 0.7],
                [0.48, 0.94],
                [0.74, 0.76],
                [0.54, 0.52],
                [0.28, 0.66],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7])],
        },
    ],
    &[
        Glyph {
            style: "plain",
            points: &[[0.2, 0.1], [0.8, 0.1], [0.42, 0.94]],
            strokes: &[Lines(&[0, 1, 2])],
        },
        Glyph {
            style: "with a bar",
            points: &[[0.2, 0.1], [0.8, 0.1], [0.4, 0.94], [0.34, 0.52], [0.78, 0.52]],
            strokes: &[Lines(&[0, 1, 2]), Lines(&[3, 4])],
        },
        Glyph {
            style: "curved, with a serif",
            points: &[[0.2, 0.28], [0.2, 0.1], [0.8, 0.1], [0.58, 0.46], [0.48, 0.94]],
            strokes: &[Lines(&[0, 1, 2]), Curve(&[2, 3, 4])],
        },
    ],
    &[
        Glyph {
            style: "in one sweep",
            points: &[
                [0.72, 0.18],
                [0.48, 0.06],
                [0.28, 0.22],
                [0.5, 0.46],
                [0.75, 0.72],
                [0.5, 0.94],
                [0.25, 0.74],
                [0.52, 0.48],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 0])],
        },
        Glyph {
            style: "two rings",
            points: &[
                [0.5, 0.06],
                [0.28, 0.26],
                [0.5, 0.46],
                [0.72, 0.26],
                [0.24, 0.7],
                [0.5, 0.94],
                [0.76, 0.7],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 0]), Curve(&[2, 4, 5, 6, 2])],
        },
        Glyph {
            style: "open at the top",
            points: &[
                [0.74, 0.1],
                [0.46, 0.1],
                [0.28, 0.26],
                [0.52, 0.48],
                [0.72, 0.74],
                [0.46, 0.94],
                [0.26, 0.74],
                [0.5, 0.48],
                [0.78, 0.16],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8])],
        },
    ],
    &[
        Glyph {
            style: "with a straight stem",
            points: &[[0.74, 0.2], [0.48, 0.06], [0.26, 0.3], [0.46, 0.52], [0.74, 0.36], [0.68, 0.94]],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 0]), Lines(&[0, 5])],
        },
        Glyph {
            style: "with a curved tail",
            points: &[
                [0.74, 0.3],
                [0.5, 0.06],
                [0.26, 0.28],
                [0.44, 0.5],
                [0.7, 0.4],
                [0.74, 0.28],
                [0.68, 0.64],
                [0.44, 0.94],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 5]), Curve(&[5, 6, 7])],
        },
        Glyph {
            style: "with a hooked tail",
            points: &[
                [0.72, 0.22],
                [0.46, 0.06],
                [0.26, 0.28],
                [0.46, 0.5],
                [0.72, 0.36],
                [0.74, 0.62],
                [0.56, 0.92],
                [0.26, 0.84],
            ],
            strokes: &[Curve(&[0, 1, 2, 3, 4, 0]), Curve(&[0, 5, 6, 7])],
        },
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_drawn() {
        for (digit, styles) in STYLES.iter().enumerate() {
            assert!(styles.len() >= 2, "digit {digit} has one style only");
            for glyph in *styles {
                let mut used = vec![false; glyph.points.len()];
                for stroke in glyph.strokes {
                    let (Lines(path) | Curve(path)) = stroke;
                    assert!(path.len() >= 2, "{digit} {}: a stroke needs two points", glyph.style);
                    for &point in *path {
                        let named = used.get_mut(usize::from(point));
                        *named.unwrap_or_else(|| panic!("{digit} {}: no point {point}", glyph.style)) = true;
                    }
                }
                assert!(used.iter().all(|&used| used), "{digit} {}: a point is not used", glyph.style);
                let inside = |point: &[f32; 2]| point.iter().all(|c| (0.0..=1.0).contains(c));
                assert!(glyph.points.iter().all(inside), "{digit} {}: outside the square", glyph.style);
                assert!(glyph.points.len() <= super::super::MAX_POINTS);
            }
        }
    }
}
