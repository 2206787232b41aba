//! Walks the reduced elements of each point, and then the points' tail. See `combine` for the order of combination,
//! which is the same for every strategy.

use std::ops::Range;

use warploom_device::{DeviceError, Kernel};

use super::access::{advance, place_index};
use super::arg::{ArgMax, Best, arg_max};
use super::combine::{BLOCK, WIDTH};
use super::frame::Frame;
use super::kernel::{Phase, TileKernel};
use super::strategy::Strategy;
use super::table::{self, Class, Combiner};
use super::{Context, TILE, Worker};
use warploom_cpu_kernels::isa::Isa;

/// A kernel's reductions, with offsets into a worker's scratch memory.
pub(super) struct Reductions {
    each: Vec<Reduction>,
    /// Blocks that a point's elements make.
    blocks: usize,
    /// Parts that the blocks are cut into to be shared by threads.
    parts: usize,
    blocks_per_part: usize,
}

struct Reduction {
    how: How,
    /// Bytes of a lane.
    lane: usize,
    /// A lane for each point of a unit.
    results: usize,
    /// [`WIDTH`] rows of accumulators.
    accumulators: usize,
    /// Rows of a binary counter.
    stack: usize,
    /// Bytes of a row of `stack`.
    stack_row: usize,
    /// Arg-max's best values, a lane for each point.
    values: usize,
    /// Results of all parts, in the first worker's memory.
    partial: usize,
}

#[derive(Clone, Copy)]
enum How {
    Tree(Combiner),
    ArgMax(ArgMax),
}

/// Bytes of the widest lane.
const WIDEST: usize = 8;

unsafe fn fill(to: *mut u8, lane: usize, count: usize, bits: u64) {
    // SAFETY: the caller's promise: there is room for `count` lanes.
    unsafe {
        if lane == 8 {
            std::slice::from_raw_parts_mut(to.cast::<u64>(), count).fill(bits);
        } else {
            std::slice::from_raw_parts_mut(to.cast::<u32>(), count).fill(bits as u32);
        }
    }
}

/// Adds rows of lanes like ones to a binary counter: rows of equal weight are combined at once.
struct Counter {
    combiner: Combiner,
    stack: *mut u8,
    row: usize,
    lane: usize,
    lanes: usize,
}

impl Counter {
    fn level(&self, level: u32) -> *mut u8 {
        self.stack.wrapping_add(level as usize * self.row)
    }

    /// Adds a row to the `count` rows that were added before.
    unsafe fn push(&self, count: usize, row: *const u8) {
        // SAFETY: the caller's promise: the stack has a row for each digit of the count.
        unsafe {
            let mut row = row;
            let mut level = 0;
            while count >> level & 1 == 1 {
                (self.combiner.accumulate)(self.level(level), row, self.lanes);
                row = self.level(level);
                level += 1;
            }
            std::ptr::copy_nonoverlapping(row, self.level(level), self.lanes * self.lane);
        }
    }

    /// Combines what `count` rows came to.
    unsafe fn finish(&self, count: usize, to: *mut u8) {
        // SAFETY: as above.
        unsafe {
            if count == 0 {
                return fill(to, self.lane, self.lanes, self.combiner.identity);
            }
            let mut level = count.trailing_zeros();
            let mut row = self.level(level);
            level += 1;
            while count >> level > 0 {
                if count >> level & 1 == 1 {
                    (self.combiner.accumulate)(self.level(level), row, self.lanes);
                    row = self.level(level);
                }
                level += 1;
            }
            std::ptr::copy_nonoverlapping(row, to, self.lanes * self.lane);
        }
    }
}

impl Reduction {
    fn counter(&self, scratch: *mut u8, lanes: usize) -> Option<Counter> {
        let How::Tree(combiner) = self.how else { return None };
        let stack = scratch.wrapping_add(self.stack);
        Some(Counter { combiner, stack, row: self.stack_row, lane: self.lane, lanes })
    }

    fn best(&self, scratch: *mut u8, point: usize) -> Best {
        Best {
            values: scratch.wrapping_add(self.values + point * self.lane),
            positions: scratch.wrapping_add(self.results + point * 4).cast(),
        }
    }
}

