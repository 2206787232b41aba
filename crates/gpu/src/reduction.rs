//! Reductions: several invocations a point that share what they have summed.

use crate::code::Code;
use crate::instructions::{Point, Registers, write as write_instructions};
use crate::kernel::{Share, previous_power, workgroup};
use crate::limits::Limits;
use crate::reducing::{Kind, kinds};
use warploom_device::{DeviceError, Instruction, Kernel, Register};
use warploom_graph::{DType, Reduction};

/// Elements that one invocation sums in one go; longer sums are made of such sums, which loses fewer digits.
const RUN: usize = 64;

/// How a reduction is laid over workgroups: `points` points of `threads` invocations each.
struct Shape {
    points: u32,
    threads: u32,
    /// Whether neighbouring invocations take neighbouring elements of the sweep rather than neighbouring points.
    along_sweep: bool,
}

impl Shape {
    /// Invocations from one share of a point to the next.
    fn apart(&self) -> u32 {
        if self.along_sweep { 1 } else { self.points }
    }

    /// The shares of a point of which each exchanges what it has with one as many further, within its warp: a power of two,
    /// or 0.
    fn exchanged(&self, limits: &Limits) -> u32 {
        let is_whole = self.points * self.threads >= limits.warp;
        if is_whole { (limits.warp / 2 / self.apart()).min(self.threads / 2) } else { 0 }
    }
}

/// By rule, of the kernel and the limits alone: a kernel that shares a dispatch has the bits that it has alone.
fn shape(code: &Code<'_>, kernel: &Kernel) -> Shape {
    let limits = code.context.limits;
    let (all, sweep) = (kernel.points().max(1), kernel.sweep().max(1));
    let workgroup = workgroup(limits) as usize;
    let reads_along = |axis: usize| {
        let strides = kernel.body.iter().filter_map(|instruction| match instruction {
            Instruction::Load { map, .. } | Instruction::LoadAt { map, .. } => Some(map.strides[axis]),
            _ => None,
        });
        strides.filter(|stride| stride.abs() == 1).count()
    };
    let axes = kernel.space.len() + kernel.reduced.len();
    let along_sweep = reads_along(axes - 1) > reads_along(kernel.space.len() - 1);
    let wanted = (limits.parallel as usize).div_ceil(all);
    // A row of memory is read by as many neighbours as a cache line has elements.
    let wanted = if along_sweep && limits.parallel > 4096 { wanted.max(32) } else { wanted };
    let threads = previous_power(wanted.min(workgroup).min(sweep / 2));
    Shape { points: (workgroup / threads) as u32, threads: threads as u32, along_sweep }
}

/// Points of a workgroup.
pub(crate) fn points_each(code: &Code<'_>, kernel: &Kernel) -> u64 {
    u64::from(shape(code, kernel).points)
}

/// Writes a kernel with reductions.
pub(crate) fn write(code: &mut Code<'_>, kernel: &Kernel, share: Share<'_>) -> Result<(), DeviceError> {
    let shape = shape(code, kernel);
    let Shape { points, threads, .. } = shape;
    match share {
        Share::Own(group) => {
            code.line(format!("let base = {group} * {points}u;"));
            round(code, kernel, &shape, &format!("{}u", kernel.points()))
        }
        Share::Range { first, end, most } if most <= points as usize => {
            code.line(format!("let base = {first};"));
            round(code, kernel, &shape, end)
        }
        Share::Range { first, end, .. } => {
            code.open_for("base", first, end, points);
            round(code, kernel, &shape, end)?;
            // What is shared is read before the next round writes it.
            if threads / 2 > shape.exchanged(code.context.limits) {
                code.barrier();
            }
            code.close();
            Ok(())
        }
    }
}

