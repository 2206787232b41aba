//! Runs a planned product: blocks of C, blocks of k, panels of A and strips of B.

use std::mem::MaybeUninit;

use super::kernels::{Element, Kernel, VECTORS};
use super::output::{Output, Tile};
use super::pack::PackCall;
use super::plan::{Gemm, Layout, STRIP_HEADER_BYTES, Shape, Split};
use super::tile::{PREFETCH_EVERY, TileCall};
use super::{Matrix, Right};
use crate::pool::Pool;

/// Column and term of no strip.
const NO_STRIP: (usize, usize) = (usize::MAX, usize::MAX);
/// Tasks per thread that tiles are cut into: enough that a thread that falls behind is relieved.
const TASKS_PER_THREAD: usize = 16;
/// Fewest operations in a task.
const TASK_FLOPS: usize = 50_000;
/// Fewest panels that share one packed strip of B when rows are cut for more tasks.
const PANELS_PER_PACKED_STRIP: usize = 4;
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

/// Lines cut into panels of nearly equal height.
#[derive(Clone, Copy)]
struct Panels {
    lines: usize,
    count: usize,
}

impl Panels {
    fn new(lines: usize, most: usize) -> Panels {
        Panels { lines, count: lines.div_ceil(most) }
    }

    /// The first line of a panel.
    fn start(self, panel: usize) -> usize {
        let (height, taller) = (self.lines / self.count, self.lines % self.count);
        panel * height + panel.min(taller)
    }
}

