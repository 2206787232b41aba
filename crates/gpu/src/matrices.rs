//! Matrix products as libraries take them: matrices by their leading dimension, column by column as BLAS has them, and the
//! few endings that libraries know.

use crate::dispatch::Argument;
use crate::images::ImageConvolution;
use crate::place::{Place, Places};
use std::fmt;
use warploom_device::{
    BufferId, Contraction, DeviceError, IndexMap, Instruction, Kernel, Operand, Register, Store,
};
use warploom_graph::DType;
use warploom_graph::scalar::ScalarOp;

/// Products of matrices that lie one behind the other, as a library is asked for them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MatrixProduct {
    /// How many products.
    pub batch: usize,
    /// Rows of the result, as it lies column by column.
    pub rows: usize,
    /// Columns of the result.
    pub columns: usize,
    /// Terms of each sum, which is held in f32.
    pub terms: usize,
    /// Whether elements of f32 may be rounded to TF32 before they are multiplied.
    pub tf32: bool,
    /// `[rows, terms]`.
    pub left: Matrix,
    /// `[terms, columns]`, of the same dtype.
    pub right: Matrix,
    /// `[rows, columns]`, never transposed.
    pub result: Matrix,
    /// What is added before anything is rounded: one element of the result's dtype for each row, at addresses that are
    /// multiples of so many bytes.
    pub bias: Option<usize>,
    /// Whether what is below zero becomes zero, after the bias.
    pub relu: bool,
}

/// How a matrix lies.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Matrix {
    /// Of its elements.
    pub dtype: DType,
    /// Whether what lies there, column by column, is its transpose.
    pub is_transposed: bool,
    /// Elements from a column of what lies there to the next.
    pub leading: usize,
    /// Elements from one product's matrix to that of the next; 0 where all use the same.
    pub batch: usize,
    /// Bytes that the address of the first is a multiple of.
    pub alignment: usize,
}

impl fmt::Display for MatrixProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MatrixProduct { batch, rows, columns, terms, left, right, result, .. } = self;
        let shape = |matrix: &Matrix, [rows, columns]: [usize; 2]| {
            let turned = if matrix.is_transposed { " transposed" } else { "" };
            format!("{}[{rows}, {columns}]{turned}", matrix.dtype.name())
        };
        let (left, right) = (shape(left, [*rows, *terms]), shape(right, [*terms, *columns]));
        write!(
            f,
            "library: {batch} x {left} · {right} to {}, column by column",
            shape(result, [*rows, *columns])
        )?;
        f.write_str(if self.tf32 { ", in TF32" } else { "" })?;
        f.write_str(if self.bias.is_some() { ", plus a bias for each row" } else { "" })?;
        f.write_str(if self.relu { ", relu" } else { "" })
    }
}

/// A library's product with its place in a plan.
#[derive(Clone, PartialEq, Debug)]
pub struct Multiplication {
    /// A name for people, made of the ops within.
    pub name: String,
    /// What is computed.
    pub product: MatrixProduct,
    /// From the first element of the first matrix to the last of the last.
    pub left: Argument,
    /// The same of the right matrices.
    pub right: Argument,
    /// The same of the results.
    pub result: Argument,
    /// One element for each row.
    pub bias: Option<Argument>,
    /// Scratch memory, as much as the library asked for; without a counterpart where it asked for none.
    pub workspace: Option<Argument>,
    /// Operations of all products.
    pub operations: u64,
    /// Bytes that must be read and written at least.
    pub traffic: u64,
}

/// What libraries of a device compute instead of kernels. Answers are always the same.
pub trait Libraries {
    /// The scratch bytes with which a product is computed; nothing where it is not, or where a kernel does better.
    /// `is_whole`: whether nothing is left to do after it.
    fn product(&self, product: &MatrixProduct, is_whole: bool) -> Option<usize>;
    /// The same of a convolution.
    fn convolution(&self, convolution: &ImageConvolution) -> Option<usize>;
}

/// The device has none.
pub(crate) struct NoLibrary;

impl Libraries for NoLibrary {
    fn product(&self, _: &MatrixProduct, _: bool) -> Option<usize> {
        None
    }

    fn convolution(&self, _: &ImageConvolution) -> Option<usize> {
        None
    }
}

/// Bytes that every buffer's address is a multiple of.
const ALIGNMENT: usize = 256;

/// The first element of a matrix: its buffer and the bytes before it.
pub(crate) type Start = (BufferId, usize);