/// The points from `base` on, as many as a workgroup takes, where they are below `end`.
fn round(code: &mut Code<'_>, kernel: &Kernel, shape: &Shape, end: &str) -> Result<(), DeviceError> {
    let Shape { points, threads, along_sweep } = *shape;
    if along_sweep {
        code.line(format!("let share = thread % {threads}u;"));
        code.line(format!("let point = base + thread / {threads}u;"));
    } else {
        code.line(format!("let share = thread / {points}u;"));
        code.line(format!("let point = base + thread % {points}u;"));
    }
    let mut point = Point::default();
    point.unravel(code, "i", "point", &kernel.space);
    let kinds = kinds(code, kernel)?;
    let first = kernel.body.len() as Register;
    for (i, kind) in kinds.iter().enumerate() {
        kind.declare(code, &format!("total{i}"));
    }
    code.open(format!("if (point < {end})"));
    sweep(code, kernel, &kinds, &point, threads)?;
    code.close();
    combine(code, &kinds, shape);
    let writes = if threads > 1 { " && share == 0u" } else { "" };
    code.open(format!("if (point < {end}{writes})"));
    let mut registers = Registers::default();
    let literals = (0..).zip(&kernel.body).filter(|(_, i)| matches!(i, Instruction::Literal(_)));
    write_instructions(code, &mut registers, literals, &point, None)?;
    for (i, kind) in kinds.iter().enumerate() {
        registers.set(first + i as Register, kind.result(&format!("total{i}")), kernel.reductions[i].dtype);
    }
    let tail = first + kinds.len() as Register;
    write_instructions(code, &mut registers, (tail..).zip(&kernel.tail), &point, None)?;
    for store in &kernel.stores {
        let value = registers.get(store.register)?.0.to_owned();
        code.store(store.buffer, store.dtype, &point.element(&store.map), &value)?;
    }
    code.close();
    Ok(())
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
        && kinds.iter().any(|kind| kind.kind == Reduction::Sum && kind.dtype.is_float());
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
    write_instructions(code, &mut registers, (0..).zip(&kernel.body), &inner, None)?;
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
fn combine(code: &mut Code<'_>, kinds: &[Kind], shape: &Shape) {
    let Shape { points, threads, .. } = *shape;
    let exchanged = shape.exchanged(code.context.limits);
    if threads / 2 > exchanged {
        combine_shared(code, kinds, points * threads, shape, exchanged);
    }
    let mut width = exchanged;
    while width > 0 {
        let distance = format!("{}u", width * shape.apart());
        for (i, kind) in kinds.iter().enumerate() {
            let (total, at) = (format!("total{i}"), format!("total{i}_at"));
            // Those of the upper half take what is not theirs; nobody looks at what becomes of it.
            let (value, other) = (format!("other{i}_{width}"), format!("other{i}_{width}_at"));
            let shuffle = if kind.dtype == DType::F64 { "shuffle_down_f64" } else { "shuffle_down" };
            let taken = code.call(shuffle, &[&total, &distance]);
            code.line(format!("let {value} = {taken};"));
            if kind.kind == Reduction::ArgMax {
                let taken = code.call("shuffle_down", &[&at, &distance]);
                code.line(format!("let {other} = {taken};"));
            }
            kind.merge(code, &total, &value, &other);
        }
        width /= 2;
    }
}

/// The halves that are wider than `exchanged`, through shared memory.
fn combine_shared(code: &mut Code<'_>, kinds: &[Kind], workgroup: u32, shape: &Shape, exchanged: u32) {
    let apart = shape.apart();
    // Named by type, so that kernels of one dispatch use the same memory one after another.
    let shared: Vec<String> =
        kinds.iter().enumerate().map(|(i, kind)| format!("shared{i}_{}", kind.held)).collect();
    for (name, kind) in shared.iter().zip(kinds) {
        code.share(name.clone(), kind.held, workgroup as usize);
        if kind.kind == Reduction::ArgMax {
            code.share(format!("{name}_at"), "i32", workgroup as usize);
        }
    }
    let mut width = shape.threads / 2;
    while width > exchanged {
        for (i, (name, kind)) in shared.iter().zip(kinds).enumerate() {
            code.line(format!("{name}[thread] = total{i};"));
            if kind.kind == Reduction::ArgMax {
                code.line(format!("{name}_at[thread] = total{i}_at;"));
            }
        }
        code.barrier();
        code.open(format!("if (share < {width}u)"));
        let partner = format!("thread + {}u", width * apart);
        for (i, (name, kind)) in shared.iter().zip(kinds).enumerate() {
            let (value, at) = (format!("{name}[{partner}]"), format!("{name}_at[{partner}]"));
            kind.merge(code, &format!("total{i}"), &value, &at);
        }
        code.close();
        width /= 2;
        if width > exchanged {
            code.barrier();
        }
    }
}
