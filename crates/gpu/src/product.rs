//! Matrix products and convolutions: tiles through shared memory with a block of results in each invocation's registers,
//! the epilogue in the last store; sums of many terms split over workgroups and combined by a second kernel.

use crate::code::{Code, Context, Work};
use crate::dispatch::Dispatch;
use crate::instructions::{Registers, write};
use crate::kernel::{self, mark};
use crate::limits::Limits;
use crate::operands::Operands;
use crate::plan::Piece;
use crate::tile::{Extents, Tile};
use smallvec::smallvec;
use std::collections::HashMap;
use warploom_device::kernel::register_dtype;
use warploom_device::{
    BufferId, Contraction, DeviceError, IndexMap, Instruction, Kernel, ReductionStep, Register,
};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::shape::row_major;
use warploom_graph::{DType, Dims, Reduction};

/// Scratch bytes of a product: the parts of split sums.
pub(crate) fn workspace_bytes(operands: Operands<'_>, limits: &Limits) -> usize {
    let extents = operands.extents();
    if is_sweep(operands) || extents.batch * extents.rows * extents.columns == 0 {
        return 0;
    }
    match Tile::choose(extents, limits).splits(extents, limits).0 {
        1 => 0,
        splits => splits * extents.batch * extents.rows * extents.columns * DType::F32.bytes(),
    }
}

/// Whether a product is better written as a reduction: one operand is a vector, or elements are whole numbers.
fn is_sweep(operands: Operands<'_>) -> bool {
    let extents = operands.extents();
    match operands {
        Operands::Matrices(step) => extents.rows == 1 || extents.columns == 1 || !step.dtype.is_float(),
        Operands::Windows(_) => false,
    }
}

/// A product with its epilogue; `next` gives ordinals of dispatches.
pub(crate) fn pieces(
    context: Context<'_>,
    next: &mut dyn FnMut(&str) -> usize,
    operands: Operands<'_>,
    epilogue: &Kernel,
    workspace: Option<BufferId>,
) -> Result<Vec<Piece>, DeviceError> {
    if let (Operands::Matrices(step), true) = (operands, is_sweep(operands)) {
        return Ok(vec![Piece::Kernel(sweep(step))]);
    }
    let extents = operands.extents();
    let tile = Tile::choose(extents, context.limits);
    let (splits, terms) = tile.splits(extents, context.limits);
    let ordinal = next(&epilogue.name);
    if splits == 1 {
        let finish = Finish::Epilogue(epilogue);
        let all = tiles(context, ordinal, operands, tile, terms, finish, &epilogue.name)?;
        return Ok(vec![Piece::Dispatch(all)]);
    }
    let missing =
        || DeviceError::Unsupported(format!("{} has no workspace for its split sums", epilogue.name));
    let workspace = workspace.ok_or_else(missing)?;
    let parts = format!("{} in {splits} parts", epilogue.name);
    let finish = Finish::Parts(workspace, epilogue);
    let first = tiles(context, ordinal, operands, tile, terms, finish, &parts)?;
    Ok(vec![Piece::Dispatch(first), Piece::Kernel(combine(epilogue, workspace, splits))])
}

