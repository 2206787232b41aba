//! Elements combined along axes, and the functions composed of that.

use crate::integers::{self, Integers};
use crate::tensor::Tensor;
use warploom_graph::{Dims, ElementwiseMethods, Op, Reduction};

impl Tensor {
    #[track_caller]
    fn reduce(&self, kind: Reduction, axes: &impl Integers) -> Tensor {
        self.view(kind.name(), || {
            let axes = integers::axes(axes, self.extents().len())?;
            Ok(if axes.is_empty() { None } else { Some(Op::Reduce { kind, axes }) })
        })
    }

    #[track_caller]
    fn reduce_keep(&self, kind: Reduction, axes: &impl Integers) -> Tensor {
        let reduced = self.reduce(kind, axes);
        if reduced.is_failed() {
            return reduced;
        }
        let mut shape = self.ty().shape.clone();
        if let Ok(axes) = integers::axes(axes, shape.len()) {
            axes.iter().for_each(|a| shape[*a] = 1);
        }
        reduced.reshape(shape)
    }

    /// How many elements each result of a reduction combines.
    fn count(&self, axes: &impl Integers) -> f64 {
        let axes = integers::axes(axes, self.extents().len()).unwrap_or_default();
        axes.iter().map(|a| self.extents()[*a]).product::<usize>() as f64
    }

    /// Sum over `axes`, which disappear.
    #[track_caller]
    pub fn sum(&self, axes: impl Integers) -> Tensor {
        self.reduce(Reduction::Sum, &axes)
    }

    /// Sum over `axes`, which stay with extent 1.
    #[track_caller]
    pub fn sum_keep(&self, axes: impl Integers) -> Tensor {
        self.reduce_keep(Reduction::Sum, &axes)
    }

    /// Mean over `axes`, which disappear.
    #[track_caller]
    pub fn mean(&self, axes: impl Integers) -> Tensor {
        let sum = self.reduce(Reduction::Sum, &axes);
        if sum.is_failed() { sum } else { sum / self.count(&axes) }
    }

    /// Mean over `axes`, which stay with extent 1.
    #[track_caller]
    pub fn mean_keep(&self, axes: impl Integers) -> Tensor {
        let sum = self.reduce_keep(Reduction::Sum, &axes);
        if sum.is_failed() { sum } else { sum / self.count(&axes) }
    }

    /// Largest over `axes`, which disappear; NaN if any is.
    #[track_caller]
    pub fn max(&self, axes: impl Integers) -> Tensor {
        self.reduce(Reduction::Max, &axes)
    }

    /// Largest over `axes`, which stay with extent 1.
    #[track_caller]
    pub fn max_keep(&self, axes: impl Integers) -> Tensor {
        self.reduce_keep(Reduction::Max, &axes)
    }

    /// Smallest over `axes`, which disappear; NaN if any is.
    #[track_caller]
    pub fn min(&self, axes: impl Integers) -> Tensor {
        self.reduce(Reduction::Min, &axes)
    }

    /// Smallest over `axes`, which stay with extent 1.
    #[track_caller]
    pub fn min_keep(&self, axes: impl Integers) -> Tensor {
        self.reduce_keep(Reduction::Min, &axes)
    }

    /// Sum of all elements: a scalar.
    #[track_caller]
    pub fn sum_all(&self) -> Tensor {
        let axes: Dims = (0..self.extents().len()).collect();
        self.sum(axes)
    }

    /// Mean of all elements: a scalar.
    #[track_caller]
    pub fn mean_all(&self) -> Tensor {
        let axes: Dims = (0..self.extents().len()).collect();
        self.mean(axes)
    }

    /// Position (i32) of the first largest along `axis`, which disappears; a NaN counts as largest.
    #[track_caller]
    pub fn arg_max(&self, axis: isize) -> Tensor {
        self.reduce(Reduction::ArgMax, &axis)
    }

    /// `x - max` along an axis, whose exponentials do not overflow. No gradient passes through the maximum: it cancels.
    #[track_caller]
    fn below_max(&self, axis: isize) -> (Tensor, Tensor) {
        let largest = self.stop_gradient().max_keep(axis);
        (self - &largest, largest)
    }

    /// `exp(x) / sum(exp(x))` along an axis, without overflow.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Tensor {
        let exponentials = self.below_max(axis).0.exp();
        &exponentials / exponentials.sum_keep(axis)
    }

    /// The logarithm of [`Tensor::softmax`], without overflow or loss of digits.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Tensor {
        let (below, _) = self.below_max(axis);
        &below - below.exp().sum_keep(axis).log()
    }

    /// `log(sum(exp(x)))` along an axis, which disappears; without overflow.
    #[track_caller]
    pub fn logsumexp(&self, axis: isize) -> Tensor {
        let (below, largest) = self.below_max(axis);
        (below.exp().sum_keep(axis).log() + largest).squeeze(axis)
    }
}
