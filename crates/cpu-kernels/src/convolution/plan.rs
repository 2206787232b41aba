//! Chooses the form of a convolution and cuts it into blocks.

use std::fmt;

use super::Shape;
use super::axis::Axis;
use super::kernels::{Element, Kernels};
use crate::isa::Isa;

/// Longest chain of multiply-adds, in bytes of one row's factors: the factors of a tile stay in the nearest cache.
const CHAIN_BYTES: usize = 2560;
/// Padded copy and sums of one item: a part of the L2 cache each.
const COPY_BYTES: usize = 384 << 10;
const SUMS_BYTES: usize = 384 << 10;
/// Results that are put in order at once for an epilogue.
pub(super) const FINISHED_BYTES: usize = 64 << 10;
/// Tiles side by side that share gathered or transposed panels.
const PANELS: usize = 4;
/// Larger kernel operands come from beyond the L2 cache.
const FAR_BYTES: usize = 1 << 20;
/// Half cycles to gather a piece of a row of pixels, and to transpose a vector.
const PIECE_COST: usize = 8;
const TRANSPOSE_COST: usize = 12;
/// Rows, about, that share transposed columns.
const SUMS_ROWS: usize = 300;
/// Fewest rows of an item when outputs are cut for more items.
const FEWEST_ROWS: usize = 96;
/// Items per thread that columns of pixels are cut into.
const ITEMS_PER_THREAD: usize = 4;
/// Below this many operations (multiplications and additions) a convolution runs on the calling thread.
const PARALLEL_FLOPS: usize = 100_000;
/// Convolutions with so few results and so many blocks of channels sum runs of blocks by themselves: the work can be
/// shared where the results cannot.
const FEW_RESULTS: usize = 4096;
const MANY_BLOCKS: usize = 4;
/// Most runs.
const RUNS: usize = 8;
/// Alignment of the workspace and of its parts.
const ALIGNMENT: usize = 64;

/// How the operands meet in a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Columns are pixels, read from the copy with the garbage between its rows.
    Direct,
    /// Columns are pixels, gathered into panels.
    Gathered,
    /// Columns are outputs.
    Outputs,
}

/// Results with the same remainders: see [`Axis`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub height: usize,
    pub width: usize,
    /// Taps for each channel.
    pub taps: usize,
    /// Where its terms begin in the tables.
    pub entry: usize,
    /// Where its columns begin in the sums.
    pub column: usize,
}

/// A convolution planned for a shape. Pure data: cheap to keep, run by [`Convolution::run`].
#[derive(Clone)]
pub struct Convolution<T: 'static> {
    pub(super) kernels: &'static Kernels<T>,
    pub(super) batch: usize,
    pub(super) groups: usize,
    pub(super) channels: usize,
    pub(super) outputs: usize,
    pub(super) height: Axis,
    pub(super) width: Axis,
    pub(super) threads: usize,
    pub(super) form: Form,
    pub(super) phases: Vec<Phase>,
    /// Entries of each table of offsets.
    pub(super) entries: usize,
    /// Channels of a block of terms; the last block may have fewer.
    pub(super) channel_block: usize,
    /// Blocks that the terms of a block of channels are cut into: more than one only where it is one channel.
    pub(super) tap_blocks: usize,
    /// Runs of blocks of channels that are summed by themselves.
    pub(super) runs: usize,
    /// Examples, rows of pixels of each phase, and outputs of an item; the last item may have fewer.
    pub(super) examples: usize,
    pub(super) band: usize,
    pub(super) output_block: usize,
    /// Columns of the sums of an item.
    pub(super) columns: usize,
}

/// Offsets into the workspace and sizes, in bytes.
pub(super) struct Layout {
    /// Of the tables, which all workers share, after the first.
    pub table: usize,
    /// Sums of the runs, if there are several.
    pub runs: usize,
    pub per_run: usize,
    pub workers: usize,
    pub per_worker: usize,
    /// Into a worker's part.
    pub panels: usize,
    pub sums: usize,
    pub finished: usize,
}