/// One block of C and of k, with all that a task needs to know.
struct Block<'a, T: 'static> {
    gemm: &'a Gemm<T>,
    output: &'a Output<'a, T>,
    batch: usize,
    a: Matrix<*const T>,
    b: Right<T>,
    row: usize,
    panels: Panels,
    column: usize,
    columns: usize,
    term: usize,
    terms: usize,
    /// Packed A, or null where A is read in place.
    packed_a: *mut T,
    pack_b: bool,
    /// For each worker a header, the column and term of its packed strip, and the strip.
    packed_b: *mut u8,
    packed_b_per_worker: usize,
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
            let slots = if matches!(team, Team::One(_)) { 1 } else { self.threads };
            for slot in 0..slots {
                // SAFETY: the header is a part of the workspace, and no task runs yet.
                unsafe { block.header(slot).write(NO_STRIP) };
            }
        }
        for column in (0..n).step_by(column_block) {
            (block.column, block.columns) = (column, column_block.min(n - column));
            for row in (0..m).step_by(self.row_block) {
                block.row = row;
                block.panels = Panels::new(self.row_block.min(m - row), most_rows);
                for step in 0..self.k_blocks() {
                    block.term = step * self.k_block;
                    block.terms = self.k_block.min(k - block.term);
                    // SAFETY: the block lies inside the product.
                    unsafe { block.run(team, self.threads) };
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
    fn packed_offset(&self, term: usize, terms: usize, column: usize) -> usize {
        term * self.shape.n.next_multiple_of(self.kernels.lanes) + column * terms
    }

    /// Packs `count` columns of B, each term's columns in whole vectors.
    unsafe fn pack_strip(
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
        let groups =
            Panels::new(self.panels.count, self.panels.count.div_ceil(self.groups(team, strips, threads)));
        // SAFETY: each task has a part of C of its own, and its worker a packed strip of its own.
        team.run(strips * groups.count, &|task, place| unsafe {
            let (strip, group) = (task / groups.count, task % groups.count);
            self.compute(strip, groups.start(group), groups.start(group + 1), place);
        });
    }

    /// Into how many groups to cut the panels, so that there are enough tasks for the threads.
    fn groups(&self, team: &Team<'_>, strips: usize, threads: usize) -> usize {
        if matches!(team, Team::One(_)) {
            return 1;
        }
        let flops = 2 * self.panels.lines * self.columns * self.terms;
        let tasks = (flops / TASK_FLOPS).clamp(1, threads * TASKS_PER_THREAD);
        let fewest = if self.pack_b { PANELS_PER_PACKED_STRIP } else { 1 };
        tasks.div_ceil(strips).clamp(1, (self.panels.count / fewest).max(1))
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
        // SAFETY: the strip lies inside B; the packed strip belongs to this worker.
        let mut right = unsafe { self.right(column, count, place.slot) };

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
        let strip_ahead = self.ahead(inside + gemm.strip());
        for panel in from..end {
            let (ahead, ahead_k) = self.ahead_of(strip_ahead, panel);
            let (row, next) = (self.panels.start(panel), self.panels.start(panel + 1));
            let (a, a_row, a_k) = self.left(row, next - row);
            let c = base.wrapping_offset((if uses_scratch { row - kept } else { row }) as isize * stride);
            let mut tile = Tile {
                worker: place.worker,
                batch: self.batch,
                row: self.row + row,
                column,
                rows: next - row,
                columns: count,
                values: c,
                stride: stride as usize,
            };
            // SAFETY: the tile is this task's alone.
            let fetched = in_place.is_none() && self.term == 0 && unsafe { self.output.fetch(&tile) };
            let call = TileCall {
                k: self.terms,
                a,
                a_row,
                a_k,
                b: right.data,
                b_k: right.row,
                b_copy: right.copy,
                c,
                c_row: stride,
                last: count - (vectors - 1) * lanes,
                ahead,
                ahead_k,
                accumulate: accumulate || fetched,
            };
            // SAFETY: the tile lies inside the block; its operands are packed or vouched for by the caller.
            unsafe { self.tiles(&right)[next - row - 1][vectors - 1](&call) };
            right = right.next(vectors * lanes);
            let full = (next - kept + gemm.kernels.tiles.len()) * lanes * VECTORS > SCRATCH;
            if in_place.is_none() && last_block && (full || panel + 1 == end) {
                tile.values = c.wrapping_offset((kept as isize - row as isize) * stride);
                (tile.row, tile.rows) = (self.row + kept, next - kept);
                // SAFETY: the rows from `kept` on are complete, and no other task has them.
                unsafe { self.output.deliver(&tile) };
                kept = next;
            }
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

    /// The header of a worker's packed strip.
    fn header(&self, slot: usize) -> *mut (usize, usize) {
        self.packed_b.wrapping_add(slot * self.packed_b_per_worker).cast()
    }

    /// Where the strip begins that this worker will most likely pack next, and its stride of terms; only where packing
    /// reads a piece here and a piece there, which the hardware does not foresee.
    fn ahead(&self, inside: usize) -> Option<(*const T, isize)> {
        match self.b {
            Right::Strided(b) if self.pack_b && b.column == 1 && inside < self.columns => {
                let offset = self.term as isize * b.row + (self.column + inside) as isize;
                Some((b.data.wrapping_offset(offset), b.row))
            }
            _ => None,
        }
    }

    /// The cache lines of the strip `ahead` to ask for during the tile of `panel`: those of one column of lines, a
    /// part of the terms.
    fn ahead_of(&self, ahead: Option<(*const T, isize)>, panel: usize) -> (*const T, isize) {
        const LINE: usize = 64;
        let lines = self.gemm.strip() * size_of::<T>() / LINE;
        match ahead {
            Some((from, stride)) if panel < lines * PREFETCH_EVERY => {
                let term = panel / lines * self.terms / PREFETCH_EVERY;
                let line = panel % lines * (LINE / size_of::<T>());
                (from.wrapping_add(line).wrapping_offset(term as isize * stride), stride)
            }
            _ => (self.packed_b.cast(), 0),
        }
    }

    /// The tile kernels for these operands.
    fn tiles(&self, right: &Strip<T>) -> &'static [[Kernel<TileCall<T>>; VECTORS]] {
        let kernels = self.gemm.kernels;
        match (self.packed_a.is_null(), right.copy.is_null()) {
            (true, _) => kernels.tiles,
            (false, true) => kernels.packed_tiles,
            (false, false) => kernels.copying_tiles,
        }
    }

    /// `count` columns of B, packed or in place.
    unsafe fn right(&self, column: usize, count: usize, slot: usize) -> Strip<T> {
        let width = count.next_multiple_of(self.gemm.kernels.lanes) as isize;
        let copy = std::ptr::null_mut();
        let b = match self.b {
            Right::Packed { data, .. } => {
                let data = data.wrapping_add(self.gemm.packed_offset(self.term, self.terms, column));
                return Strip { data, row: width, copy };
            }
            Right::Strided(b) => b,
        };
        let offset = self.term as isize * b.row + column as isize * b.column;
        let in_place = Strip { data: b.data.wrapping_offset(offset), row: b.row, copy };
        if !self.pack_b {
            return in_place;
        }
        let header = self.header(slot);
        let to = header.cast::<u8>().wrapping_add(STRIP_HEADER_BYTES).cast::<T>();
        // SAFETY: this part of the workspace belongs to this worker.
        let known = unsafe { header.replace((column, self.term)) };
        if known == (column, self.term) {
            return Strip { data: to, row: width, copy };
        }
        if b.column == 1 && !self.packed_a.is_null() {
            return Strip { copy: to, ..in_place };
        }
        // SAFETY: the strip lies inside B, and `to` belongs to this worker.
        unsafe { self.gemm.pack_strip(b, column, count, self.term, self.terms, to) };
        Strip { data: to, row: width, copy }
    }
}

/// One strip of B as a tile kernel reads it.
#[derive(Clone, Copy)]
struct Strip<T> {
    data: *const T,
    /// From one term to the next.
    row: isize,
    /// Where the first tile's kernel packs it in passing; null when it need not.
    copy: *mut T,
}

impl<T> Strip<T> {
    /// The strip for the tiles after the first: the copy, if one was made, whose rows have `width` elements.
    fn next(self, width: usize) -> Strip<T> {
        if self.copy.is_null() {
            return self;
        }
        Strip { data: self.copy, row: width as isize, copy: std::ptr::null_mut() }
    }
}
