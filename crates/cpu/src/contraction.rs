//! Contraction steps: products by `gemm`, finished by the epilogue's kernel tile by tile.

use smallvec::SmallVec;
use warploom_device::kernel::register_dtype;
use warploom_device::{self as device, BufferId, DeviceError, IndexMap, Instruction, Operand};
use warploom_graph::DType;

use crate::memory_map::MemoryMap;
use crate::tile::{Context, Epilogue, Part, Worker, WorkerSize};
use crate::widen::{Widened, widen};
use warploom_cpu_kernels::gemm::{self, Element, Gemm, Matrix, Output, Right, Shape, Tile};
use warploom_cpu_kernels::isa::Isa;

/// Columns of a whole-number product computed together.
const COLUMNS: usize = 512;
/// Multiplications of a whole-number product that are worth waking another thread.
const PARALLEL: usize = 1 << 16;

/// A contraction made ready.
pub(crate) struct Contraction {
    product: Product,
    finish: Finish,
    batch: usize,
    shape: Shape,
    lhs: Operand,
    rhs: Operand,
    workspace: Option<BufferId>,
}

enum Product {
    F32(Gemm<f32>),
    F64(Gemm<f64>),
    /// Operands are widened into the workspace first.
    Half {
        gemm: Gemm<f32>,
        operands: Box<[Widened; 2]>,
    },
    /// i32 and u32, wrapping.
    Whole,
}

enum Finish {
    /// The product is what is stored: `gemm` writes it.
    Store { buffer: usize, offset: i64, strides: [i64; 3] },
    /// `gemm` hands tiles to the epilogue as they are done.
    Tiles(Box<Epilogue>),
    /// The whole product goes to the workspace, this many bytes into it, then the epilogue runs over its rows: where rows
    /// are long, instructions on them cost less than on a tile's short pieces.
    Rows { epilogue: Box<Epilogue>, offset: usize },
}

/// Columns from which the epilogue runs over rows of the whole product.
const LONG_ROWS: usize = 64;
/// Largest product kept whole for its epilogue, in bytes: about what stays in cache.
const WHOLE_PRODUCT: usize = 4 << 20;
/// Elements of the product that one task finishes.
const FINISH_TASK: usize = 1 << 14;

/// Bytes of the product when it is kept whole for its epilogue.
fn whole_product(step: &device::Contraction) -> Option<usize> {
    let bytes = step.batch * step.m * step.n * if step.dtype == DType::F64 { 8 } else { 4 };
    let float = matches!(step.dtype, DType::F32 | DType::F64 | DType::F16 | DType::BF16);
    let kept = float && step.n >= LONG_ROWS && step.m > 1 && bytes <= WHOLE_PRODUCT;
    (kept && plain_store(step).is_none()).then_some(bytes)
}

fn shape(step: &device::Contraction) -> Shape {
    Shape { m: step.m, n: step.n, k: step.k }
}

fn product(step: &device::Contraction, isa: Isa, threads: usize) -> Result<Product, DeviceError> {
    let shape = shape(step);
    Ok(match step.dtype {
        DType::F32 => Product::F32(Gemm::with_isa(isa, shape, step.batch, threads)),
        DType::F64 => Product::F64(Gemm::with_isa(isa, shape, step.batch, threads)),
        DType::F16 | DType::BF16 => {
            let gemm = Gemm::with_isa(isa, shape, step.batch, threads);
            Product::Half { gemm, operands: Box::new(widened(step)) }
        }
        DType::I32 | DType::U32 => Product::Whole,
        DType::Bool | DType::U8 => {
            return Err(DeviceError::Unsupported(format!("a product of {}", step.dtype)));
        }
    })
}

/// The widened operands: `[batch, m, k]` and `[batch, k, n]`, one matrix where all products share it.
fn widened(step: &device::Contraction) -> [Widened; 2] {
    let one = |operand: &Operand, lines: usize, terms: usize| {
        let batches = if operand.batch == 0 { 1 } else { step.batch };
        let strides = [operand.batch, operand.row, operand.column];
        Widened::new(step.dtype, &strides, &[batches, lines, terms])
    };
    [one(&step.lhs, step.m, step.k), one(&step.rhs, step.k, step.n)]
}

