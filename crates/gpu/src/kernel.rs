//! Fused kernels: elementwise chains, one invocation a point or a word of small elements; reductions, several
//! invocations a point that share what they have summed.

use crate::code::{Code, Context, Work};
use crate::collapse::collapse;
use crate::dispatch::Dispatch;
use crate::instructions::{Point, Registers, write};
use crate::scalar::{float, type_name, zero};
use warploom_device::kernel::register_dtype;
use warploom_device::{DeviceError, IndexMap, Instruction, Kernel, ReductionStep, Register, Store};
use warploom_graph::{DType, Reduction};

/// Invocations of a workgroup where nothing asks for more.
const WORKGROUP: u32 = 128;
/// Elements that one invocation sums in one go; longer sums are made of such sums, which loses fewer digits.
const RUN: usize = 64;

/// The dispatch of a kernel.
pub(crate) fn dispatch(
    context: Context<'_>,
    ordinal: usize,
    kernel: &Kernel,
) -> Result<Dispatch, DeviceError> {
    let work = work(kernel);
    let kernel = collapse(kernel);
    let code = Code::new(context, ordinal);
    if kernel.reductions.is_empty() { pointwise(code, &kernel, work) } else { reduction(code, &kernel, work) }
}

/// Operations and least traffic of a kernel.
pub(crate) fn work(kernel: &Kernel) -> Work {
    let applies = |list: &[Instruction]| {
        list.iter().filter(|i| matches!(i, Instruction::Apply { .. } | Instruction::Random { .. })).count()
    };
    let (points, sweep) = (kernel.points() as u64, kernel.sweep() as u64);
    let body = (applies(&kernel.body) + kernel.reductions.len()) as u64;
    // A load touches as many elements as it has distinct positions, at most.
    let extents: Vec<usize> = kernel.space.iter().chain(&kernel.reduced).copied().collect();
    let touched = |map: &IndexMap| -> u64 {
        extents.iter().zip(&map.strides).filter(|(_, s)| **s != 0).map(|(e, _)| *e as u64).product()
    };
    let loaded = kernel.instructions().map(|(_, instruction)| match instruction {
        Instruction::Load { dtype, map, .. } | Instruction::LoadAt { dtype, map, .. } => {
            touched(map) * dtype.bytes() as u64
        }
        _ => 0,
    });
    let stored = kernel.stores.iter().map(|store| points * store.dtype.bytes() as u64);
    Work {
        operations: points * (sweep * body + applies(&kernel.tail) as u64),
        traffic: loaded.chain(stored).sum(),
    }
}

fn pointwise(mut code: Code<'_>, kernel: &Kernel, work: Work) -> Result<Dispatch, DeviceError> {
    let lanes = lanes(&code, kernel)?;
    if lanes == 1 {
        mark(&mut code, &kernel.stores)?;
    }
    let words = kernel.points() / lanes;
    let workgroup = WORKGROUP.min(code.context.limits.workgroup);
    code.line(format!("let word = group * {workgroup}u + thread;"));
    code.open(format!("if (word < {words}u)"));
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
    point.unravel(&mut code, "i", "point", &kernel.space);
    let mut registers = Registers::default();
    write(&mut code, &mut registers, (0..).zip(&kernel.body), &point, None)?;
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
        first.unravel(&mut code, "j", "point", &kernel.space);
        for (i, store) in kernel.stores.iter().enumerate() {
            if store.dtype.bytes() * lanes == 4 {
                let element = first.element(&store.map);
                code.store_word(store.buffer, store.dtype, &element, &format!("word{i}"))?;
            }
        }
    }
    code.close();
    code.finish(&kernel.name, workgroup, (words as u64).div_ceil(u64::from(workgroup)), work)
}

