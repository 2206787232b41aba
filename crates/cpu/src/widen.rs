//! Dense f32 copies of f16 and bf16 operands, for products that compute in f32.

use smallvec::SmallVec;
use warploom_graph::DType;
use warploom_graph::shape::row_major;

use crate::tile::Context;
use warploom_cpu_kernels::math::{bf16_to_f32, f16_to_f32};

/// Elements for which conversion is worth waking another thread.
const PARALLEL: usize = 1 << 16;

/// An operand's extents, and how it lies in memory before and after.
pub(crate) struct Widened {
    convert: fn(u16) -> f32,
    extents: SmallVec<[usize; 6]>,
    strides: SmallVec<[isize; 6]>,
    dense: SmallVec<[isize; 6]>,
}

impl Widened {
    /// An operand of f16 or bf16 with these strides in elements.
    pub(crate) fn new(dtype: DType, strides: &[i64], extents: SmallVec<[usize; 6]>) -> Widened {
        let convert = if dtype == DType::F16 { f16_to_f32 } else { bf16_to_f32 };
        let dense = row_major(&extents).iter().copied().collect();
        Widened { convert, extents, strides: strides.iter().map(|s| *s as isize).collect(), dense }
    }

    /// Bytes of the copy, a whole number of cache lines.
    pub(crate) fn bytes(&self) -> usize {
        (self.extents.iter().product::<usize>() * 4).next_multiple_of(64)
    }

    /// Strides of the copy.
    pub(crate) fn dense(&self) -> &[isize] {
        &self.dense
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
    let Widened { convert, extents, strides, .. } = operand;
    let last = extents.len() - 1;
    let (outer, line) = (&extents[..last], extents[last]);
    let lines: usize = outer.iter().product();
    let ends = Ends { from, to };
    let work = |first: usize, end: usize| {
        let ends = &ends;
        for number in first..end {
            let (mut rest, mut offset) = (number, 0);
            for (extent, stride) in outer.iter().zip(strides).rev() {
                offset += (rest % extent) as isize * stride;
                rest /= extent;
            }
            for i in 0..line {
                // SAFETY: the caller's promise: the element exists, and the copy has room for it.
                unsafe {
                    let element = *ends.from.offset(offset + i as isize * strides[last]);
                    *ends.to.add(number * line + i) = convert(element);
                }
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
