//! The form whose columns are pixels and whose rows are outputs.

use super::gather::{GatherCall, Piece};
use super::kernels::Element;
use super::plan::{Form, Phase};
use super::run::{Block, Item, Memory, Run, cut, panel_start};
use super::tile::{MOST_ROWS, TileCall};
use crate::gemm::simd::prefetch_near;

/// Most columns of a tile, and so most pieces of a panel.
const MOST_COLUMNS: usize = 64;
/// Terms from one request for factors to the next: about half a cache line of neighbours.
const ASK_EVERY: usize = 8;

/// The results of one phase in an item.
#[derive(Clone, Copy)]
pub(super) struct PhasePart {
    pub height: usize,
    pub width: usize,
    /// Columns of the sums, and from row to row of pixels and from example to example in them.
    pub columns: usize,
    pub row: usize,
    pub example: usize,
}

/// Columns of one block of terms: `column` counts from a panel's first.
struct Columns<T> {
    data: *const T,
    /// From one panel to the next.
    panel: usize,
    offsets: *const isize,
}

impl<T: Element> Run<'_, T> {
    /// Computes a run of an item.
    ///
    /// # Safety
    /// The item lies in the convolution and is nobody else's, the memory is this worker's.
    pub(super) unsafe fn compute_pixels(&self, item: &Item, run: usize, memory: &Memory<T>) {
        let plan = self.plan;
        let (sums, sums_row) = self.sums(item, memory);
        for block in self.blocks(run) {
            // SAFETY: the caller's promise.
            let pixels = unsafe { self.pixels(item, block, memory) };
            for phase in &plan.phases {
                let part = self.part(item, phase);
                for tap_block in 0..plan.tap_blocks {
                    let (first, terms) = cut(block.channels * phase.taps, plan.tap_blocks, tap_block);
                    let entry = phase.entry + first;
                    // SAFETY: the terms lie in the tables and, by their offsets, in the operands.
                    unsafe {
                        let columns = match plan.form {
                            Form::Gathered => {
                                self.gather(&part, block, pixels, entry, terms, memory.panels);
                                let panel = terms * plan.kernels.columns();
                                Columns {
                                    data: memory.panels.cast_const(),
                                    panel,
                                    offsets: self.tables.panel,
                                }
                            }
                            Form::Direct | Form::Outputs => {
                                let offsets = self.tables.source.add(entry);
                                Columns { data: pixels, panel: plan.kernels.columns(), offsets }
                            }
                        };
                        let accumulate = !block.is_first || tap_block > 0;
                        let sums = sums.add(phase.column);
                        self.multiply(item, &part, block, entry, terms, &columns, sums, sums_row, accumulate);
                    }
                }
            }
        }
    }

    pub(super) fn part(&self, item: &Item, phase: &Phase) -> PhasePart {
        let plan = self.plan;
        let width = plan.width.results(phase.width);
        let height = plan.height.results(phase.height).saturating_sub(item.row).min(plan.band);
        let (row, columns) = match plan.form {
            Form::Direct => {
                let row = plan.width.extent(plan.width.results(0));
                (row, if height == 0 { 0 } else { (height - 1) * row + width })
            }
            Form::Gathered | Form::Outputs => (width, item.examples * height * width),
        };
        PhasePart { height, width, columns, row, example: height * width }
    }

    /// Packs the panels of a block of terms.
    unsafe fn gather(
        &self,
        part: &PhasePart,
        block: Block,
        pixels: *const T,
        entry: usize,
        terms: usize,
        to: *mut T,
    ) {
        let plan = self.plan;
        let width = plan.kernels.columns();
        let mut pieces = [Piece::default(); MOST_COLUMNS];
        for (panel, first) in (0..part.columns).step_by(width).enumerate() {
            let count = self.pieces(part, first, width.min(part.columns - first), &mut pieces);
            let whole = terms / block.channels.max(1);
            // SAFETY: the entries of the first channel come first in the tables; the pieces lie in the pixels of the item.
            unsafe {
                let call = GatherCall {
                    from: pixels,
                    channels: block.channels,
                    channel_stride: self.source.channel,
                    taps: std::slice::from_raw_parts(self.tables.source.add(entry), whole),
                    pieces: &pieces[..count],
                    to: to.add(panel * terms * width),
                    width,
                };
                (plan.kernels.gather)(&call);
            }
        }
    }

    /// The pieces of `count` columns; how many there are.
    fn pieces(
        &self,
        part: &PhasePart,
        first: usize,
        count: usize,
        pieces: &mut [Piece; MOST_COLUMNS],
    ) -> usize {
        let lanes = self.plan.kernels.lanes;
        let (mut done, mut number) = (0, 0);
        while done < count {
            let (line, column) = ((first + done) / part.width, (first + done) % part.width);
            let (example, row) = (line / part.height, line % part.height);
            let length = (part.width - column).min(count - done).min(lanes);
            let from =
                example as isize * self.source.example + row as isize * self.source.row + column as isize;
            pieces[number] = Piece { from, to: done, count: length };
            done += length;
            number += 1;
        }
        number
    }

    /// Multiplies a block of terms: panels of rows times tiles side by side.
    unsafe fn multiply(
        &self,
        item: &Item,
        part: &PhasePart,
        block: Block,
        entry: usize,
        terms: usize,
        columns: &Columns<T>,
        sums: *mut T,
        sums_row: isize,
        accumulate: bool,
    ) {
        let kernels = self.plan.kernels;
        let panels = item.outputs.div_ceil(kernels.rows());
        let tiles = part.columns.div_ceil(kernels.columns());
        let is_far = self.plan.is_far();
        for panel in 0..panels {
            let (row, end) =
                (panel_start(item.outputs, panels, panel), panel_start(item.outputs, panels, panel + 1));
            let a: [*const T; MOST_ROWS] =
                std::array::from_fn(|i| self.weights(item, item.output + (row + i).min(end - 1), block));
            for (tile, first) in (0..part.columns).step_by(kernels.columns()).enumerate() {
                let count = kernels.columns().min(part.columns - first);
                let vectors = count.div_ceil(kernels.lanes);
                if is_far && panel + 1 < panels {
                    let next = end..panel_start(item.outputs, panels, panel + 2);
                    for output in next.skip(tile).step_by(tiles) {
                        // SAFETY: the terms lie in the tables.
                        unsafe {
                            self.ask_for(self.weights(item, item.output + output, block), entry, terms)
                        };
                    }
                }
                // SAFETY: rows and columns lie in the item.
                unsafe {
                    let call = TileCall {
                        terms,
                        a,
                        a_offsets: self.tables.kernel.add(entry),
                        b: columns.data.wrapping_add(tile * columns.panel),
                        b_offsets: columns.offsets,
                        c: sums.offset(row as isize * sums_row + first as isize),
                        c_row: sums_row,
                        last: count - (vectors - 1) * kernels.lanes,
                        accumulate,
                    };
                    (kernels.tiles[end - row - 1][vectors - 1])(&call);
                }
            }
        }
    }

    /// Asks for the factors of a row that is multiplied next: the rows are too short and too far apart for the machine to
    /// foresee them.
    unsafe fn ask_for(&self, row: *const T, entry: usize, terms: usize) {
        for term in (0..terms).step_by(ASK_EVERY) {
            // SAFETY: the caller's promise.
            prefetch_near(row.wrapping_offset(unsafe { *self.tables.kernel.add(entry + term) }));
        }
    }
}
