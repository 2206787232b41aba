//! Runs a planned product: blocks of C, blocks of k, panels of A and strips of B.

use std::mem::MaybeUninit;

use super::kernels::{Element, VECTORS};
use super::output::{Output, Tile};
use super::pack::PackCall;
use super::plan::{Gemm, Layout, Shape, Split};
use super::tile::{ROUND, Rows, TileCall};
use super::{Matrix, Right};
use crate::pool::Pool;

/// Tasks per thread that tiles are cut into: enough that a thread that falls behind is relieved.
const TASKS_PER_THREAD: usize = 16;
/// Fewest operations in a task.
const TASK_FLOPS: usize = 50_000;
/// Fewest panels that share one packed strip of B when rows are cut for more tasks.
const PANELS_PER_PACKED_STRIP: usize = 4;
/// The same where packing transposes, which takes as long as computing a panel or two, and there are strips enough.
const PANELS_PER_TRANSPOSED_STRIP: usize = 16;
/// B is read where it lies when it is this small, or when few panels of A would use a packed strip.
const UNPACKED_B_BYTES: usize = 24 << 10;
const UNPACKED_B_PANELS: usize = 2;
/// A is read where it lies when it is this small.
const UNPACKED_A_BYTES: usize = 16 << 10;
/// Elements of a tile handed to an epilogue at once, at most.
const SCRATCH: usize = 2048;

/// Aligned memory on the stack.
#[repr(align(64))]
pub(super) struct Scratch<T, const N: usize>([MaybeUninit<T>; N]);

impl<T, const N: usize> Scratch<T, N> {
    pub(super) fn new() -> Self {
        Scratch([const { MaybeUninit::uninit() }; N])
    }

    pub(super) fn data(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }
}

/// Who runs a task: the pool's worker, and which part of the workspace is its own.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub worker: usize,
    pub slot: usize,
}

/// The threads that share one product.
pub(super) enum Team<'a> {
    Pool(&'a Pool),
    /// One thread, with the number the pool gave it.
    One(usize),
}

impl Team<'_> {
    pub(super) fn run(&self, tasks: usize, task: &(dyn Fn(usize, Place) + Sync)) {
        match *self {
            Team::Pool(pool) => pool.run(tasks, &|i, worker| task(i, Place { worker, slot: worker })),
            Team::One(worker) => (0..tasks).for_each(|i| task(i, Place { worker, slot: 0 })),
        }
    }
}

/// Lines cut into panels of nearly equal height, or panels into groups.
#[derive(Clone, Copy)]
struct Panels {
    lines: usize,
    count: usize,
}

impl Panels {
    fn new(lines: usize, most: usize) -> Panels {
        Panels { lines, count: lines.div_ceil(most) }
    }

    /// As many for each of `threads`, where there are enough of them for the difference to be small.
    fn for_threads(lines: usize, most: usize, threads: usize) -> Panels {
        let Panels { count, .. } = Panels::new(lines, most);
        let count =
            if count >= PANELS_PER_PACKED_STRIP * threads { count.next_multiple_of(threads) } else { count };
        Panels { lines, count }
    }

    /// The first line of a panel.
    fn start(self, panel: usize) -> usize {
        let (height, taller) = (self.lines / self.count, self.lines % self.count);
        panel * height + panel.min(taller)
    }
}

/// One block of C and of k, with all that a task needs to know.
pub(super) struct Block<'a, T: 'static> {
    pub gemm: &'a Gemm<T>,
    output: &'a Output<'a, T>,
    batch: usize,
    a: Matrix<*const T>,
    pub b: Right<T>,
    row: usize,
    panels: Panels,
    pub column: usize,
    pub columns: usize,
    pub term: usize,
    pub terms: usize,
    /// Packed A, or null where A is read in place.
    pub packed_a: *mut T,
    pub pack_b: bool,
    /// For each worker a header, which says what its two packed strips are, and the strips.
    pub packed_b: *mut u8,
    pub packed_b_per_worker: usize,
    partial: *mut T,
}

// SAFETY: the pointers are operands and workspace that `Gemm::run`'s caller lends to every thread for the length of the
// run; tasks write disjoint parts.
unsafe impl<T: Sync> Sync for Block<'_, T> {}

