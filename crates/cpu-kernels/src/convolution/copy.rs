//! The padded copy of a channel, de-interleaved by the strides.

use super::axis::Axis;
use crate::gemm::simd::Simd;

/// One axis of a copy.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub axis: &'a Axis,
    /// The source of the first element of the plane of remainder 0.
    pub first: isize,
    /// Elements of a plane.
    pub extent: usize,
}

impl Window<'_> {
    /// The elements of a plane whose source lies in the input.
    fn inside(&self, first: isize) -> (usize, usize) {
        let stride = self.axis.stride;
        let from = first.min(0).unsigned_abs().div_ceil(stride);
        let end = (self.axis.input as isize - first).max(0) as usize;
        let end = end.div_ceil(stride).min(self.extent);
        (from.min(end), end)
    }
}

/// What to copy: every plane of `[height, width]`, zeros where the source lies outside of the input.
pub(super) struct CopyCall<'a, T> {
    /// Input element `(h, w)` at `from + h * row + w * column`.
    pub from: *const T,
    pub row: isize,
    pub column: isize,
    pub height: Window<'a>,
    pub width: Window<'a>,
    /// The planes, one after the other.
    pub to: *mut T,
}

/// Copies one channel.
///
/// # Safety
/// Needs the instruction set of `S`; the input is readable; the planes at `to` and one vector behind them are writable
/// and used by no other thread.
#[inline(always)]
pub(super) unsafe fn copy<S: Simd>(call: &CopyCall<'_, S::Scalar>) {
    let (height, width) = (&call.height, &call.width);
    let mut to = call.to;
    for &plane in &height.axis.planes {
        let top = height.first + plane as isize;
        let (from_row, end_row) = height.inside(top);
        for &plane in &width.axis.planes {
            let left = width.first + plane as isize;
            let (from, end) = width.inside(left);
            for i in 0..height.extent {
                // SAFETY: rows and columns from `from` to `end` lie in the input. Vectors that reach beyond their row
                // reach at most one vector behind it, where the next row or nothing has been written yet.
                unsafe {
                    if i < from_row || i >= end_row {
                        zeros::<S>(to, 0, width.extent);
                    } else {
                        let source = top + (i * height.axis.stride) as isize;
                        let step = width.axis.stride as isize * call.column;
                        let first = left + (from * width.axis.stride) as isize;
                        let line = call.from.wrapping_offset(source * call.row + first * call.column);
                        zeros::<S>(to, 0, from);
                        let done = from + elements::<S>(line, step, end - from, to.add(from));
                        zeros::<S>(to, done, width.extent);
                    }
                    to = to.wrapping_add(width.extent);
                }
            }
        }
    }
}

/// Zeros from `from` to `end` and up to a vector further.
#[inline(always)]
unsafe fn zeros<S: Simd>(to: *mut S::Scalar, mut from: usize, end: usize) {
    while from < end {
        // SAFETY: the caller's promise.
        unsafe { S::zero().store(to.add(from)) };
        from += S::LANES;
    }
}

/// Copies `count` elements and, where it is cheaper, writes zeros behind them; how many elements were written.
#[inline(always)]
unsafe fn elements<S: Simd>(from: *const S::Scalar, step: isize, count: usize, to: *mut S::Scalar) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        match step {
            1 => {
                let mut done = 0;
                while done + S::LANES <= count {
                    S::load(from.add(done)).store(to.add(done));
                    done += S::LANES;
                }
                if done < count {
                    S::load_masked(from.add(done), S::first(count - done)).store(to.add(done));
                    done += S::LANES;
                }
                done
            }
            // With a step the compiler knows, it takes whole vectors apart.
            2 => {
                for j in 0..count {
                    *to.add(j) = *from.add(2 * j);
                }
                count
            }
            _ => {
                for j in 0..count {
                    *to.add(j) = *from.offset(j as isize * step);
                }
                count
            }
        }
    }
}
