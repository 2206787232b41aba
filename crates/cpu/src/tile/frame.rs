//! Runs ops on a tile.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use super::TILE;
use super::access::{AXES, Access};
use super::convert::IndexedCall;
use super::op::{Op, Place};
use super::random::{self, Stream};

/// The first index out of range that a launch met.
#[derive(Default)]
pub(crate) struct Fault {
    is_set: AtomicBool,
    index: AtomicI64,
    extent: AtomicUsize,
}

impl Fault {
    /// Keeps the first.
    pub(crate) fn set(&self, index: i64, extent: usize) {
        if !self.is_set.swap(true, Ordering::AcqRel) {
            self.index.store(index, Ordering::Relaxed);
            self.extent.store(extent, Ordering::Relaxed);
        }
    }

    /// The index and the extent it exceeded, if any; clears it. Every thread of the launch has left.
    pub(crate) fn take(&self) -> Option<(i64, usize)> {
        if !self.is_set.load(Ordering::Relaxed) {
            return None;
        }
        self.is_set.store(false, Ordering::Relaxed);
        Some((self.index.load(Ordering::Relaxed), self.extent.load(Ordering::Relaxed)))
    }
}

#[repr(align(64))]
struct Zeros([u64; TILE]);
/// What is read out of bounds.
static ZEROS: Zeros = Zeros([0; TILE]);

/// One phase of a kernel at one place of its space.
pub(super) struct Frame<'a> {
    /// The table of places.
    pub places: *mut *mut u8,
    /// Base addresses of the program's buffers.
    pub bases: &'a [*mut u8],
    pub fault: &'a Fault,
    /// Position along each outer axis.
    pub index: [usize; AXES],
    /// The tile's first position along the vector axis.
    pub start: usize,
    /// Lanes of the tile.
    pub count: usize,
}

