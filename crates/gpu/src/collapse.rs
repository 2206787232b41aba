//! Axes that every index map walks as one are made one, so that fewer divisions take a point apart.

use smallvec::SmallVec;
use warploom_device::{Bound, IndexMap, Instruction, Kernel};
use warploom_graph::Dims;

/// The same kernel over as few axes as its maps allow; at least one of the space, and one that is reduced if there was one.
pub(crate) fn collapse(kernel: &Kernel) -> Kernel {
    let mut kernel = kernel.clone();
    let reduces = !kernel.reduced.is_empty();
    let mut axis = kernel.space.len() + kernel.reduced.len();
    while axis > 0 {
        axis -= 1;
        let first = if axis < kernel.space.len() { 0 } else { kernel.space.len() };
        if drops(&kernel, axis) {
            remove(&mut kernel, axis);
        } else if axis > first && joins(&kernel, axis) {
            let inner = *extent(&mut kernel, axis);
            *extent(&mut kernel, axis - 1) *= inner;
            for map in maps(&mut kernel) {
                map.strides[axis - 1] = map.strides[axis];
            }
            remove(&mut kernel, axis);
        }
    }
    if kernel.space.is_empty() {
        insert(&mut kernel, 0);
    }
    if reduces && kernel.reduced.is_empty() {
        let last = kernel.space.len();
        insert(&mut kernel, last);
        kernel.reduced = Dims::from_elem(1, 1);
        kernel.space.remove(last);
    }
    kernel
}

fn extent(kernel: &mut Kernel, axis: usize) -> &mut usize {
    let space = kernel.space.len();
    if axis < space { &mut kernel.space[axis] } else { &mut kernel.reduced[axis - space] }
}

/// Whether an axis has one position and nothing is bound to it.
fn drops(kernel: &Kernel, axis: usize) -> bool {
    let mut kernel = kernel.clone();
    *extent(&mut kernel, axis) == 1 && maps(&mut kernel).iter().all(|map| !is_bound(map, axis))
}

/// Whether an axis and the one before it are walked as one by all maps.
fn joins(kernel: &Kernel, axis: usize) -> bool {
    let mut kernel = kernel.clone();
    let inner = *extent(&mut kernel, axis) as i64;
    maps(&mut kernel).iter().all(|map| {
        !is_bound(map, axis)
            && !is_bound(map, axis - 1)
            && map.strides[axis - 1] == map.strides[axis].saturating_mul(inner)
    })
}

fn is_bound(map: &IndexMap, axis: usize) -> bool {
    map.bounds.iter().any(|bound| bound.axis == axis)
}

fn remove(kernel: &mut Kernel, axis: usize) {
    for map in maps(kernel) {
        map.strides.remove(axis);
        shift(&mut map.bounds, axis, |at| at - 1);
    }
    let space = kernel.space.len();
    if axis < space {
        kernel.space.remove(axis);
    } else {
        kernel.reduced.remove(axis - space);
    }
}

/// Inserts an axis of the space with one position.
fn insert(kernel: &mut Kernel, axis: usize) {
    for map in maps(kernel) {
        map.strides.insert(axis, 0);
        shift(&mut map.bounds, axis, |at| at + 1);
    }
    kernel.space.insert(axis, 1);
}

fn shift(bounds: &mut SmallVec<[Bound; 1]>, from: usize, to: impl Fn(usize) -> usize) {
    for bound in bounds.iter_mut().filter(|bound| bound.axis >= from) {
        bound.axis = to(bound.axis);
    }
}

/// All index maps of a kernel.
fn maps(kernel: &mut Kernel) -> Vec<&mut IndexMap> {
    let of = |instruction| match instruction {
        &mut Instruction::Load { ref mut map, .. }
        | &mut Instruction::LoadAt { ref mut map, .. }
        | &mut Instruction::Index { ref mut map, .. }
        | &mut Instruction::Random { ref mut map, .. } => Some(map),
        &mut (Instruction::Literal(_) | Instruction::Product(_) | Instruction::Apply { .. }) => None,
    };
    let instructions = kernel.body.iter_mut().chain(&mut kernel.tail).filter_map(of);
    instructions.chain(kernel.stores.iter_mut().map(|store| &mut store.map)).collect()
}