impl<T: Element> Convolution<T> {
    /// Plans a convolution for a pool of at most `threads` threads.
    ///
    /// # Panics
    /// When the machine lacks the instruction set, and when there are not one or two spatial axes.
    pub fn new(shape: &Shape, isa: Isa, threads: usize) -> Convolution<T> {
        assert!(isa.is_available(), "this machine has no {}", isa.name());
        let (height, width) = match &shape.spatial[..] {
            [width] => (Axis::unit(), Axis::new(width)),
            [height, width] => (Axis::new(height), Axis::new(width)),
            axes => panic!("{} spatial axes of a convolution", axes.len()),
        };
        let mut plan = Convolution {
            kernels: T::convolution_kernels(isa),
            batch: shape.batch,
            groups: shape.groups,
            channels: shape.channels,
            outputs: shape.outputs,
            height,
            width,
            threads: threads.max(1),
            form: Form::Direct,
            phases: Vec::new(),
            entries: 0,
            channel_block: 1,
            tap_blocks: 1,
            runs: 1,
            examples: 1,
            band: 1,
            output_block: 1,
            columns: 0,
        };
        if plan.is_empty() {
            return plan;
        }
        plan.cut_terms();
        plan.choose_form();
        match plan.form {
            Form::Direct | Form::Gathered => plan.cut_pixels(),
            Form::Outputs => plan.cut_outputs(),
        }
        plan
    }

    /// Whether there are no results.
    pub(super) fn is_empty(&self) -> bool {
        self.batch * self.groups * self.outputs * self.pixels() == 0
    }

    /// Pixels of the result.
    pub(super) fn pixels(&self) -> usize {
        self.height.output * self.width.output
    }

    /// Cuts the terms into blocks, by shape alone, and gives each phase its part of the tables.
    fn cut_terms(&mut self) {
        let longest = CHAIN_BYTES / size_of::<T>();
        let taps = |axis: &Axis| axis.phases.iter().map(Vec::len).max().unwrap_or(0);
        let most_taps = (taps(&self.height) * taps(&self.width)).max(1);
        let channel_blocks = self.channels.div_ceil((longest / most_taps).max(1)).max(1);
        self.channel_block = self.channels.div_ceil(channel_blocks);
        self.tap_blocks = most_taps.div_ceil(longest);
        let few = self.batch * self.groups * self.outputs * self.pixels() <= FEW_RESULTS;
        let run =
            if few && channel_blocks >= MANY_BLOCKS { channel_blocks.div_ceil(RUNS) } else { channel_blocks };
        self.runs = channel_blocks.div_ceil(run);
        for height in 0..self.height.phases.len() {
            for width in 0..self.width.phases.len() {
                let taps = self.height.phases[height].len() * self.width.phases[width].len();
                self.phases.push(Phase { height, width, taps, entry: self.entries, column: 0 });
                self.entries += taps * self.channel_block;
            }
        }
    }

    /// Chooses what costs least, in half cycles for each term, where a multiply-add of a vector costs one.
    fn choose_form(&mut self) {
        let vectors = |columns: usize| columns.div_ceil(self.kernels.lanes);
        // A tile of one vector waits for its loads.
        let tiles = |rows: usize, vectors: usize| rows * if vectors == 1 { 4 } else { 3 } * vectors / 3;
        let (rows, row) = (self.height.results(0), self.width.results(0));
        let columns = (rows - 1) * self.width.extent(row) + row;
        let direct = self.batch * tiles(self.outputs, vectors(columns));
        let lines = self.batch * rows;
        let gathered = tiles(self.outputs, vectors(lines * row)) + PIECE_COST * lines * vectors(row);
        let (pixels, terms) = (lines * row, (self.channels * self.phases[0].taps).max(1));
        let outputs = tiles(pixels, vectors(self.outputs))
            + TRANSPOSE_COST * vectors(self.outputs) * (1 + pixels / SUMS_ROWS + pixels / terms);
        self.form = if self.phases.len() == 1 && outputs < direct.min(gathered) {
            Form::Outputs
        } else if direct <= gathered {
            Form::Direct
        } else {
            Form::Gathered
        };
    }