/// Bytes of workspace that a contraction needs: `gemm`'s, then the product where it is kept whole.
pub(crate) fn workspace_bytes(step: &device::Contraction, isa: Isa, threads: usize) -> usize {
    operand_bytes(step, isa, threads).next_multiple_of(64) + whole_product(step).unwrap_or(0)
}

/// Bytes of workspace for packed and widened operands.
fn operand_bytes(step: &device::Contraction, isa: Isa, threads: usize) -> usize {
    match product(step, isa, threads) {
        Ok(Product::F32(gemm)) => gemm.workspace_bytes(),
        Ok(Product::F64(gemm)) => gemm.workspace_bytes(),
        Ok(Product::Half { gemm, operands }) => {
            gemm.workspace_bytes().next_multiple_of(64) + operands.iter().map(Widened::bytes).sum::<usize>()
        }
        Ok(Product::Whole) | Err(_) => 0,
    }
}

/// The store's place when the epilogue does nothing but store the product as it is.
fn plain_store(step: &device::Contraction) -> Option<Finish> {
    let kernel = &step.epilogue;
    let ([Instruction::Product(_)], [store]) = (&kernel.body[..], &kernel.stores[..]) else { return None };
    let is_plain = step.dtype.is_float() && store.dtype == register_dtype(step.dtype);
    let &[batch, row, column] = &store.map.strides[..] else { return None };
    is_plain.then_some(Finish::Store {
        buffer: store.buffer.0 as usize,
        offset: store.map.offset,
        strides: [batch, row, column],
    })
}

impl Contraction {
    /// Makes a contraction ready. `size` grows by what its epilogue needs.
    pub(crate) fn new(
        step: &device::Contraction,
        isa: Isa,
        threads: usize,
        memory: &MemoryMap,
        size: &mut WorkerSize,
    ) -> Result<Contraction, DeviceError> {
        let device::Contraction { batch, m, n, k, .. } = *step;
        if step.epilogue.space[..] != [batch, m, n] {
            return Err(DeviceError::Unsupported(format!(
                "{} is not over [batch, m, n]",
                step.epilogue.name
            )));
        }
        for (operand, lines, terms) in [(&step.lhs, m, k), (&step.rhs, k, n)] {
            let strides = SmallVec::from_slice(&[operand.batch, operand.row, operand.column]);
            let map = IndexMap { offset: operand.offset, strides, bounds: SmallVec::new() };
            memory.check_map(operand.buffer, step.dtype, &map, &[batch, lines, terms], 0)?;
        }
        memory.check_workspace(step.workspace, workspace_bytes(step, isa, threads), &step.epilogue.name)?;
        // The epilogue is lowered also where it is not run, which checks it.
        let epilogue = Epilogue::new(&step.epilogue, isa, memory, size)?;
        let epilogue = Box::new(epilogue);
        let finish = match (plain_store(step), whole_product(step)) {
            (Some(store), _) => store,
            (None, Some(_)) => {
                let offset = operand_bytes(step, isa, threads).next_multiple_of(64);
                Finish::Rows { epilogue, offset }
            }
            (None, None) => Finish::Tiles(epilogue),
        };
        Ok(Contraction {
            product: product(step, isa, threads)?,
            finish,
            batch,
            shape: shape(step),
            lhs: step.lhs.clone(),
            rhs: step.rhs.clone(),
            workspace: step.workspace,
        })
    }

    fn epilogue(&self) -> Option<&Epilogue> {
        match &self.finish {
            Finish::Tiles(epilogue) | Finish::Rows { epilogue, .. } => Some(epilogue),
            Finish::Store { .. } => None,
        }
    }

    /// The name of the epilogue's kernel, if it can meet an index out of range.
    pub(crate) fn can_fault(&self) -> Option<&str> {
        self.epilogue().filter(|e| e.can_fault).map(|e| &*e.name)
    }