impl Reductions {
    pub(super) fn new(
        kernel: &Kernel,
        isa: Isa,
        classes: &[Class],
        strategy: Strategy,
        width: usize,
        units: usize,
        tasks: usize,
        scratch: &mut usize,
    ) -> Result<Reductions, DeviceError> {
        let blocks = kernel.sweep().div_ceil(BLOCK);
        let wanted = if units > 0 && units < tasks { (tasks / units).min(blocks / 4).max(1) } else { 1 };
        let blocks_per_part =
            if wanted > 1 { blocks.div_ceil(wanted).next_power_of_two() } else { blocks.max(1) };
        let parts = blocks.div_ceil(blocks_per_part).max(1);
        let levels = (usize::BITS - blocks.leading_zeros()) as usize + 1;
        let mut take = |bytes: usize| {
            let at = scratch.next_multiple_of(64);
            *scratch = at + bytes;
            at
        };
        let is_across = matches!(strategy, Strategy::Across | Strategy::Few | Strategy::Rows(_));
        let mut each = Vec::with_capacity(classes.len());
        for (step, class) in kernel.reductions.iter().zip(classes) {
            let how = match table::combiner(isa, step.kind, *class) {
                Some(combiner) => How::Tree(combiner),
                None => How::ArgMax(arg_max(*class)),
            };
            let is_typed = match how {
                How::Tree(_) => Class::of(step.dtype) == *class,
                How::ArgMax(_) => Class::of(step.dtype) == Class::I32,
            };
            if !is_typed {
                let message = format!("{} of {class:?} registers giving {}", step.kind.name(), step.dtype);
                return Err(DeviceError::Unsupported(message));
            }
            let is_tree = matches!(how, How::Tree(_));
            let row = width * WIDEST;
            each.push(Reduction {
                how,
                lane: class.bytes(),
                results: take(TILE * WIDEST),
                accumulators: take(if is_tree && is_across { WIDTH * row } else { 0 }),
                stack: take(if is_tree { levels * row } else { 0 }),
                stack_row: row,
                values: take(if is_tree { 0 } else { TILE * WIDEST }),
                partial: take(if parts > 1 { 2 * units * parts * row } else { 0 }),
            });
        }
        Ok(Reductions { each, blocks, parts, blocks_per_part })
    }

    /// Parts that the reduced elements are cut into to be shared by threads.
    pub(super) fn parts(&self) -> usize {
        self.parts
    }

    /// Points the tail's registers at the results.
    ///
    /// # Safety
    /// The worker has the size that preparing the kernels came to.
    pub(super) unsafe fn connect(&self, worker: Worker, tail: &Phase) {
        for (reduction, place) in self.each.iter().zip(&tail.lowered.given) {
            let results = worker.scratch.wrapping_add(reduction.results);
            // SAFETY: the caller's promise.
            unsafe { *worker.places.add(tail.places + *place as usize) = results };
        }
    }
}

/// Points of one row: where they begin on the vector axis, and how many.
#[derive(Clone, Copy)]
struct Points {
    row: usize,
    start: usize,
    count: usize,
}

impl TileKernel {
    fn points(&self, unit: usize) -> Points {
        let per_row = self.units_per_row();
        let start = unit % per_row * self.width;
        Points { row: unit / per_row, start, count: self.width.min(self.length - start) }
    }

    /// Computes units `first..end` on the calling thread.
    ///
    /// # Safety
    /// As for [`TileKernel::run`].
    pub(super) unsafe fn reduce(&self, context: &Context<'_>, worker: usize, first: usize, end: usize) {
        let scratch = context.workers[worker].scratch;
        let mut body = self.body.frame(context, worker);
        // SAFETY: the caller's promise.
        unsafe {
            body.run(&self.body.lowered.fixed);
            let mut tail = self.begin_tail(context, worker);
            for unit in first..end {
                let points = self.points(unit);
                self.sweep(&mut body, scratch, points, 0..self.reductions.blocks);
                self.finish(&mut tail, points);
            }
        }
    }

