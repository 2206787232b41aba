//! Matrix products and convolutions: tiles of sums in each workgroup, the epilogue in the last store; sums of many terms split
//! over workgroups and combined by a second kernel.

mod finish;
mod panel;
mod reduced;
mod tile;
mod tiled;
mod units;

use crate::code::{Code, Context};
use crate::dispatch::Dispatch;
use crate::kernel::mark;
use crate::limits::Limits;
use crate::operands::Operands;
use crate::plan::Piece;
use crate::scalar::type_name;
use finish::Finish;
use tile::Cut;
use warploom_device::{BufferId, DeviceError, Kernel};

pub(crate) use tile::Extents;

/// Scratch bytes of a product: the parts of split sums.
pub(crate) fn workspace_bytes(operands: Operands<'_>, limits: &Limits) -> usize {
    let extents = operands.extents();
    if is_sweep(operands) || extents.batch * extents.rows * extents.columns == 0 {
        return 0;
    }
    match Cut::choose(operands, limits).splits(extents, limits).0 {
        1 => 0,
        splits => splits * extents.batch * extents.rows * extents.columns * operands.sum_dtype().bytes(),
    }
}

/// Whether a product is better written as a reduction: one operand is a vector, or elements are whole numbers.
fn is_sweep(operands: Operands<'_>) -> bool {
    let extents = operands.extents();
    match operands {
        // A reduction has no way to round its operands.
        Operands::Matrices(step) if step.tf32 => false,
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
        return Ok(vec![Piece::Kernel(reduced::sweep(step))]);
    }
    let cut = Cut::choose(operands, context.limits);
    if operands.is_tf32() && !matches!(cut, Cut::Units(_)) {
        let why = format!("{} multiplies in TF32, for which the device has no matrix units", epilogue.name);
        return Err(DeviceError::Unsupported(why));
    }
    let (splits, terms) = cut.splits(operands.extents(), context.limits);
    let ordinal = next(&epilogue.name);
    if splits == 1 {
        let finish = Finish::Epilogue(epilogue);
        let all = sums(context, ordinal, operands, cut, terms, finish, &epilogue.name)?;
        return Ok(vec![Piece::Dispatch(all)]);
    }
    let missing =
        || DeviceError::Unsupported(format!("{} has no workspace for its split sums", epilogue.name));
    let workspace = workspace.ok_or_else(missing)?;
    let parts = format!("{} in {splits} parts", epilogue.name);
    let finish = Finish::Parts(workspace, epilogue);
    let first = sums(context, ordinal, operands, cut, terms, finish, &parts)?;
    Ok(vec![
        Piece::Dispatch(first),
        Piece::Kernel(reduced::combine(epilogue, workspace, splits, operands.sum_dtype())),
    ])
}

/// The kernel of all sums of `terms` terms each, or of parts of them.
fn sums(
    context: Context<'_>,
    ordinal: usize,
    operands: Operands<'_>,
    cut: Cut,
    terms: usize,
    finish: Finish<'_>,
    name: &str,
) -> Result<Dispatch, DeviceError> {
    let extents = operands.extents();
    let Extents { batch, .. } = extents;
    let block = cut.block();
    let [tile_rows, tile_columns] = block.counts(extents);
    let mut code = Code::new(context, ordinal);
    if let Finish::Epilogue(epilogue) = finish {
        mark(&mut code, &epilogue.stores)?;
    }
    type_name(&code, operands.sum_dtype())?;
    code.line(format!("let first_column = group % {tile_columns}u * {}u;", block.columns));
    code.line(format!("let first_row = group / {tile_columns}u % {tile_rows}u * {}u;", block.rows));
    code.line(format!("let batch = group / {}u % {batch}u;", tile_columns * tile_rows));
    code.line(format!("let split = group / {}u;", tile_columns * tile_rows * batch));
    code.line(format!("let end = min((split + 1u) * {terms}u, {}u);", extents.terms));
    match cut {
        Cut::Tiles(tile) => tiled::write(&mut code, operands, tile, terms, finish)?,
        Cut::Units(tile) => units::write(&mut code, operands, tile, terms, finish)?,
    }
    let splits = extents.terms.div_ceil(terms).max(1);
    let groups = (splits * batch * tile_rows * tile_columns) as u64;
    code.finish(name, block.workgroup, groups, finish.work(operands))
}
