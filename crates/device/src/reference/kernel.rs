//! Kernels, point by point.

use warploom_graph::{DType, Reduction, philox};

use super::number::{Number, Sum, apply, wrap};
use super::{Fault, Host, Written};
use crate::kernel::{IndexMap, Instruction, Kernel, ReductionStep, register_dtype};

/// A kernel under evaluation.
pub(crate) struct Machine<'a> {
    kernel: &'a Kernel,
    host: &'a Host,
    dtypes: Vec<DType>,
    registers: Vec<Number>,
    /// Position in the space, then in the reduced axes.
    index: Vec<usize>,
}

impl<'a> Machine<'a> {
    pub fn new(kernel: &'a Kernel, host: &'a Host) -> Machine<'a> {
        let mut dtypes: Vec<DType> = kernel.body.iter().map(Instruction::register).collect();
        dtypes.extend(kernel.reductions.iter().map(|reduction| register_dtype(reduction.dtype)));
        dtypes.extend(kernel.tail.iter().map(Instruction::register));
        let registers = vec![Number::exact(0.0); dtypes.len()];
        let index = vec![0; kernel.space.len() + kernel.reduced.len()];
        Machine { kernel, host, dtypes, registers, index }
    }

    /// Runs one point of the space and tells what it stores.
    pub fn point(
        &mut self,
        point: usize,
        product: Option<Number>,
        sink: &mut dyn FnMut(Written),
    ) -> Result<(), Fault> {
        let kernel = self.kernel;
        let axes = kernel.space.len();
        unravel(point, &kernel.space, &mut self.index[..axes]);
        if kernel.reductions.is_empty() {
            self.run(&kernel.body, 0, product)?;
        } else {
            let mut folds: Vec<Fold> = kernel.reductions.iter().map(|r| Fold::new(r, &self.dtypes)).collect();
            for position in 0..kernel.sweep() {
                unravel(position, &kernel.reduced, &mut self.index[axes..]);
                self.run(&kernel.body, 0, product)?;
                for (fold, reduction) in folds.iter_mut().zip(&kernel.reductions) {
                    fold.add(self.registers[reduction.operand as usize], position);
                }
            }
            let first = kernel.body.len();
            for (i, fold) in folds.iter().enumerate() {
                self.registers[first + i] = fold.finish();
            }
            if kernel.sweep() == 0 {
                // Stores may take literals of the body.
                self.literals();
            }
            self.index[axes..].fill(0);
            self.run(&kernel.tail, first + kernel.reductions.len(), None)?;
        }
        for store in &kernel.stores {
            if let Some(element) = at(&store.map, &self.index[..axes]) {
                let value = self.registers[store.register as usize];
                sink(Written { buffer: store.buffer, dtype: store.dtype, element, value });
            }
        }
        Ok(())
    }

    fn literals(&mut self) {
        for (instruction, register) in self.kernel.body.iter().zip(&mut self.registers) {
            if let Instruction::Literal(literal) = instruction {
                *register = Number::exact(literal.to_f64());
            }
        }
    }

    fn run(&mut self, list: &[Instruction], first: usize, product: Option<Number>) -> Result<(), Fault> {
        for (i, instruction) in list.iter().enumerate() {
            self.registers[first + i] = self.value(instruction, product)?;
        }
        Ok(())
    }

    fn value(&self, instruction: &Instruction, product: Option<Number>) -> Result<Number, Fault> {
        Ok(match instruction {
            Instruction::Literal(literal) => Number::exact(literal.to_f64()),
            Instruction::Load { buffer, dtype, map } => match at(map, &self.index) {
                Some(element) => Number::exact(self.host.element(*buffer, *dtype, element)?),
                None => Number::exact(0.0),
            },
            Instruction::LoadAt { buffer, dtype, map, index, stride, extent } => {
                let position = self.registers[*index as usize];
                let Some(element) = at(map, &self.index) else { return Ok(Number::exact(0.0)) };
                if position.error > 0.0 {
                    return Ok(Number { value: 0.0, error: f64::INFINITY });
                }
                let position = position.value as i64;
                if position < 0 || position >= *extent as i64 {
                    return Err(Fault::Index { index: position, extent: *extent });
                }
                Number::exact(self.host.element(*buffer, *dtype, element + position * stride)?)
            }
            Instruction::Index { dtype, map } => {
                Number::exact(wrap(*dtype, at(map, &self.index).unwrap_or(0)) as f64)
            }
            Instruction::Random { stream, seed, step, iteration, map } => {
                let word = |buffer, i| Ok(self.host.element(buffer, DType::U32, i)? as u32);
                let seed = [word(*seed, 0)?, word(*seed, 1)?];
                let element = at(map, &self.index).unwrap_or(0) as u64;
                let words =
                    philox::quad(seed, *stream, word(*step, 0)?, word(*iteration, 0)?, (element / 4) as u32);
                Number::exact(f64::from(words[(element % 4) as usize]))
            }
            Instruction::Product(_) => product.unwrap_or(Number::exact(0.0)),
            Instruction::Apply { op, dtype, operands } => {
                let of = operands[if *op == warploom_graph::scalar::ScalarOp::Select { 1 } else { 0 }];
                let registers = operands.map(|register| self.registers[register as usize]);
                apply(*op, *dtype, self.dtypes[of as usize], registers)
            }
        })
    }
}