/// A contraction as a library computes it.
pub(crate) struct Taken {
    product: MatrixProduct,
    left: Start,
    right: Start,
    bias: Option<Start>,
    result: Target,
    /// Scratch bytes for the library.
    scratch: usize,
}

pub(crate) enum Target {
    /// Where the epilogue's only store goes.
    Store(Start),
    /// The first bytes of the workspace, which a kernel goes on with.
    Workspace(usize),
}

/// The contraction by a library, if it takes it: with the whole epilogue, else with a kernel behind.
pub(crate) fn taken_product(step: &Contraction, libraries: &dyn Libraries) -> Option<Taken> {
    let ask = |mut taken: Taken, is_whole: bool| {
        taken.scratch = libraries.product(&taken.product, is_whole)?;
        Some(taken)
    };
    whole(step).and_then(|taken| ask(taken, true)).or_else(|| ask(staged(step)?, false))
}

impl Target {
    pub(crate) fn workspace(bytes: usize) -> Target {
        Target::Workspace(bytes.next_multiple_of(ALIGNMENT))
    }

    /// Bytes of the workspace that it takes.
    pub(crate) fn bytes(&self) -> usize {
        if let Target::Workspace(bytes) = self { *bytes } else { 0 }
    }
}

/// Where a library's result goes.
pub(crate) struct Destination {
    pub name: String,
    pub result: Start,
    /// Scratch memory for the library.
    pub scratch: Option<Start>,
    /// The kernel that goes on with the result.
    pub behind: Option<Kernel>,
}

/// The memory of a result of `dtype` and of `scratch` bytes behind it.
pub(crate) fn destination(
    target: &Target,
    epilogue: &Kernel,
    dtype: DType,
    workspace: Option<BufferId>,
    scratch: usize,
) -> Result<Destination, DeviceError> {
    let name = &epilogue.name;
    let missing = || DeviceError::Unsupported(format!("{name} has no workspace for what a library computes"));
    let workspace = || workspace.ok_or_else(missing);
    let (result, name, behind) = match target {
        Target::Store(start) => (*start, name.clone(), None),
        Target::Workspace(_) => {
            let behind = reading(epilogue, workspace()?, dtype);
            ((workspace()?, 0), format!("{name}, its product"), Some(behind))
        }
    };
    let scratch = (scratch > 0).then(|| Ok((workspace()?, target.bytes()))).transpose()?;
    Ok(Destination { name, result, scratch, behind })
}

/// Whether a loop moves any of these: libraries are given addresses.
pub(crate) fn is_moved(places: &Places, starts: &[Start]) -> Result<bool, DeviceError> {
    let moved = |(buffer, _): &Start| Ok(!places.of(*buffer)?.moves.is_empty());
    starts.iter().map(moved).try_fold(false, |any, moved: Result<bool, DeviceError>| Ok(any | moved?))
}

impl Taken {
    /// Bytes of the workspace.
    pub(crate) fn workspace_bytes(&self) -> usize {
        self.result.bytes() + self.scratch
    }

    /// The call, and the kernel behind it. Nothing where a loop moves what it reads or writes.
    pub(crate) fn place(
        self,
        step: &Contraction,
        places: &Places,
    ) -> Result<Option<(Multiplication, Option<Kernel>)>, DeviceError> {
        let dtype = self.product.result.dtype;
        let placed = destination(&self.result, &step.epilogue, dtype, step.workspace, self.scratch)?;
        let starts = [self.left, self.right, placed.result, self.bias.unwrap_or(self.left)];
        if is_moved(places, &starts)? {
            return Ok(None);
        }
        let product = self.product;
        let (batch, size) = (product.batch, dtype.bytes());
        let of =
            |(buffer, first): Start, bytes, writable| argument(places.of(buffer)?, first, bytes, writable);
        let matrix = |start, matrix: &Matrix, extents, writable| {
            of(start, matrix.span(batch, extents) * matrix.dtype.bytes(), writable)
        };
        let MatrixProduct { rows, columns, terms, .. } = product;
        let read = (rows * terms + terms * columns) * product.left.dtype.bytes();
        let call = Multiplication {
            name: placed.name,
            left: matrix(self.left, &product.left, [rows, terms], false)?,
            right: matrix(self.right, &product.right, [terms, columns], false)?,
            result: matrix(placed.result, &product.result, [rows, columns], true)?,
            bias: self.bias.map(|bias| of(bias, rows * size, false)).transpose()?,
            workspace: placed.scratch.map(|scratch| of(scratch, self.scratch, true)).transpose()?,
            operations: 2 * (batch * rows * columns * terms) as u64,
            traffic: (batch * (read + rows * columns * size)) as u64,
            product,
        };
        Ok(Some((call, placed.behind)))
    }
}

