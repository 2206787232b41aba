//! Elementwise kernels whose invocations load and store several neighbouring elements at once: what lies at one point after
//! the other in memory crosses in vectors, all else element by element.

use crate::code::Code;
use crate::instructions::{Point, Registers, write as write_instructions};
use warploom_device::{BufferId, DeviceError, IndexMap, Instruction, Kernel, Register};
use warploom_graph::DType;

/// Instructions of all points of an invocation, up to which code is written out: longer code has no room in registers for
/// what it loads beforehand, and gains nothing, since it computes more than it moves.
const MOST_INSTRUCTIONS: usize = 256;
/// The part of the invocations that fill the device with which vectors keep memory busy.
const FILLING_PART: usize = 4;

/// How many points an invocation takes by vectors; `None` where it should take them otherwise.
pub(crate) fn lanes(code: &Code<'_>, kernel: &Kernel, rows: usize) -> Result<Option<usize>, DeviceError> {
    let limits = code.context.limits;
    let last = kernel.space.len() - 1;
    let loads = kernel.body.iter().filter_map(loaded).filter(|(_, _, map)| map.strides[last] == 1);
    let stores = kernel.stores.iter().map(|store| store.dtype);
    let bytes = stores.chain(loads.map(|(_, dtype, _)| dtype)).map(DType::bytes);
    let (narrowest, widest) = bytes.fold((4, 1), |(least, most), bytes| (bytes.min(least), bytes.max(most)));
    // Of the narrowest at least a word, though elements of 8 bytes beside single ones cross in two pieces then.
    let lanes = (limits.vector_bytes / widest).max(4 / narrowest);
    let invocations = kernel.points() / lanes.max(1);
    if limits.vector_bytes <= 4
        || lanes < 2
        || kernel.body.len() * lanes > MOST_INSTRUCTIONS
        || invocations < (limits.parallel as usize / FILLING_PART).max(1)
        || !kernel.space[last].is_multiple_of(lanes)
        || !(kernel.points() / rows).is_multiple_of(lanes)
    {
        return Ok(None);
    }
    for store in &kernel.stores {
        if !is_vector(code, (store.buffer, store.dtype, &store.map), last, lanes)? {
            return Ok(None);
        }
    }
    Ok(Some(lanes))
}

/// What an instruction loads of a place that is known beforehand.
fn loaded(instruction: &Instruction) -> Option<(BufferId, DType, &IndexMap)> {
    match instruction {
        Instruction::Load { buffer, dtype, map } => Some((*buffer, *dtype, map)),
        _ => None,
    }
}

/// Whether `lanes` points in a row name the elements of a vector.
fn is_vector(
    code: &Code<'_>,
    (buffer, dtype, map): (BufferId, DType, &IndexMap),
    last: usize,
    lanes: usize,
) -> Result<bool, DeviceError> {
    let is_multiple = |elements: &i64| elements % lanes as i64 == 0;
    let whole = map.bounds.iter().filter(|bound| bound.axis == last);
    let place = code.context.places.of(buffer)?;
    let bytes = lanes * dtype.bytes();
    Ok(map.strides[last] == 1
        && is_multiple(&map.offset)
        && map.strides[..last].iter().all(is_multiple)
        && whole
            .into_iter()
            .all(|bound| bound.start.is_multiple_of(lanes) && bound.end.is_multiple_of(lanes))
        && place.offset.is_multiple_of(bytes)
        && place.moves.iter().all(|(_, stride)| stride.is_multiple_of(bytes))
        && !code.is_atomic(buffer)?)
}

