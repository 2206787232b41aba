//! Elementwise kernels: one invocation a point, a word of small elements, or vectors of any.

use crate::code::Code;
use crate::instructions::{Point, Registers, write as write_instructions};
use crate::kernel::{Share, workgroup};
use crate::vectors;
use warploom_device::{DeviceError, Kernel};

/// Writes a kernel without reductions.
pub(crate) fn write(
    code: &mut Code<'_>,
    kernel: &Kernel,
    share: Share<'_>,
    rows: usize,
) -> Result<(), DeviceError> {
    let lanes = lanes(code, kernel, rows)?;
    let words = kernel.points() / lanes;
    let across = workgroup(code.context.limits);
    let in_words = |point: &str| if lanes > 1 { format!("{point} / {lanes}u") } else { point.to_owned() };
    match share {
        Share::Own(group) => {
            code.line(format!("let word = {group} * {across}u + thread;"));
            code.open(format!("if (word < {words}u)"));
        }
        Share::Range { first, end, most } if most <= across as usize => {
            code.line(format!("let word = {} + thread;", in_words(first)));
            code.open(format!("if (word < {})", in_words(end)));
        }
        Share::Range { first, end, .. } => {
            code.open_for("word", &format!("{} + thread", in_words(first)), &in_words(end), across);
        }
    }
    if vectors::lanes(code, kernel, rows)?.is_some() {
        vectors::write(code, kernel, lanes)?;
    } else {
        write_points(code, kernel, lanes)?;
    }
    code.close();
    Ok(())
}

/// Writes what the invocation of number `word` does, point by point.
fn write_points(code: &mut Code<'_>, kernel: &Kernel, lanes: usize) -> Result<(), DeviceError> {
    if lanes > 1 {
        for i in (0..kernel.stores.len()).filter(|i| kernel.stores[*i].dtype.bytes() < 4) {
            code.line(format!("var word{i} = 0u;"));
        }
        code.open_for("lane", "0u", &format!("{lanes}u"), 1);
        code.line(format!("let point = word * {lanes}u + lane;"));
    } else {
        code.line("let point = word;");
    }
    let mut point = Point::default();
    point.unravel(code, "i", "point", &kernel.space);
    let mut registers = Registers::default();
    write_instructions(code, &mut registers, (0..).zip(&kernel.body), &point, None)?;
    for (i, store) in kernel.stores.iter().enumerate() {
        let value = registers.get(store.register)?.0.to_owned();
        if lanes > 1 && store.dtype.bytes() < 4 {
            let per_word = 4 / store.dtype.bytes();
            let bits = code.bits(store.dtype, &value);
            code.line(format!("word{i} |= {bits} << ((lane % {per_word}u) * {}u);", 8 * store.dtype.bytes()));
            if per_word < lanes {
                code.open(format!("if (lane % {per_word}u == {}u)", per_word - 1));
                let last = point.element(&store.map);
                code.store_word(store.buffer, store.dtype, &last, &format!("word{i}"))?;
                code.line(format!("word{i} = 0u;"));
                code.close();
            }
        } else {
            code.store(store.buffer, store.dtype, &point.element(&store.map), &value)?;
        }
    }
    if lanes > 1 {
        code.close();
        let mut first = Point::default();
        code.line(format!("let point = word * {lanes}u;"));
        first.unravel(code, "j", "point", &kernel.space);
        for (i, store) in kernel.stores.iter().enumerate() {
            if store.dtype.bytes() * lanes == 4 {
                let element = first.element(&store.map);
                code.store_word(store.buffer, store.dtype, &element, &format!("word{i}"))?;
            }
        }
    }
    Ok(())
}

/// Points of a workgroup.
pub(crate) fn points_each(code: &Code<'_>, kernel: &Kernel) -> Result<u64, DeviceError> {
    Ok(u64::from(workgroup(code.context.limits)) * lanes(code, kernel, 1)? as u64)
}

/// How many points an invocation takes, by vectors, or so that it writes whole words: 1 where all elements are words, where the elements
/// of a word are not neighbours, belong to different rows, or are written in parts by another kernel of the dispatch.
pub(crate) fn lanes(code: &Code<'_>, kernel: &Kernel, rows: usize) -> Result<usize, DeviceError> {
    if let Some(lanes) = vectors::lanes(code, kernel, rows)? {
        return Ok(lanes);
    }
    let small = || kernel.stores.iter().filter(|store| store.dtype.bytes() < 4);
    let lanes = small().map(|store| 4 / store.dtype.bytes()).max().unwrap_or(1);
    let last = kernel.space.len() - 1;
    for store in small() {
        let per_word = 4 / store.dtype.bytes() as i64;
        let outer = &store.map.strides[..last];
        let is_whole = kernel.space[last].is_multiple_of(lanes)
            && (kernel.points() / rows).is_multiple_of(lanes)
            && !code.is_atomic(store.buffer)?
            && store.map.strides[last] == 1
            && store.map.offset % per_word == 0
            && outer.iter().all(|stride| stride % per_word == 0)
            && code.context.places.of(store.buffer)?.moves.iter().all(|(_, stride)| stride % 4 == 0);
        if !is_whole {
            return Ok(1);
        }
    }
    Ok(lanes)
}
