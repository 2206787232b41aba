//! How values are combined, spelled out.

use crate::code::Code;
use crate::scalar::{double, float, type_name, zero};
use warploom_device::kernel::register_dtype;
use warploom_device::{DeviceError, Kernel, ReductionStep};
use warploom_graph::{DType, Reduction};

/// How a reduction is spelled.
pub(crate) struct Kind {
    pub kind: Reduction,
    /// The operand's register dtype.
    pub dtype: DType,
    /// The type that is accumulated.
    pub held: &'static str,
}

/// Those of a kernel.
pub(crate) fn kinds(code: &Code<'_>, kernel: &Kernel) -> Result<Vec<Kind>, DeviceError> {
    let kind = |step: &ReductionStep| {
        let dtype = if step.kind == Reduction::ArgMax {
            kernel.body[step.operand as usize].register()
        } else {
            register_dtype(step.dtype)
        };
        Ok(Kind { kind: step.kind, dtype, held: type_name(code, dtype)? })
    };
    kernel.reductions.iter().map(kind).collect()
}

impl Kind {
    /// Declares the variables of a total that nothing was added to.
    pub(crate) fn declare(&self, code: &mut Code<'_>, name: &str) {
        let start = match (self.kind, self.dtype) {
            (Reduction::Sum, dtype) => zero(dtype).to_owned(),
            (Reduction::Max | Reduction::ArgMax, DType::F32) => float(code, f32::NEG_INFINITY),
            (Reduction::Min, DType::F32) => float(code, f32::INFINITY),
            (Reduction::Max | Reduction::ArgMax, DType::F64) => double(f64::NEG_INFINITY),
            (Reduction::Min, DType::F64) => double(f64::INFINITY),
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

    /// The expression of a finished total.
    pub(crate) fn result(&self, name: &str) -> String {
        if self.kind == Reduction::ArgMax { format!("{name}_at") } else { name.to_owned() }
    }

    /// Combines `name` with a value that comes later, at position `at`.
    pub(crate) fn combine(&self, code: &mut Code<'_>, name: &str, value: &str, at: &str) {
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
            (Reduction::Max, DType::F64) => {
                let max = code.call("max_f64", &[name, value]);
                code.line(format!("{name} = {max};"));
            }
            (Reduction::Min, DType::F64) => {
                let min = code.call("min_f64", &[name, value]);
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
            DType::F32 | DType::F64 => {
                let (new, old) = (code.call("is_nan", &[value]), code.call("is_nan", &[name]));
                format!("!{old} && ({new} || {value} > {name})")
            }
            DType::Bool => format!("(!{name} && {value})"),
            _ => format!("{value} > {name}"),
        }
    }

    /// Combines the totals of two shares, whose elements alternate: of equal elements the first by position stays.
    pub(crate) fn merge(&self, code: &mut Code<'_>, name: &str, value: &str, at: &str) {
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
