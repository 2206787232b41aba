//! Kernels of the user's own: a text with functions beside it by which it reads and writes its operands.

use crate::code::{Code, Context};
use crate::dialect::{Access, Dialect, Own};
use crate::dispatch::Dispatch;
use warploom_device::kernel::register_dtype;
use warploom_device::{BufferId, DeviceError, Program};
use warploom_graph::Source;

/// The source that a device which speaks this dialect takes.
pub fn source<'a>(sources: &'a [Source], dialect: &dyn Dialect) -> Option<&'a Source> {
    sources.iter().find(|source| source.language == dialect.name())
}

/// A claimed call.
pub(crate) struct Claimed<'a> {
    pub name: &'a str,
    pub sources: &'a [Source],
    pub inputs: &'a [BufferId],
    pub outputs: &'a [BufferId],
    pub program: &'a Program,
}

impl Claimed<'_> {
    /// The dispatch, unless there is nothing to compute.
    pub(crate) fn dispatch(
        &self,
        context: Context<'_>,
        ordinal: usize,
    ) -> Result<Option<Dispatch>, DeviceError> {
        let unsupported = |what: String| DeviceError::Unsupported(format!("kernel {} {what}", self.name));
        let source = source(self.sources, context.dialect)
            .ok_or_else(|| unsupported(format!("has no {} source", context.dialect.name())))?;
        let operands = || self.inputs.iter().chain(self.outputs).map(|id| self.program.buffer(*id));
        if self.outputs.iter().all(|id| self.program.buffer(*id).ty.elements() == 0) {
            return Ok(None);
        }
        let mut code = Code::new(context, ordinal);
        let accesses = self.accesses(&mut code)?;
        let arguments = code.arguments(self.name)?;
        let text = context.dialect.own(&Own {
            text: &source.text,
            workgroup: source.workgroup,
            arguments: &arguments,
            functions: &code.functions,
            operands: &accesses,
        });
        Ok(Some(Dispatch {
            name: self.name.to_owned(),
            source: text.map_err(unsupported)?,
            workgroup: source.workgroup.into_iter().fold(1, u32::saturating_mul),
            groups: source.groups,
            arguments: arguments.into_iter().map(|(argument, _)| argument).collect(),
            // What the text declares, only its compiler knows.
            shared_bytes: 0,
            operations: 0,
            traffic: operands().map(|buffer| buffer.ty.bytes() as u64).sum(),
        }))
    }

    /// Inputs, then outputs.
    fn accesses(&self, code: &mut Code<'_>) -> Result<Vec<Access>, DeviceError> {
        // Before anything is bound: several invocations may write parts of one word.
        for id in self.outputs {
            if self.program.buffer(*id).ty.dtype.bytes() < 4 {
                code.mark_atomic(*id)?;
            }
        }
        let mut accesses = Vec::with_capacity(self.inputs.len() + self.outputs.len());
        for (i, id) in self.inputs.iter().enumerate() {
            let ty = &self.program.buffer(*id).ty;
            let value = Some(code.load(*id, ty.dtype, "i")?);
            accesses.push(Access {
                name: format!("input{i}"),
                dtype: register_dtype(ty.dtype),
                shape: ty.shape.clone(),
                statements: code.cut(),
                value,
            });
        }
        for (i, id) in self.outputs.iter().enumerate() {
            let ty = &self.program.buffer(*id).ty;
            code.store(*id, ty.dtype, "i", "value")?;
            accesses.push(Access {
                name: format!("output{i}"),
                dtype: register_dtype(ty.dtype),
                shape: ty.shape.clone(),
                statements: code.cut(),
                value: None,
            });
        }
        Ok(accesses)
    }
}