impl<T: Element> Gemm<T> {
    /// Computes the products.
    ///
    /// # Panics
    /// When the pool has more threads than the plan (a plan for one thread ignores the pool), and when a packed right
    /// operand is given for m or n equal to 1.
    ///
    /// # Safety
    /// For every product of the batch: A `[m, k]` and B are readable and C is writable at their strides, and nobody
    /// else writes A and B or touches C meanwhile. A packed B was written by a plan of the same shape and instruction
    /// set. `workspace` is 64-byte aligned and has [`Gemm::workspace_bytes`] bytes that nobody else uses meanwhile.
    pub unsafe fn run(
        &self,
        pool: &Pool,
        a: Matrix<*const T>,
        b: Right<T>,
        output: &Output<'_, T>,
        workspace: *mut u8,
    ) {
        assert!(
            self.threads == 1 || pool.threads() <= self.threads,
            "the pool has more threads than the plan"
        );
        if self.shape.m == 0 || self.shape.n == 0 {
            return;
        }
        let operands = Operands { a, b, output, workspace };
        let one = self.layout(1);
        match self.split {
            Split::Inline => {
                for batch in 0..self.batch {
                    // SAFETY: the caller's promise.
                    unsafe { self.run_one(&Team::One(0), &operands, batch, &one, workspace) };
                }
            }
            Split::Tiles => {
                let layout = self.layout(self.threads);
                for batch in 0..self.batch {
                    // SAFETY: the caller's promise.
                    unsafe { self.run_one(&Team::Pool(pool), &operands, batch, &layout, workspace) };
                }
            }
            Split::Batch => {
                let operands = &operands;
                pool.run(self.batch, &|batch, worker| {
                    // SAFETY: the caller's promise; each worker has a workspace of its own.
                    unsafe {
                        let workspace = operands.workspace.add(worker * one.size);
                        self.run_one(&Team::One(worker), operands, batch, &one, workspace);
                    }
                });
            }
        }
    }

    /// Computes product `batch` of the batch.
    unsafe fn run_one(
        &self,
        team: &Team<'_>,
        operands: &Operands<'_, T>,
        batch: usize,
        layout: &Layout,
        workspace: *mut u8,
    ) {
        let Operands { mut a, mut b, output, .. } = *operands;
        if self.is_vector() {
            // SAFETY: the caller's promise.
            return unsafe { self.run_vector(team, a, b, output, batch) };
        }
        a.data = a.data.wrapping_offset(batch as isize * a.batch);
        match &mut b {
            Right::Strided(b) => b.data = b.data.wrapping_offset(batch as isize * b.batch),
            Right::Packed { data, batch: stride } => *data = data.wrapping_offset(batch as isize * *stride),
        }
        let Shape { m, n, k } = self.shape;
        let most_rows = self.kernels.tiles.len();
        let pack_a = self.may_pack_a() && m * k * size_of::<T>() > UNPACKED_A_BYTES;
        let pack_b = match b {
            Right::Packed { .. } => false,
            Right::Strided(b) if b.column == 1 => {
                m > UNPACKED_B_PANELS * most_rows && n * k * size_of::<T>() > UNPACKED_B_BYTES
            }
            Right::Strided(_) => true,
        };
        let threads = if matches!(team, Team::One(_)) { 1 } else { self.threads };
        let uses_partial = self.k_blocks() > 1 && output.in_place().is_none();
        let column_block = if uses_partial { self.partial_columns } else { n };
        let part = |offset: usize| workspace.wrapping_add(offset).cast::<T>();
        let mut block = Block {
            gemm: self,
            output,
            batch,
            a,
            b,
            row: 0,
            panels: Panels::new(1, 1),
            column: 0,
            columns: 0,
            term: 0,
            terms: 0,
            packed_a: if pack_a { part(0) } else { std::ptr::null_mut() },
            pack_b,
            packed_b: workspace.wrapping_add(layout.packed_b),
            packed_b_per_worker: layout.packed_b_per_worker,
            partial: if uses_partial { part(layout.partial) } else { std::ptr::null_mut() },
        };
        if pack_b {
            for slot in 0..threads {
                // SAFETY: no task runs yet.
                unsafe { block.forget_strips(slot) };
            }
        }
        for column in (0..n).step_by(column_block) {
            (block.column, block.columns) = (column, column_block.min(n - column));
            for row in (0..m).step_by(self.row_block) {
                block.row = row;
                block.panels = Panels::for_threads(self.row_block.min(m - row), most_rows, threads);
                for step in 0..self.k_blocks() {
                    block.term = step * self.k_block;
                    block.terms = self.k_block.min(k - block.term);
                    // SAFETY: the block lies inside the product.
                    unsafe { block.run(team, threads) };
                }
            }
        }
    }

