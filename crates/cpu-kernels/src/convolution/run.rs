//! Runs a planned convolution item by item.

use super::Strided;
use super::kernels::Element;
use super::output::Output;
use super::plan::{Convolution, Form, Layout};
use super::tables::{Source, Tables};
use crate::pool::Pool;

/// All that an item needs to know.
pub(super) struct Run<'a, T: 'static> {
    pub plan: &'a Convolution<T>,
    pub input: Strided<*const T>,
    pub kernel: Strided<*const T>,
    pub output: &'a Output<'a, T>,
    pub source: Source,
    pub tables: Tables,
    pub layout: Layout,
    pub workspace: *mut u8,
}

// SAFETY: the pointers are operands and workspace that `Convolution::run`'s caller lends to every thread for the length of
// the run; items write disjoint results, workers their own part of the workspace.
unsafe impl<T: Sync> Sync for Run<'_, T> {}

/// One worker's memory.
#[derive(Clone, Copy)]
pub(super) struct Memory<T> {
    /// Padded copies `[example, channel]`.
    pub copy: *mut T,
    /// Packed columns.
    pub panels: *mut T,
    /// `[row, column]`.
    pub sums: *mut T,
    /// Results in order.
    pub finished: *mut T,
}

/// Which results an item computes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub worker: usize,
    pub group: usize,
    pub example: usize,
    pub examples: usize,
    /// Rows of each phase.
    pub row: usize,
    pub output: usize,
    pub outputs: usize,
}

/// A block of channels.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub channel: usize,
    pub channels: usize,
    /// Of its run: nothing has been summed yet.
    pub is_first: bool,
}

impl<T: Element> Convolution<T> {
    /// Computes the convolution.
    ///
    /// # Panics
    /// When the pool has more threads than the plan; a plan for one thread ignores the pool.
    ///
    /// # Safety
    /// Input and kernel are readable and the result is writable at their strides, and nobody else writes the operands or
    /// touches the result meanwhile. `workspace` is 64-byte aligned and has [`Convolution::workspace_bytes`] bytes that
    /// nobody else uses meanwhile.
    pub unsafe fn run(
        &self,
        pool: &Pool,
        input: Strided<*const T>,
        kernel: Strided<*const T>,
        output: &Output<'_, T>,
        workspace: *mut u8,
    ) {
        assert!(
            self.threads == 1 || pool.threads() <= self.threads,
            "the pool has more threads than the plan"
        );
        if self.is_empty() {
            return;
        }
        let layout = self.layout();
        let source = self.source(&input);
        let table =
            |number: usize| workspace.wrapping_add(number * layout.table).cast::<isize>().cast_const();
        let tables = Tables { source: table(0), kernel: table(1), panel: table(2) };
        // SAFETY: the tables lie in the workspace.
        unsafe { self.fill_tables(&source, &input, &kernel, tables) };
        let run = Run { plan: self, input, kernel, output, source, tables, layout, workspace };
        let parallel = |tasks: usize, task: &(dyn Fn(usize, usize) + Sync)| {
            if self.is_parallel() {
                pool.run(tasks, task);
            } else {
                (0..tasks).for_each(|i| task(i, 0));
            }
        };
        // SAFETY: the items are disjoint parts of the result, the runs of the workspace; the rest is the caller's promise.
        parallel(self.items() * self.runs, &|task, worker| unsafe { run.compute(task, worker) });
        if self.runs > 1 {
            // SAFETY: as above, and all runs are done.
            parallel(self.items(), &|item, worker| unsafe { run.combine(item, worker) });
        }
    }
}

