//! Dense f32 copies of f16 and bf16 operands, for products that compute in f32.

use smallvec::SmallVec;
use std::slice;
use warploom_graph::DType;

use crate::tile::Context;
use warploom_cpu_kernels::math::{bf16_to_f32, f16_to_f32};

/// Elements for which conversion is worth waking another thread.
const PARALLEL: usize = 1 << 16;
/// Axes that follow each other in memory are one line up to about so many elements.
const LINE: usize = 1 << 12;

/// How an operand lies in memory before and after. The copy keeps the order of the axes in memory, so that it is read and
/// written from front to back.
pub(crate) struct Widened {
    /// Converts elements at a stride.
    line: unsafe fn(*const u16, isize, &mut [f32]),
    /// Extent and stride of the loops, the innermost last.
    loops: SmallVec<[(usize, isize); 6]>,
    dense: SmallVec<[isize; 6]>,
}

impl Widened {
    /// An operand of f16 or bf16 with these strides in elements.
    pub(crate) fn new(dtype: DType, strides: &[i64], extents: &[usize]) -> Widened {
        let line = if dtype == DType::F16 { line_of_f16 } else { line_of_bf16 };
        let mut inwards: SmallVec<[usize; 6]> = (0..extents.len()).collect();
        // Along these there is nothing to go from one to the next.
        let is_still = |axis: usize| extents[axis] == 1 || strides[axis] == 0;
        inwards.sort_by_key(|axis| (!is_still(*axis), std::cmp::Reverse(strides[*axis].unsigned_abs())));
        let mut loops: SmallVec<[(usize, isize); 6]> = SmallVec::new();
        let mut dense: SmallVec<[isize; 6]> = SmallVec::from_elem(0, extents.len());
        let mut step = 1;
        for axis in inwards.into_iter().rev() {
            let (extent, stride) = (extents[axis], strides[axis] as isize);
            dense[axis] = step;
            step *= extent as isize;
            match loops.last_mut() {
                Some((inner, unit)) if *inner < LINE && stride == *inner as isize * *unit => *inner *= extent,
                _ => loops.push((extent, stride)),
            }
        }
        loops.reverse();
        Widened { line, loops, dense }
    }

    /// Bytes of the copy, a whole number of cache lines.
    pub(crate) fn bytes(&self) -> usize {
        let elements: usize = self.loops.iter().map(|(extent, _)| extent).product();
        (elements * 4).next_multiple_of(64)
    }

    /// Strides of the copy.
    pub(crate) fn dense(&self) -> &[isize] {
        &self.dense
    }
}

unsafe fn line_of_f16(from: *const u16, stride: isize, to: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { convert(from, stride, to, f16_to_f32) }
}

unsafe fn line_of_bf16(from: *const u16, stride: isize, to: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { convert(from, stride, to, bf16_to_f32) }
}

/// Converts as many elements as there is room for.
///
/// # Safety
/// They lie at that stride from `from`, and nobody else writes them.
#[inline(always)]
unsafe fn convert(from: *const u16, stride: isize, to: &mut [f32], of: impl Fn(u16) -> f32) {
    if stride == 1 {
        // SAFETY: the caller's promise.
        let from = unsafe { slice::from_raw_parts(from, to.len()) };
        for (from, to) in from.iter().zip(to) {
            *to = of(*from);
        }
        return;
    }
    for (i, to) in to.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *to = of(unsafe { *from.offset(i as isize * stride) });
    }
}

struct Ends {
    from: *const u16,
    to: *mut f32,
}

// SAFETY: the source is only read; each task writes lines of its own.
unsafe impl Sync for Ends {}

/// Copies an operand; returns where.
///
/// # Safety
/// `from` has the operand's elements at its strides, and `to` has room for them; nobody else writes either.
pub(crate) unsafe fn widen(
    operand: &Widened,
    context: &Context<'_>,
    from: *const u16,
    to: *mut f32,
) -> *const f32 {
    let Some((&(line, stride), outer)) = operand.loops.split_last() else { unreachable!("it has axes") };
    let lines: usize = outer.iter().map(|(extent, _)| extent).product();
    let ends = Ends { from, to };
    let work = |first: usize, end: usize| {
        let ends = &ends;
        for number in first..end {
            let (mut rest, mut offset) = (number, 0);
            for (extent, stride) in outer.iter().rev() {
                offset += (rest % extent) as isize * stride;
                rest /= extent;
            }
            // SAFETY: the caller's promise: the elements exist, and the copy has room for them.
            unsafe {
                let to = slice::from_raw_parts_mut(ends.to.add(number * line), line);
                (operand.line)(ends.from.offset(offset), stride, to);
            }
        }
    };
    let tasks = (lines * line / PARALLEL).min(lines).min(4 * context.workers.len());
    if tasks <= 1 {
        work(0, lines);
    } else {
        context.pool.run(tasks, &|task, _| work(task * lines / tasks, (task + 1) * lines / tasks));
    }
    to
}
