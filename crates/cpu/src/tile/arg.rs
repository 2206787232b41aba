//! Arg-max: the first largest element, a NaN counting as largest. Which one that is does not depend on the order of
//! combination, so there is no tree.

use super::table::Class;
use std::slice;

trait Lane: Copy {
    /// Whether this replaces `best` when it comes later.
    fn beats(self, best: Self) -> bool;
}

macro_rules! lane {
    ($T:ty, $x:ident, $best:ident => $beats:expr) => {
        impl Lane for $T {
            #[inline(always)]
            fn beats(self, $best: $T) -> bool {
                let $x = self;
                $beats
            }
        }
    };
}
// Without short cuts, so that loops over lanes have no branches.
lane!(f32, x, best => (x > best) | (x.is_nan() & !best.is_nan()));
lane!(f64, x, best => (x > best) | (x.is_nan() & !best.is_nan()));
lane!(i32, x, best => x > best);
lane!(u32, x, best => x > best);

/// The best elements so far and their positions, -1 where there is none.
#[derive(Clone, Copy)]
pub(super) struct Best {
    pub values: *mut u8,
    pub positions: *mut i32,
}

impl Best {
    /// Values and positions of so many lanes.
    ///
    /// # Safety
    /// There are as many, and nobody else uses them meanwhile.
    unsafe fn lanes<'a, T: Lane>(self, count: usize) -> (&'a mut [T], &'a mut [i32]) {
        // SAFETY: the caller's promise.
        unsafe {
            let values = slice::from_raw_parts_mut(self.values.cast::<T>(), count);
            (values, slice::from_raw_parts_mut(self.positions, count))
        }
    }
}

/// The loops for one type of lanes.
#[derive(Clone, Copy)]
pub(super) struct ArgMax {
    /// Lets `count` consecutive elements, the first at a position, compete for one best.
    pub along: unsafe fn(Best, *const u8, usize, i32),
    /// Lets one element at a position compete in each of `count` lanes.
    pub across: unsafe fn(Best, *const u8, usize, i32),
    /// Lets the second's bests, which come later, compete with the first's in `count` lanes.
    pub merge: unsafe fn(Best, Best, usize),
}

/// The loops for a class of registers.
pub(super) fn arg_max(class: Class) -> ArgMax {
    match class {
        Class::F32 => of::<f32>(),
        Class::F64 => of::<f64>(),
        Class::I32 => of::<i32>(),
        Class::U32 | Class::Bool => of::<u32>(),
    }
}

fn of<T: Lane>() -> ArgMax {
    ArgMax { along: along::<T>, across: across::<T>, merge: merge::<T> }
}

unsafe fn along<T: Lane>(best: Best, lanes: *const u8, count: usize, first: i32) {
    for i in 0..count {
        // SAFETY: the caller's promise: there are `count` lanes and one best.
        unsafe { compete::<T>(best, 0, *lanes.cast::<T>().add(i), first + i as i32) };
    }
}

unsafe fn across<T: Lane>(best: Best, lanes: *const u8, count: usize, position: i32) {
    // SAFETY: the caller's promise: there are `count` lanes and as many bests, each in memory of its own.
    let (lanes, (values, places)) =
        unsafe { (slice::from_raw_parts(lanes.cast::<T>(), count), best.lanes(count)) };
    let (lanes, last) = lanes.as_chunks::<BLOCK>();
    let (values, last_values) = values.as_chunks_mut::<BLOCK>();
    let (places, last_places) = places.as_chunks_mut::<BLOCK>();
    for ((x, value), place) in lanes.iter().zip(values).zip(places) {
        (*value, *place) = chosen(x, *value, *place, position);
    }
    for ((x, value), place) in last.iter().zip(last_values).zip(last_places) {
        ([*value], [*place]) = chosen(&[*x], [*value], [*place], position);
    }
}

/// Lanes that are chosen at once: all are written, so that no lane has a branch.
const BLOCK: usize = 16;

#[inline(always)]
fn chosen<T: Lane, const N: usize>(
    x: &[T; N],
    mut value: [T; N],
    mut place: [i32; N],
    position: i32,
) -> ([T; N], [i32; N]) {
    for i in 0..N {
        let takes = (place[i] < 0) | x[i].beats(value[i]);
        value[i] = if takes { x[i] } else { value[i] };
        place[i] = if takes { position } else { place[i] };
    }
    (value, place)
}

unsafe fn merge<T: Lane>(best: Best, later: Best, count: usize) {
    // SAFETY: the caller's promise: both have `count` lanes, each in memory of its own.
    let ((values, places), (later, positions)) = unsafe { (best.lanes::<T>(count), later.lanes::<T>(count)) };
    for (((x, position), value), place) in later.iter().zip(positions).zip(values).zip(places) {
        let takes = (*position >= 0) & ((*place < 0) | x.beats(*value));
        *value = if takes { *x } else { *value };
        *place = if takes { *position } else { *place };
    }
}

#[inline(always)]
unsafe fn compete<T: Lane>(best: Best, at: usize, x: T, position: i32) {
    // SAFETY: the caller's promise: lane `at` exists.
    unsafe {
        let (value, place) = (best.values.cast::<T>().add(at), best.positions.add(at));
        if *place < 0 || x.beats(*value) {
            *value = x;
            *place = position;
        }
    }
}
