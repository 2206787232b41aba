//! A step that runs again: for one of its results alone, on other buffers.

use crate::lower::Unit;
use smallvec::SmallVec;
use warploom_device::{BufferId, Instruction, Kernel, Register, Step};

/// The unit with all stores but those to `wanted` left out, and what only the others needed; `None` where it cannot run
/// for one result alone.
pub(super) fn only(unit: &Unit, wanted: BufferId) -> Option<Unit> {
    let mut step = unit.step.clone();
    let mut reads: SmallVec<[BufferId; 6]> = SmallVec::new();
    let mut writes: SmallVec<[BufferId; 4]> = SmallVec::from_slice(&[wanted]);
    match &mut step {
        Step::Kernel(kernel) => {
            slice(kernel, wanted);
            reads.extend(kernel.reads());
        }
        Step::Contraction(product) => {
            slice(&mut product.epilogue, wanted);
            reads.extend([product.lhs.buffer, product.rhs.buffer]);
            reads.extend(product.epilogue.reads());
            writes.extend(product.workspace);
        }
        Step::Convolution(product) => {
            slice(&mut product.epilogue, wanted);
            reads.extend([product.input.buffer, product.kernel.buffer]);
            reads.extend(product.epilogue.reads());
            writes.extend(product.workspace);
        }
        Step::Scatter(_) | Step::Copy { .. } => reads.extend_from_slice(&unit.reads),
        Step::Claimed { outputs, .. } if outputs.len() == 1 => reads.extend_from_slice(&unit.reads),
        Step::Claimed { .. } | Step::Loop(_) => return None,
    }
    Some(Unit { step, body: Vec::new(), reads, writes })
}

/// Leaves of a kernel what its stores to `wanted` need. What is left is computed as before, so the bits are the same.
fn slice(kernel: &mut Kernel, wanted: BufferId) {
    kernel.stores.retain(|store| store.buffer == wanted);
    let (body, sums) = (kernel.body.len(), kernel.reductions.len());
    let mut needed = vec![false; body + sums + kernel.tail.len()];
    kernel.stores.iter().for_each(|store| needed[store.register as usize] = true);
    mark(&kernel.tail, body + sums, &mut needed);
    for (i, reduction) in kernel.reductions.iter().enumerate() {
        needed[reduction.operand as usize] |= needed[body + i];
    }
    mark(&kernel.body, 0, &mut needed);
    // Without its reductions the kernel would be of another form; without any instruction, of none.
    if sums > 0 && !needed[body..body + sums].contains(&true) {
        return;
    }
    let kept = needed.iter().scan(0, |count, needed| {
        *count += Register::from(*needed);
        Some(*count - Register::from(*needed))
    });
    let moved: Vec<Register> = kept.collect();
    let mut flags = needed.iter();
    let mut keep = || flags.next().copied().unwrap_or(true);
    kernel.body.retain(|_| keep());
    kernel.reductions.retain(|_| keep());
    kernel.tail.retain(|_| keep());
    let register = |register: &mut Register| *register = moved[*register as usize];
    for instruction in kernel.body.iter_mut().chain(&mut kernel.tail) {
        match instruction {
            Instruction::Apply { operands, .. } => operands.iter_mut().for_each(register),
            Instruction::LoadAt { index, .. } => register(index),
            Instruction::Literal(_)
            | Instruction::Load { .. }
            | Instruction::Index { .. }
            | Instruction::Random { .. }
            | Instruction::Product(_) => {}
        }
    }
    kernel.reductions.iter_mut().for_each(|reduction| register(&mut reduction.operand));
    kernel.stores.iter_mut().for_each(|store| register(&mut store.register));
}

/// Marks the operands of the marked instructions, of which the first has register `first`.
fn mark(instructions: &[Instruction], first: usize, needed: &mut [bool]) {
    for (i, instruction) in instructions.iter().enumerate().rev() {
        if !needed[first + i] {
            continue;
        }
        match instruction {
            Instruction::Apply { operands, .. } => operands.iter().for_each(|r| needed[*r as usize] = true),
            Instruction::LoadAt { index, .. } => needed[*index as usize] = true,
            Instruction::Literal(_)
            | Instruction::Load { .. }
            | Instruction::Index { .. }
            | Instruction::Random { .. }
            | Instruction::Product(_) => {}
        }
    }
}

/// Puts other buffers into a unit and what it repeats.
pub(super) fn rename(unit: &mut Unit, name: &dyn Fn(BufferId) -> BufferId) {
    let put = |buffer: &mut BufferId| *buffer = name(*buffer);
    unit.reads.iter_mut().for_each(put);
    unit.writes.iter_mut().for_each(put);
    match &mut unit.step {
        Step::Kernel(kernel) => rename_kernel(kernel, name),
        Step::Contraction(product) => {
            [&mut product.lhs.buffer, &mut product.rhs.buffer].into_iter().for_each(put);
            product.workspace.iter_mut().for_each(put);
            rename_kernel(&mut product.epilogue, name);
        }
        Step::Convolution(product) => {
            [&mut product.input.buffer, &mut product.kernel.buffer].into_iter().for_each(put);
            product.workspace.iter_mut().for_each(put);
            rename_kernel(&mut product.epilogue, name);
        }
        Step::Scatter(scatter) => {
            [&mut scatter.destination, &mut scatter.indices, &mut scatter.updates].into_iter().for_each(put);
        }
        Step::Copy { source, destination } => [source, destination].into_iter().for_each(put),
        Step::Loop(repeated) => {
            repeated.windows.iter_mut().flat_map(|w| [&mut w.buffer, &mut w.parent]).for_each(put);
            repeated.counter.iter_mut().for_each(put);
        }
        Step::Claimed { inputs, outputs, .. } => inputs.iter_mut().chain(outputs).for_each(put),
    }
    unit.body.iter_mut().for_each(|unit| rename(unit, name));
}

fn rename_kernel(kernel: &mut Kernel, name: &dyn Fn(BufferId) -> BufferId) {
    let put = |buffer: &mut BufferId| *buffer = name(*buffer);
    for instruction in kernel.body.iter_mut().chain(&mut kernel.tail) {
        match instruction {
            Instruction::Load { buffer, .. } | Instruction::LoadAt { buffer, .. } => put(buffer),
            Instruction::Random { seed, step, iteration, .. } => {
                [seed, step, iteration].into_iter().for_each(put);
            }
            Instruction::Literal(_)
            | Instruction::Index { .. }
            | Instruction::Product(_)
            | Instruction::Apply { .. } => {}
        }
    }
    kernel.stores.iter_mut().for_each(|store| put(&mut store.buffer));
}