    /// Packs B for [`Right::Packed`]: [`Gemm::packed_b_elements`] elements.
    ///
    /// # Panics
    /// When m or n is 1.
    ///
    /// # Safety
    /// B `[k, n]` is readable at its strides, and `to` has room for the packed elements.
    pub unsafe fn pack_b(&self, b: Matrix<*const T>, to: *mut T) {
        assert!(!self.is_vector(), "a product with a vector takes no packed operand");
        let Shape { n, k, .. } = self.shape;
        for term in (0..k).step_by(self.k_block) {
            let terms = self.k_block.min(k - term);
            for column in (0..n).step_by(self.strip()) {
                let count = self.strip().min(n - column);
                let to = to.wrapping_add(self.packed_offset(term, terms, column));
                // SAFETY: the strip lies inside B and inside the packed elements.
                unsafe { self.pack_strip(b, column, count, term, terms, to) };
            }
        }
    }

    /// Where the strip at `column` of the block of `terms` at `term` lies in packed B.
    pub(super) fn packed_offset(&self, term: usize, terms: usize, column: usize) -> usize {
        term * self.shape.n.next_multiple_of(self.kernels.lanes) + column * terms
    }

    /// Packs `count` columns of B, each term's columns in whole vectors.
    ///
    /// # Safety
    /// The columns lie in B, and `to` has room for them.
    pub(super) unsafe fn pack_strip(
        &self,
        b: Matrix<*const T>,
        column: usize,
        count: usize,
        term: usize,
        terms: usize,
        to: *mut T,
    ) {
        let call = PackCall {
            from: b.data.wrapping_offset(term as isize * b.row + column as isize * b.column),
            line: b.column,
            term: b.row,
            count,
            k: terms,
            to,
            width: count.next_multiple_of(self.kernels.lanes),
        };
        // SAFETY: the caller's promise.
        unsafe { (self.kernels.pack)(&call) };
    }
}

/// What all products of a run share.
#[derive(Clone, Copy)]
struct Operands<'a, T> {
    a: Matrix<*const T>,
    b: Right<T>,
    output: &'a Output<'a, T>,
    workspace: *mut u8,
}

// SAFETY: the pointers are lent to every thread for the length of the run by `Gemm::run`'s caller.
unsafe impl<T: Sync> Sync for Operands<'_, T> {}

