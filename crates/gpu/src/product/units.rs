//! Products by matrix units: both operands through shared memory, one half of which is filled while units read the other; sums
//! in the registers of warps, finished by way of shared memory so that neighbours write neighbours.
//!
//! Every sum is one chain of matrix products over its terms in their order, whatever the tile and the strides; how a unit adds
//! the terms of one product is the device's.
//!
//! What a tile allows, counted and not measured: a warp of 64 x 32 sums reads 3,072 bytes of shared memory for 65,536 operations
//! of 16-bit operands, and a workgroup of eight writes 16,384 bytes there for every 1,048,576. At 128 bytes a clock and
//! multiprocessor these take 512 clocks, in which an A100 could do 1,048,576 such operations and an H100 2,097,152: at most all
//! of the one's peak and half of the other's, and the same of TF32 with half the operations. Warps of 64 x 64 would allow two
//! thirds, for twice the registers.

use super::finish::Finish;
use super::panel::Filling;
use super::tile::{DEPTH_WORDS, Unit, UnitTile};
use crate::code::Code;
use crate::operands::{Operands, Side};
use warploom_device::DeviceError;

/// Invocations that share a multiprocessor, at 128 registers each: as many as the largest tile needs for its sums, operands and
/// what is read ahead, and left alone a compiler would now take more, now spill to take fewer.
const RESIDENT: u32 = 512;
/// The same where both operands go through registers: 128 are then too few, and one workgroup of 256 has a multiprocessor.
const RESIDENT_GATHERING: u32 = 384;

/// Writes the sums of a workgroup and what happens with them.
pub(super) fn write(
    code: &mut Code<'_>,
    operands: Operands<'_>,
    tile: UnitTile,
    terms: usize,
    finish: Finish<'_>,
) -> Result<(), DeviceError> {
    let workgroup = tile.block().workgroup;
    let left = Filling::new(code, operands, Side::Left, (tile.rows, workgroup), tile.unit)?;
    let right = Filling::new(code, operands, Side::Right, (tile.columns, workgroup), tile.unit)?;
    let resident = if left.copies() || right.copies() { RESIDENT } else { RESIDENT_GATHERING };
    code.resident = Some(resident / workgroup);
    // Finished sums use it after the left operand.
    code.share("left".into(), "u32", (2 * left.panel.words()).max(tile.scratch_words()) as usize);
    code.share("right".into(), "u32", 2 * right.panel.words() as usize);
    let across = tile.columns / tile.warp_columns;
    code.line("let lane = thread % 32u;");
    code.line(format!("let warp_row = thread / 32u / {across}u * {}u;", tile.warp_rows));
    code.line(format!("let warp_column = thread / 32u % {across}u * {}u;", tile.warp_columns));
    code.line(format!("let left_at = {};", left.panel.lane_word(Side::Left, "warp_row")));
    code.line(format!("let right_at = {};", right.panel.lane_word(Side::Right, "warp_column")));
    for i in 0..tile.warp_rows / 16 {
        for j in 0..tile.warp_columns / 8 {
            let sums = code.context.dialect.local_array("f32", &format!("sum{i}_{j}"), 4);
            code.line(sums);
        }
    }
    left.begin(code);
    right.begin(code);
    let depth = tile.depth();
    code.line(format!("let start = split * {terms}u;"));
    code.open_for("base", "start", &format!("end + {depth}u"), depth);
    code.line(format!("let fill = (base - start) / {depth}u % 2u;"));
    code.open("if (base < end)");
    left.read(code)?;
    right.read(code)?;
    code.close();
    code.open("if (base > start)");
    multiply(code, tile, &left, &right);
    code.close();
    if !(left.copies() && right.copies()) {
        code.open("if (base < end)");
        left.put(code);
        right.put(code);
        code.close();
    }
    if left.copies() || right.copies() {
        let finished = code.call("finish_copies", &[]);
        code.line(format!("{finished};"));
    }
    code.barrier();
    code.close();
    share(code, operands, tile, terms, finish)
}

/// Adds the products of the half that is full.
fn multiply(code: &mut Code<'_>, tile: UnitTile, left: &Filling<'_>, right: &Filling<'_>) {
    let function = match tile.unit {
        Unit::Bf16 => "multiply_bf16",
        Unit::F16 => "multiply_f16",
        Unit::Tf32 => "multiply_tf32",
    };
    code.line(format!("let left_take = left_at + (1u - fill) * {}u;", left.panel.words()));
    code.line(format!("let right_take = right_at + (1u - fill) * {}u;", right.panel.words()));
    code.open_unrolled("step", DEPTH_WORDS / 8);
    code.line("let deep = step * 8u;");
    for i in 0..tile.warp_rows / 16 {
        left.panel.take(code, Side::Left, i);
    }
    for pair in 0..tile.warp_columns / 16 {
        right.panel.take(code, Side::Right, pair);
        for (i, half) in (0..tile.warp_rows / 16).flat_map(|i| [(i, 0), (i, 1)]) {
            let words = [2 * half, 2 * half + 1].map(|word| format!("right{pair}[{word}]"));
            let (sum, left) = (format!("sum{i}_{}", 2 * pair + half), format!("left{i}"));
            let call = code.call(function, &[&sum, &left, &words[0], &words[1]]);
            code.line(format!("{call};"));
        }
    }
    code.close();
}

/// Finishes the sums, of each warp 16 rows at a time.
fn share(
    code: &mut Code<'_>,
    operands: Operands<'_>,
    tile: UnitTile,
    terms: usize,
    finish: Finish<'_>,
) -> Result<(), DeviceError> {
    let (stride, columns) = (tile.scratch_stride(), tile.warp_columns);
    code.line(format!("let scratch = thread / 32u * {}u;", 16 * stride));
    code.open_for("i", "0u", &format!("{}u", tile.warp_rows / 16), 1);
    for i in 0..tile.warp_rows / 16 {
        code.open(format!("if (i == {i}u)"));
        for j in 0..columns / 8 {
            let to = format!("scratch + lane / 4u * {stride}u + lane % 4u * 2u + {}u", 8 * j);
            let below = format!("{}u", 8 * stride);
            let call = code.call("share_sums", &["left", &to, &below, &format!("sum{i}_{j}")]);
            code.line(format!("{call};"));
        }
        code.close();
    }
    let wait = code.call("wait_for_warp", &[]);
    code.line(format!("{wait};"));
    code.open_for("e", "lane", &format!("{}u", 16 * columns), 32);
    code.line(format!("let row = first_row + warp_row + i * 16u + e / {columns}u;"));
    code.line(format!("let column = first_column + warp_column + e % {columns}u;"));
    let sum = format!("bitcast<f32>(left[scratch + e / {columns}u * {stride}u + e % {columns}u])");
    finish.element(code, operands, terms, &sum)?;
    code.close();
    // What is shared is read before the next rows are written.
    let wait = code.call("wait_for_warp", &[]);
    code.line(format!("{wait};"));
    code.close();
    Ok(())
}