impl<T: Element> Run<'_, T> {
    /// Computes a run of an item, and hands the item over where it is the only one.
    unsafe fn compute(&self, task: usize, worker: usize) {
        let (index, run) = (task / self.plan.runs, task % self.plan.runs);
        let (item, memory) = (self.item(index, worker), self.memory(index, run, worker));
        // SAFETY: the caller's promise; the memory is this worker's or this run's.
        unsafe {
            match self.plan.form {
                Form::Direct | Form::Gathered => self.compute_pixels(&item, run, &memory),
                Form::Outputs => self.compute_outputs(&item, run, &memory),
            }
            if self.plan.runs == 1 {
                self.deliver(&item, &memory);
            }
        }
    }

    /// Adds the runs of an item in order and hands it over.
    unsafe fn combine(&self, index: usize, worker: usize) {
        let (item, memory) = (self.item(index, worker), self.memory(index, 0, worker));
        for run in 1..self.plan.runs {
            let from = self.memory(index, run, worker).sums;
            for i in 0..self.layout.per_run / size_of::<T>() {
                // SAFETY: the sums of both runs have as many elements, and nobody else uses them any more.
                unsafe { *memory.sums.add(i) = *memory.sums.add(i) + *from.add(i) };
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.deliver(&item, &memory) };
    }

    unsafe fn deliver(&self, item: &Item, memory: &Memory<T>) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.plan.form {
                Form::Direct | Form::Gathered => self.deliver_pixels(item, memory),
                Form::Outputs => self.deliver_outputs(item, memory),
            }
        }
    }

    /// Items are ordered (group, examples, band, outputs).
    fn item(&self, index: usize, worker: usize) -> Item {
        let plan = self.plan;
        let blocks = plan.outputs.div_ceil(plan.output_block);
        let (index, output) = (index / blocks, index % blocks * plan.output_block);
        let (index, row) = (index / plan.bands(), index % plan.bands() * plan.band);
        let blocks = plan.batch.div_ceil(plan.examples);
        let (group, example) = (index / blocks, index % blocks * plan.examples);
        Item {
            worker,
            group,
            example,
            examples: plan.examples.min(plan.batch - example),
            row,
            output,
            outputs: plan.output_block.min(plan.outputs - output),
        }
    }

    fn memory(&self, item: usize, run: usize, worker: usize) -> Memory<T> {
        let layout = &self.layout;
        let start = layout.workers + worker * layout.per_worker;
        let part = |offset: usize| self.workspace.wrapping_add(start + offset).cast::<T>();
        let of_run = layout.runs + (item * self.plan.runs + run) * layout.per_run;
        let sums =
            if self.plan.runs > 1 { self.workspace.wrapping_add(of_run).cast() } else { part(layout.sums) };
        Memory { copy: part(0), panels: part(layout.panels), sums, finished: part(layout.finished) }
    }

    /// The blocks of channels of a run, at least one: an empty sum is a block of no terms.
    pub(super) fn blocks(&self, run: usize) -> impl Iterator<Item = Block> {
        let (channels, most) = (self.plan.channels, self.plan.channel_block.max(1));
        let (first, count) = cut(channels.div_ceil(most).max(1), self.plan.runs, run);
        (first..first + count).map(move |block| {
            let channel = block * most;
            Block { channel, channels: most.min(channels - channel), is_first: block == first }
        })
    }

    /// Makes the pixels of a block readable; the first element of the item's first row in the block's first channel.
    ///
    /// # Safety
    /// The item lies in the convolution, the memory is this worker's.
    pub(super) unsafe fn pixels(&self, item: &Item, block: Block, memory: &Memory<T>) -> *const T {
        let [example, group, channel, ..] = self.input.strides;
        let data = self.input.data.wrapping_offset(
            item.example as isize * example + item.group as isize * group + block.channel as isize * channel,
        );
        if self.source.in_place {
            return data.wrapping_offset(item.row as isize * self.source.row);
        }
        for i in 0..item.examples as isize {
            let from = data.wrapping_offset(i * example);
            let to = memory.copy.wrapping_offset(i * self.source.example);
            // SAFETY: examples are copied in the order in which they lie.
            unsafe { self.plan.copy_channels(from, &self.input, item.row, block.channels, to) };
        }
        memory.copy
    }

    /// Where the offsets of the kernel are counted from, for an output and the first channel of a block.
    pub(super) fn weights(&self, item: &Item, output: usize, block: Block) -> *const T {
        let [group, outputs, channel, ..] = self.kernel.strides;
        self.kernel.data.wrapping_offset(
            item.group as isize * group + output as isize * outputs + block.channel as isize * channel,
        )
    }
}

/// The terms of one of `blocks` blocks that `terms` terms are cut into: the first and how many.
pub(super) fn cut(terms: usize, blocks: usize, block: usize) -> (usize, usize) {
    let most = terms.div_ceil(blocks);
    let first = (block * most).min(terms);
    (first, most.min(terms - first))
}

/// The first of `lines` lines in each of `count` panels of nearly equal height.
pub(super) fn panel_start(lines: usize, count: usize, panel: usize) -> usize {
    let (height, taller) = (lines / count, lines % count);
    panel * height + panel.min(taller)
}
