//! What is done to the pixels of one picture. Planes lie one after the other.

/// A byte or a number.
pub(crate) trait Pixel: Copy {
    /// As a number.
    fn number(self) -> f32;
    /// The nearest pixel.
    fn of(number: f32) -> Self;
}

impl Pixel for u8 {
    fn number(self) -> f32 {
        f32::from(self)
    }

    fn of(number: f32) -> Self {
        // The cast keeps within 0 to 255.
        (number + 0.5) as u8
    }
}

impl Pixel for f32 {
    fn number(self) -> f32 {
        self
    }

    fn of(number: f32) -> Self {
        number
    }
}

/// Exchanges top and bottom of a plane.
pub(super) fn flip_vertical<T>(plane: &mut [T], width: usize) {
    let rows = plane.len() / width;
    let (top, bottom) = plane.split_at_mut(rows / 2 * width);
    for (upper, lower) in top.chunks_mut(width).zip(bottom.chunks_mut(width).rev()) {
        upper.swap_with_slice(lower);
    }
}

/// Moves every plane, so that `[y, x]` becomes what was at `[y + down, x + right]`, `fill` where that lay outside.
pub(super) fn shift<T: Copy>(
    picture: &mut [T],
    [height, width]: [usize; 2],
    [down, right]: [isize; 2],
    fill: T,
    scratch: &mut Vec<T>,
) {
    scratch.clear();
    scratch.extend_from_slice(picture);
    // The part of a row that stays: `kept` pixels from `from` go to `to`.
    let (from, to) = (right.max(0) as usize, right.min(0).unsigned_abs());
    let kept = width.saturating_sub(from + to);
    for (plane, old) in picture.chunks_mut(height * width).zip(scratch.chunks(height * width)) {
        for (y, row) in plane.chunks_mut(width).enumerate() {
            row.fill(fill);
            let source = y.checked_add_signed(down).filter(|source| *source < height);
            if let Some(source) = source.filter(|_| kept > 0) {
                row[to..to + kept].copy_from_slice(&old[source * width + from..][..kept]);
            }
        }
    }
}

/// Turns every plane about its centre by `radians`, clockwise as one looks at it; bilinear, `fill` outside.
pub(super) fn rotate<T: Pixel>(
    picture: &mut [T],
    [height, width]: [usize; 2],
    radians: f64,
    fill: f32,
    scratch: &mut Vec<T>,
) {
    let (sine, cosine) = radians.sin_cos();
    let (sine, cosine) = (sine as f32, cosine as f32);
    let centre = [(height as f32 - 1.0) / 2.0, (width as f32 - 1.0) / 2.0];
    // With a frame of `fill`, a place outside is a place on the frame, and no pixel needs a branch.
    let stride = width + 3;
    for plane in picture.chunks_mut(height * width) {
        scratch.clear();
        scratch.resize((height + 3) * stride, T::of(fill));
        for (y, row) in plane.chunks(width).enumerate() {
            scratch[(y + 1) * stride + 1..][..width].copy_from_slice(row);
        }
        for (y, row) in plane.chunks_mut(width).enumerate() {
            let down = y as f32 - centre[0];
            for (x, pixel) in row.iter_mut().enumerate() {
                let right = x as f32 - centre[1];
                let source_y =
                    (cosine * down - sine * right + centre[0] + 1.0).clamp(0.0, height as f32 + 1.0);
                let source_x =
                    (cosine * right + sine * down + centre[1] + 1.0).clamp(0.0, width as f32 + 1.0);
                *pixel = T::of(bilinear(scratch, stride, [source_y, source_x]));
            }
        }
    }
}

/// The value between the pixels of a plane of rows of `stride`; `y` and `x` are at least 0 and before the last row and
/// column.
fn bilinear<T: Pixel>(plane: &[T], stride: usize, [y, x]: [f32; 2]) -> f32 {
    let (top, left) = (y as i32, x as i32);
    let (below, beside) = (y - top as f32, x - left as f32);
    let near = &plane[top as usize * stride + left as usize..][..stride + 2];
    let [a, b, c, d] = [near[0], near[1], near[stride], near[stride + 1]].map(T::number);
    let (upper, lower) = (a + (b - a) * beside, c + (d - c) * beside);
    upper + (lower - upper) * below
}

/// The mean of all pixels.
pub(super) fn mean<T: Pixel>(picture: &[T]) -> f32 {
    let sum: f64 = picture.iter().map(|pixel| f64::from(pixel.number())).sum();
    (sum / picture.len().max(1) as f64) as f32
}

/// Multiplies the distance of each pixel to `middle` by `factor`.
pub(super) fn stretch<T: Pixel>(picture: &mut [T], middle: f32, factor: f32) {
    for pixel in picture {
        *pixel = T::of(middle + (pixel.number() - middle) * factor);
    }
}
