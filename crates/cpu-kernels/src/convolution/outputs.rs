//! The form whose columns are outputs and whose rows are pixels.

use super::kernels::Element;
use super::run::{Block, Item, Memory, Run, cut, panel_start};
use super::tile::{MOST_ROWS, TileCall};
use crate::gemm::pack::PackCall;

impl<T: Element> Run<'_, T> {
    /// Computes a run of an item.
    ///
    /// # Safety
    /// The item lies in the convolution and is nobody else's, the memory is this worker's.
    pub(super) unsafe fn compute_outputs(&self, item: &Item, run: usize, memory: &Memory<T>) {
        let plan = self.plan;
        for block in self.blocks(run) {
            // SAFETY: the caller's promise.
            let pixels = unsafe { self.pixels(item, block, memory) };
            for tap_block in 0..plan.tap_blocks {
                let (entry, terms) = cut(block.channels * plan.phases[0].taps, plan.tap_blocks, tap_block);
                // SAFETY: the terms lie in the tables and, by their offsets, in the operands.
                unsafe {
                    self.transpose(item, block, entry, terms, memory.panels);
                    let accumulate = !block.is_first || tap_block > 0;
                    self.multiply_outputs(item, pixels, entry, terms, memory, accumulate);
                }
            }
        }
    }

    /// Packs the kernel's elements `[output, term]` as `[panel][term][output]`. Terms at equal distances go together.
    unsafe fn transpose(&self, item: &Item, block: Block, entry: usize, terms: usize, to: *mut T) {
        let kernels = self.plan.kernels;
        let width = kernels.columns();
        // SAFETY: the terms lie in the tables.
        let offsets = unsafe { std::slice::from_raw_parts(self.tables.kernel.add(entry), terms) };
        for (panel, first) in (0..item.outputs).step_by(width).enumerate() {
            let from = self.weights(item, item.output + first, block);
            let mut done = 0;
            while done < terms {
                let step = if done + 1 < terms { offsets[done + 1] - offsets[done] } else { 1 };
                let mut end = done + 1;
                while end < terms && offsets[end] - offsets[end - 1] == step {
                    end += 1;
                }
                let call = PackCall {
                    from: from.wrapping_offset(offsets[done]),
                    line: self.kernel.strides[1],
                    term: step,
                    count: width.min(item.outputs - first),
                    k: end - done,
                    to: to.wrapping_add((panel * terms + done) * width),
                    width,
                };
                // SAFETY: the elements lie in the kernel and in the panels.
                unsafe { (kernels.pack)(&call) };
                done = end;
            }
        }
    }

    /// Multiplies a block of terms: panels of rows times tiles side by side.
    unsafe fn multiply_outputs(
        &self,
        item: &Item,
        pixels: *const T,
        entry: usize,
        terms: usize,
        memory: &Memory<T>,
        accumulate: bool,
    ) {
        let plan = self.plan;
        let kernels = plan.kernels;
        let rows = item.examples * plan.pixels();
        let panels = rows.div_ceil(kernels.rows());
        for panel in 0..panels {
            let (row, end) = (panel_start(rows, panels, panel), panel_start(rows, panels, panel + 1));
            let a: [*const T; MOST_ROWS] =
                std::array::from_fn(|i| pixels.wrapping_offset(self.pixel((row + i).min(end - 1))));
            for (tile, first) in (0..item.outputs).step_by(kernels.columns()).enumerate() {
                let count = kernels.columns().min(item.outputs - first);
                let vectors = count.div_ceil(kernels.lanes);
                // SAFETY: rows and columns lie in the item.
                unsafe {
                    let call = TileCall {
                        terms,
                        a,
                        a_offsets: self.tables.source.add(entry),
                        b: memory.panels.add(tile * terms * kernels.columns()),
                        b_offsets: self.tables.panel,
                        c: memory.sums.add(row * plan.columns + first),
                        c_row: plan.columns as isize,
                        last: count - (vectors - 1) * kernels.lanes,
                        accumulate,
                    };
                    (kernels.tiles[end - row - 1][vectors - 1])(&call);
                }
            }
        }
    }

    /// Elements to the pixel of a row, rows being ordered (example, pixel).
    fn pixel(&self, row: usize) -> isize {
        let width = self.plan.width.output;
        let (example, pixel) = (row / self.plan.pixels(), row % self.plan.pixels());
        example as isize * self.source.example
            + (pixel / width) as isize * self.source.row
            + (pixel % width) as isize * self.source.column
    }
}
