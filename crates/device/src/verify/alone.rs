//! Steps on their own: what they touch, and a program of one.

use crate::program::{BufferId, Class, Program, Step};
use warploom_graph::{DType, Type};

/// A name of a step for people.
pub(super) fn name(step: &Step) -> String {
    match step {
        Step::Kernel(kernel) => kernel.name.clone(),
        Step::Contraction(product) => product.epilogue.name.clone(),
        Step::Convolution(product) => product.epilogue.name.clone(),
        Step::Scatter(scatter) => format!("scatter {}", scatter.kind.name()),
        Step::Copy { .. } => "copy".into(),
        Step::Loop(body) => format!("loop of {} rounds", body.iterations),
        Step::Claimed { name, .. } => (*name).into(),
    }
}

/// Buffers whose content a step may look at, those that it writes among them.
pub(super) fn reads(step: &Step) -> Vec<BufferId> {
    let mut list = writes(step);
    match step {
        Step::Kernel(kernel) => list.extend(kernel.reads()),
        Step::Contraction(product) => {
            list.extend([product.lhs.buffer, product.rhs.buffer]);
            list.extend(product.epilogue.reads());
        }
        Step::Convolution(product) => {
            list.extend([product.input.buffer, product.kernel.buffer]);
            list.extend(product.epilogue.reads());
        }
        Step::Scatter(scatter) => list.extend([scatter.indices, scatter.updates]),
        Step::Copy { source, .. } => list.push(*source),
        Step::Loop(body) => list.extend(within(step, body.body.iter().flat_map(reads).collect())),
        Step::Claimed { inputs, .. } => list.extend(inputs),
    }
    distinct(list)
}

/// Buffers that a step writes; of a loop's windows, what they are parts of.
pub(super) fn writes(step: &Step) -> Vec<BufferId> {
    let stores = |kernel: &crate::Kernel| kernel.stores.iter().map(|store| store.buffer).collect();
    distinct(match step {
        Step::Kernel(kernel) => stores(kernel),
        Step::Contraction(product) => stores(&product.epilogue),
        Step::Convolution(product) => stores(&product.epilogue),
        Step::Scatter(scatter) => vec![scatter.destination],
        Step::Copy { destination, .. } => vec![*destination],
        Step::Loop(body) => {
            let mut list: Vec<BufferId> = body.body.iter().flat_map(writes).collect();
            list.extend(body.counter);
            within(step, list)
        }
        Step::Claimed { outputs, .. } => outputs.clone(),
    })
}

/// Scratch memory of a step.
fn workspaces(step: &Step) -> Vec<BufferId> {
    match step {
        Step::Contraction(product) => product.workspace.into_iter().collect(),
        Step::Convolution(product) => product.workspace.into_iter().collect(),
        Step::Loop(body) => body.body.iter().flat_map(workspaces).collect(),
        Step::Kernel(_) | Step::Scatter(_) | Step::Copy { .. } | Step::Claimed { .. } => Vec::new(),
    }
}

/// Buffers with a loop's own windows replaced by what they are parts of.
fn within(step: &Step, list: Vec<BufferId>) -> Vec<BufferId> {
    let Step::Loop(body) = step else { return list };
    let parent = |id: BufferId| body.windows.iter().find(|w| w.buffer == id).map_or(id, |w| w.parent);
    list.into_iter().map(parent).collect()
}

fn distinct(mut list: Vec<BufferId>) -> Vec<BufferId> {
    list.sort_unstable();
    list.dedup();
    list
}

/// A program of one step over the buffers of another, in their places; and the buffers that are windows of loops around
/// the step. Those are states of their own here, after the program's, in this order.
pub(super) fn alone(program: &Program, step: &Step, windows: &[BufferId]) -> (Program, Vec<BufferId>) {
    let mut touched = reads(step);
    touched.extend(workspaces(step));
    let cuts: Vec<BufferId> = distinct(touched).into_iter().filter(|id| windows.contains(id)).collect();
    let mut one = Program { steps: vec![step.clone()], notes: Vec::new(), ..program.clone() };
    for id in &cuts {
        let spec = &mut one.buffers[id.0 as usize];
        spec.class = Class::State(one.states.len());
        one.states.push(Type::new(DType::U8, &[spec.bytes]));
    }
    (one, cuts)
}