    /// Computes every unit with its reduced elements shared by threads.
    ///
    /// # Safety
    /// As for [`TileKernel::run`].
    pub(super) unsafe fn reduce_in_parts(&self, context: &Context<'_>) {
        let Reductions { each, blocks, parts, blocks_per_part } = &self.reductions;
        let partial = |reduction: &Reduction, unit: usize, part: usize| {
            let row = 2 * (unit * parts + part) * reduction.stack_row;
            context.workers[0].scratch.wrapping_add(reduction.partial + row)
        };
        context.pool.run(self.units() * parts, &|task, worker| {
            let (unit, part) = (task / parts, task % parts);
            let scratch = context.workers[worker].scratch;
            let mut body = self.body.frame(context, worker);
            let points = self.points(unit);
            let range = part * blocks_per_part..((part + 1) * blocks_per_part).min(*blocks);
            // SAFETY: the caller's promise; each task has a row of partial results of its own.
            unsafe {
                body.run(&self.body.lowered.fixed);
                self.sweep(&mut body, scratch, points, range);
                for reduction in each {
                    let to = partial(reduction, unit, part);
                    let bytes = points.count * reduction.lane;
                    std::ptr::copy_nonoverlapping(scratch.add(reduction.results), to, bytes);
                    if let How::ArgMax(_) = reduction.how {
                        let values = to.add(reduction.stack_row);
                        std::ptr::copy_nonoverlapping(scratch.add(reduction.values), values, bytes);
                    }
                }
            }
        });
        let scratch = context.workers[0].scratch;
        // SAFETY: the caller's promise; all tasks are done.
        unsafe {
            let mut tail = self.begin_tail(context, 0);
            for unit in 0..self.units() {
                let points = self.points(unit);
                for reduction in each {
                    match reduction.how {
                        How::Tree(_) => {
                            let Some(counter) = reduction.counter(scratch, points.count) else { continue };
                            for part in 0..*parts {
                                counter.push(part, partial(reduction, unit, part));
                            }
                            counter.finish(*parts, scratch.add(reduction.results));
                        }
                        How::ArgMax(arg) => {
                            fill(scratch.add(reduction.results), 4, points.count, u64::MAX);
                            for part in 0..*parts {
                                let from = partial(reduction, unit, part);
                                let values = from.add(reduction.stack_row);
                                let later = Best { values, positions: from.cast() };
                                (arg.merge)(reduction.best(scratch, 0), later, points.count);
                            }
                        }
                    }
                }
                self.finish(&mut tail, points);
            }
        }
    }