pub(crate) fn argument(
    place: &Place,
    first: usize,
    bytes: usize,
    writable: bool,
) -> Result<Argument, DeviceError> {
    if first + bytes > place.bytes {
        let root = place.root;
        let what = format!("{bytes} bytes at {first} of a part of {root:?} that has {}", place.bytes);
        return Err(DeviceError::Binding(what));
    }
    Ok(Argument { root: place.root, offset: place.offset + first, bytes, writable })
}

/// The contraction with all of its epilogue, where that is an ending that libraries know.
fn whole(step: &Contraction) -> Option<Taken> {
    let [store] = step.epilogue.stores.as_slice() else { return None };
    let ending = ending(&step.epilogue, store)?;
    let first = usize::try_from(store.map.offset).ok()? * store.dtype.bytes();
    let (mut taken, is_turned) = arranged(step, store.dtype, strides(&store.map)?, first)?;
    taken.result = Target::Store((store.buffer, first));
    taken.product.relu = ending.relu;
    if let Some((buffer, map)) = ending.bias {
        let first = usize::try_from(map.offset).ok()? * store.dtype.bytes();
        let [batch, row, column] = strides(map)?;
        let along = if is_turned { [0, 1] } else { [1, 0] };
        if [row, column] != along || (batch != 0 && step.batch > 1) {
            return None;
        }
        taken.product.bias = Some(alignment(first));
        taken.bias = Some((buffer, first));
    }
    Some(taken)
}

/// The contraction alone, its result in f32 at the beginning of the workspace.
fn staged(step: &Contraction) -> Option<Taken> {
    let dense = [(step.m * step.n) as i64, step.n as i64, 1];
    let (mut taken, _) = arranged(step, DType::F32, dense, 0)?;
    let bytes = step.batch * step.m * step.n * DType::F32.bytes();
    taken.result = Target::workspace(bytes);
    Some(taken)
}

/// The contraction with a result that lies by these strides along products, rows and columns, and whether it was turned: a
/// result row by row is its transpose column by column, `(lhs · rhs)ᵀ = rhsᵀ · lhsᵀ`.
fn arranged(step: &Contraction, dtype: DType, along: [i64; 3], first: usize) -> Option<(Taken, bool)> {
    let Contraction { batch, m, n, k, tf32, ref lhs, ref rhs, .. } = *step;
    // Vectors are summed by kernels, and no dimension of a matrix with one row or column is known.
    if m.min(n).min(k) < 2 || batch == 0 || !matches!(step.dtype, DType::F32 | DType::F16 | DType::BF16) {
        return None;
    }
    let operand = |operand: &Operand, along: [i64; 2], extents: [usize; 2]| {
        let first = usize::try_from(operand.offset).ok()? * step.dtype.bytes();
        let matrix = Matrix::of(step.dtype, along, extents, (batch, operand.batch), first)?;
        Some((matrix, (operand.buffer, first)))
    };
    let is_turned = along[2] == 1;
    let (rows, columns) = if is_turned { (n, m) } else { (m, n) };
    let ((left, left_start), (right, right_start), down) = if is_turned {
        let left = operand(rhs, [rhs.column, rhs.row], [rows, k])?;
        (left, operand(lhs, [lhs.column, lhs.row], [k, columns])?, [along[2], along[1]])
    } else {
        let left = operand(lhs, [lhs.row, lhs.column], [rows, k])?;
        (left, operand(rhs, [rhs.row, rhs.column], [k, columns])?, [along[1], along[2]])
    };
    let result = Matrix::of(dtype, down, [rows, columns], (batch, along[0]), first)?;
    if result.is_transposed {
        return None;
    }
    let product =
        MatrixProduct { batch, rows, columns, terms: k, tf32, left, right, result, bias: None, relu: false };
    let (bias, result, scratch) = (None, Target::Workspace(0), 0);
    Some((Taken { product, left: left_start, right: right_start, bias, result, scratch }, is_turned))
}

impl Matrix {
    /// A matrix by its strides down a column and across a row, and from one product to the next.
    fn of(
        dtype: DType,
        [down, across]: [i64; 2],
        [rows, columns]: [usize; 2],
        (count, batch): (usize, i64),
        first: usize,
    ) -> Option<Matrix> {
        let (is_transposed, leading, least) = match (down, across) {
            (1, leading) if leading >= rows as i64 => (false, leading, rows),
            (leading, 1) => (true, leading, columns),
            _ => return None,
        };
        let leading = usize::try_from(leading).ok().filter(|leading| *leading >= least)?;
        let batch = if count > 1 { usize::try_from(batch).ok()? } else { 0 };
        Some(Matrix { dtype, is_transposed, leading, batch, alignment: alignment(first) })
    }

