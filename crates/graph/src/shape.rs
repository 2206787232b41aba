//! Shapes and types of values.

use crate::dtype::DType;
use smallvec::SmallVec;
use std::fmt;

/// Extents, axes or strides of a tensor: a short list kept inline.
pub type Dims = SmallVec<[usize; 4]>;

/// The type of a value: element type and shape, outermost axis first, row-major in meaning.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Type {
    /// Element type.
    pub dtype: DType,
    /// Extents; empty for a scalar.
    pub shape: Dims,
}

impl Clone for Type {
    /// Copies the extents at once; the derived clone of a `SmallVec` goes element by element.
    fn clone(&self) -> Type {
        Type::new(self.dtype, &self.shape)
    }
}

impl Type {
    /// A type from its parts.
    pub fn new(dtype: DType, shape: &[usize]) -> Type {
        Type { dtype, shape: Dims::from_slice(shape) }
    }

    /// A scalar's type.
    pub fn scalar(dtype: DType) -> Type {
        Type { dtype, shape: Dims::new() }
    }

    /// Number of elements; `usize::MAX` where it does not fit (the verifier refuses such types).
    pub fn elements(&self) -> usize {
        if self.shape.contains(&0) {
            0
        } else {
            self.shape.iter().fold(1, |n: usize, d| n.saturating_mul(*d))
        }
    }

    /// Bytes of a dense copy; `usize::MAX` where they do not fit.
    pub fn bytes(&self) -> usize {
        self.elements().saturating_mul(self.dtype.bytes())
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, show(&self.shape))
    }
}

/// A shape as people write it: `[128, 784]`.
pub fn show(shape: &[usize]) -> String {
    let parts: Vec<String> = shape.iter().map(|d| d.to_string()).collect();
    format!("[{}]", parts.join(", "))
}

/// Row-major strides of a shape, in elements. They mean nothing where the shape has no elements.
pub fn row_major(shape: &[usize]) -> SmallVec<[isize; 4]> {
    let mut strides: SmallVec<[isize; 4]> = SmallVec::from_elem(0, shape.len());
    let mut step = 1isize;
    for axis in (0..shape.len()).rev() {
        strides[axis] = step;
        step = step.wrapping_mul(shape[axis] as isize);
    }
    strides
}

/// The shape two operands broadcast to, by NumPy's rule: aligned at the last axis, an extent of 1 stretches.
/// `None` where two extents differ and neither is 1.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Dims> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() < rank { 1 } else { s[i + s.len() - rank] };
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// Calls `visit` with each index of `shape` in row-major order. A scalar has one, the empty index.
pub fn each_index(shape: &[usize], mut visit: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = Dims::from_elem(0, shape.len());
    loop {
        visit(&index);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}
