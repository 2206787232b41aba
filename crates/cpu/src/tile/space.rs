//! Rewrites a kernel over fewer, longer axes: axes of extent 1 go, space axes are put in the order of memory, and
//! neighbours that every map walks as one become one.

use smallvec::SmallVec;
use warploom_device::{Bound, IndexMap, Instruction, Kernel};
use warploom_graph::{Dims, Literal};

/// Extents up to this are those of windows, such as pooling's.
const SHORT_WINDOW: usize = 4;

/// The same kernel over fewer axes. The order of reduced elements is kept.
pub(super) fn simplify(kernel: &Kernel) -> Kernel {
    let mut kernel = kernel.clone();
    for instruction in kernel.body.iter_mut().chain(&mut kernel.tail) {
        if is_never_inside(instruction, &kernel.space, &kernel.reduced) {
            *instruction = Instruction::Literal(Literal::new(result_dtype(instruction), 0.0));
        }
    }
    let (space, rank) = (kernel.space.len(), kernel.space.len() + kernel.reduced.len());
    each_map(&mut kernel, |map| map.strides.resize(rank, 0));
    let extents: Dims = kernel.space.iter().chain(&kernel.reduced).copied().collect();
    drop_bounds_that_hold(&mut kernel, &extents);

    let order = memory_order(&kernel, &extents, space);
    let mut groups: SmallVec<[SmallVec<[usize; 4]>; 4]> = SmallVec::new();
    let mut space_groups = 0;
    for (at, &axis) in order.iter().enumerate() {
        let joins = at > 0
            && (axis < space) == (order[at - 1] < space)
            && joined(&mut kernel, order[at - 1], axis, &extents);
        match groups.last_mut() {
            Some(group) if joins => group.push(axis),
            _ => {
                groups.push(SmallVec::from_slice(&[axis]));
                space_groups += (axis < space) as usize;
            }
        }
    }
    each_map(&mut kernel, |map| {
        let bounds = map.bounds.iter().map(|bound| move_bound(*bound, &groups, &extents)).collect();
        let strides = groups.iter().map(|group| map.strides[group[group.len() - 1]]).collect();
        *map = IndexMap { offset: map.offset, strides, bounds };
    });
    let joined: Dims = groups.iter().map(|group| group.iter().map(|axis| extents[*axis]).product()).collect();
    // A kernel without reductions has no reduced axes at all, so an axis of extent 0 never moves between the two.
    kernel.space = Dims::from_slice(&joined[..space_groups]);
    kernel.reduced = Dims::from_slice(&joined[space_groups..]);
    kernel
}

/// The dtype of the register that an instruction with a map defines.
fn result_dtype(instruction: &Instruction) -> warploom_graph::DType {
    match instruction {
        Instruction::Literal(literal) => literal.dtype(),
        Instruction::Load { dtype, .. } | Instruction::LoadAt { dtype, .. } => {
            warploom_device::kernel::register_dtype(*dtype)
        }
        Instruction::Index { dtype, .. } | Instruction::Product(dtype) | Instruction::Apply { dtype, .. } => {
            *dtype
        }
        Instruction::Random { .. } => warploom_graph::DType::U32,
    }
}

/// Whether the bounds exclude every point.
fn is_never_inside(instruction: &Instruction, space: &[usize], reduced: &[usize]) -> bool {
    let (Instruction::Load { map, .. } | Instruction::LoadAt { map, .. } | Instruction::Index { map, .. }) =
        instruction
    else {
        return false;
    };
    let extent = |axis: usize| if axis < space.len() { space[axis] } else { reduced[axis - space.len()] };
    map.bounds.iter().enumerate().any(|(i, bound)| {
        let others = map.bounds[..i].iter().filter(|other| other.axis == bound.axis);
        let (start, end) = others
            .fold((bound.start, bound.end.min(extent(bound.axis))), |(start, end), other| {
                (start.max(other.start), end.min(other.end))
            });
        start >= end
    })
}