    /// Fills the epilogue's table in a worker's memory.
    ///
    /// # Safety
    /// The worker has the size that preparing the steps came to.
    pub(crate) unsafe fn connect(&self, worker: Worker) {
        if let Some(epilogue) = self.epilogue() {
            // SAFETY: the caller's promise.
            unsafe { epilogue.connect(worker) };
        }
    }

    /// Computes the products.
    ///
    /// # Safety
    /// As for [`crate::tile::TileKernel::run`].
    pub(crate) unsafe fn run(&self, context: &Context<'_>) {
        let workspace = self.workspace.map_or(std::ptr::null_mut(), |id| context.bases[id.0 as usize]);
        // SAFETY: the caller's promise; operands and workspace were checked when the step was made ready.
        unsafe {
            match &self.product {
                Product::F32(gemm) => {
                    let (a, b) = (matrix(&self.lhs, context), matrix(&self.rhs, context));
                    self.multiply(gemm, context, a, b, workspace);
                }
                Product::F64(gemm) => {
                    let (a, b) = (matrix(&self.lhs, context), matrix(&self.rhs, context));
                    self.multiply(gemm, context, a, b, workspace);
                }
                Product::Half { gemm, operands } => {
                    let [lhs, rhs] = &**operands;
                    let to = workspace.add(gemm.workspace_bytes().next_multiple_of(64));
                    let copy = |operand: &Operand, widened: &Widened, to: *mut u8| {
                        let from = matrix(operand, context).data;
                        let data = widen(widened, context, from, to.cast());
                        let &[stride, row, column] = widened.dense() else {
                            unreachable!("made of three axes")
                        };
                        Matrix { data, row, column, batch: if operand.batch == 0 { 0 } else { stride } }
                    };
                    let a = copy(&self.lhs, lhs, to);
                    let b = copy(&self.rhs, rhs, to.add(lhs.bytes()));
                    self.multiply(gemm, context, a, b, workspace);
                }
                Product::Whole => self.multiply_whole(context),
            }
        }
    }

