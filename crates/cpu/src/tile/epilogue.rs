//! Runs a contraction's epilogue on finished tiles of the product.

use smallvec::SmallVec;
use warploom_device::{DeviceError, Instruction, Kernel, Register};

use super::access::Walk;
use super::frame::Frame;
use super::kernel::{Phase, check_memory};
use super::lower::{Request, lower};
use super::strategy::SHORT;
use super::table::Class;
use super::{Context, TILE, Worker, WorkerSize};
use crate::memory_map::MemoryMap;
use warploom_cpu_kernels::isa::Isa;

/// An epilogue made ready.
pub(crate) struct Epilogue {
    /// The kernel's name.
    pub name: String,
    /// Whether it reads at indices that can be out of range.
    pub can_fault: bool,
    phase: Phase,
    /// Columns of the product.
    columns: usize,
    /// Whether rows and columns together are the vector axis, because rows are short.
    is_flat: bool,
}

/// A finished part of the product.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub worker: usize,
    pub batch: usize,
    pub row: usize,
    pub column: usize,
    pub rows: usize,
    pub columns: usize,
    /// Element `(i, j)` is `i * stride + j` elements further.
    pub values: *mut u8,
    /// Bytes from row to row.
    pub stride: usize,
}

impl Epilogue {
    /// Lowers an epilogue over `[batch, m, n]`.
    pub(crate) fn new(
        kernel: &Kernel,
        isa: Isa,
        memory: &MemoryMap,
        size: &mut WorkerSize,
    ) -> Result<Epilogue, DeviceError> {
        check_memory(kernel, memory)?;
        let &[_, rows, columns] = &kernel.space[..] else {
            return Err(DeviceError::Unsupported(format!(
                "{} is not over [batch, row, column]",
                kernel.name
            )));
        };
        let is_flat = columns < SHORT && rows > 1;
        let axes = |axes: &[usize]| SmallVec::from_slice(axes);
        let walk = if is_flat && columns == 1 {
            Walk { outer: axes(&[0]), group: axes(&[1]), extents: axes(&[rows]) }
        } else if is_flat {
            Walk { outer: axes(&[0]), group: axes(&[1, 2]), extents: axes(&[rows, columns]) }
        } else {
            Walk { outer: axes(&[0, 1]), group: axes(&[2]), extents: axes(&[columns]) }
        };
        let mut given = Vec::new();
        let mut instructions = Vec::new();
        for (register, instruction) in (0 as Register..).zip(&kernel.body) {
            match instruction {
                Instruction::Product(dtype) => given.push((register, Class::of(*dtype))),
                instruction => instructions.push((register, instruction)),
            }
        }
        let reads: Vec<_> = kernel.reads().collect();
        let lowered = lower(&Request {
            isa,
            memory,
            first_step: walk.outer.len(),
            walk,
            instructions: &instructions,
            given: &given,
            stores: &kernel.stores,
            reads: &reads,
            operands: &[],
        })?;
        let mut scratch = 0;
        let phase = Phase::new(lowered, size, &mut scratch);
        size.scratch = size.scratch.max(scratch);
        let can_fault =
            kernel.body.iter().any(|instruction| matches!(instruction, Instruction::LoadAt { .. }));
        Ok(Epilogue { name: kernel.name.clone(), can_fault, phase, columns, is_flat })
    }

    /// Fills the table in a worker's memory.
    ///
    /// # Safety
    /// The worker has the size that preparing the kernels came to.
    pub(crate) unsafe fn connect(&self, worker: Worker) {
        // SAFETY: the caller's promise.
        unsafe { self.phase.connect(worker) };
    }

    /// Runs the epilogue on a part, whose values it may move.
    ///
    /// # Safety
    /// As for [`super::TileKernel::run`]; the part lies in the product and nobody else has it.
    pub(crate) unsafe fn run(&self, context: &Context<'_>, part: &Part, element: usize) {
        let mut frame = self.phase.frame(context, part.worker);
        frame.index[0] = part.batch;
        let line = self.columns * element;
        // SAFETY: the caller's promise.
        unsafe {
            frame.run(&self.phase.lowered.fixed);
            if self.is_flat && part.columns == self.columns {
                if part.stride != line {
                    for row in 1..part.rows {
                        std::ptr::copy(part.values.add(row * part.stride), part.values.add(row * line), line);
                    }
                }
                frame.run(&self.phase.lowered.row);
                self.run_line(
                    &mut frame,
                    part.values,
                    part.row * self.columns,
                    part.rows * self.columns,
                    element,
                );
                return;
            }
            for row in 0..part.rows {
                let first = if self.is_flat {
                    (part.row + row) * self.columns + part.column
                } else {
                    frame.index[1] = part.row + row;
                    part.column
                };
                frame.run(&self.phase.lowered.row);
                self.run_line(&mut frame, part.values.add(row * part.stride), first, part.columns, element);
            }
        }
    }

    /// Runs the epilogue on neighbours along the vector axis, in pieces of at most a tile.
    unsafe fn run_line(
        &self,
        frame: &mut Frame<'_>,
        values: *mut u8,
        first: usize,
        count: usize,
        element: usize,
    ) {
        let ops = &self.phase.lowered;
        for done in (0..count).step_by(TILE) {
            // SAFETY: the caller's promise.
            unsafe {
                for place in &ops.given {
                    frame.set(*place, values.add(done * element));
                }
                frame.start = first + done;
                frame.count = TILE.min(count - done);
                frame.run(&ops.tile);
            }
        }
    }
}