fn each_map(kernel: &mut Kernel, mut visit: impl FnMut(&mut IndexMap)) {
    for instruction in kernel.body.iter_mut().chain(&mut kernel.tail) {
        match instruction {
            Instruction::Load { map, .. }
            | Instruction::LoadAt { map, .. }
            | Instruction::Index { map, .. }
            | Instruction::Random { map, .. } => visit(map),
            Instruction::Literal(_) | Instruction::Product(_) | Instruction::Apply { .. } => {}
        }
    }
    for store in &mut kernel.stores {
        visit(&mut store.map);
    }
}

/// Intersects the bounds of each axis and drops those that exclude nothing.
fn drop_bounds_that_hold(kernel: &mut Kernel, extents: &[usize]) {
    each_map(kernel, |map| {
        let mut kept: SmallVec<[Bound; 1]> = SmallVec::new();
        for bound in &map.bounds {
            match kept.iter_mut().find(|other| other.axis == bound.axis) {
                Some(other) => {
                    (other.start, other.end) = (other.start.max(bound.start), other.end.min(bound.end))
                }
                None => kept.push(*bound),
            }
        }
        kept.retain(|bound| bound.start > 0 || bound.end < extents[bound.axis]);
        map.bounds = kept;
    });
}

/// Axes longer than 1: those of the space by falling stride of the first store, then the reduced ones as they are.
fn memory_order(kernel: &Kernel, extents: &[usize], space: usize) -> Dims {
    let mut order: Dims = (0..space).filter(|axis| extents[*axis] != 1).collect();
    if let Some(store) = kernel.stores.first() {
        order.sort_by_key(|axis| std::cmp::Reverse(store.map.strides[*axis].unsigned_abs()));
    }
    if kernel.reduced.is_empty() {
        // Windows: a short axis innermost cuts what is read into short runs, while memory is walked in order.
        let short = |axis: &usize| extents[*axis] <= SHORT_WINDOW;
        let windows_first: Dims =
            order.iter().copied().filter(short).chain(order.iter().copied().filter(|a| !short(a))).collect();
        if walking_cost(kernel, &windows_first, extents) < walking_cost(kernel, &order, extents) {
            order = windows_first;
        }
    }
    order.extend((space..extents.len()).filter(|axis| extents[*axis] != 1));
    order
}

/// Rough nanoseconds for a lane to find its elements when axes are walked in this order, apart from arithmetic.
fn walking_cost(kernel: &Kernel, order: &[usize], extents: &[usize]) -> f64 {
    let mut cost = 0.0;
    let mut add = |map: &IndexMap| {
        let (mut run, mut stride) = (1, 0);
        for axis in order.iter().rev() {
            let step = map.strides[*axis];
            let is_bounded = map.bounds.iter().any(|bound| bound.axis == *axis);
            if is_bounded || run > 1 && step != stride * run as i64 {
                break;
            }
            if run == 1 {
                stride = step;
            }
            run *= extents[*axis];
        }
        let lane = if stride.unsigned_abs() <= 1 { 0.05 } else { 0.7 };
        cost += lane + 6.0 / run as f64;
    };
    for instruction in &kernel.body {
        if let Instruction::Load { map, .. }
        | Instruction::LoadAt { map, .. }
        | Instruction::Index { map, .. } = instruction
        {
            add(map);
        }
    }
    kernel.stores.iter().for_each(|store| add(&store.map));
    cost
}

/// Whether every map walks `inner` and then `outer` as one axis.
fn joined(kernel: &mut Kernel, outer: usize, inner: usize, extents: &[usize]) -> bool {
    let mut all = true;
    each_map(kernel, |map| {
        all &= map.strides[outer] == map.strides[inner] * extents[inner] as i64
            && map.bounds.iter().all(|bound| bound.axis != inner);
    });
    all
}

/// A bound in the numbering of the groups; only a group's first axis can have one.
fn move_bound(bound: Bound, groups: &[SmallVec<[usize; 4]>], extents: &[usize]) -> Bound {
    let axis = groups.iter().position(|group| group.contains(&bound.axis)).unwrap_or(0);
    let rest: usize = groups[axis][1..].iter().map(|inner| extents[*inner]).product();
    Bound { axis, start: bound.start * rest, end: bound.end * rest }
}
