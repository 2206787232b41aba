//! The same elements seen otherwise, and tensors put together.

use crate::error::Error;
use crate::integers::{self, Integers};
use crate::scope;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::ops::{Bound, RangeBounds};
use warploom_graph::shape::{broadcast, show};
use warploom_graph::{Dims, Op};

/// Positions along one axis, for [`Tensor::slice`]: `start..end`, negative positions counted from the end, `..` for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// First position.
    pub start: isize,
    /// First position after, or the axis's end.
    pub end: Option<isize>,
    /// Distance from one to the next; positive.
    pub step: usize,
}

impl Range {
    /// The positions `start..end`, negative ones counted from the end: `Range::new(1, -1)` leaves out the first and last.
    pub fn new(start: isize, end: isize) -> Range {
        Range { start, end: Some(end), step: 1 }
    }

    /// Every `step`-th position of a range.
    pub fn by(range: impl Into<Range>, step: usize) -> Range {
        Range { step, ..range.into() }
    }
}

macro_rules! ranges {
    ($($T:ty),*) => {$(
        impl From<$T> for Range {
            fn from(range: $T) -> Range {
                let start = match range.start_bound() {
                    Bound::Included(start) => *start,
                    Bound::Excluded(start) => *start + 1,
                    Bound::Unbounded => 0,
                };
                let end = match range.end_bound() {
                    Bound::Included(-1) | Bound::Unbounded => None,
                    Bound::Included(end) => Some(*end + 1),
                    Bound::Excluded(end) => Some(*end),
                };
                Range { start, end, step: 1 }
            }
        }
    )*};
}
ranges!(
    std::ops::Range<isize>,
    std::ops::RangeFrom<isize>,
    std::ops::RangeTo<isize>,
    std::ops::RangeInclusive<isize>
);

impl From<std::ops::RangeFull> for Range {
    fn from(_: std::ops::RangeFull) -> Range {
        Range { start: 0, end: None, step: 1 }
    }
}

impl Tensor {
    /// The same elements in row-major order under another shape; one extent may be -1.
    #[track_caller]
    pub fn reshape(&self, shape: impl Integers) -> Tensor {
        self.view("reshape", || {
            let shape = integers::extents(&shape, self.ty().elements())?;
            Ok(if shape == self.ty().shape { None } else { Some(Op::Reshape(shape)) })
        })
    }

    /// Axis `i` of the result is axis `axes[i]` of this tensor.
    #[track_caller]
    pub fn permute(&self, axes: impl Integers) -> Tensor {
        self.view("permute", || {
            let rank = self.extents().len();
            let axes: Dims =
                axes.integers().iter().map(|a| integers::axis(*a, rank)).collect::<Result<_, _>>()?;
            Ok(if axes.iter().copied().eq(0..rank) { None } else { Some(Op::Permute(axes)) })
        })
    }

