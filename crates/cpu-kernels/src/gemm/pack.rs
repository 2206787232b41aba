//! Copies a block of an operand into the order in which the micro-kernel reads it.

use super::simd::{Simd, transpose};

/// What to pack: `count` rows of A or columns of B ("lines"), `k` terms of each. Strides are in elements.
pub(crate) struct PackCall<T> {
    /// Element `(line, p)` at `from + line * line + p * term`.
    pub from: *const T,
    pub line: isize,
    pub term: isize,
    pub count: usize,
    pub k: usize,
    /// Element `(line, p)` goes to `to + p * width + line`; lines from `count` to `width` are left undefined.
    pub to: *mut T,
    pub width: usize,
}

/// Packs one panel.
///
/// # Safety
/// Needs the instruction set of `S`; `L` is `S::LANES`; the source is readable, `k * width` elements at `to` are
/// writable and used by no other thread.
#[inline(always)]
pub(crate) unsafe fn pack<S: Simd, const L: usize>(call: &PackCall<S::Scalar>) {
    let mut first = 0;
    while first < call.count {
        let lines = (call.count - first).min(L);
        // SAFETY: the caller vouches for the operands; `lines` counts the lines that exist.
        unsafe {
            if call.line == 1 {
                pack_copy::<S, L>(call, first, lines);
            } else if call.term == 1 {
                pack_transpose::<S, L>(call, first, lines);
            } else {
                pack_any::<S>(call, first, lines);
            }
        }
        first += L;
    }
}

/// Lines are neighbours in memory: vectors move unchanged.
#[inline(always)]
unsafe fn pack_copy<S: Simd, const L: usize>(call: &PackCall<S::Scalar>, first: usize, lines: usize) {
    // SAFETY: the mask keeps to the lines that exist.
    unsafe {
        let mask = S::first(lines);
        let mut from = call.from.wrapping_add(first);
        let mut to = call.to.add(first);
        for _ in 0..call.k {
            S::load_masked(from, mask).store_masked(to, mask);
            from = from.wrapping_offset(call.term);
            to = to.wrapping_add(call.width);
        }
    }
}

/// Terms are neighbours in memory: blocks of `L` lines and `L` terms are transposed in registers.
#[inline(always)]
unsafe fn pack_transpose<S: Simd, const L: usize>(call: &PackCall<S::Scalar>, first: usize, lines: usize) {
    // The last line stands in for those that do not exist.
    let from: [*const S::Scalar; L] = std::array::from_fn(|line| {
        call.from.wrapping_offset((first + line.min(lines - 1)) as isize * call.line)
    });
    // SAFETY: only lines that exist and terms below `k` are read; writes stay below `count` and `k`.
    unsafe {
        let write = S::first(lines);
        let mut to = call.to.add(first);
        let mut p = 0;
        while p + L <= call.k {
            // A loop, not a closure: vector instructions are inlined only into functions that may use them.
            let mut block = [S::zero(); L];
            for line in 0..L {
                block[line] = S::load(from[line].add(p));
            }
            transpose::<S, L>(&mut block);
            for term in 0..L {
                block[term].store_masked(to, write);
                to = to.wrapping_add(call.width);
            }
            p += L;
        }
        if p < call.k {
            let read = S::first(call.k - p);
            let mut block = [S::zero(); L];
            for line in 0..L {
                block[line] = S::load_masked(from[line].add(p), read);
            }
            transpose::<S, L>(&mut block);
            for term in 0..L {
                if term < call.k - p {
                    block[term].store_masked(to, write);
                    to = to.wrapping_add(call.width);
                }
            }
        }
    }
}

/// Any strides, element by element.
#[inline(always)]
unsafe fn pack_any<S: Simd>(call: &PackCall<S::Scalar>, first: usize, lines: usize) {
    for p in 0..call.k {
        for line in first..first + lines {
            // SAFETY: only lines that exist are read and written.
            unsafe {
                let value = *call.from.offset(line as isize * call.line + p as isize * call.term);
                *call.to.add(p * call.width + line) = value;
            }
        }
    }
}
