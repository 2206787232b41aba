//! A kernel made ready, and its walk over tiles.

use smallvec::SmallVec;
use warploom_device::{DeviceError, Instruction, Kernel, Register};

use super::access::{AXES, advance, place_index};
use super::frame::Frame;
use super::lower::{Lowered, Request, Start, lower};
use super::reduce::Reductions;
use super::strategy::{self, COLUMNS, Strategy};
use super::table::Class;
use super::{Context, TILE, Worker, WorkerSize, space};
use crate::memory_map::MemoryMap;
use warploom_cpu_kernels::isa::Isa;

/// Lanes of a tile whose cache lines must stay until the next rows have read their parts.
const INTERCHANGED: usize = 128;
/// Work that is worth waking another thread for, in nanoseconds.
const PARALLEL: f64 = 25_000.0;
/// Least work of a task, in nanoseconds.
const TASK: f64 = 8_000.0;
/// Most tasks for each thread.
const TASKS_PER_THREAD: usize = 4;

/// A kernel made ready to run.
pub(crate) struct TileKernel {
    /// The kernel's name.
    pub name: String,
    /// Whether it reads at indices that can be out of range.
    pub can_fault: bool,
    pub(super) strategy: Strategy,
    pub(super) body: Phase,
    /// Over the points, where there are reductions.
    pub(super) tail: Option<Phase>,
    pub(super) reductions: Reductions,
    /// Extents of the outer axes of the points.
    pub(super) rows: SmallVec<[usize; 4]>,
    /// Extents of the group of the points.
    pub(super) group: SmallVec<[usize; 4]>,
    /// Extents of the reduced axes.
    pub(super) reduced: SmallVec<[usize; 4]>,
    /// Length of the group of the points.
    pub(super) length: usize,
    /// Points of a unit of work.
    pub(super) width: usize,
    /// Whether tiles at one place of neighbouring rows follow each other, because they read the same cache lines.
    is_interchanged: bool,
    units: usize,
    tasks: usize,
}

/// Lowered instructions with their parts of a worker's memory.
pub(super) struct Phase {
    pub lowered: Lowered,
    /// First entry of the table of places.
    pub places: usize,
    /// First byte of scratch memory.
    pub scratch: usize,
}

impl Phase {
    pub(super) fn new(lowered: Lowered, size: &mut WorkerSize, scratch: &mut usize) -> Phase {
        let phase = Phase { places: size.places, scratch: scratch.next_multiple_of(64), lowered };
        size.places += phase.lowered.starts.len();
        *scratch = phase.scratch + phase.lowered.scratch;
        phase
    }

    /// Fills the phase's part of a worker's table.
    ///
    /// # Safety
    /// The worker has the size that preparing the kernels came to.
    pub(super) unsafe fn connect(&self, worker: Worker) {
        for (i, start) in self.lowered.starts.iter().enumerate() {
            let pointer = match start {
                Start::Unset => std::ptr::null_mut(),
                Start::Literal(at) => (&raw const self.lowered.literals[*at]).cast_mut().cast(),
                Start::Scratch(offset) => worker.scratch.wrapping_add(self.scratch + offset),
            };
            // SAFETY: the caller's promise.
            unsafe { *worker.places.add(self.places + i) = pointer };
        }
    }

    pub(super) fn frame<'a>(&self, context: &Context<'a>, worker: usize) -> Frame<'a> {
        Frame {
            places: context.workers[worker].places.wrapping_add(self.places),
            bases: context.bases,
            fault: context.fault,
            index: [0; AXES],
            start: 0,
            count: 1,
        }
    }
}

