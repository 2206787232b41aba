//! Packs columns of pixels: for each term the sources of the pixels side by side.

use crate::gemm::simd::Simd;

/// Pixels of one row that lie side by side in memory, at most a vector of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Piece {
    /// Elements to the first pixel.
    pub from: isize,
    /// Its column.
    pub to: usize,
    pub count: usize,
}

/// What to pack. Column `piece.to + j` of term `(channel, tap)` is the element at
/// `from + channel * channel_stride + taps[tap] + piece.from + j`.
pub(super) struct GatherCall<'a, T> {
    pub from: *const T,
    pub channels: usize,
    pub channel_stride: isize,
    pub taps: &'a [isize],
    pub pieces: &'a [Piece],
    /// The terms, `width` elements each.
    pub to: *mut T,
    pub width: usize,
}

/// Packs one panel.
///
/// # Safety
/// Needs the instruction set of `S`; the elements are readable; the panel is writable and used by no other thread.
#[inline(always)]
pub(super) unsafe fn gather<S: Simd>(call: &GatherCall<'_, S::Scalar>) {
    let mut from = call.from;
    let mut to = call.to;
    for _ in 0..call.channels {
        for piece in call.pieces {
            // SAFETY: the mask keeps to the pixels of the piece.
            unsafe {
                let mask = S::first(piece.count);
                let mut to = to.add(piece.to);
                for &tap in call.taps {
                    S::load_masked(from.wrapping_offset(tap + piece.from), mask).store_masked(to, mask);
                    to = to.wrapping_add(call.width);
                }
            }
        }
        from = from.wrapping_offset(call.channel_stride);
        to = to.wrapping_add(call.taps.len() * call.width);
    }
}