    /// Elements from the first of the first product's matrix to the last of the last's.
    fn span(&self, batch: usize, [rows, columns]: [usize; 2]) -> usize {
        let [down, across] = if self.is_transposed { [columns, rows] } else { [rows, columns] };
        (batch - 1) * self.batch + (across - 1) * self.leading + down
    }
}

/// What an address so many bytes into a buffer is a multiple of.
fn alignment(first: usize) -> usize {
    (first | ALIGNMENT) & (first | ALIGNMENT).wrapping_neg()
}

/// The strides of a map over products, rows and columns, where it has no bounds.
fn strides(map: &IndexMap) -> Option<[i64; 3]> {
    <[i64; 3]>::try_from(map.strides.as_slice()).ok().filter(|_| map.bounds.is_empty())
}

/// What an epilogue does with a product before it stores it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ending<'a> {
    pub bias: Option<(BufferId, &'a IndexMap)>,
    pub relu: bool,
    /// It was rounded to a dtype that registers do not have.
    rounded: Option<DType>,
}

/// What a register of an epilogue holds.
#[derive(Clone, Copy)]
enum Held<'a> {
    Product(Ending<'a>),
    Element(BufferId, DType, &'a IndexMap),
    Zero,
    Other,
}

/// What is stored, where it is the product with a bias of the stored dtype and a relu at most. A library rounds once, at the
/// end, so nothing may be added to what is rounded already.
pub(crate) fn ending<'a>(epilogue: &'a Kernel, store: &Store) -> Option<Ending<'a>> {
    let mut held: Vec<Held<'a>> = Vec::with_capacity(epilogue.body.len());
    let of =
        |held: &[Held<'a>], register: Register| held.get(register as usize).copied().unwrap_or(Held::Other);
    for instruction in &epilogue.body {
        let next = match instruction {
            Instruction::Product(DType::F32) => Held::Product(Ending::default()),
            Instruction::Load { buffer, dtype, map } => Held::Element(*buffer, *dtype, map),
            Instruction::Literal(literal) if literal.is(0.0) => Held::Zero,
            Instruction::Apply { op, dtype, operands } => {
                let [a, b] = [of(&held, operands[0]), of(&held, operands[1])];
                applied(*op, *dtype, a, b, store.dtype)
            }
            _ => Held::Other,
        };
        held.push(next);
    }
    let Held::Product(ending) = of(&held, store.register) else { return None };
    ending.rounded.is_none_or(|dtype| dtype == store.dtype).then_some(ending)
}

fn applied<'a>(op: ScalarOp, dtype: DType, a: Held<'a>, b: Held<'a>, stored: DType) -> Held<'a> {
    match (op, a, b) {
        (ScalarOp::Cast, Held::Product(ending), _) => match dtype {
            DType::F32 => Held::Product(ending),
            DType::F16 | DType::BF16 if ending.rounded.is_none_or(|before| before == dtype) => {
                Held::Product(Ending { rounded: Some(dtype), ..ending })
            }
            _ => Held::Other,
        },
        // What is loaded is in f32 already.
        (ScalarOp::Cast, Held::Element(..), _) if dtype == DType::F32 => a,
        (ScalarOp::Add, Held::Product(ending), Held::Element(buffer, of, map))
        | (ScalarOp::Add, Held::Element(buffer, of, map), Held::Product(ending))
            if of == stored && ending.bias.is_none() && !ending.relu && ending.rounded.is_none() =>
        {
            Held::Product(Ending { bias: Some((buffer, map)), ..ending })
        }
        (ScalarOp::Max, Held::Product(ending), Held::Zero)
        | (ScalarOp::Max, Held::Zero, Held::Product(ending)) => {
            Held::Product(Ending { relu: true, ..ending })
        }
        _ => Held::Other,
    }
}

/// An epilogue over sums that lie in a buffer.
fn reading(epilogue: &Kernel, from: BufferId, dtype: DType) -> Kernel {
    let mut kernel = epilogue.clone();
    for instruction in &mut kernel.body {
        if let Instruction::Product(_) = instruction {
            let map = IndexMap::dense(&epilogue.space);
            *instruction = Instruction::Load { buffer: from, dtype, map };
        }
    }
    kernel
}
