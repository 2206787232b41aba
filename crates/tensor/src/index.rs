//! Reading and writing by index.

use crate::error::Error;
use crate::integers;
use crate::operand::Operand;
use crate::scope;
use crate::tensor::Tensor;
use warploom_graph::{DType, Elementwise, ElementwiseMethods, Op, ScatterKind};

impl Tensor {
    /// Slices along `axis` by i32 index: the result's shape is this one's with `axis` replaced by the indices' shape. An
    /// index out of range is an error when the program runs.
    #[track_caller]
    pub fn gather(&self, axis: isize, indices: &impl Operand) -> Tensor {
        match self.axis_of("gather", axis) {
            Ok(axis) => Tensor::apply(Op::Gather { axis }, &[self, &indices.tensor()]),
            Err(failed) => failed,
        }
    }

    /// Adds `updates` to a copy of this tensor at `indices` along `axis`; duplicates add in row-major order. `updates` has
    /// the shape that [`Tensor::gather`] would give.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, indices: &impl Operand, updates: &impl Operand) -> Tensor {
        self.scatter(ScatterKind::Add, axis, indices, updates)
    }

    /// As [`Tensor::scatter_add`], keeping the larger.
    #[track_caller]
    pub fn scatter_max(&self, axis: isize, indices: &impl Operand, updates: &impl Operand) -> Tensor {
        self.scatter(ScatterKind::Max, axis, indices, updates)
    }

    /// As [`Tensor::scatter_add`], overwriting; the last duplicate stays.
    #[track_caller]
    pub fn scatter_set(&self, axis: isize, indices: &impl Operand, updates: &impl Operand) -> Tensor {
        self.scatter(ScatterKind::Set, axis, indices, updates)
    }

    #[track_caller]
    fn scatter(
        &self,
        kind: ScatterKind,
        axis: isize,
        indices: &impl Operand,
        updates: &impl Operand,
    ) -> Tensor {
        match self.axis_of("scatter", axis) {
            Ok(axis) => {
                Tensor::apply(Op::Scatter { kind, axis }, &[self, &indices.tensor(), &updates.tensor()])
            }
            Err(failed) => failed,
        }
    }

    /// 1 at each index and 0 elsewhere along a new last axis of extent `classes`, as f32; all 0 for an index outside.
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Tensor {
        if self.is_failed() {
            return self.clone();
        }
        if !self.ty().dtype.is_integer() {
            let message = format!("takes whole numbers, found {}; cast them to i32", self.ty().dtype);
            return Tensor::failed(Error::at("one_hot", message, &scope::origin()));
        }
        let mut shape = self.ty().shape.clone();
        shape.push(classes);
        let iota = Op::Iota { dtype: DType::I32, shape: shape.clone(), axis: shape.len() - 1 };
        let columns = self.constant_like(iota);
        let wanted = self.cast(DType::I32).unsqueeze(-1).stretched(&shape);
        Tensor::elementwise(Elementwise::EQUAL, &[&wanted, &columns]).cast(DType::F32)
    }

    /// The axis counted from the start, or the failed tensor that the op gives.
    #[track_caller]
    fn axis_of(&self, op: &str, axis: isize) -> Result<usize, Tensor> {
        if self.is_failed() {
            return Err(self.clone());
        }
        let origin = scope::origin();
        integers::axis(axis, self.extents().len())
            .map_err(|message| Tensor::failed(Error::at(op, message, &origin)))
    }
}
