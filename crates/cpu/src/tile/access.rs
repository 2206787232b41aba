//! Where the elements of a tile lie in memory.

use smallvec::SmallVec;
use warploom_device::{Bound, IndexMap};

/// Most axes of a walk, outer ones and those of the group apart.
pub(super) const AXES: usize = 12;

/// Steps an index over `extents` in row-major order.
#[inline]
pub(super) fn advance(index: &mut [usize], extents: &[usize]) {
    for axis in (0..extents.len()).rev() {
        index[axis] += 1;
        if index[axis] < extents[axis] {
            return;
        }
        index[axis] = 0;
    }
}

/// Sets an index to a row-major position.
#[inline]
pub(super) fn place_index(index: &mut [usize], extents: &[usize], mut position: usize) {
    for axis in (0..extents.len()).rev() {
        index[axis] = position % extents[axis];
        position /= extents[axis];
    }
}

/// How a phase of a kernel is walked: outer axes by index, the axes of the group as one flattened vector axis.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    /// Axes of the kernel (space, then reduced) that are walked by index, outermost first.
    pub outer: SmallVec<[usize; 4]>,
    /// Axes of the kernel that form the vector axis, outermost first.
    pub group: SmallVec<[usize; 4]>,
    /// Extents of `group`.
    pub extents: SmallVec<[usize; 4]>,
}

impl Walk {
    /// Length of the vector axis.
    pub(super) fn length(&self) -> usize {
        self.extents.iter().product()
    }
}

/// An index map split by a walk.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub buffer: usize,
    /// Bytes of an element.
    pub size: usize,
    pub offset: i64,
    /// Elements per step of each outer axis.
    pub outer: SmallVec<[i64; 4]>,
    /// Bounds on outer axes, numbered as in `outer`.
    pub outer_bounds: SmallVec<[Bound; 1]>,
    pub layout: Layout,
}

/// Elements along the vector axis.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    /// At one stride.
    Linear(i64),
    /// At a stride for each axis of the group, perhaps with bounds.
    General { extents: SmallVec<[usize; 4]>, strides: SmallVec<[i64; 4]>, bounds: SmallVec<[Bound; 1]> },
}

impl Access {
    pub(super) fn new(map: &IndexMap, buffer: usize, size: usize, walk: &Walk) -> Access {
        let stride = |axis: &usize| map.strides.get(*axis).copied().unwrap_or(0);
        let bounds_on = |axes: &[usize]| -> SmallVec<[Bound; 1]> {
            let place = |bound: &Bound| {
                let axis = axes.iter().position(|axis| *axis == bound.axis)?;
                Some(Bound { axis, ..*bound })
            };
            map.bounds.iter().filter_map(place).collect()
        };
        let strides: SmallVec<[i64; 4]> = walk.group.iter().map(stride).collect();
        let bounds = bounds_on(&walk.group);
        let is_linear = bounds.is_empty()
            && (1..strides.len()).all(|i| strides[i - 1] == strides[i] * walk.extents[i] as i64);
        let layout = if is_linear {
            Layout::Linear(strides.last().copied().unwrap_or(0))
        } else {
            Layout::General { extents: walk.extents.clone(), strides, bounds }
        };
        let outer = walk.outer.iter().map(stride).collect();
        Access { buffer, size, offset: map.offset, outer, outer_bounds: bounds_on(&walk.outer), layout }
    }

    /// Whether the element is the same all along the vector axis.
    pub(super) fn is_uniform(&self) -> bool {
        matches!(self.layout, Layout::Linear(0))
    }

    /// Whether it changes with outer axis `axis`.
    pub(super) fn changes_with(&self, axis: usize) -> bool {
        self.outer[axis] != 0 || self.outer_bounds.iter().any(|bound| bound.axis == axis)
    }

    /// Whether the row at an outer index is within bounds.
    #[inline]
    pub(super) fn is_inside(&self, index: &[usize]) -> bool {
        self.outer_bounds.iter().all(|bound| (bound.start..bound.end).contains(&index[bound.axis]))
    }

    /// Element number of the row's first element.
    #[inline]
    pub(super) fn row(&self, index: &[usize]) -> i64 {
        let mut at = self.offset;
        for (stride, position) in self.outer.iter().zip(index) {
            at += stride * *position as i64;
        }
        at
    }

    /// Calls `visit(done, count, element, stride)` for runs that together are `start..start + count` of the vector axis:
    /// `done` lanes come before the run; `element` is that of its first lane, counted from the row's, or `None` where the
    /// run is out of bounds.
    #[inline]
    pub(super) fn runs(
        &self,
        start: usize,
        count: usize,
        mut visit: impl FnMut(usize, usize, Option<i64>, i64),
    ) {
        match &self.layout {
            Layout::Linear(stride) => visit(0, count, Some(start as i64 * stride), *stride),
            Layout::General { extents, strides, bounds } => {
                // Slices: small vectors index by a call where a build has several units.
                let (extents, strides, bounds): (&[usize], &[i64], &[Bound]) = (extents, strides, bounds);
                let last = extents.len() - 1;
                let mut position = [0; AXES];
                place_index(&mut position, extents, start);
                let mut done = 0;
                while done < count {
                    let first = position[last];
                    let length = (extents[last] - first).min(count - done);
                    let mut element = 0;
                    for axis in 0..last {
                        element += position[axis] as i64 * strides[axis];
                    }
                    let (mut low, mut high) = (first, first + length);
                    for bound in bounds {
                        if bound.axis == last {
                            low = low.max(bound.start).min(first + length);
                            high = high.min(bound.end).max(low);
                        } else if !(bound.start..bound.end).contains(&position[bound.axis]) {
                            high = low;
                        }
                    }
                    if low > first {
                        visit(done, low - first, None, 0);
                    }
                    if high > low {
                        let element = element + low as i64 * strides[last];
                        visit(done + low - first, high - low, Some(element), strides[last]);
                    }
                    if first + length > high {
                        visit(done + high - first, first + length - high, None, 0);
                    }
                    done += length;
                    position[last] = 0;
                    advance(&mut position[..last], &extents[..last]);
                }
            }
        }
    }
}