/// The element of a map, where it exists.
fn at(map: &IndexMap, index: &[usize]) -> Option<i64> {
    let inside = map.bounds.iter().all(|bound| (bound.start..bound.end).contains(&index[bound.axis]));
    let moved = map.strides.iter().zip(index).map(|(stride, i)| stride * *i as i64);
    inside.then(|| map.offset + moved.sum::<i64>())
}

/// The row-major position `at` of a space.
pub(crate) fn unravel(mut at: usize, extents: &[usize], index: &mut [usize]) {
    for (i, extent) in index.iter_mut().zip(extents).rev() {
        *i = at % extent;
        at /= extent;
    }
}

/// A reduction under way.
struct Fold {
    kind: Reduction,
    dtype: DType,
    /// Of floats.
    sum: Sum,
    /// Of whole numbers.
    total: i64,
    best: Number,
    /// The best that any element may be in truth, and whether all are known.
    error: f64,
    position: usize,
    is_empty: bool,
    /// Whether rounding may exchange the first two.
    is_close: bool,
}

impl Fold {
    fn new(step: &ReductionStep, dtypes: &[DType]) -> Fold {
        let dtype = dtypes[step.operand as usize];
        let start = match step.kind {
            Reduction::Min => dtype.highest(),
            Reduction::Max | Reduction::Sum | Reduction::ArgMax => dtype.lowest(),
        };
        Fold {
            kind: step.kind,
            dtype,
            sum: Sum::new(dtype),
            total: 0,
            best: Number::exact(start.to_f64()),
            error: 0.0,
            position: 0,
            is_empty: true,
            is_close: false,
        }
    }

    fn add(&mut self, x: Number, position: usize) {
        let best = self.best.value;
        let better = match self.kind {
            Reduction::Sum => {
                self.sum.add(x.value, x.error);
                self.total = self.total.wrapping_add(x.value as i64);
                false
            }
            Reduction::Min => x.value < best || x.value.is_nan(),
            Reduction::Max => x.value > best || x.value.is_nan(),
            Reduction::ArgMax => self.is_empty || x.value > best || x.value.is_nan() && !best.is_nan(),
        };
        self.error = self.error.max(x.error);
        let room = x.error + self.best.error;
        let near = room > 0.0 && (x.value - best).abs() <= room;
        if better {
            self.is_close = near && !self.is_empty;
            (self.best, self.position) = (x, position);
        } else {
            self.is_close |= near;
        }
        self.is_empty = false;
    }

    fn finish(&self) -> Number {
        let floats = self.dtype.is_float();
        match self.kind {
            Reduction::Sum if floats => self.sum.finish(0.0),
            Reduction::Sum if self.error > 0.0 => Number { value: self.total as f64, error: f64::INFINITY },
            Reduction::Sum => Number::exact(wrap(self.dtype, self.total) as f64),
            Reduction::Max | Reduction::Min => Number { error: self.error, ..self.best },
            Reduction::ArgMax => {
                let error = if self.is_close || self.error.is_infinite() { f64::INFINITY } else { 0.0 };
                Number { value: self.position as f64, error }
            }
        }
    }
}
