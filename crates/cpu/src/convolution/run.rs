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

/// A block of terms: some channels, all or some of their taps.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub channel: usize,
    pub channels: usize,
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
        // SAFETY: the items are disjoint parts of the result; the rest is the caller's promise.
        let compute = |item: usize, worker: usize| unsafe { run.compute(item, worker) };
        if self.is_parallel() {
            pool.run(self.items(), &compute);
        } else {
            (0..self.items()).for_each(|item| compute(item, 0));
        }
    }
}

impl<T: Element> Run<'_, T> {
    unsafe fn compute(&self, index: usize, worker: usize) {
        let (item, memory) = (self.item(index, worker), self.memory(worker));
        // SAFETY: the caller's promise; the memory is this worker's.
        unsafe {
            match self.plan.form {
                Form::Direct | Form::Gathered => self.compute_pixels(&item, &memory),
                Form::Outputs => self.compute_outputs(&item, &memory),
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

    fn memory(&self, worker: usize) -> Memory<T> {
        let layout = &self.layout;
        let start = self.workspace.wrapping_add(layout.workers + worker * layout.per_worker);
        let part = |offset: usize| start.wrapping_add(offset).cast::<T>();
        Memory {
            copy: part(0),
            panels: part(layout.panels),
            sums: part(layout.sums),
            finished: part(layout.finished),
        }
    }

    /// The blocks of channels, at least one: an empty sum is a block of no terms.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block> {
        let (channels, most) = (self.plan.channels, self.plan.channel_block.max(1));
        (0..channels.max(1))
            .step_by(most)
            .map(move |channel| Block { channel, channels: most.min(channels - channel) })
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