/// Writes what the invocation of number `word` does.
pub(crate) fn write(code: &mut Code<'_>, kernel: &Kernel, lanes: usize) -> Result<(), DeviceError> {
    let last = kernel.space.len() - 1;
    let mut first = Point::default();
    code.line(format!("let point = word * {lanes}u;"));
    first.unravel(code, "j", "point", &kernel.space);
    let mut vectors: Vec<(Register, DType)> = Vec::new();
    for (register, instruction) in (0..).zip(&kernel.body) {
        let Some((buffer, dtype, map)) = loaded(instruction) else { continue };
        if is_vector(code, (buffer, dtype, map), last, lanes)? {
            load(code, register, (buffer, dtype, map), &first, lanes)?;
            vectors.push((register, dtype));
        }
    }
    for (i, store) in kernel.stores.iter().enumerate() {
        declare(code, &format!("stored{i}"), store.dtype, lanes);
    }
    code.open_unrolled("lane", lanes as u32);
    let mut point = first.clone();
    point.coordinates[last] = format!("i{last}");
    code.line(format!("let i{last} = j{last} + lane;"));
    let mut registers = Registers::default();
    for (register, dtype) in &vectors {
        let bits = element(&format!("loaded{register}"), *dtype);
        let value = code.value(*dtype, bits);
        code.line(format!("let r{register} = {value};"));
        registers.set(*register, format!("r{register}"), *dtype);
    }
    let is_known = |register: &Register| vectors.iter().any(|(known, _)| known == register);
    let others = (0..).zip(&kernel.body).filter(|(register, _)| !is_known(register));
    write_instructions(code, &mut registers, others, &point, None)?;
    for (i, store) in kernel.stores.iter().enumerate() {
        let value = registers.get(store.register)?.0.to_owned();
        let bits = code.bits(store.dtype, &value);
        match store.dtype.bytes() {
            8 => {
                code.line(format!("let bits{i} = {bits};"));
                code.line(format!("stored{i}[lane * 2u] = u32(bits{i});"));
                code.line(format!("stored{i}[lane * 2u + 1u] = u32(bits{i} >> 32);"));
            }
            4 => code.line(format!("stored{i}[lane] = {bits};")),
            bytes => {
                let (each, width) = (4 / bytes, 8 * bytes);
                code.line(format!("stored{i}[lane / {each}u] |= {bits} << (lane % {each}u * {width}u);"));
            }
        }
    }
    code.close();
    for (i, store) in kernel.stores.iter().enumerate() {
        let (memory, word) = code.word(store.buffer, store.dtype, &first.element(&store.map), true)?;
        let call = code.call("store_vector", &[&memory, &word, &format!("stored{i}")]);
        code.line(format!("{call};"));
    }
    Ok(())
}

/// Declares the words of `lanes` elements.
fn declare(code: &mut Code<'_>, name: &str, dtype: DType, lanes: usize) {
    let words = code.context.dialect.local_array("u32", name, lanes * dtype.bytes() / 4);
    code.line(words);
}

fn load(
    code: &mut Code<'_>,
    register: Register,
    (buffer, dtype, map): (BufferId, DType, &IndexMap),
    first: &Point,
    lanes: usize,
) -> Result<(), DeviceError> {
    let name = format!("loaded{register}");
    declare(code, &name, dtype, lanes);
    let condition = first.condition(map);
    if let Some(condition) = &condition {
        code.open(format!("if ({condition})"));
    }
    let (memory, word) = code.word(buffer, dtype, &first.element(map), false)?;
    let call = code.call("load_vector", &[&name, &memory, &word]);
    code.line(format!("{call};"));
    if condition.is_some() {
        code.close();
    }
    Ok(())
}

/// The bits of the element of number `lane` among words, of 8 bytes as a `u64`.
fn element(words: &str, dtype: DType) -> String {
    match dtype.bytes() {
        1 => format!("(({words}[lane / 4u] >> (lane % 4u * 8u)) & 255u)"),
        2 => format!("(({words}[lane / 2u] >> (lane % 2u * 16u)) & 65535u)"),
        4 => format!("{words}[lane]"),
        _ => format!("(u64({words}[lane * 2u + 1u]) << 32 | {words}[lane * 2u])"),
    }
}
