//! Runs a contraction's epilogue on finished tiles of the product.

use smallvec::SmallVec;
use warploom_device::{DeviceError, Instruction, Kernel, Register};

use super::access::Walk;
use super::kernel::{Phase, check_memory};
use super::lower::{Request, lower};
use super::table::Class;
use super::{Context, Worker, WorkerSize};
use crate::isa::Isa;
use crate::memory_map::MemoryMap;

/// An epilogue made ready.
pub(crate) struct Epilogue {
    /// The kernel's name.
    pub name: String,
    /// Whether it reads at indices that can be out of range.
    pub can_fault: bool,
    phase: Phase,
    /// Whether a product has one column, so that rows are the vector axis.
    is_column: bool,
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
            return Err(DeviceError::Unsupported(format!("{} is not over [batch, row, column]", kernel.name)));
        };
        let is_column = columns == 1;
        let axes = |axes: &[usize]| SmallVec::from_slice(axes);
        let walk = if is_column {
            Walk { outer: axes(&[0]), group: axes(&[1]), extents: axes(&[rows]) }
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
        let can_fault = kernel.body.iter().any(|instruction| matches!(instruction, Instruction::LoadAt { .. }));
        Ok(Epilogue { name: kernel.name.clone(), can_fault, phase, is_column })
    }

    /// Fills the table in a worker's memory.
    ///
    /// # Safety
    /// The worker has the size that preparing the kernels came to.
    pub(crate) unsafe fn connect(&self, worker: Worker) {
        // SAFETY: the caller's promise.
        unsafe { self.phase.connect(worker) };
    }

    /// Runs the epilogue on a part, in pieces of at most a tile.
    ///
    /// # Safety
    /// As for [`super::TileKernel::run`]; the part lies in the product and nobody else has it.
    pub(crate) unsafe fn run(&self, context: &Context<'_>, part: &Part, element: usize) {
        let mut frame = self.phase.frame(context, part.worker);
        let ops = &self.phase.lowered;
        frame.index[0] = part.batch;
        let (lines, length, first) =
            if self.is_column { (1, part.rows, part.row) } else { (part.rows, part.columns, part.column) };
        // SAFETY: the caller's promise.
        unsafe {
            frame.run(&ops.fixed);
            for line in 0..lines {
                if !self.is_column {
                    frame.index[1] = part.row + line;
                }
                frame.run(&ops.row);
                for done in (0..length).step_by(super::TILE) {
                    let values = part.values.add(line * part.stride + done * element);
                    for place in &ops.given {
                        frame.set(*place, values);
                    }
                    frame.start = first + done;
                    frame.count = super::TILE.min(length - done);
                    frame.run(&ops.tile);
                }
            }
        }
    }
}