impl TileKernel {
    /// Lowers a kernel. `size` grows by what it needs.
    pub(crate) fn new(
        kernel: &Kernel,
        isa: Isa,
        threads: usize,
        memory: &MemoryMap,
        size: &mut WorkerSize,
    ) -> Result<TileKernel, DeviceError> {
        check_memory(kernel, memory)?;
        let kernel = &space::simplify(kernel);
        let plan = strategy::plan(kernel);
        if kernel.space.len() + kernel.reduced.len() > AXES {
            return Err(DeviceError::Unsupported(format!("{} has more than {AXES} axes", kernel.name)));
        }
        let body: Vec<(Register, &Instruction)> = (0..).zip(&kernel.body).collect();
        let has_reductions = !kernel.reductions.is_empty();
        let operands: Vec<Register> = kernel.reductions.iter().map(|reduction| reduction.operand).collect();
        let reads: Vec<_> = kernel.reads().collect();
        let mut scratch = 0;
        let lowered = lower(&Request {
            isa,
            memory,
            walk: plan.body,
            first_step: plan.first_step,
            instructions: &body,
            given: &[],
            stores: if has_reductions { &[] } else { &kernel.stores },
            reads: &reads,
            operands: &operands,
        })?;
        let rows: SmallVec<[usize; 4]> = plan.points.outer.iter().map(|axis| kernel.space[*axis]).collect();
        let group = plan.points.extents.clone();
        let length = plan.points.length();
        let row_count: usize = rows.iter().product();
        let classes = reduced_classes(kernel)?;
        let cost = kernel.points() as f64
            * (kernel.sweep().max(1) as f64 * (lowered.cost + 0.1 * operands.len() as f64));
        let body = Phase::new(lowered, size, &mut scratch);
        let tail = if has_reductions {
            let first = kernel.body.len() as Register;
            let given: Vec<(Register, Class)> = (first..)
                .zip(&kernel.reductions)
                .map(|(register, step)| (register, Class::of(step.dtype)))
                .collect();
            let tail: Vec<_> = (first + given.len() as Register..).zip(&kernel.tail).collect();
            let instructions: Vec<_> = kernel_wide(kernel).chain(tail).collect();
            let lowered = lower(&Request {
                isa,
                memory,
                first_step: plan.points.outer.len(),
                walk: plan.points,
                instructions: &instructions,
                given: &given,
                stores: &kernel.stores,
                reads: &reads,
                operands: &[],
            })?;
            Some(Phase::new(lowered, size, &mut scratch))
        } else {
            None
        };
        let is_parallel = threads > 1 && cost >= PARALLEL;
        let most = if is_parallel { threads * TASKS_PER_THREAD } else { 1 };
        let wanted = ((cost / TASK) as usize).clamp(1, most);
        let width = match plan.strategy {
            Strategy::Map if plan.is_interchanged => INTERCHANGED,
            Strategy::Map => TILE,
            Strategy::Along => length.div_ceil(wanted.div_ceil(row_count.max(1))).clamp(1, TILE),
            Strategy::Segments => length.div_ceil(wanted.div_ceil(row_count.max(1))).clamp(16, TILE),
            Strategy::Across | Strategy::Few => {
                length.div_ceil(wanted.div_ceil(row_count.max(1))).next_multiple_of(16).clamp(16, COLUMNS)
            }
            Strategy::Rows(_) => COLUMNS,
        };
        let units = row_count * length.div_ceil(width);
        let reductions =
            Reductions::new(kernel, isa, &classes, plan.strategy, width, units, wanted, &mut scratch)?;
        size.scratch = size.scratch.max(scratch);
        Ok(TileKernel {
            name: kernel.name.clone(),
            can_fault: body_and_tail(kernel)
                .any(|instruction| matches!(instruction, Instruction::LoadAt { .. })),
            strategy: plan.strategy,
            body,
            tail,
            reductions,
            rows,
            group,
            reduced: SmallVec::from_slice(&kernel.reduced),
            length,
            width,
            is_interchanged: plan.is_interchanged,
            units,
            tasks: wanted.min(units),
        })
    }

    /// Fills the kernel's tables in a worker's memory.
    ///
    /// # Safety
    /// The worker has the size that preparing the kernels came to.
    pub(crate) unsafe fn connect(&self, worker: Worker) {
        // SAFETY: the caller's promise.
        unsafe {
            self.body.connect(worker);
            if let Some(tail) = &self.tail {
                tail.connect(worker);
                self.reductions.connect(worker, tail);
            }
        }
    }

    /// Runs the kernel.
    ///
    /// # Safety
    /// The buffers' memory is there with the sizes and placement the kernel was prepared with, nobody else uses what it
    /// writes, and the workers were connected.
    #[inline]
    pub(crate) unsafe fn run(&self, context: &Context<'_>) {
        if self.units == 0 {
            return;
        }
        // SAFETY: the caller's promise; tasks take disjoint units.
        unsafe {
            if self.reductions.parts() > 1 {
                self.reduce_in_parts(context);
            } else if self.tasks <= 1 {
                self.chunk(context, 0, 0, self.units);
            } else {
                context.pool.run(self.tasks, &|task, worker| {
                    let first = |task: usize| task * self.units / self.tasks;
                    self.chunk(context, worker, first(task), first(task + 1));
                });
            }
        }
    }

    pub(super) fn units(&self) -> usize {
        self.units
    }

    /// Units of work in a row.
    pub(super) fn units_per_row(&self) -> usize {
        self.length.div_ceil(self.width)
    }