    unsafe fn multiply<T: Element>(
        &self,
        gemm: &Gemm<T>,
        context: &Context<'_>,
        a: Matrix<*const T>,
        b: Matrix<*const T>,
        workspace: *mut u8,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match &self.finish {
                Finish::Store { buffer, offset, strides } => {
                    let data = context.bases[*buffer].cast::<T>().wrapping_offset(*offset as isize);
                    let [batch, row, column] = strides.map(|stride| stride as isize);
                    let c = Matrix { data, row, column, batch };
                    gemm.run(
                        context.pool,
                        a,
                        Right::Strided(b),
                        &Output::Store { c, accumulate: false },
                        workspace,
                    );
                }
                Finish::Tiles(epilogue) => {
                    let finisher = Finisher { epilogue, context };
                    gemm.run(context.pool, a, Right::Strided(b), &Output::Finish(&finisher), workspace);
                }
                Finish::Rows { epilogue, offset } => {
                    let Shape { m, n, .. } = self.shape;
                    let data = workspace.add(*offset).cast::<T>();
                    let c = Matrix { data, row: n as isize, column: 1, batch: (m * n) as isize };
                    let output = Output::Store { c, accumulate: false };
                    gemm.run(context.pool, a, Right::Strided(b), &output, workspace);
                    self.finish_rows(epilogue, context, data.cast(), size_of::<T>());
                }
            }
        }
    }

    /// Runs the epilogue over the rows of a whole product.
    ///
    /// # Safety
    /// As for [`Contraction::run`]; `values` holds the dense product.
    unsafe fn finish_rows(
        &self,
        epilogue: &Epilogue,
        context: &Context<'_>,
        values: *mut u8,
        element: usize,
    ) {
        let Shape { m, n, .. } = self.shape;
        let rows = (FINISH_TASK / n).clamp(1, m);
        let parts = m.div_ceil(rows);
        let whole = Whole(values);
        let work = |task: usize, worker: usize| {
            let whole = &whole;
            let (batch, row) = (task / parts, task % parts * rows);
            let rows = rows.min(m - row);
            let values = whole.0.wrapping_add((batch * m + row) * n * element);
            let part = Part { worker, batch, row, column: 0, rows, columns: n, values, stride: n * element };
            // SAFETY: the caller's promise; each task has rows of its own.
            unsafe { epilogue.run(context, &part, element) };
        };
        if self.batch * parts <= 1 {
            (0..self.batch * parts).for_each(|task| work(task, 0));
        } else {
            context.pool.run(self.batch * parts, &work);
        }
    }

    /// i32 and u32: the sum of each element in order, wrapping.
    unsafe fn multiply_whole(&self, context: &Context<'_>) {
        let Shape { m, n, k } = self.shape;
        let Finish::Tiles(epilogue) = &self.finish else { unreachable!("only floats are stored whole") };
        let (a, b): (Matrix<*const u32>, Matrix<*const u32>) =
            (matrix(&self.lhs, context), matrix(&self.rhs, context));
        let task = WholeOperands { a, b };
        let line = |line: usize, worker: usize| {
            let task = &task;
            let (batch, row) = (line / m, line % m);
            let mut sums = [0u32; COLUMNS];
            for column in (0..n).step_by(COLUMNS) {
                let columns = COLUMNS.min(n - column);
                sums[..columns].fill(0);
                let at = |matrix: &Matrix<*const u32>, i: usize, j: usize| {
                    let offset =
                        batch as isize * matrix.batch + i as isize * matrix.row + j as isize * matrix.column;
                    // SAFETY: the caller's promise: the element exists.
                    unsafe { *matrix.data.offset(offset) }
                };
                for term in 0..k {
                    let factor = at(&task.a, row, term);
                    for (j, sum) in sums[..columns].iter_mut().enumerate() {
                        *sum = sum.wrapping_add(factor.wrapping_mul(at(&task.b, term, column + j)));
                    }
                }
                let values = sums.as_mut_ptr().cast();
                let part = Part { worker, batch, row, column, rows: 1, columns, values, stride: 0 };
                // SAFETY: the caller's promise.
                unsafe { epilogue.run(context, &part, 4) };
            }
        };
        if self.batch * m * n * k < PARALLEL {
            (0..self.batch * m).for_each(|i| line(i, 0));
        } else {
            context.pool.run(self.batch * m, &line);
        }
    }
}

/// A product in the workspace.
struct Whole(*mut u8);

// SAFETY: each task reads rows of its own.
unsafe impl Sync for Whole {}

struct WholeOperands {
    a: Matrix<*const u32>,
    b: Matrix<*const u32>,
}

// SAFETY: operands are lent to every thread for the length of a launch, and only read.
unsafe impl Sync for WholeOperands {}

fn matrix<T>(operand: &Operand, context: &Context<'_>) -> Matrix<*const T> {
    let data = context.bases[operand.buffer.0 as usize].cast::<T>().wrapping_offset(operand.offset as isize);
    Matrix { data, row: operand.row as isize, column: operand.column as isize, batch: operand.batch as isize }
}

/// Hands finished tiles to the epilogue.
pub(crate) struct Finisher<'a> {
    pub epilogue: &'a Epilogue,
    pub context: &'a Context<'a>,
}

impl<T> gemm::Epilogue<T> for Finisher<'_> {
    fn finish(&self, tile: &Tile<T>) {
        let part = Part {
            worker: tile.worker,
            batch: tile.batch,
            row: tile.row,
            column: tile.column,
            rows: tile.rows,
            columns: tile.columns,
            values: tile.values.cast(),
            stride: tile.stride * size_of::<T>(),
        };
        // SAFETY: `Contraction::run`'s caller vouches for the buffers; gemm hands each part to one thread.
        unsafe { self.epilogue.run(self.context, &part, size_of::<T>()) };
    }
}