/// What happens with a finished sum.
#[derive(Clone, Copy)]
enum Finish<'a> {
    Epilogue(&'a Kernel),
    /// It is a part of a split sum and goes to the workspace, at its place in the epilogue's space.
    Parts(BufferId, &'a Kernel),
}

fn tiles(
    context: Context<'_>,
    ordinal: usize,
    operands: Operands<'_>,
    tile: Tile,
    terms: usize,
    finish: Finish<'_>,
    name: &str,
) -> Result<Dispatch, DeviceError> {
    let extents = operands.extents();
    let Extents { batch, .. } = extents;
    let [tile_rows, tile_columns] = tile.counts(extents);
    let splits = extents.terms.div_ceil(terms).max(1);
    let across = tile.columns / tile.own_columns;
    let mut code = Code::new(context, ordinal);
    if let Finish::Epilogue(epilogue) = finish {
        mark(&mut code, &epilogue.stores)?;
    }
    code.line(format!("let first_column = group % {tile_columns}u * {}u;", tile.columns));
    code.line(format!("let first_row = group / {tile_columns}u % {tile_rows}u * {}u;", tile.rows));
    code.line(format!("let batch = group / {}u % {batch}u;", tile_columns * tile_rows));
    code.line(format!("let split = group / {}u;", tile_columns * tile_rows * batch));
    code.line(format!("let own_column = first_column + thread % {across}u;"));
    code.line(format!("let own_row = first_row + thread / {across}u * {}u;", tile.own_rows));
    code.line(format!("let end = min((split + 1u) * {terms}u, {}u);", extents.terms));
    for i in 0..tile.own_rows {
        for j in 0..tile.own_columns {
            code.line(format!("var sum{i}_{j} = 0.0f;"));
        }
    }
    match tile.depth {
        Some(depth) => staged(&mut code, operands, tile, depth, terms)?,
        None => direct(&mut code, operands, tile, terms)?,
    }
    store(&mut code, operands, tile, terms, finish)?;
    let groups = (splits * batch * tile_rows * tile_columns) as u64;
    code.finish(name, tile.workgroup(), groups, work(operands, finish))
}

/// The sums, with a part of both operands in shared memory at a time.
fn staged(
    code: &mut Code<'_>,
    operands: Operands<'_>,
    tile: Tile,
    depth: u32,
    terms: usize,
) -> Result<(), DeviceError> {
    let extents = operands.extents();
    let (rows, columns) = (tile.rows + 1, tile.columns + 1);
    code.share("left".into(), "f32", (depth * rows) as usize);
    code.share("right".into(), "f32", (depth * columns) as usize);
    let [left_terms_first, right_terms_first] = operands.terms_first();
    let split_element = |terms_first: bool, width: u32| {
        if terms_first {
            (format!("e / {depth}u"), format!("e % {depth}u"))
        } else {
            (format!("e % {width}u"), format!("e / {width}u"))
        }
    };
    code.open_for("base", &format!("split * {terms}u"), "end", depth);
    for (name, width, terms_first) in
        [("left", tile.rows, left_terms_first), ("right", tile.columns, right_terms_first)]
    {
        code.open_for("e", "thread", &format!("{}u", width * depth), tile.workgroup());
        let (at, deep) = split_element(terms_first, width);
        code.line(format!("let at = {at};"));
        code.line(format!("let deep = {deep};"));
        code.line("let term = base + deep;");
        code.line("var element = 0.0f;");
        if name == "left" {
            code.line("let row = first_row + at;");
            code.open(format!("if (row < {}u && term < end)", extents.rows));
            operands.term(code, "t", "term");
            let value = operands.lhs(code, "batch", "row", "term", "t")?;
            code.line(format!("element = {value};"));
        } else {
            code.line("let column = first_column + at;");
            code.open(format!("if (column < {}u && term < end)", extents.columns));
            operands.term(code, "t", "term");
            operands.column(code, "c", "column");
            operands.rhs(code, "element", "batch", ["column", "c"], ["term", "t"])?;
        }
        code.close();
        code.line(format!("{name}[deep * {}u + at] = element;", width + 1));
        code.close();
    }
    code.barrier();
    code.open_for("deep", "0u", &format!("{depth}u"), 1);
    let across = tile.columns / tile.own_columns;
    for i in 0..tile.own_rows {
        code.line(format!("let left{i} = left[deep * {rows}u + own_row - first_row + {i}u];"));
    }
    for j in 0..tile.own_columns {
        code.line(format!(
            "let right{j} = right[deep * {columns}u + own_column - first_column + {}u];",
            j * across
        ));
    }
    multiply(code, tile);
    code.close();
    code.barrier();
    code.close();
    Ok(())
}

/// The sums, with operands read by every invocation for itself.
fn direct(code: &mut Code<'_>, operands: Operands<'_>, tile: Tile, terms: usize) -> Result<(), DeviceError> {
    let extents = operands.extents();
    let across = tile.columns / tile.own_columns;
    // Beyond the edges the last row and column are computed again.
    for i in 0..tile.own_rows {
        code.line(format!("let row{i} = min(own_row + {i}u, {}u);", extents.rows - 1));
    }
    for j in 0..tile.own_columns {
        code.line(format!("let column{j} = min(own_column + {}u, {}u);", j * across, extents.columns - 1));
        operands.column(code, &format!("c{j}_"), &format!("column{j}"));
    }
    code.open_for("term", &format!("split * {terms}u"), "end", 1);
    operands.term(code, "t", "term");
    for i in 0..tile.own_rows {
        let value = operands.lhs(code, "batch", &format!("row{i}"), "term", "t")?;
        code.line(format!("let left{i} = {value};"));
    }
    for j in 0..tile.own_columns {
        code.line(format!("var right{j} = 0.0f;"));
        let (column, columns) = (format!("column{j}"), format!("c{j}_"));
        operands.rhs(code, &format!("right{j}"), "batch", [&column, &columns], ["term", "t"])?;
    }
    multiply(code, tile);
    code.close();
    Ok(())
}

fn multiply(code: &mut Code<'_>, tile: Tile) {
    for i in 0..tile.own_rows {
        for j in 0..tile.own_columns {
            code.line(format!("sum{i}_{j} = fma(left{i}, right{j}, sum{i}_{j});"));
        }
    }
}

/// Finishes an invocation's sums one after another.
fn store(
    code: &mut Code<'_>,
    operands: Operands<'_>,
    tile: Tile,
    terms: usize,
    finish: Finish<'_>,
) -> Result<(), DeviceError> {
    let extents = operands.extents();
    let across = tile.columns / tile.own_columns;
    let declaration =
        code.context.dialect.local_array("f32", "sums", (tile.own_rows * tile.own_columns) as usize);
    code.line(declaration);
    for i in 0..tile.own_rows {
        for j in 0..tile.own_columns {
            code.line(format!("sums[{}] = sum{i}_{j};", i * tile.own_columns + j));
        }
    }
    code.open_for("i", "0u", &format!("{}u", tile.own_rows), 1);
    code.open_for("j", "0u", &format!("{}u", tile.own_columns), 1);
    code.line("let row = own_row + i;");
    code.line(format!("let column = own_column + j * {across}u;"));
    // Workgroups beyond the last, of which a launch over several axes may have some, are past the last split.
    let splits = extents.terms.div_ceil(terms).max(1);
    let (rows, columns) = (extents.rows, extents.columns);
    code.open(format!("if (row < {rows}u && column < {columns}u && split < {splits}u)"));
    code.line(format!("let product = sums[i * {}u + j];", tile.own_columns));
    let point = operands.epilogue_point(code, "batch", "row", "column");
    match finish {
        Finish::Epilogue(epilogue) => {
            let mut registers = Registers::default();
            write(code, &mut registers, (0..).zip(&epilogue.body), &point, Some("product"))?;
            for store in &epilogue.stores {
                let value = registers.get(store.register)?.0.to_owned();
                code.store(store.buffer, store.dtype, &point.element(&store.map), &value)?;
            }
        }
        Finish::Parts(workspace, epilogue) => {
            let part = point.element(&IndexMap::dense(&epilogue.space));
            let index = format!("split * {}u + {part}", epilogue.points());
            code.store(workspace, DType::F32, &index, "product")?;
        }
    }
    code.close();
    code.close();
    code.close();
    Ok(())
}

fn work(operands: Operands<'_>, finish: Finish<'_>) -> Work {
    let Extents { batch, rows, columns, terms } = operands.extents();
    let epilogue = match finish {
        Finish::Epilogue(kernel) => kernel::work(kernel),
        Finish::Parts(..) => {
            Work { operations: 0, traffic: (batch * rows * columns * DType::F32.bytes()) as u64 }
        }
    };
    let right = match operands {
        Operands::Matrices(_) => batch * terms * columns,
        Operands::Windows(step) => step.shape.input().iter().product(),
    };
    Work {
        operations: 2 * (batch * rows * columns * terms) as u64 + epilogue.operations,
        traffic: ((batch * rows * terms + right) * operands.dtype().bytes()) as u64 + epilogue.traffic,
    }
}

/// A product as a reduction over its terms.
fn sweep(step: &Contraction) -> Kernel {
    let held = register_dtype(step.dtype);
    let load = |operand: &warploom_device::Operand, strides: [i64; 4]| Instruction::Load {
        buffer: operand.buffer,
        dtype: step.dtype,
        map: IndexMap {
            offset: operand.offset,
            strides: smallvec![strides[0], strides[1], strides[2], strides[3]],
            bounds: smallvec![],
        },
    };
    let (lhs, rhs) = (&step.lhs, &step.rhs);
    let body = vec![
        load(lhs, [lhs.batch, lhs.row, 0, lhs.column]),
        load(rhs, [rhs.batch, 0, rhs.column, rhs.row]),
        Instruction::Apply { op: ScalarOp::Mul, dtype: held, operands: [0, 1, 1] },
    ];
    reduced(&step.epilogue, Dims::from_elem(step.k, 1), body, held)
}

/// The kernel that adds the parts of split sums and goes on with the epilogue.
fn combine(epilogue: &Kernel, workspace: BufferId, splits: usize) -> Kernel {
    let mut strides: smallvec::SmallVec<[i64; 4]> =
        row_major(&epilogue.space).iter().map(|stride| *stride as i64).collect();
    strides.push(epilogue.points() as i64);
    let map = IndexMap { offset: 0, strides, bounds: smallvec![] };
    let body = vec![Instruction::Load { buffer: workspace, dtype: DType::F32, map }];
    reduced(epilogue, Dims::from_elem(splits, 1), body, DType::F32)
}

/// A kernel that sums the last register of a body over one axis, with an epilogue as its tail.
fn reduced(epilogue: &Kernel, sweep: Dims, body: Vec<Instruction>, dtype: DType) -> Kernel {
    let sum = body.len() as Register;
    let (mut places, mut tail) = (HashMap::new(), Vec::new());
    for (register, instruction) in (0..).zip(&epilogue.body) {
        let moved = match instruction {
            Instruction::Product(_) => {
                places.insert(register, sum);
                continue;
            }
            Instruction::Apply { op, dtype, operands } => Instruction::Apply {
                op: *op,
                dtype: *dtype,
                operands: operands.map(|operand| places[&operand]),
            },
            Instruction::LoadAt { buffer, dtype, map, index, stride, extent } => Instruction::LoadAt {
                buffer: *buffer,
                dtype: *dtype,
                map: map.clone(),
                index: places[index],
                stride: *stride,
                extent: *extent,
            },
            Instruction::Literal(_)
            | Instruction::Load { .. }
            | Instruction::Index { .. }
            | Instruction::Random { .. } => instruction.clone(),
        };
        places.insert(register, sum + 1 + tail.len() as Register);
        tail.push(moved);
    }
    let mut stores = epilogue.stores.clone();
    for store in &mut stores {
        store.register = places[&store.register];
        store.map.strides.push(0);
    }
    for instruction in &mut tail {
        if let Instruction::Load { map, .. }
        | Instruction::LoadAt { map, .. }
        | Instruction::Index { map, .. }
        | Instruction::Random { map, .. } = instruction
        {
            map.strides.push(0);
        }
    }
    Kernel {
        name: epilogue.name.clone(),
        space: epilogue.space.clone(),
        reduced: sweep,
        reductions: vec![ReductionStep { kind: Reduction::Sum, operand: sum - 1, dtype }],
        body,
        tail,
        stores,
    }
}