impl Frame<'_> {
    #[inline(always)]
    pub(super) fn place(&self, place: Place) -> *mut u8 {
        // SAFETY: places of lowered ops are within the phase's part of the table.
        unsafe { *self.places.add(place as usize) }
    }

    #[inline(always)]
    pub(super) fn set(&mut self, place: Place, pointer: *mut u8) {
        // SAFETY: as above.
        unsafe { *self.places.add(place as usize) = pointer }
    }

    /// Runs ops in order.
    ///
    /// # Safety
    /// The places of `ops` are set or scratch memory, the maps of `ops` stay within the program's buffers for the
    /// frame's position, and no other thread writes what is read or touches what is written.
    #[inline]
    pub(super) unsafe fn run(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                // SAFETY: operands have the lanes that the loop was chosen for.
                Op::Apply { run, to, from: [a, b, c] } => unsafe {
                    run(self.place(*to), self.place(*a), self.place(*b), self.place(*c), self.count);
                },
                Op::Point { to, access } => {
                    let pointer = self.point(access, 0);
                    self.set(*to, pointer);
                }
                // SAFETY: the caller's promise.
                op => unsafe { self.run_other(op) },
            }
        }
    }

    /// The address of the tile's first element, `shift` elements further.
    #[inline(always)]
    fn point(&self, access: &Access, shift: i64) -> *mut u8 {
        if !access.is_inside(&self.index) {
            return ZEROS.0.as_ptr().cast_mut().cast();
        }
        let stride = if access.is_uniform() { 0 } else { 1 };
        let element = access.row(&self.index) + self.start as i64 * stride + shift;
        self.bases[access.buffer].wrapping_offset(element as isize * access.size as isize)
    }

    #[inline(never)]
    unsafe fn run_other(&mut self, op: &Op) {
        // SAFETY: the caller's promise, which covers every element that a map names and the lanes of every place.
        unsafe {
            match op {
                Op::Apply { .. } | Op::Point { .. } => unreachable!("run by the caller"),
                Op::PointAt { to, access, index, stride, extent } => {
                    let index = *self.place(*index).cast::<i32>();
                    let pointer = if (index as u32 as usize) < *extent {
                        self.point(access, i64::from(index) * stride)
                    } else {
                        if access.is_inside(&self.index) {
                            self.fault.set(i64::from(index), *extent);
                        }
                        ZEROS.0.as_ptr().cast_mut().cast()
                    };
                    self.set(*to, pointer);
                }
                Op::Gather { to, access, lane, contiguous, strided } => {
                    let to = self.place(*to);
                    self.runs(access, *lane, |done, count, memory, stride| {
                        let to = to.add(done * lane);
                        match memory {
                            None => to.write_bytes(0, count * lane),
                            Some(memory) if stride == access.size as isize => {
                                contiguous(to, memory, memory, memory, count);
                            }
                            Some(memory) => strided(to, memory, stride, count),
                        }
                    });
                }
                Op::GatherAt { to, access, lane, index, stride, extent, run } => {
                    let (to, index) = (self.place(*to), self.place(*index).cast::<i32>());
                    self.runs(access, *lane, |done, count, memory, map_stride| {
                        let to = to.add(done * lane);
                        let Some(memory) = memory else { return to.write_bytes(0, count * lane) };
                        let call = IndexedCall {
                            to,
                            memory,
                            stride: map_stride,
                            index: index.add(done),
                            index_stride: *stride as isize * access.size as isize,
                            extent: *extent,
                            count,
                        };
                        if let Some(index) = run(&call) {
                            to.write_bytes(0, count * lane);
                            self.fault.set(i64::from(index), *extent);
                        }
                    });
                }
                Op::Index { to, access, one } => {
                    let to = self.place(*to).cast::<u32>();
                    self.elements(access, *one, |done, count, first, stride| {
                        for i in 0..count {
                            let value = first.map_or(0, |first| (first + i as i64 * stride) as u32);
                            *to.add(done + i) = value;
                        }
                    });
                }
                Op::Random { to, access, one, stream, seed, step, iteration } => {
                    let word = |buffer: usize, at: usize| *self.bases[buffer].cast::<u32>().add(at);
                    let stream = Stream {
                        seed: [word(*seed, 0), word(*seed, 1)],
                        stream: *stream,
                        step: word(*step, 0),
                        iteration: word(*iteration, 0),
                    };
                    let to = self.place(*to).cast::<u32>();
                    self.elements(access, *one, |done, count, first, stride| {
                        let lanes = std::slice::from_raw_parts_mut(to.add(done), count);
                        random::fill(&stream, first.unwrap_or(0), stride, lanes);
                    });
                }
                Op::Scatter { from, access, lane, contiguous, strided } => {
                    let from = self.place(*from);
                    self.runs(access, *lane, |done, count, memory, stride| {
                        let (from, Some(memory)) = (from.add(done * lane), memory) else { return };
                        if stride == access.size as isize {
                            contiguous(memory, from, from, from, count);
                        } else {
                            strided(from, memory, stride, count);
                        }
                    });
                }
            }
        }
    }

    /// The tile's runs in memory: lanes done before, count, address or `None` out of bounds, bytes from lane to lane.
    #[inline(always)]
    fn runs(
        &self,
        access: &Access,
        lane: usize,
        mut visit: impl FnMut(usize, usize, Option<*mut u8>, isize),
    ) {
        debug_assert!(self.count * lane <= TILE * 8);
        if !access.is_inside(&self.index) {
            return visit(0, self.count, None, 0);
        }
        let size = access.size as isize;
        let row = self.bases[access.buffer].wrapping_offset(access.row(&self.index) as isize * size);
        access.runs(self.start, self.count, |done, count, element, stride| {
            let memory = element.map(|element| row.wrapping_offset(element as isize * size));
            visit(done, count, memory, stride as isize * size);
        });
    }

    /// The map's values over the tile, or its one value: lanes done before, count, first value, step.
    #[inline(always)]
    fn elements(&self, access: &Access, one: bool, mut visit: impl FnMut(usize, usize, Option<i64>, i64)) {
        let row = access.row(&self.index);
        if !access.is_inside(&self.index) {
            return visit(0, if one { 1 } else { self.count }, None, 0);
        }
        if one {
            return visit(0, 1, Some(row), 0);
        }
        access.runs(self.start, self.count, |done, count, element, stride| {
            visit(done, count, element.map(|element| row + element), stride);
        });
    }
}
