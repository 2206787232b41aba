//! Products tile by tile: operands through shared memory, a block of results in each invocation's registers.

use super::finish::Finish;
use super::tile::Tile;
use crate::code::{Code, Read};
use crate::operands::Operands;
use crate::scalar::zero;
use warploom_device::DeviceError;
use warploom_graph::DType;

/// Writes the sums of a workgroup and what happens with them.
pub(super) fn write(
    code: &mut Code<'_>,
    operands: Operands<'_>,
    tile: Tile,
    terms: usize,
    finish: Finish<'_>,
) -> Result<(), DeviceError> {
    let across = tile.columns / tile.own_columns;
    code.line(format!("let own_column = first_column + thread % {across}u;"));
    code.line(format!("let own_row = first_row + thread / {across}u * {}u;", tile.own_rows));
    let zero = zero(operands.sum_dtype());
    for i in 0..tile.own_rows {
        for j in 0..tile.own_columns {
            code.line(format!("var sum{i}_{j} = {zero};"));
        }
    }
    match tile.depth {
        Some(depth) => staged(code, operands, tile, depth, terms)?,
        None => direct(code, operands, tile, terms)?,
    }
    store(code, operands, tile, terms, finish)
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
    let held = operands.sum_dtype();
    code.share("left".into(), held.name(), (depth * rows) as usize);
    code.share("right".into(), held.name(), (depth * columns) as usize);
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
        code.open_for("e", "thread", &format!("{}u", width * depth), tile.block().workgroup);
        let (at, deep) = split_element(terms_first, width);
        code.line(format!("let at = {at};"));
        code.line(format!("let deep = {deep};"));
        code.line("let term = base + deep;");
        code.line(format!("var element = {};", zero(held)));
        if name == "left" {
            code.line("let row = first_row + at;");
            code.open(format!("if (row < {}u && term < end)", extents.rows));
            operands.term(code, "t", "term");
            let value = operands.lhs(code, Read::Value, "batch", "row", "term", "t")?;
            code.line(format!("element = {value};"));
        } else {
            code.line("let column = first_column + at;");
            code.open(format!("if (column < {}u && term < end)", extents.columns));
            operands.term(code, "t", "term");
            operands.column(code, "c", "column");
            operands.rhs(code, Read::Value, "element", "batch", ["column", "c"], ["term", "t"])?;
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
    multiply(code, operands, tile);
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
        let value = operands.lhs(code, Read::Value, "batch", &format!("row{i}"), "term", "t")?;
        code.line(format!("let left{i} = {value};"));
    }
    for j in 0..tile.own_columns {
        code.line(format!("var right{j} = {};", zero(operands.sum_dtype())));
        let (column, columns) = (format!("column{j}"), format!("c{j}_"));
        operands.rhs(code, Read::Value, &format!("right{j}"), "batch", [&column, &columns], ["term", "t"])?;
    }
    multiply(code, operands, tile);
    code.close();
    Ok(())
}

fn multiply(code: &mut Code<'_>, operands: Operands<'_>, tile: Tile) {
    let fma = if operands.sum_dtype() == DType::F64 { "fma_f64" } else { "fma" };
    for i in 0..tile.own_rows {
        for j in 0..tile.own_columns {
            code.line(format!("sum{i}_{j} = {fma}(left{i}, right{j}, sum{i}_{j});"));
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
    let across = tile.columns / tile.own_columns;
    let (held, length) = (operands.sum_dtype().name(), (tile.own_rows * tile.own_columns) as usize);
    let declaration = code.context.dialect.local_array(held, "sums", length);
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
    finish.element(code, operands, terms, &format!("sums[i * {}u + j]", tile.own_columns))?;
    code.close();
    code.close();
    Ok(())
}
