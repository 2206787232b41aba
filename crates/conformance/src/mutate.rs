//! Planted miscompiles: each changes a compiled program in one way that a defect of the compiler could. The random programs
//! must find every one of them.

use warploom_device::{Class, Contraction, Instruction, Kernel, Loop, Program, SpatialAxis, Step};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{Literal, Reduction, ScatterKind};

/// A way to break a program.
pub struct Mutation {
    /// What a compiler would have done wrong.
    pub name: &'static str,
    /// Breaks the first place where it applies; says whether there was one.
    pub apply: fn(&mut Program) -> bool,
}

/// All planted miscompiles.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "operands of a difference exchanged",
        apply: |p| instruction(p, exchange(ScalarOp::Sub)),
    },
    Mutation { name: "sum for difference", apply: |p| instruction(p, replace(ScalarOp::Sub, ScalarOp::Add)) },
    Mutation { name: "product for sum", apply: |p| instruction(p, replace(ScalarOp::Add, ScalarOp::Mul)) },
    Mutation {
        name: "minimum for maximum",
        apply: |p| instruction(p, replace(ScalarOp::Max, ScalarOp::Min)),
    },
    Mutation {
        name: "less or equal for less",
        apply: |p| instruction(p, replace(ScalarOp::Less, ScalarOp::LessEqual)),
    },
    Mutation { name: "branches of a choice exchanged", apply: |p| instruction(p, exchange_branches) },
    Mutation { name: "addend of a multiply-add lost", apply: |p| instruction(p, lose_addend) },
    Mutation { name: "literal off by one", apply: |p| instruction(p, literal) },
    Mutation { name: "load off by one element", apply: |p| instruction(p, load_offset) },
    Mutation { name: "stride of a load lost", apply: |p| instruction(p, load_stride) },
    Mutation { name: "bound of a padding lost", apply: |p| instruction(p, load_bound) },
    Mutation { name: "stride of an indexed load off", apply: |p| instruction(p, index_stride) },
    Mutation { name: "count off by one", apply: |p| instruction(p, count_offset) },
    Mutation { name: "another random stream", apply: |p| instruction(p, stream) },
    Mutation { name: "store lost", apply: |p| kernel(p, |k| k.stores.pop().is_some()) },
    Mutation { name: "maximum for sum over an axis", apply: |p| kernel(p, reduction) },
    Mutation { name: "last reduced element left out", apply: |p| kernel(p, short_sweep) },
    Mutation { name: "summed axis of a product too short", apply: |p| product(p, |c| shorten(&mut c.k)) },
    Mutation { name: "operand of a product read transposed", apply: |p| product(p, transpose) },
    Mutation {
        name: "product of another row",
        apply: |p| {
            product(p, |c| {
                c.lhs.offset += c.lhs.row;
                c.m > 1
            })
        },
    },
    Mutation { name: "loop one round short", apply: |p| a_loop(p, |l| shorten(&mut l.iterations)) },
    Mutation { name: "loop in the other direction", apply: |p| a_loop(p, turn) },
    Mutation { name: "window that does not move", apply: |p| a_loop(p, stand_still) },
    Mutation { name: "scatter overwrites instead of adding", apply: |p| steps(&mut p.steps, &mut overwrite) },
    Mutation { name: "copy lost", apply: |p| drop_step(&mut p.steps, |s| matches!(s, Step::Copy { .. })) },
    Mutation { name: "a convolution's window moved by one", apply: |p| window(p, |axis| axis.low += 1) },
    Mutation {
        name: "a convolution's kernel mirrored",
        apply: |p| {
            steps(&mut p.steps, &mut |step| {
                let Step::Convolution(c) = step else { return false };
                let (last, taps) = (c.kernel.strides.len() - 1, c.shape.kernel());
                c.kernel.offset += c.kernel.strides[last] * (taps[last] as i64 - 1);
                c.kernel.strides[last] *= -1;
                taps[last] > 1
            })
        },
    },
    Mutation { name: "two temporaries in one place", apply: overlap },
    Mutation { name: "two steps exchanged", apply: exchange_steps },
];

/// Applies `change` to steps, bodies of loops included, until it says that it did something.
fn steps(list: &mut [Step], change: &mut dyn FnMut(&mut Step) -> bool) -> bool {
    list.iter_mut().any(|step| {
        let inside = if let Step::Loop(l) = step { steps(&mut l.body, change) } else { false };
        inside || change(step)
    })
}

fn kernel(program: &mut Program, change: fn(&mut Kernel) -> bool) -> bool {
    steps(&mut program.steps, &mut |step| match step {
        Step::Kernel(kernel) => change(kernel),
        Step::Contraction(product) => change(&mut product.epilogue),
        Step::Convolution(product) => change(&mut product.epilogue),
        Step::Scatter(_) | Step::Copy { .. } | Step::Loop(_) | Step::Claimed { .. } => false,
    })
}

fn instruction(program: &mut Program, change: impl Fn(&mut Instruction) -> bool) -> bool {
    steps(&mut program.steps, &mut |step| {
        let kernel = match step {
            Step::Kernel(kernel) => kernel,
            Step::Contraction(product) => &mut product.epilogue,
            Step::Convolution(product) => &mut product.epilogue,
            Step::Scatter(_) | Step::Copy { .. } | Step::Loop(_) | Step::Claimed { .. } => return false,
        };
        kernel.body.iter_mut().chain(&mut kernel.tail).any(&change)
    })
}

