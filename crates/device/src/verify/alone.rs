//! Steps on their own.

use crate::program::{BufferId, Class, Program, Step};
use crate::step::distinct;
use warploom_graph::{DType, Type};

/// A program of one step over the buffers of another, in their places; and the buffers that are windows of loops around
/// the step. Those are states of their own here, after the program's, in this order.
pub(super) fn alone(program: &Program, step: &Step, windows: &[BufferId]) -> (Program, Vec<BufferId>) {
    let mut touched = step.reads();
    touched.extend(step.workspaces());
    let cuts: Vec<BufferId> = distinct(touched).into_iter().filter(|id| windows.contains(id)).collect();
    let mut one = Program { steps: vec![step.clone()], notes: Vec::new(), ..program.clone() };
    for id in &cuts {
        let spec = &mut one.buffers[id.0 as usize];
        spec.class = Class::State(one.states.len());
        one.states.push(Type::new(DType::U8, &[spec.bytes]));
    }
    (one, cuts)
}
