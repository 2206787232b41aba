//! Which parts of memory a row of a kernel's points touches.

use crate::place::Root;
use warploom_device::{IndexMap, Kernel};

/// A part of a memory that a kernel reads or writes.
#[derive(Clone, Debug)]
pub(crate) struct Touch {
    pub root: Root,
    /// Bytes from the memory's start.
    pub start: usize,
    pub end: usize,
    pub written: bool,
    /// Which element at which point, and an element's bytes; `None` where that is not known beforehand.
    pub walk: Option<(IndexMap, usize)>,
}

impl Touch {
    /// Whether one must wait for the other.
    pub(crate) fn conflicts(&self, other: &Touch) -> bool {
        self.root == other.root
            && (self.written || other.written)
            && self.start < other.end
            && other.start < self.end
    }
}

/// The bytes that rows touch: row `r` those from `start + r * step` to below `end + r * step`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    pub step: i64,
    pub start: i64,
    pub end: i64,
}

/// The window of one touch, where a kernel's points are `rows` rows one after another. `None` where they are no such rows.
pub(crate) fn window(kernel: &Kernel, touch: &Touch, rows: usize) -> Option<Window> {
    let (map, bytes) = touch.walk.as_ref()?;
    let (outer, inner) = split(kernel, map, rows)?;
    // The axes of the rows are walked as one.
    let mut step = None;
    for (extent, stride) in outer.iter().rev().filter(|(extent, _)| *extent > 1) {
        match step {
            None => step = Some((*stride, *extent as i64)),
            Some((least, walked)) if *stride == least * walked => {
                step = Some((least, walked * *extent as i64))
            }
            Some(_) => return None,
        }
    }
    let step = step.map_or(0, |(least, _)| least);
    let reach = |(extent, stride): &(usize, i64)| (*extent as i64 - 1) * stride;
    let low: i64 = inner.iter().map(|axis| reach(axis).min(0)).sum();
    let high: i64 = inner.iter().map(|axis| reach(axis).max(0)).sum();
    let (base, bytes) = (touch.start as i64 + map.offset * *bytes as i64, *bytes as i64);
    Some(Window { step: step * bytes, start: base + low * bytes, end: base + (high + 1) * bytes })
}

type Axes = Vec<(usize, i64)>;

/// Extents and strides of the axes over rows, and of those within a row; an axis that has both is cut.
fn split(kernel: &Kernel, map: &IndexMap, rows: usize) -> Option<(Axes, Axes)> {
    let (mut outer, mut inner, mut left) = (Axes::new(), Axes::new(), rows);
    for (extent, stride) in kernel.space.iter().copied().zip(map.strides.iter().copied()) {
        if left == 1 {
            inner.push((extent, stride));
        } else if extent > 0 && left.is_multiple_of(extent) {
            left /= extent;
            outer.push((extent, stride));
        } else if extent.is_multiple_of(left) {
            let within = extent / left;
            outer.push((left, stride * within as i64));
            inner.push((within, stride));
            left = 1;
        } else {
            return None;
        }
    }
    let reduced = kernel.reduced.iter().copied().zip(map.strides[kernel.space.len()..].iter().copied());
    inner.extend(reduced);
    (left == 1).then_some((outer, inner))
}

/// Whether no row of one touches what another row of the other does.
pub(crate) fn keep_apart(one: Window, other: Window) -> bool {
    one.step == other.step && one.end.max(other.end) - one.start.min(other.start) <= one.step
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::{SmallVec, smallvec};
    use warploom_graph::Dims;

    fn kernel(space: &[usize], reduced: &[usize]) -> Kernel {
        Kernel {
            name: "test".into(),
            space: Dims::from_slice(space),
            reduced: Dims::from_slice(reduced),
            body: Vec::new(),
            reductions: Vec::new(),
            tail: Vec::new(),
            stores: Vec::new(),
        }
    }

    fn touch(offset: i64, strides: SmallVec<[i64; 4]>) -> Touch {
        let map = IndexMap { offset, strides, bounds: smallvec![] };
        Touch { root: Root::Slab(0), start: 1000, end: 9000, written: true, walk: Some((map, 4)) }
    }

    #[test]
    fn rows_of_a_softmax_keep_apart() {
        let sums = window(&kernel(&[128], &[10]), &touch(0, smallvec![10, 1]), 128);
        let row = Window { step: 40, start: 1000, end: 1040 };
        assert_eq!(sums, Some(row));
        // The same elements, walked as one axis and as three.
        assert_eq!(window(&kernel(&[1280], &[]), &touch(0, smallvec![1]), 128), Some(row));
        assert_eq!(window(&kernel(&[64, 2, 10], &[]), &touch(0, smallvec![20, 10, 1]), 128), Some(row));
        assert!(keep_apart(row, row));
    }

    #[test]
    fn what_crosses_rows_is_seen() {
        let row = Window { step: 40, start: 1000, end: 1040 };
        // Columns are summed, a row is reversed into the one before, a transposed matrix is read.
        let sums = window(&kernel(&[10], &[128]), &touch(0, smallvec![1, 10]), 128);
        assert_eq!(sums, None);
        let shifted = window(&kernel(&[128, 10], &[]), &touch(5, smallvec![10, 1]), 128).unwrap();
        assert!(!keep_apart(row, shifted));
        let across = window(&kernel(&[128, 10], &[]), &touch(0, smallvec![1, 128]), 128).unwrap();
        assert!(!keep_apart(row, across));
        assert_eq!(window(&kernel(&[64, 2, 10], &[]), &touch(0, smallvec![10, 640, 1]), 128), None);
        let broadcast = window(&kernel(&[128, 10], &[]), &touch(0, smallvec![0, 1]), 128).unwrap();
        assert!(!keep_apart(row, broadcast));
    }

    #[test]
    fn backward_strides_reach_down() {
        let reversed = window(&kernel(&[8, 10], &[]), &touch(9, smallvec![10, -1]), 8);
        assert_eq!(reversed, Some(Window { step: 40, start: 1000, end: 1040 }));
    }
}