fn product(program: &mut Program, change: fn(&mut Contraction) -> bool) -> bool {
    steps(&mut program.steps, &mut |step| {
        if let Step::Contraction(product) = step { change(product) } else { false }
    })
}

fn window(program: &mut Program, change: fn(&mut SpatialAxis)) -> bool {
    steps(&mut program.steps, &mut |step| {
        let Step::Convolution(product) = step else { return false };
        product.shape.spatial.iter_mut().for_each(change);
        true
    })
}

fn a_loop(program: &mut Program, change: fn(&mut Loop) -> bool) -> bool {
    steps(&mut program.steps, &mut |step| if let Step::Loop(l) = step { change(l) } else { false })
}

fn turn(l: &mut Loop) -> bool {
    l.reverse = !l.reverse;
    l.iterations > 1
}

fn stand_still(l: &mut Loop) -> bool {
    let moving = l.iterations > 1 && !l.windows.is_empty();
    l.windows.iter_mut().take(1).for_each(|w| w.stride = 0);
    moving
}

fn overwrite(step: &mut Step) -> bool {
    match step {
        Step::Scatter(scatter) if scatter.kind == ScatterKind::Add => {
            scatter.kind = ScatterKind::Set;
            true
        }
        _ => false,
    }
}

fn replace(from: ScalarOp, to: ScalarOp) -> impl Fn(&mut Instruction) -> bool {
    move |i| match i {
        Instruction::Apply { op, .. } if *op == from => {
            *op = to;
            true
        }
        _ => false,
    }
}

fn exchange(of: ScalarOp) -> impl Fn(&mut Instruction) -> bool {
    move |i| match i {
        Instruction::Apply { op, operands, .. } if *op == of => {
            operands.swap(0, 1);
            operands[0] != operands[1]
        }
        _ => false,
    }
}

fn exchange_branches(i: &mut Instruction) -> bool {
    match i {
        Instruction::Apply { op: ScalarOp::Select, operands, .. } => {
            operands.swap(1, 2);
            operands[1] != operands[2]
        }
        _ => false,
    }
}

fn lose_addend(i: &mut Instruction) -> bool {
    match i {
        Instruction::Apply { op, .. } if *op == ScalarOp::MulAdd => {
            *op = ScalarOp::Mul;
            true
        }
        _ => false,
    }
}

fn literal(i: &mut Instruction) -> bool {
    match i {
        Instruction::Literal(literal) => {
            *literal = Literal::new(literal.dtype(), literal.to_f64() + 1.0);
            true
        }
        _ => false,
    }
}

fn load_offset(i: &mut Instruction) -> bool {
    match i {
        Instruction::Load { map, .. } if map.strides.iter().any(|s| *s != 0) && map.offset > 0 => {
            map.offset -= 1;
            true
        }
        _ => false,
    }
}

fn load_stride(i: &mut Instruction) -> bool {
    match i {
        Instruction::Load { map, .. } => map.strides.iter_mut().any(|s| std::mem::replace(s, 0) != 0),
        _ => false,
    }
}

fn load_bound(i: &mut Instruction) -> bool {
    match i {
        // The end moves inward, so that the load stays within memory.
        Instruction::Load { map, .. } => match map.bounds.iter_mut().find(|b| b.end > b.start) {
            Some(bound) => {
                bound.end -= 1;
                true
            }
            None => false,
        },
        _ => false,
    }
}

fn index_stride(i: &mut Instruction) -> bool {
    match i {
        Instruction::LoadAt { stride, extent, .. } if *extent > 1 => {
            *stride = 0;
            true
        }
        _ => false,
    }
}

fn count_offset(i: &mut Instruction) -> bool {
    match i {
        Instruction::Index { map, .. } => {
            map.offset += 1;
            true
        }
        _ => false,
    }
}

fn stream(i: &mut Instruction) -> bool {
    match i {
        Instruction::Random { stream, .. } => {
            *stream ^= 1;
            true
        }
        _ => false,
    }
}

fn reduction(k: &mut Kernel) -> bool {
    let sum = k.reductions.iter_mut().find(|r| r.kind == Reduction::Sum);
    sum.is_some_and(|r| {
        r.kind = Reduction::Max;
        true
    })
}

fn short_sweep(k: &mut Kernel) -> bool {
    k.reduced.iter_mut().any(shorten)
}

fn shorten(extent: &mut usize) -> bool {
    let long = *extent > 1;
    *extent -= long as usize;
    long
}

fn transpose(c: &mut Contraction) -> bool {
    std::mem::swap(&mut c.lhs.row, &mut c.lhs.column);
    c.m == c.k && c.m > 1
}

fn drop_step(list: &mut Vec<Step>, is: fn(&Step) -> bool) -> bool {
    if let Some(at) = list.iter().position(is) {
        list.remove(at);
        return true;
    }
    list.iter_mut().any(|s| if let Step::Loop(l) = s { drop_step(&mut l.body, is) } else { false })
}

/// Puts the second temporary where the first is.
fn overlap(program: &mut Program) -> bool {
    let mut first = None;
    for buffer in &mut program.buffers {
        if let Class::Arena { slab, offset } = buffer.class {
            match first {
                None => first = Some((slab, offset, buffer.bytes)),
                Some((s, o, bytes)) if (s, o) != (slab, offset) && buffer.bytes <= bytes => {
                    buffer.class = Class::Arena { slab: s, offset: o };
                    return true;
                }
                Some(_) => {}
            }
        }
    }
    false
}

fn exchange_steps(program: &mut Program) -> bool {
    let many = program.steps.len() > 1;
    if many {
        program.steps.swap(0, 1);
    }
    many
}
