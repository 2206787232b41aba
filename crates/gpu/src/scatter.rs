//! Indexed updates in place without atomic addition: each invocation has elements of its own and applies all updates to
//! them in order, so that sums do not depend on who comes first.

use crate::code::{Code, Context, Work};
use crate::dispatch::Dispatch;
use warploom_device::kernel::register_dtype;
use warploom_device::{DeviceError, ScatterStep};
use warploom_graph::{DType, ScatterKind};

/// Invocations of a workgroup.
const WORKGROUP: u32 = 64;

/// The name that an index out of range is reported under.
pub(crate) fn name(step: &ScatterStep) -> String {
    format!("scatter_{}", step.kind.name())
}

/// The dispatch of a scatter.
pub(crate) fn dispatch(
    context: Context<'_>,
    ordinal: usize,
    step: &ScatterStep,
) -> Result<Dispatch, DeviceError> {
    let ScatterStep { outer, extent, count, inner, dtype, .. } = *step;
    let rows = outer * inner;
    // Parts of the axis, so that there are invocations enough; each reads all indices.
    let parts = (context.limits.parallel as usize).div_ceil(rows.max(1)).min(extent).max(1);
    let part = extent.div_ceil(parts).max(1);
    let parts = extent.div_ceil(part).max(1);
    let mut code = Code::new(context, ordinal);
    if dtype.bytes() < 4 {
        code.mark_atomic(step.destination)?;
    }
    let workgroup = WORKGROUP.min(context.limits.workgroup);
    code.line(format!("let own = group * {workgroup}u + thread;"));
    code.open(format!("if (own < {}u)", rows * parts));
    code.line(format!("let inner = own % {inner}u;"));
    code.line(format!("let outer = own / {inner}u % {outer}u;"));
    code.line(format!("let first = own / {rows}u * {part}u;"));
    code.line(format!("let end = min(first + {part}u, {extent}u);"));
    code.open_for("i", "0u", &format!("{count}u"), 1);
    let index = code.load(step.indices, DType::I32, "i")?;
    code.line(format!("let index = {index};"));
    code.line("let at = u32(index);");
    code.open(format!("if (at >= {extent}u)"));
    let check = code.check_index("index", extent);
    code.line(format!("let reported = {check};"));
    code.close();
    code.open("if (at >= first && at < end)");
    code.line(format!("let to = (outer * {extent}u + at) * {inner}u + inner;"));
    let update = code.load(step.updates, dtype, &format!("(outer * {count}u + i) * {inner}u + inner"))?;
    code.line(format!("let update = {update};"));
    let old = code.load(step.destination, dtype, "to")?;
    if step.kind != ScatterKind::Set {
        code.line(format!("let old = {old};"));
    }
    let value = match (step.kind, register_dtype(dtype)) {
        (ScatterKind::Set, _) => "update".to_owned(),
        (ScatterKind::Add, DType::I32) => "i32(u32(old) + u32(update))".to_owned(),
        (ScatterKind::Add, DType::Bool) => "(old || update)".to_owned(),
        (ScatterKind::Add, _) => "(old + update)".to_owned(),
        (ScatterKind::Max, DType::F32) => code.call("max_f32", &["old", "update"]),
        (ScatterKind::Max, DType::F64) => code.call("max_f64", &["old", "update"]),
        (ScatterKind::Max, DType::Bool) => "(old || update)".to_owned(),
        (ScatterKind::Max, _) => "max(old, update)".to_owned(),
    };
    code.store(step.destination, dtype, "to", &value)?;
    code.close();
    code.close();
    code.close();
    let updates = (rows * count) as u64;
    let work = Work { operations: updates, traffic: 3 * updates * dtype.bytes() as u64 };
    let groups = (rows * parts * usize::from(count > 0)) as u64;
    code.finish(&name(step), workgroup, groups.div_ceil(u64::from(workgroup)), work)
}