/// How many points an invocation takes so that it writes whole words: 1 where all elements are words, or where the
/// elements of a word are not neighbours.
fn lanes(code: &Code<'_>, kernel: &Kernel) -> Result<usize, DeviceError> {
    let small = || kernel.stores.iter().filter(|store| store.dtype.bytes() < 4);
    let lanes = small().map(|store| 4 / store.dtype.bytes()).max().unwrap_or(1);
    let last = kernel.space.len() - 1;
    for store in small() {
        let per_word = 4 / store.dtype.bytes() as i64;
        let outer = &store.map.strides[..last];
        let is_whole = kernel.space[last].is_multiple_of(lanes)
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

/// Marks buffers of small elements as written in parts of words.
pub(crate) fn mark(code: &mut Code<'_>, stores: &[Store]) -> Result<(), DeviceError> {
    let mut small = stores.iter().filter(|store| store.dtype.bytes() < 4);
    small.try_for_each(|store| code.mark_atomic(store.buffer))
}

/// How a reduction is laid over workgroups: `points` points of `threads` invocations each.
struct Shape {
    points: u32,
    threads: u32,
    /// Whether neighbouring invocations take neighbouring elements of the sweep rather than neighbouring points.
    along_sweep: bool,
}

fn shape(code: &Code<'_>, kernel: &Kernel) -> Shape {
    let limits = code.context.limits;
    let (points, sweep) = (kernel.points().max(1), kernel.sweep().max(1));
    let reads_along = |axis: usize| {
        let strides = kernel.body.iter().filter_map(|instruction| match instruction {
            Instruction::Load { map, .. } | Instruction::LoadAt { map, .. } => Some(map.strides[axis]),
            _ => None,
        });
        strides.filter(|stride| stride.abs() == 1).count()
    };
    let axes = kernel.space.len() + kernel.reduced.len();
    let along_sweep = reads_along(axes - 1) > reads_along(kernel.space.len() - 1);
    let wanted = (limits.parallel as usize).div_ceil(points);
    // A row of memory is read by as many neighbours as a cache line has elements.
    let wanted = if along_sweep && limits.parallel > 4096 { wanted.max(32) } else { wanted };
    let most = (limits.workgroup as usize).min(256).min((sweep / 2).max(1));
    let threads = previous_power(wanted.min(most));
    let points = previous_power((WORKGROUP as usize).min(limits.workgroup as usize) / threads.max(1)).max(1);
    Shape { points: points as u32, threads: threads as u32, along_sweep }
}

fn previous_power(x: usize) -> usize {
    1 << x.max(1).ilog2()
}

fn reduction(mut code: Code<'_>, kernel: &Kernel, work: Work) -> Result<Dispatch, DeviceError> {
    mark(&mut code, &kernel.stores)?;
    let Shape { points, threads, along_sweep } = shape(&code, kernel);
    let workgroup = points * threads;
    let all = kernel.points();
    if along_sweep {
        code.line(format!("let share = thread % {threads}u;"));
        code.line(format!("let point = group * {points}u + thread / {threads}u;"));
    } else {
        code.line(format!("let share = thread / {points}u;"));
        code.line(format!("let point = group * {points}u + thread % {points}u;"));
    }
    let mut point = Point::default();
    point.unravel(&mut code, "i", "point", &kernel.space);
    let kinds = kinds(kernel)?;
    let first = kernel.body.len() as Register;
    for (i, kind) in kinds.iter().enumerate() {
        kind.declare(&mut code, &format!("total{i}"));
    }
    code.open(format!("if (point < {all}u)"));
    sweep(&mut code, kernel, &kinds, &point, threads)?;
    code.close();
    let apart = if along_sweep { 1 } else { points };
    share(&mut code, &kinds, workgroup, threads, apart);
    let writes = if threads > 1 { " && share == 0u" } else { "" };
    code.open(format!("if (point < {all}u{writes})"));
    let mut registers = Registers::default();
    let literals = (0..).zip(&kernel.body).filter(|(_, i)| matches!(i, Instruction::Literal(_)));
    write(&mut code, &mut registers, literals, &point, None)?;
    for (i, kind) in kinds.iter().enumerate() {
        registers.set(first + i as Register, kind.result(&format!("total{i}")), kernel.reductions[i].dtype);
    }
    let tail = first + kinds.len() as Register;
    write(&mut code, &mut registers, (tail..).zip(&kernel.tail), &point, None)?;
    for store in &kernel.stores {
        let value = registers.get(store.register)?.0.to_owned();
        code.store(store.buffer, store.dtype, &point.element(&store.map), &value)?;
    }
    code.close();
    code.finish(&kernel.name, workgroup, (all as u64).div_ceil(u64::from(points)), work)
}

/// The loops of one invocation over its share of the elements.
fn sweep(
    code: &mut Code<'_>,
    kernel: &Kernel,
    kinds: &[Kind],
    point: &Point,
    threads: u32,
) -> Result<(), DeviceError> {
    let all = kernel.sweep();
    let in_runs = all.div_ceil(threads as usize) > 2 * RUN
        && kinds.iter().any(|kind| kind.kind == Reduction::Sum && kind.dtype == DType::F32);
    let (start, prefix) = if in_runs { ("run", "part") } else { ("share", "total") };
    if in_runs {
        code.open_for("run", "share", &format!("{all}u"), threads * RUN as u32);
        for (i, kind) in kinds.iter().enumerate() {
            kind.declare(code, &format!("part{i}"));
        }
        code.line(format!("let end = min(run + {}u, {all}u);", threads as usize * RUN));
    }
    let end = if in_runs { "end".to_owned() } else { format!("{all}u") };
    code.open_for("k", start, &end, threads);
    let mut inner = point.clone();
    inner.unravel(code, "k", "k", &kernel.reduced);
    let mut registers = Registers::default();
    write(code, &mut registers, (0..).zip(&kernel.body), &inner, None)?;
    for (i, (kind, step)) in kinds.iter().zip(&kernel.reductions).enumerate() {
        let value = registers.get(step.operand)?.0.to_owned();
        kind.combine(code, &format!("{prefix}{i}"), &value, "i32(k)");
    }
    code.close();
    if in_runs {
        for (i, kind) in kinds.iter().enumerate() {
            kind.combine(code, &format!("total{i}"), &format!("part{i}"), &format!("part{i}_at"));
        }
        code.close();
    }
    Ok(())
}

/// Combines the shares of each point in halves; the first share's invocation has the result.
fn share(code: &mut Code<'_>, kinds: &[Kind], workgroup: u32, threads: u32, apart: u32) {
    if threads == 1 {
        return;
    }
    for (i, kind) in kinds.iter().enumerate() {
        code.share(format!("shared{i}"), kind.held, workgroup as usize);
        if kind.kind == Reduction::ArgMax {
            code.share(format!("shared{i}_at"), "i32", workgroup as usize);
        }
    }
    let mut width = threads / 2;
    while width > 0 {
        for (i, kind) in kinds.iter().enumerate() {
            code.line(format!("shared{i}[thread] = total{i};"));
            if kind.kind == Reduction::ArgMax {
                code.line(format!("shared{i}_at[thread] = total{i}_at;"));
            }
        }
        code.barrier();
        code.open(format!("if (share < {width}u)"));
        let partner = format!("thread + {}u", width * apart);
        for (i, kind) in kinds.iter().enumerate() {
            let (value, at) = (format!("shared{i}[{partner}]"), format!("shared{i}_at[{partner}]"));
            kind.merge(code, &format!("total{i}"), &value, &at);
        }
        code.close();
        width /= 2;
        if width > 0 {
            code.barrier();
        }
    }
}

/// How a reduction is spelled.
struct Kind {
    kind: Reduction,
    /// The operand's register dtype.
    dtype: DType,
    /// The type that is accumulated.
    held: &'static str,
}

fn kinds(kernel: &Kernel) -> Result<Vec<Kind>, DeviceError> {
    let kind = |step: &ReductionStep| {
        let dtype = if step.kind == Reduction::ArgMax {
            kernel.body[step.operand as usize].register()
        } else {
            register_dtype(step.dtype)
        };
        Ok(Kind { kind: step.kind, dtype, held: type_name(dtype)? })
    };
    kernel.reductions.iter().map(kind).collect()
}

impl Kind {
    fn declare(&self, code: &mut Code<'_>, name: &str) {
        let start = match (self.kind, self.dtype) {
            (Reduction::Sum, dtype) => zero(dtype).to_owned(),
            (Reduction::Max | Reduction::ArgMax, DType::F32) => float(code, f32::NEG_INFINITY),
            (Reduction::Min, DType::F32) => float(code, f32::INFINITY),
            (Reduction::Max | Reduction::ArgMax, DType::I32) => format!("i32({})", i32::MIN),
            (Reduction::Min, DType::I32) => format!("i32({})", i32::MAX),
            (Reduction::Min, DType::U32) => format!("{}u", u32::MAX),
            (Reduction::Min, DType::Bool) => "true".to_owned(),
            (_, dtype) => zero(dtype).to_owned(),
        };
        code.line(format!("var {name} = {start};"));
        if self.kind == Reduction::ArgMax {
            code.line(format!("var {name}_at = i32(-1);"));
        }
    }

    fn result(&self, name: &str) -> String {
        if self.kind == Reduction::ArgMax { format!("{name}_at") } else { name.to_owned() }
    }

    /// Combines `name` with a value that comes later, at position `at`.
    fn combine(&self, code: &mut Code<'_>, name: &str, value: &str, at: &str) {
        match (self.kind, self.dtype) {
            (Reduction::Sum, DType::I32) => {
                code.line(format!("{name} = i32(u32({name}) + u32({value}));"));
            }
            (Reduction::Sum, _) => code.line(format!("{name} = {name} + {value};")),
            (Reduction::Max, DType::F32) => {
                let max = code.call("max_f32", &[name, value]);
                code.line(format!("{name} = {max};"));
            }
            (Reduction::Min, DType::F32) => {
                let min = code.call("min_f32", &[name, value]);
                code.line(format!("{name} = {min};"));
            }
            (Reduction::Max, DType::Bool) => code.line(format!("{name} = {name} || {value};")),
            (Reduction::Min, DType::Bool) => code.line(format!("{name} = {name} && {value};")),
            (Reduction::Max, _) => code.line(format!("{name} = max({name}, {value});")),
            (Reduction::Min, _) => code.line(format!("{name} = min({name}, {value});")),
            (Reduction::ArgMax, _) => {
                let beats = self.beats(code, name, value);
                code.open(format!("if ({at} >= 0 && ({name}_at < 0 || {beats}))"));
                code.line(format!("{name} = {value};"));
                code.line(format!("{name}_at = {at};"));
                code.close();
            }
        }
    }

    /// Whether `value` replaces `name` when it comes later.
    fn beats(&self, code: &mut Code<'_>, name: &str, value: &str) -> String {
        match self.dtype {
            DType::F32 => {
                let (new, old) = (code.call("is_nan", &[value]), code.call("is_nan", &[name]));
                format!("!{old} && ({new} || {value} > {name})")
            }
            DType::Bool => format!("(!{name} && {value})"),
            _ => format!("{value} > {name}"),
        }
    }

    /// Combines the totals of two shares, whose elements alternate: of equal elements the first by position stays.
    fn merge(&self, code: &mut Code<'_>, name: &str, value: &str, at: &str) {
        if self.kind != Reduction::ArgMax {
            return self.combine(code, name, value, "");
        }
        let (newer, older) = (self.beats(code, name, value), self.beats(code, value, name));
        code.open(format!(
            "if ({at} >= 0 && ({name}_at < 0 || {newer} || (!({older}) && {at} < {name}_at)))"
        ));
        code.line(format!("{name} = {value};"));
        code.line(format!("{name}_at = {at};"));
        code.close();
    }
}