impl<T: Element> Block<'_, T> {
    /// Computes the block: packs A, then strips times groups of panels.
    unsafe fn run(&self, team: &Team<'_>, threads: usize) {
        if !self.packed_a.is_null() {
            // SAFETY: each task packs a panel of its own.
            team.run(self.panels.count, &|panel, _| unsafe { self.pack_panel(panel) });
        }
        let strips = self.columns.div_ceil(self.gemm.strip());
        let groups = Panels { lines: self.panels.count, count: self.groups(strips, threads) };
        // Strip after strip of one group: the same thread packed its panels, and packs the next strip with this one.
        // SAFETY: each task has a part of C of its own, and its worker packed strips of its own.
        team.run(strips * groups.count, &|task, place| unsafe {
            let (group, strip) = (task / strips, task % strips);
            self.compute(strip, groups.start(group), groups.start(group + 1), place);
        });
    }

    /// Into how many groups to cut the panels: for threads to keep to their own, and for enough tasks.
    fn groups(&self, strips: usize, threads: usize) -> usize {
        if threads == 1 {
            return 1;
        }
        let flops = 2 * self.panels.lines * self.columns * self.terms;
        let tasks = (flops / TASK_FLOPS).clamp(1, threads * TASKS_PER_THREAD);
        let transposes = matches!(self.b, Right::Strided(b) if b.column != 1) && strips >= 2 * threads;
        let fewest = match (self.pack_b, transposes) {
            (false, _) => 1,
            (true, false) => PANELS_PER_PACKED_STRIP,
            (true, true) => PANELS_PER_TRANSPOSED_STRIP,
        };
        let most = (self.panels.count / fewest).max(1);
        let groups = tasks.div_ceil(strips).clamp(1, most);
        if most >= threads { groups.next_multiple_of(threads).min(most) } else { groups }
    }

    unsafe fn pack_panel(&self, panel: usize) {
        let (first, end) = (self.panels.start(panel), self.panels.start(panel + 1));
        let a = self.a;
        let call = PackCall {
            from: a.data.wrapping_offset((self.row + first) as isize * a.row + self.term as isize * a.column),
            line: a.row,
            term: a.column,
            count: end - first,
            k: self.terms,
            to: self.packed_a.wrapping_add(first * self.terms),
            width: end - first,
        };
        // SAFETY: the panel lies inside A and inside packed A.
        unsafe { (self.gemm.kernels.pack)(&call) };
    }

    /// Computes one strip of columns for the panels `from..end`.
    unsafe fn compute(&self, strip: usize, from: usize, end: usize, place: Place) {
        let gemm = self.gemm;
        let lanes = gemm.kernels.lanes;
        let inside = strip * gemm.strip();
        let column = self.column + inside;
        let count = gemm.strip().min(self.columns - inside);
        let vectors = count.div_ceil(lanes);
        // SAFETY: the strip lies inside B; the packed strips belong to this worker.
        let right = unsafe { self.right(column, count, place.slot) };
        let mut next = self.next(inside + gemm.strip(), place.slot, right.data);

        let in_place = self.output.in_place();
        let last_block = self.term + self.terms >= gemm.shape.k;
        let mut scratch = Scratch::<T, SCRATCH>::new();
        // Where rows of this strip go: C, partial sums, or scratch for panels from `kept` on.
        let (base, stride, accumulate) = match in_place {
            Some((c, accumulate)) => {
                let offset = self.batch as isize * c.batch + self.row as isize * c.row + column as isize;
                (c.data.wrapping_offset(offset), c.row, accumulate || self.term > 0)
            }
            None if !self.partial.is_null() => {
                (self.partial.wrapping_add(inside), self.columns as isize, self.term > 0)
            }
            None => (scratch.data(), (vectors * lanes) as isize, false),
        };
        let uses_scratch = in_place.is_none() && self.partial.is_null();
        let mut kept = self.panels.start(from);
        for panel in from..end {
            let (row, end_row) = (self.panels.start(panel), self.panels.start(panel + 1));
            let (a, a_row, a_k) = self.left(row, end_row - row);
            let c = base.wrapping_offset((if uses_scratch { row - kept } else { row }) as isize * stride);
            let mut tile = Tile {
                worker: place.worker,
                batch: self.batch,
                row: self.row + row,
                column,
                rows: end_row - row,
                columns: count,
                values: c,
                stride: stride as usize,
            };
            // SAFETY: the tile is this task's alone.
            let fetched = in_place.is_none() && self.term == 0 && unsafe { self.output.fetch(&tile) };
            // Not with the first panel: the first rows have been asked for only now.
            let to_pack =
                next.as_mut().filter(|_| panel > from).and_then(|next| next.take(self.terms / ROUND));
            let call = TileCall {
                k: self.terms,
                a,
                a_row,
                a_k,
                b: right.data,
                b_k: right.row,
                c,
                c_row: stride,
                next: to_pack.unwrap_or(Rows { from: right.data, row: 0, to: std::ptr::null_mut() }),
                last: count - (vectors - 1) * lanes,
                accumulate: accumulate || fetched,
            };
            let rows = end_row - row;
            let kernel = if to_pack.is_some() {
                gemm.kernels.copying_tiles[rows - 1]
            } else if self.packed_a.is_null() {
                gemm.kernels.tiles[rows - 1][vectors - 1]
            } else {
                gemm.kernels.packed_tiles[rows - 1][vectors - 1]
            };
            // SAFETY: the tile lies inside the block; its operands are packed or vouched for by the caller.
            unsafe { kernel(&call) };
            let full = (end_row - kept + gemm.kernels.tiles.len()) * lanes * VECTORS > SCRATCH;
            if in_place.is_none() && last_block && (full || panel + 1 == end) {
                tile.values = c.wrapping_offset((kept as isize - row as isize) * stride);
                (tile.row, tile.rows) = (self.row + kept, end_row - kept);
                // SAFETY: the rows from `kept` on are complete, and no other task has them.
                unsafe { self.output.deliver(&tile) };
                kept = end_row;
            }
        }
        if let Some(next) = next {
            // SAFETY: as above.
            unsafe { self.finish(next) };
        }
    }

    /// Rows `row..row + rows` of A, packed or in place: pointer, stride of rows, stride of terms.
    fn left(&self, row: usize, rows: usize) -> (*const T, isize, isize) {
        if self.packed_a.is_null() {
            let a = self.a;
            let offset = (self.row + row) as isize * a.row + self.term as isize * a.column;
            (a.data.wrapping_offset(offset), a.row, a.column)
        } else {
            (self.packed_a.wrapping_add(row * self.terms), 1, rows as isize)
        }
    }
}