    unsafe fn begin_tail<'a>(
        &'a self,
        context: &Context<'a>,
        worker: usize,
    ) -> Option<(&'a Phase, Frame<'a>)> {
        let tail = self.tail.as_ref()?;
        let mut frame = tail.frame(context, worker);
        // SAFETY: the caller's promise.
        unsafe { frame.run(&tail.lowered.fixed) };
        Some((tail, frame))
    }

    /// Runs the tail over points whose results are there.
    unsafe fn finish(&self, tail: &mut Option<(&Phase, Frame<'_>)>, points: Points) {
        let Some((phase, frame)) = tail else { return };
        place_index(&mut frame.index, &self.rows, points.row);
        (frame.start, frame.count) = (points.start, points.count);
        // SAFETY: the caller's promise.
        unsafe {
            frame.run(&phase.lowered.row);
            frame.run(&phase.lowered.tile);
        }
    }

    /// Leaves in the results what some blocks of the points come to.
    unsafe fn sweep(&self, body: &mut Frame<'_>, scratch: *mut u8, points: Points, blocks: Range<usize>) {
        for reduction in &self.reductions.each {
            if let How::ArgMax(_) = reduction.how {
                // SAFETY: results have a lane for each point.
                unsafe { fill(scratch.add(reduction.results), 4, points.count, u64::MAX) };
            }
        }
        place_index(&mut body.index, &self.rows, points.row);
        // SAFETY: the caller's promise.
        unsafe {
            match self.strategy {
                Strategy::Map | Strategy::Along => self.along(body, scratch, points, blocks),
                Strategy::Segments => self.segments(body, scratch, points),
                Strategy::Across => self.across(body, scratch, points, blocks, 1),
                Strategy::Few => self.few(body, scratch, points),
                Strategy::Rows(rows) => self.across(body, scratch, points, blocks, rows),
            }
            if self.sweep_length() == 0 {
                for reduction in &self.reductions.each {
                    if let How::ArgMax(_) = reduction.how {
                        fill(scratch.add(reduction.results), 4, points.count, 0);
                    }
                }
            }
        }
    }

    fn sweep_length(&self) -> usize {
        self.reduced.iter().product()
    }

    /// Point by point, several blocks in a tile.
    unsafe fn along(&self, body: &mut Frame<'_>, scratch: *mut u8, points: Points, blocks: Range<usize>) {
        let ops = &self.body.lowered;
        let (first, end) = (blocks.start * BLOCK, (blocks.end * BLOCK).min(self.sweep_length()));
        let (outer, axes) = (self.rows.len(), self.rows.len() + self.group.len());
        place_index(&mut body.index[outer..axes], &self.group, points.start);
        let mut one = [0u64; 1];
        let one = one.as_mut_ptr().cast::<u8>();
        for point in 0..points.count {
            // SAFETY: the caller's promise; the frame's position lies in the kernel's axes.
            unsafe {
                body.run(&ops.row);
                for start in (first..end).step_by(TILE) {
                    (body.start, body.count) = (start, TILE.min(end - start));
                    body.run(&ops.tile);
                    for (reduction, operand) in self.reductions.each.iter().zip(&ops.operands) {
                        let lanes = body.place(*operand);
                        match reduction.how {
                            How::ArgMax(arg) => {
                                (arg.along)(reduction.best(scratch, point), lanes, body.count, start as i32);
                            }
                            How::Tree(combiner) => {
                                for at in (0..body.count).step_by(BLOCK) {
                                    let count = BLOCK.min(body.count - at);
                                    (combiner.block)(one, lanes.add(at * reduction.lane), count);
                                    if let Some(counter) = reduction.counter(scratch, 1) {
                                        counter.push((start + at - first) / BLOCK, one);
                                    }
                                }
                            }
                        }
                    }
                }
                for reduction in &self.reductions.each {
                    if let Some(counter) = reduction.counter(scratch, 1) {
                        let to = scratch.add(reduction.results + point * reduction.lane);
                        counter.finish(blocks.len(), to);
                    }
                }
            }
            advance(&mut body.index[outer..axes], &self.group);
        }
    }

    /// Several points in a tile, each one short block.
    unsafe fn segments(&self, body: &mut Frame<'_>, scratch: *mut u8, points: Points) {
        let ops = &self.body.lowered;
        let sweep = self.sweep_length();
        // SAFETY: the caller's promise; a tile holds whole points.
        unsafe {
            body.run(&ops.row);
            for done in (0..points.count).step_by(TILE / sweep) {
                let count = (TILE / sweep).min(points.count - done);
                (body.start, body.count) = ((points.start + done) * sweep, count * sweep);
                body.run(&ops.tile);
                for (reduction, operand) in self.reductions.each.iter().zip(&ops.operands) {
                    let lanes = body.place(*operand);
                    for point in 0..count {
                        let from = lanes.add(point * sweep * reduction.lane);
                        match reduction.how {
                            How::Tree(combiner) => {
                                let to = scratch.add(reduction.results + (done + point) * reduction.lane);
                                (combiner.block)(to, from, sweep);
                            }
                            How::ArgMax(arg) => {
                                (arg.along)(reduction.best(scratch, done + point), from, sweep, 0)
                            }
                        }
                    }
                }
            }
        }
    }

    /// All points at once. Accumulators that no element has would only be combined with the identity: they are left out.
    unsafe fn few(&self, body: &mut Frame<'_>, scratch: *mut u8, points: Points) {
        let ops = &self.body.lowered;
        let (columns, sweep) = (points.count, self.sweep_length());
        let axes = self.rows.len()..self.rows.len() + self.reduced.len();
        (body.start, body.count) = (points.start, columns);
        // SAFETY: the caller's promise; accumulators have a row of columns for each of their positions.
        unsafe {
            body.run(&ops.row);
            body.run(&ops.tile);
            place_index(&mut body.index[axes.clone()], &self.reduced, 0);
            for position in 0..sweep {
                body.run(&ops.step_row);
                body.run(&ops.step);
                advance(&mut body.index[axes.clone()], &self.reduced);
                for (reduction, operand) in self.reductions.each.iter().zip(&ops.operands) {
                    let lanes = body.place(*operand);
                    let row = columns * reduction.lane;
                    let to = scratch.add(reduction.accumulators + position * row);
                    match reduction.how {
                        How::ArgMax(arg) => {
                            (arg.across)(reduction.best(scratch, 0), lanes, columns, position as i32);
                        }
                        // Once the identity decides the sign of a sum of negative zeros.
                        How::Tree(combiner) if position == 0 => {
                            fill(to, reduction.lane, columns, combiner.identity);
                            (combiner.accumulate)(to, lanes, columns);
                        }
                        How::Tree(_) => std::ptr::copy_nonoverlapping(lanes, to, row),
                    }
                }
            }
            for reduction in &self.reductions.each {
                let How::Tree(combiner) = reduction.how else { continue };
                let (accumulators, row) = (scratch.add(reduction.accumulators), columns * reduction.lane);
                let (mut live, mut half) = (sweep, WIDTH / 2);
                while half > 0 {
                    if live > half {
                        let others = accumulators.add(half * row);
                        (combiner.accumulate)(accumulators, others, (live - half) * columns);
                        live = half;
                    }
                    half /= 2;
                }
                std::ptr::copy_nonoverlapping(accumulators, scratch.add(reduction.results), row);
            }
        }
    }

    /// All points at once; `rows` reduced elements in a tile where that is more than 1, else one in a step.
    unsafe fn across(
        &self,
        body: &mut Frame<'_>,
        scratch: *mut u8,
        points: Points,
        blocks: Range<usize>,
        rows: usize,
    ) {
        let ops = &self.body.lowered;
        let outer = self.rows.len();
        let (columns, sweep) = (points.count, self.sweep_length());
        (body.start, body.count) = (points.start, columns);
        // SAFETY: the caller's promise; accumulators have a row of columns for each of their positions.
        unsafe {
            body.run(&ops.row);
            if rows == 1 {
                body.run(&ops.tile);
            }
            for block in blocks.clone() {
                let (first, end) = (block * BLOCK, ((block + 1) * BLOCK).min(sweep));
                for reduction in &self.reductions.each {
                    if let How::Tree(combiner) = reduction.how {
                        let accumulators = scratch.add(reduction.accumulators);
                        fill(accumulators, reduction.lane, WIDTH * columns, combiner.identity);
                    }
                }
                let axes = outer..outer + self.reduced.len();
                if rows == 1 {
                    place_index(&mut body.index[axes.clone()], &self.reduced, first);
                }
                for position in (first..end).step_by(rows) {
                    let count = rows.min(end - position);
                    if rows == 1 {
                        body.run(&ops.step_row);
                        body.run(&ops.step);
                        advance(&mut body.index[axes.clone()], &self.reduced);
                    } else {
                        (body.start, body.count) = (position * columns, count * columns);
                        body.run(&ops.tile);
                    }
                    for (reduction, operand) in self.reductions.each.iter().zip(&ops.operands) {
                        let lanes = body.place(*operand);
                        match reduction.how {
                            How::Tree(combiner) => {
                                let row = position % WIDTH * columns * reduction.lane;
                                let to = scratch.add(reduction.accumulators + row);
                                (combiner.accumulate)(to, lanes, count * columns);
                            }
                            How::ArgMax(arg) => {
                                for i in 0..count {
                                    let from = lanes.add(i * columns * reduction.lane);
                                    let best = reduction.best(scratch, 0);
                                    (arg.across)(best, from, columns, (position + i) as i32);
                                }
                            }
                        }
                    }
                }
                for reduction in &self.reductions.each {
                    let How::Tree(combiner) = reduction.how else { continue };
                    let Some(counter) = reduction.counter(scratch, columns) else { continue };
                    let accumulators = scratch.add(reduction.accumulators);
                    let mut half = WIDTH / 2;
                    while half > 0 {
                        let lanes = half * columns;
                        (combiner.accumulate)(accumulators, accumulators.add(lanes * reduction.lane), lanes);
                        half /= 2;
                    }
                    counter.push(block - blocks.start, accumulators);
                }
            }
            for reduction in &self.reductions.each {
                if let Some(counter) = reduction.counter(scratch, columns) {
                    counter.finish(blocks.len(), scratch.add(reduction.results));
                }
            }
        }
    }
}
