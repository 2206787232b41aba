//! Scatter steps: indexed updates in place, duplicates in the order of the indices. Threads share outer and inner
//! axes alone, so the order of updates to an element never changes.

use warploom_device::{BufferId, DeviceError, ScatterStep};
use warploom_graph::{DType, ScatterKind};

use crate::memory_map::MemoryMap;
use crate::tile::{Context, Updater};
use warploom_cpu_kernels::isa::Isa;

/// Updated elements for which another thread is woken.
const PARALLEL: usize = 1 << 14;
/// Least elements of a row that a task takes.
const INNER: usize = 256;

/// A scatter made ready.
pub(crate) struct Scatter {
    step: ScatterStep,
    updater: Updater,
    tasks: usize,
    /// Parts that rows are cut into.
    inner_parts: usize,
}

impl Scatter {
    pub(crate) fn new(
        step: &ScatterStep,
        isa: Isa,
        threads: usize,
        memory: &MemoryMap,
    ) -> Result<Scatter, DeviceError> {
        let ScatterStep { outer, extent, count, inner, .. } = *step;
        memory.check_bytes(step.destination, outer * extent * inner * step.dtype.bytes())?;
        memory.check_bytes(step.updates, outer * count * inner * step.dtype.bytes())?;
        memory.check_bytes(step.indices, count * DType::I32.bytes())?;
        let is_parallel = threads > 1 && outer * count * inner >= PARALLEL;
        let wanted = if is_parallel { 4 * threads } else { 1 };
        let inner_parts = wanted.div_ceil(outer.max(1)).min(inner / INNER).max(1);
        let tasks = wanted.min(outer * inner_parts);
        Ok(Scatter {
            step: step.clone(),
            updater: Updater::new(isa, step.kind, step.dtype),
            tasks,
            inner_parts,
        })
    }

    /// Applies the updates, unless an index is out of range.
    ///
    /// # Safety
    /// As for [`crate::tile::TileKernel::run`].
    pub(crate) unsafe fn run(&self, context: &Context<'_>) {
        let ScatterStep { outer, extent, count, .. } = self.step;
        if outer * count == 0 {
            return;
        }
        let base = |id: BufferId| context.bases[id.0 as usize];
        // SAFETY: the caller's promise; the buffer was checked to hold the indices.
        let indices = unsafe { std::slice::from_raw_parts(base(self.step.indices).cast::<i32>(), count) };
        if let Some(index) = indices.iter().find(|index| **index as u32 as usize >= extent) {
            return context.fault.set(i64::from(*index), extent);
        }
        let parts = outer * self.inner_parts;
        let work = |first: usize, end: usize| {
            for part in first..end {
                // SAFETY: the caller's promise; parts are disjoint and indices in range.
                unsafe { self.part(context, indices, part / self.inner_parts, part % self.inner_parts) };
            }
        };
        if self.tasks <= 1 {
            return work(0, parts);
        }
        context.pool.run(self.tasks, &|task, _| {
            work(task * parts / self.tasks, (task + 1) * parts / self.tasks);
        });
    }

    /// Applies all updates to a part of the rows of one outer position.
    unsafe fn part(&self, context: &Context<'_>, indices: &[i32], outer: usize, part: usize) {
        let ScatterStep { extent, count, inner, dtype, .. } = self.step;
        let size = dtype.bytes();
        let (first, end) = (part * inner / self.inner_parts, (part + 1) * inner / self.inner_parts);
        let destination = context.bases[self.step.destination.0 as usize];
        let updates = context.bases[self.step.updates.0 as usize];
        for (i, index) in indices.iter().enumerate() {
            let to = destination.wrapping_add(((outer * extent + *index as usize) * inner + first) * size);
            let from = updates.wrapping_add(((outer * count + i) * inner + first) * size);
            // SAFETY: both rows lie in their buffers.
            unsafe { self.updater.run(to, from, end - first) };
        }
    }

    /// The name that an index out of range is reported under.
    pub(crate) fn name(&self) -> &'static str {
        match self.step.kind {
            ScatterKind::Add => "scatter_add",
            ScatterKind::Max => "scatter_max",
            ScatterKind::Set => "scatter_set",
        }
    }
}
