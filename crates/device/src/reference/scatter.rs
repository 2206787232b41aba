//! Indexed updates: a sampled part is a line through the axis, with all its updates.

use warploom_graph::{DType, ScatterKind};

use super::number::{Number, Sum, wrap};
use super::{Chosen, Extent, Fault, Host, Written};
use crate::program::ScatterStep;

pub(crate) fn evaluate(
    step: &ScatterStep,
    host: &Host,
    operations: usize,
    sink: &mut dyn FnMut(Written),
) -> Result<Extent, Fault> {
    let ScatterStep { outer, extent, count, inner, dtype, .. } = *step;
    if outer * inner * count == 0 {
        return Ok(Extent::Whole);
    }
    let mut indices = Vec::with_capacity(count);
    for i in 0..count as i64 {
        let index = host.element(step.indices, DType::I32, i)? as i64;
        if index < 0 || index >= extent as i64 {
            return Err(Fault::Index { index, extent });
        }
        indices.push(index as usize);
    }
    let chosen = Chosen::new(outer * inner, extent + count, operations);
    for line in chosen.each() {
        let (outer, within) = (line / inner, line % inner);
        let to = |index: usize| ((outer * extent + index) * inner + within) as i64;
        let mut cells = Vec::with_capacity(extent);
        for index in 0..extent {
            cells.push(Cell::new(step, host.element(step.destination, dtype, to(index))?));
        }
        for (i, index) in indices.iter().enumerate() {
            let from = ((outer * count + i) * inner + within) as i64;
            cells[*index].update(step, host.element(step.updates, dtype, from)?);
        }
        for (index, cell) in cells.iter().enumerate() {
            let written =
                Written { buffer: step.destination, dtype, element: to(index), value: cell.value(step) };
            sink(written);
        }
    }
    Ok(chosen.extent())
}

/// One element of the destination.
struct Cell {
    value: f64,
    sum: Sum,
    touched: bool,
}

impl Cell {
    fn new(step: &ScatterStep, value: f64) -> Cell {
        let mut sum = Sum::new(step.dtype);
        sum.add(value, 0.0);
        Cell { value, sum, touched: false }
    }

    fn update(&mut self, step: &ScatterStep, new: f64) {
        self.touched = true;
        let old = self.value;
        self.value = match step.kind {
            // Rounded at each update, in the order of the indices.
            ScatterKind::Add if step.dtype.is_float() => {
                self.sum.add(new, 0.0);
                step.dtype.round(old + new)
            }
            ScatterKind::Add if step.dtype == DType::U8 => (old + new) % 256.0,
            ScatterKind::Add => wrap(step.dtype, old as i64 + new as i64) as f64,
            ScatterKind::Max => {
                if new > old || new.is_nan() {
                    new
                } else {
                    old
                }
            }
            ScatterKind::Set => new,
        };
    }

    fn value(&self, step: &ScatterStep) -> Number {
        let sums = step.kind == ScatterKind::Add && step.dtype.is_float() && self.touched;
        match step.dtype {
            _ if !sums => Number::exact(self.value),
            // Halves lose what their own precision cannot hold, at every update.
            DType::F16 => Number { value: self.value, error: self.sum.worst(2f64.powi(-11)) },
            DType::BF16 => Number { value: self.value, error: self.sum.worst(2f64.powi(-8)) },
            _ => self.sum.finish(0.0),
        }
    }
}