    /// Cuts convolutions whose columns are pixels.
    fn cut_pixels(&mut self) {
        let size = size_of::<T>();
        let panel = self.kernels.columns();
        let rows = self.height.results(0);
        let row = self.phase_columns(1);
        self.output_block = self.outputs;
        if self.form == Form::Gathered {
            let most = PANELS * panel;
            self.examples = (most / (rows * row)).clamp(1, self.batch);
            self.band = (most / row).clamp(1, rows);
        } else {
            let fits = |plan: &Self, band: usize| {
                plan.copy_elements(1, band) * size <= COPY_BYTES
                    && plan.outputs * plan.phases.len() * plan.phase_columns(band) * size <= SUMS_BYTES
            };
            let mut band = rows;
            while band > 1 && !fits(self, band) && self.phase_columns(band) > panel {
                band = even(rows, band / 2);
            }
            self.band = band;
        }
        let line = self.phases.len() * self.examples * self.phase_columns(self.band) * size;
        self.output_block = (SUMS_BYTES / line).max(2 * self.kernels.rows()).min(self.outputs);
        self.output_block = even(self.outputs, self.output_block);
        self.cut_for_threads(rows, panel);
        let mut column = 0;
        let columns = self.examples * self.phase_columns(self.band);
        for phase in &mut self.phases {
            phase.column = column;
            column += columns.next_multiple_of(self.kernels.lanes);
        }
        self.columns = column;
    }

    /// Makes items smaller until there are enough for the threads.
    fn cut_for_threads(&mut self, rows: usize, panel: usize) {
        if !self.is_parallel() {
            return;
        }
        let wanted = self.threads * ITEMS_PER_THREAD;
        while self.items() < wanted && self.output_block >= 2 * FEWEST_ROWS {
            self.output_block = even(self.outputs, self.output_block / 2);
        }
        while self.items() < wanted && self.examples > 1 {
            self.examples = even(self.batch, self.examples / 2);
        }
        while self.items() < wanted && self.band > 1 && self.phase_columns(self.band) >= 2 * panel {
            self.band = even(rows, self.band / 2);
        }
        while self.items() < wanted && self.output_block >= 4 * self.kernels.rows() {
            self.output_block = even(self.outputs, self.output_block / 2);
        }
    }

    /// Cuts convolutions whose columns are outputs.
    fn cut_outputs(&mut self) {
        let size = size_of::<T>();
        let most = PANELS * self.kernels.columns();
        self.output_block = even(self.outputs, most.min(self.outputs));
        self.band = self.height.output;
        let sums = self.pixels() * self.output_block * size;
        let copy = self.copy_elements(1, self.band) * size;
        self.examples = (SUMS_BYTES / sums).min(COPY_BYTES / copy.max(1)).clamp(1, self.batch);
        self.examples = even(self.batch, self.examples);
        if self.is_parallel() {
            while self.items() < self.threads && self.examples > 1 {
                self.examples = even(self.batch, self.examples / 2);
            }
            while self.items() < self.threads && self.output_block > self.kernels.columns() {
                self.output_block = even(self.outputs, self.output_block / 2);
            }
        }
        self.columns = self.output_block.next_multiple_of(self.kernels.lanes);
    }

    /// Columns of the first phase, which has the most, in an example's band of `band` rows.
    fn phase_columns(&self, band: usize) -> usize {
        let row = self.width.results(0);
        match self.form {
            Form::Direct => (band - 1) * self.width.extent(row) + row,
            Form::Gathered | Form::Outputs => band * row,
        }
    }

    /// Elements of the planes of one channel.
    pub(super) fn channel_elements(&self, band: usize) -> usize {
        self.height.planes.len()
            * self.height.extent(band)
            * self.width.planes.len()
            * self.width.extent(self.width.results(0))
    }

