//! Fused kernels: what they cost, and which of their points a workgroup takes.

use crate::code::{Code, Work};
use crate::limits::Limits;
use crate::{pointwise, reduction};
use warploom_device::{DeviceError, IndexMap, Instruction, Kernel, Store};

/// Invocations of a workgroup that runs fused kernels, a power of two: one number, so that several share a dispatch.
pub(crate) fn workgroup(limits: &Limits) -> u32 {
    previous_power(limits.workgroup.min(256) as usize) as u32
}

/// The points of a workgroup.
#[derive(Clone, Copy)]
pub(crate) enum Share<'a> {
    /// As many as it has invocations for; the expression is the number of the workgroup.
    Own(&'a str),
    /// Those from `first` to below `end`, at most so many, in rounds.
    Range { first: &'a str, end: &'a str, most: usize },
}

/// Writes a kernel, its axes collapsed, whose small stores are marked; `rows` divide its points among workgroups.
pub(crate) fn write(
    code: &mut Code<'_>,
    kernel: &Kernel,
    share: Share<'_>,
    rows: usize,
) -> Result<(), DeviceError> {
    if kernel.reductions.is_empty() {
        pointwise::write(code, kernel, share, rows)
    } else {
        reduction::write(code, kernel, share)
    }
}

/// Workgroups for a kernel that is shared out by [`Share::Own`].
pub(crate) fn groups(code: &Code<'_>, kernel: &Kernel) -> Result<u64, DeviceError> {
    let each = if kernel.reductions.is_empty() {
        pointwise::points_each(code, kernel)?
    } else {
        reduction::points_each(code, kernel)
    };
    Ok((kernel.points() as u64).div_ceil(each))
}

/// Marks buffers of small elements that a kernel will write in parts of words.
pub(crate) fn mark_stores(code: &mut Code<'_>, kernel: &Kernel, rows: usize) -> Result<(), DeviceError> {
    if kernel.reductions.is_empty() && pointwise::lanes(code, kernel, rows)? > 1 {
        return Ok(());
    }
    mark(code, &kernel.stores)
}

/// Marks buffers of small elements as written in parts of words.
pub(crate) fn mark(code: &mut Code<'_>, stores: &[Store]) -> Result<(), DeviceError> {
    let mut small = stores.iter().filter(|store| store.dtype.bytes() < 4);
    small.try_for_each(|store| code.mark_atomic(store.buffer))
}

pub(crate) fn previous_power(x: usize) -> usize {
    1 << x.max(1).ilog2()
}

/// Operations and least traffic of a kernel.
pub(crate) fn work(kernel: &Kernel) -> Work {
    let applies = |list: &[Instruction]| {
        list.iter().filter(|i| matches!(i, Instruction::Apply { .. } | Instruction::Random { .. })).count()
    };
    let (points, sweep) = (kernel.points() as u64, kernel.sweep() as u64);
    let body = (applies(&kernel.body) + kernel.reductions.len()) as u64;
    // A load touches as many elements as it has distinct positions, at most.
    let extents: Vec<usize> = kernel.space.iter().chain(&kernel.reduced).copied().collect();
    let touched = |map: &IndexMap| -> u64 {
        extents.iter().zip(&map.strides).filter(|(_, s)| **s != 0).map(|(e, _)| *e as u64).product()
    };
    let loaded = kernel.instructions().map(|(_, instruction)| match instruction {
        Instruction::Load { dtype, map, .. } | Instruction::LoadAt { dtype, map, .. } => {
            touched(map) * dtype.bytes() as u64
        }
        _ => 0,
    });
    let stored = kernel.stores.iter().map(|store| points * store.dtype.bytes() as u64);
    Work {
        operations: points * (sweep * body + applies(&kernel.tail) as u64),
        traffic: loaded.chain(stored).sum(),
    }
}