    /// Two axes exchanged.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        self.view("transpose", || {
            let rank = self.extents().len();
            let (a, b) = (integers::axis(a, rank)?, integers::axis(b, rank)?);
            let mut axes: Dims = (0..rank).collect();
            axes.swap(a, b);
            Ok(if a == b { None } else { Some(Op::Permute(axes)) })
        })
    }

    /// The last two axes exchanged: a matrix transposed.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        self.transpose(-2, -1)
    }

    /// Stretched to `shape` by NumPy's rule: aligned at the last axis, extents of 1 stretch.
    #[track_caller]
    pub fn broadcast_to(&self, shape: &[usize]) -> Tensor {
        if self.is_failed() {
            return self.clone();
        }
        if broadcast(self.extents(), shape).as_deref() == Some(shape) {
            return self.stretched(shape);
        }
        let message = format!("shape {} does not stretch to {}", show(self.extents()), show(shape));
        Tensor::failed(Error::at("broadcast_to", message, &scope::origin()))
    }

    /// The other name of [`Tensor::broadcast_to`].
    #[track_caller]
    pub fn expand(&self, shape: &[usize]) -> Tensor {
        self.broadcast_to(shape)
    }

    /// The elements at the given positions of the first axes; the other axes whole.
    /// `x.slice(&[(..).into(), Range::new(1, -1)])` is all rows without their first and last column.
    #[track_caller]
    pub fn slice(&self, ranges: &[Range]) -> Tensor {
        self.view("slice", || {
            let shape = self.extents();
            if ranges.len() > shape.len() {
                return Err(format!("{} ranges for a tensor of shape {}", ranges.len(), show(shape)));
            }
            let mut starts = Dims::from_elem(0, shape.len());
            let mut sizes = Dims::from_slice(shape);
            let mut steps: SmallVec<[isize; 4]> = SmallVec::from_elem(1, shape.len());
            for (axis, range) in ranges.iter().enumerate() {
                let extent = shape[axis] as isize;
                let at = |i: isize| if i < 0 { i + extent } else { i };
                let (start, end) = (at(range.start), range.end.map_or(extent, at));
                if range.step == 0 || start < 0 || end < start || end > extent {
                    let step = range.step;
                    return Err(format!(
                        "{start}..{end} by {step} does not lie within axis {axis}, which has {extent}"
                    ));
                }
                sizes[axis] = ((end - start) as usize).div_ceil(range.step);
                starts[axis] = if sizes[axis] == 0 { 0 } else { start as usize };
                steps[axis] = range.step as isize;
            }
            let whole = sizes[..] == *shape;
            Ok(if whole { None } else { Some(Op::Slice { starts, sizes, steps }) })
        })
    }

    /// `count` positions of one axis, from `start`.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, count: usize) -> Tensor {
        self.view("narrow", || {
            let shape = self.extents();
            let axis = integers::axis(axis, shape.len())?;
            if start.checked_add(count).is_none_or(|end| end > shape[axis]) {
                return Err(format!(
                    "{count} from {start} do not lie within axis {axis}, which has {}",
                    shape[axis]
                ));
            }
            let mut starts = Dims::from_elem(0, shape.len());
            let mut sizes = Dims::from_slice(shape);
            starts[axis] = if count == 0 { 0 } else { start };
            sizes[axis] = count;
            let steps = SmallVec::from_elem(1, shape.len());
            Ok(if count == shape[axis] { None } else { Some(Op::Slice { starts, sizes, steps }) })
        })
    }

    /// The slice at one position of an axis, which disappears.
    #[track_caller]
    pub fn select_at(&self, axis: isize, position: usize) -> Tensor {
        self.narrow(axis, position, 1).squeeze(axis)
    }

    /// Surrounded with zeros: one pair `(before, after)` for each axis.
    #[track_caller]
    pub fn pad(&self, pairs: &[(usize, usize)]) -> Tensor {
        self.view("pad", || {
            let (low, high) = pairs.iter().copied().unzip::<usize, usize, Dims, Dims>();
            let nothing = pairs.len() == self.extents().len() && low.iter().chain(&high).all(|n| *n == 0);
            Ok(if nothing { None } else { Some(Op::Pad { low, high }) })
        })
    }

    /// Windows along an axis: `[.., n, ..]` becomes `[.., count, size, ..]`, whose element `[w, i]` is `w * step + i *
    /// dilation` of the axis; as many windows as fit. Negative axes count from the end. Pooling reduces the new axis.
    #[track_caller]
    pub fn unfold(&self, axis: isize, size: usize, step: usize, dilation: usize) -> Tensor {
        self.view("unfold", || {
            let axis = integers::axis(axis, self.extents().len())?;
            Ok(Some(Op::Unfold { axis, size, step, dilation }))
        })
    }

    /// The order of the elements along some axes reversed.
    #[track_caller]
    pub fn flip(&self, axes: impl Integers) -> Tensor {
        self.view("flip", || {
            let shape = self.extents();
            let axes = integers::axes(&axes, shape.len())?;
            let flips = |a: usize| axes.contains(&a) && shape[a] > 0;
            let starts = (0..shape.len()).map(|a| if flips(a) { shape[a] - 1 } else { 0 }).collect();
            let steps = (0..shape.len()).map(|a| if flips(a) { -1 } else { 1 }).collect();
            Ok(if axes.is_empty() {
                None
            } else {
                Some(Op::Slice { starts, sizes: Dims::from_slice(shape), steps })
            })
        })
    }

    /// Without some axes of extent 1.
    #[track_caller]
    pub fn squeeze(&self, axes: impl Integers) -> Tensor {
        self.view("squeeze", || {
            let shape = self.extents();
            let axes = integers::axes(&axes, shape.len())?;
            if let Some(axis) = axes.iter().find(|a| shape[**a] != 1) {
                return Err(format!("axis {axis} of {} has extent {}, not 1", show(shape), shape[*axis]));
            }
            let kept = (0..shape.len()).filter(|a| !axes.contains(a)).map(|a| shape[a]).collect();
            Ok(if axes.is_empty() { None } else { Some(Op::Reshape(kept)) })
        })
    }

    /// With an axis of extent 1 put in, so that it has position `axis` in the result.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Tensor {
        self.view("unsqueeze", || {
            let mut shape = self.ty().shape.clone();
            shape.insert(integers::axis(axis, shape.len() + 1)?, 1);
            Ok(Some(Op::Reshape(shape)))
        })
    }

    /// The axes from `first` on joined to one: `[batch, channels, height, width]` from 1 is `[batch, features]`.
    #[track_caller]
    pub fn flatten(&self, first: isize) -> Tensor {
        self.view("flatten", || {
            let shape = self.extents();
            let first = if shape.is_empty() { 0 } else { integers::axis(first, shape.len())? };
            let mut flat = Dims::from_slice(&shape[..first]);
            flat.push(shape[first..].iter().product());
            Ok(if flat[..] == *shape { None } else { Some(Op::Reshape(flat)) })
        })
    }

    /// Tensors joined along an axis; all else must be equal.
    #[track_caller]
    pub fn concat(tensors: &[&Tensor], axis: isize) -> Tensor {
        let Some(first) = tensors.first() else {
            return Tensor::failed(Error::at("concat", "needs at least one tensor", &scope::origin()));
        };
        match integers::axis(axis, first.extents().len()) {
            Ok(_) if tensors.len() == 1 => Tensor::clone(first),
            Ok(axis) => Tensor::apply(Op::Concat(axis), tensors),
            Err(_) if first.is_failed() => Tensor::clone(first),
            Err(message) => Tensor::failed(Error::at("concat", message, &scope::origin())),
        }
    }

    /// Tensors of one shape joined along a new axis, which has position `axis` in the result.
    #[track_caller]
    pub fn stack(tensors: &[&Tensor], axis: isize) -> Tensor {
        let parts: SmallVec<[Tensor; 4]> = tensors.iter().map(|t| t.unsqueeze(axis)).collect();
        let parts: SmallVec<[&Tensor; 4]> = parts.iter().collect();
        Tensor::concat(&parts, axis)
    }

    /// Applies the view that `op` names, or nothing where the view is the tensor itself.
    #[track_caller]
    pub(crate) fn view(&self, name: &str, op: impl FnOnce() -> Result<Option<Op>, String>) -> Tensor {
        if self.is_failed() {
            return self.clone();
        }
        match op() {
            Ok(None) => self.clone(),
            Ok(Some(op)) => Tensor::apply(op, &[self]),
            Err(message) => Tensor::failed(Error::at(name, message, &scope::origin())),
        }
    }
}