    fn copy_elements(&self, examples: usize, band: usize) -> usize {
        examples * self.channel_block * self.channel_elements(band)
    }

    /// Longest block of terms.
    pub(super) fn longest_block(&self) -> usize {
        let taps = self.phases.iter().map(|phase| phase.taps).max().unwrap_or(0);
        (taps * self.channel_block).div_ceil(self.tap_blocks)
    }

    /// Whether factors read in place come from afar.
    pub(super) fn is_far(&self) -> bool {
        self.outputs * self.channels * self.phases[0].taps * size_of::<T>() > FAR_BYTES
    }

    /// Bands of rows of an image.
    pub(super) fn bands(&self) -> usize {
        self.height.results(0).div_ceil(self.band)
    }

    /// Parts that can be computed by different threads.
    pub(super) fn items(&self) -> usize {
        self.groups
            * self.batch.div_ceil(self.examples)
            * self.bands()
            * self.outputs.div_ceil(self.output_block)
    }

    /// Results of one output in an item.
    pub(super) fn line(&self) -> usize {
        let rows = (self.band * self.height.step()).min(self.height.output);
        self.examples * rows * self.width.output
    }

    /// Whether the work is worth more than one thread.
    pub(super) fn is_parallel(&self) -> bool {
        let taps: usize = self.phases.iter().map(|phase| phase.taps).sum();
        let terms = self.channels * taps.max(1) / self.phases.len().max(1);
        let results = self.batch * self.groups * self.outputs * self.pixels();
        self.threads > 1 && terms.saturating_mul(results).saturating_mul(2) >= PARALLEL_FLOPS
    }

    /// Bytes of workspace that [`Convolution::run`] needs, whatever the strides.
    pub fn workspace_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        let layout = self.layout();
        layout.workers + layout.per_worker * if self.is_parallel() { self.threads } else { 1 }
    }

    pub(super) fn layout(&self) -> Layout {
        let bytes = |elements: usize| (elements * size_of::<T>()).next_multiple_of(ALIGNMENT);
        let table = (self.entries * size_of::<isize>()).next_multiple_of(ALIGNMENT);
        let steps = (self.longest_block() * size_of::<isize>()).next_multiple_of(ALIGNMENT);
        let copy = self.copy_elements(self.examples, self.band) + self.kernels.lanes;
        let rows = match self.form {
            Form::Direct | Form::Gathered => self.output_block,
            Form::Outputs => self.examples * self.pixels(),
        };
        let panels = match self.form {
            Form::Direct => 0,
            Form::Gathered => {
                (self.examples * self.phase_columns(self.band)).next_multiple_of(self.kernels.columns())
            }
            Form::Outputs => self.output_block.next_multiple_of(self.kernels.columns()),
        };
        let panels_at = bytes(copy);
        let sums_at = panels_at + bytes(panels * self.longest_block());
        let finished_at = sums_at + bytes(rows * self.columns);
        let per_run = bytes(rows * self.columns);
        let runs = 2 * table + steps;
        let runs_size = if self.runs > 1 { self.items() * self.runs * per_run } else { 0 };
        Layout {
            table,
            runs,
            per_run,
            workers: runs + runs_size,
            per_worker: finished_at + FINISHED_BYTES.max(bytes(self.line())),
            panels: panels_at,
            sums: sums_at,
            finished: finished_at,
        }
    }
}

/// The size of a block when `total` is cut evenly into blocks of at most `most`.
fn even(total: usize, most: usize) -> usize {
    total.div_ceil(total.div_ceil(most.max(1)).max(1))
}

impl<T> fmt::Debug for Convolution<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Convolution")
            .field("form", &self.form)
            .field("phases", &self.phases.len())
            .field("channel_block", &self.channel_block)
            .field("tap_blocks", &self.tap_blocks)
            .field("runs", &self.runs)
            .field("examples", &self.examples)
            .field("band", &self.band)
            .field("output_block", &self.output_block)
            .field("columns", &self.columns)
            .finish()
    }
}
