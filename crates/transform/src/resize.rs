//! Bilinear resizing that averages when it shrinks.

/// The source pixels that make one pixel of a resized axis, with weights that sum to 1.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// A triangle over the source, as wide as the pixel that is made but at least one pixel to each side: pixel centres lie at
/// halves (as in PIL and, with antialiasing, in torchvision).
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let ratio = from as f64 / to as f64;
    let reach = ratio.max(1.0);
    let tap = |place: usize| {
        let centre = (place as f64 + 0.5) * ratio;
        let first = (centre - reach + 0.5).max(0.0) as usize;
        let last = ((centre + reach + 0.5) as usize).min(from).max(first + 1);
        let weight = |source: usize| (1.0 - ((source as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let total: f64 = (first..last).map(weight).sum();
        Taps { first, weights: (first..last).map(|source| (weight(source) / total) as f32).collect() }
    };
    (0..to).map(tap).collect()
}

/// Resizes `pixels`, `[height, width, channels]`, to `[channels, height, width]` in `out`.
pub(crate) fn resize(
    pixels: &[u8],
    [height, width, channels]: [usize; 3],
    [new_height, new_width]: [usize; 2],
    out: &mut [u8],
) {
    if [height, width] == [new_height, new_width] {
        for (channel, plane) in out.chunks_mut(height * width).enumerate() {
            for (place, byte) in plane.iter_mut().enumerate() {
                *byte = pixels[place * channels + channel];
            }
        }
        return;
    }
    let (across, down) = (taps(width, new_width), taps(height, new_height));
    let stride = width * channels;
    let mut row = vec![0.0_f32; stride];
    for (y, Taps { first, weights }) in down.iter().enumerate() {
        // Down first, over whole rows, `[width, channels]`: contiguous, and fewer rows remain to be walked by taps.
        row.fill(0.0);
        for (weight, line) in weights.iter().zip(pixels[first * stride..].chunks(stride)) {
            row.iter_mut().zip(line).for_each(|(sum, byte)| *sum += weight * f32::from(*byte));
        }
        for (channel, plane) in out.chunks_mut(new_height * new_width).enumerate() {
            for (out, Taps { first, weights }) in plane[y * new_width..][..new_width].iter_mut().zip(&across)
            {
                let values = row[first * channels + channel..].iter().step_by(channels);
                let sum: f32 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
                *out = (sum + 0.5) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: &[u8], to: usize) -> Vec<u8> {
        let mut out = vec![0; to];
        resize(from, [1, from.len(), 1], [1, to], &mut out);
        out
    }

    /// By hand: pixel centres at halves, triangle of reach max(1, ratio).
    #[test]
    fn rows_by_hand() {
        assert_eq!(row(&[10, 20, 30], 3), [10, 20, 30]);
        // Twice as many: weights 3/4 and 1/4, the edge alone at the ends.
        assert_eq!(row(&[0, 100], 4), [0, 25, 75, 100]);
        // Half as many: weights 3/8, 3/8, 1/8 of the neighbour outside; at the edges 3/7, 3/7, 1/7.
        assert_eq!(row(&[0, 0, 70, 70], 2), [10, 60]);
        assert_eq!(row(&[0, 255], 1), [128]);
        assert_eq!(row(&[7], 5), [7; 5]);
    }

    #[test]
    fn a_plain_picture_stays_plain_at_every_size() {
        for channels in [1, 3] {
            for [height, width] in [[1, 1], [2, 7], [13, 5], [40, 40]] {
                for new in [[1, 1], [3, 3], [7, 2], [50, 31]] {
                    let pixels: Vec<u8> =
                        (0..height * width).flat_map(|_| [9, 90, 200].into_iter().take(channels)).collect();
                    let mut out = vec![0; channels * new[0] * new[1]];
                    resize(&pixels, [height, width, channels], new, &mut out);
                    for (channel, plane) in out.chunks(new[0] * new[1]).enumerate() {
                        assert!(plane.iter().all(|byte| *byte == [9, 90, 200][channel]), "{plane:?}");
                    }
                }
            }
        }
    }

    /// Against the definition in f64, both axes at once.
    #[test]
    fn both_axes_are_the_product_of_each() {
        let (height, width, new) = (11, 6, [4, 9]);
        let pixels: Vec<u8> = (0..height * width).map(|place| (place * 37 % 256) as u8).collect();
        let mut out = vec![0; new[0] * new[1]];
        resize(&pixels, [height, width, 1], new, &mut out);
        let weight = |source: usize, place: usize, from: usize, to: usize| {
            let ratio = from as f64 / to as f64;
            let near = |source: usize| {
                (1.0 - ((source as f64 + 0.5 - (place as f64 + 0.5) * ratio) / ratio.max(1.0)).abs()).max(0.0)
            };
            near(source) / (0..from).map(near).sum::<f64>()
        };
        for y in 0..new[0] {
            for x in 0..new[1] {
                let mut sum = 0.0;
                for from_y in 0..height {
                    for from_x in 0..width {
                        sum += weight(from_y, y, height, new[0])
                            * weight(from_x, x, width, new[1])
                            * f64::from(pixels[from_y * width + from_x]);
                    }
                }
                assert!((f64::from(out[y * new[1] + x]) - sum).abs() <= 0.501, "{y} {x}");
            }
        }
    }
}