    unsafe fn chunk(&self, context: &Context<'_>, worker: usize, first: usize, end: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.strategy == Strategy::Map {
                self.map(context, worker, first, end);
            } else {
                self.reduce(context, worker, first, end);
            }
        }
    }

    /// Computes and stores units `first..end`.
    #[inline]
    unsafe fn map(&self, context: &Context<'_>, worker: usize, first: usize, end: usize) {
        let mut frame = self.body.frame(context, worker);
        let ops = &self.body.lowered;
        let per_row = self.units_per_row();
        // SAFETY: the caller's promise; the frame's position lies in the space.
        unsafe {
            frame.run(&ops.fixed);
            if self.is_interchanged {
                return self.map_interchanged(&mut frame, first, end);
            }
            let mut tile = first % per_row;
            place_index(&mut frame.index, &self.rows, first / per_row);
            frame.run(&ops.row);
            for unit in first..end {
                self.map_tile(&mut frame, tile);
                tile += 1;
                if tile == per_row && unit + 1 < end {
                    tile = 0;
                    advance(&mut frame.index[..self.rows.len()], &self.rows);
                    frame.run(&ops.row);
                }
            }
        }
    }

    /// As `map`, with the last outer axis innermost.
    unsafe fn map_interchanged(&self, frame: &mut Frame<'_>, first: usize, end: usize) {
        let Some((rows, before)) = self.rows.split_last() else { return };
        let per_row = self.units_per_row();
        for unit in first..end {
            let (row, rest) = (unit % rows, unit / rows);
            place_index(&mut frame.index, before, rest / per_row);
            frame.index[before.len()] = row;
            // SAFETY: the caller's promise.
            unsafe {
                frame.run(&self.body.lowered.row);
                self.map_tile(frame, rest % per_row);
            }
        }
    }

    #[inline(always)]
    unsafe fn map_tile(&self, frame: &mut Frame<'_>, tile: usize) {
        frame.start = tile * self.width;
        frame.count = self.width.min(self.length - frame.start);
        // SAFETY: the caller's promise.
        unsafe { frame.run(&self.body.lowered.tile) };
    }
}

fn body_and_tail(kernel: &Kernel) -> impl Iterator<Item = &Instruction> {
    kernel.body.iter().chain(&kernel.tail)
}

/// Instructions of the body that do not change with the reduced axes: the tail may use them.
fn kernel_wide(kernel: &Kernel) -> impl Iterator<Item = (Register, &Instruction)> {
    let space = kernel.space.len();
    let mut is_wide = Vec::with_capacity(kernel.body.len());
    for instruction in &kernel.body {
        let stays = |map: &warploom_device::IndexMap| {
            map.strides.iter().skip(space).all(|stride| *stride == 0)
                && map.bounds.iter().all(|bound| bound.axis < space)
        };
        let of = |register: &Register| is_wide.get(*register as usize).copied().unwrap_or(false);
        is_wide.push(match instruction {
            Instruction::Literal(_) => true,
            Instruction::Load { map, .. }
            | Instruction::Index { map, .. }
            | Instruction::Random { map, .. } => stays(map),
            Instruction::LoadAt { map, index, .. } => stays(map) && of(index),
            Instruction::Product(_) => false,
            Instruction::Apply { op, operands, .. } => operands[..op.arity()].iter().all(of),
        });
    }
    (0..).zip(&kernel.body).filter(move |(register, _)| is_wide[*register as usize])
}

/// The class of each reduction's operand.
fn reduced_classes(kernel: &Kernel) -> Result<Vec<Class>, DeviceError> {
    let class = |register: Register| match kernel.body.get(register as usize)? {
        Instruction::Literal(literal) => Some(Class::of(literal.dtype())),
        Instruction::Load { dtype, .. }
        | Instruction::LoadAt { dtype, .. }
        | Instruction::Index { dtype, .. }
        | Instruction::Product(dtype)
        | Instruction::Apply { dtype, .. } => Some(Class::of(*dtype)),
        Instruction::Random { .. } => Some(Class::U32),
    };
    let missing =
        || DeviceError::Unsupported(format!("malformed kernel {}: a reduction has no operand", kernel.name));
    kernel.reductions.iter().map(|step| class(step.operand).ok_or_else(missing)).collect()
}

/// Checks that what the kernel touches exists, at whatever index is in range.
pub(super) fn check_memory(kernel: &Kernel, memory: &MemoryMap) -> Result<(), DeviceError> {
    let extents: Vec<usize> = kernel.space.iter().chain(&kernel.reduced).copied().collect();
    for instruction in body_and_tail(kernel) {
        match instruction {
            Instruction::Load { buffer, dtype, map } => {
                memory.check_map(*buffer, *dtype, map, &extents, 0)?
            }
            Instruction::LoadAt { buffer, dtype, map, stride, extent, .. } => {
                if *extent > 0 {
                    memory.check_map(*buffer, *dtype, map, &extents, stride * (*extent as i64 - 1))?;
                }
            }
            Instruction::Random { seed, step, iteration, .. } => {
                for (buffer, bytes) in [(seed, 8), (step, 4), (iteration, 4)] {
                    memory.check_bytes(*buffer, bytes)?;
                }
            }
            Instruction::Literal(_)
            | Instruction::Index { .. }
            | Instruction::Product(_)
            | Instruction::Apply { .. } => {}
        }
    }
    for store in &kernel.stores {
        memory.check_map(store.buffer, store.dtype, &store.map, &kernel.space, 0)?;
    }
    Ok(())
}
