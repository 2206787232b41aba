//! What the tests share: a machine with a driver but no GPU, and plans made by hand.

mod failing;
mod machine;
#[allow(dead_code, reason = "tests of other crates use more")]
pub mod nvrtc;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

pub use failing::{fail_each_call, is_of_the_end, tell};
pub use machine::{Folder, Outcome, again, build, machine};
use warploom_cuda::Cuda;
use warploom_device::{Bindings, DeviceError, Executable, Memory, Program, Token};
use warploom_gpu::{Argument, Dispatch, FAULT_WORDS, Node, Plan, Root};
use warploom_graph::{DType, Type};

/// A program that binds states and inputs of these many words, and whose steps are a plan's.
pub fn program(states: &[usize], inputs: &[usize]) -> Arc<Program> {
    let types = |words: &[usize]| words.iter().map(|words| Type::new(DType::U32, &[*words])).collect();
    Arc::new(Program {
        buffers: Vec::new(),
        steps: Vec::new(),
        states: types(states),
        written: Vec::new(),
        inputs: types(inputs),
        outputs: Vec::new(),
        slabs: Vec::new(),
        notes: Vec::new(),
    })
}

pub fn argument(root: Root, words: usize) -> Argument {
    Argument { root, offset: 0, bytes: 4 * words, writable: true }
}

/// A kernel in the language of the driver without a GPU.
pub fn dispatch(name: &str, what: &str, arguments: Vec<Argument>) -> Dispatch {
    Dispatch {
        name: name.into(),
        source: format!("args={} {what}", arguments.len()),
        workgroup: 64,
        groups: [2, 1, 1],
        arguments,
        shared_bytes: 0,
        operations: 0,
        traffic: 0,
    }
}

/// Adds 1 to state 0, with an input at hand.
pub fn step(gpu: &Cuda, nodes: Vec<Node>) -> Result<Arc<dyn Executable>, DeviceError> {
    let plan = Plan { nodes, kernels: vec!["gather rows".into()], counters: 1 };
    gpu.prepare_plan(program(&[1], &[1]), &plan)
}

pub fn increment(amount: usize) -> Node {
    let arguments = vec![argument(Root::Input(0), 1), argument(Root::State(0), 1)];
    Node::Dispatch(dispatch("increment", &format!("add={amount}"), arguments))
}

/// Reports the first word of the input as an index out of an axis of `extent` where it is.
pub fn gather(extent: usize) -> Node {
    let arguments = vec![argument(Root::Input(0), 1), argument(Root::Faults, FAULT_WORDS)];
    Node::Dispatch(dispatch("gather", &format!("fault={extent}"), arguments))
}

pub fn launch(
    executable: &Arc<dyn Executable>,
    state: &Memory,
    input: &Memory,
) -> Result<Token, DeviceError> {
    let (states, inputs) = (std::slice::from_ref(state), std::slice::from_ref(input));
    executable.launch(Bindings { states, inputs, outputs: &[], arena: &[], derived: &[] })
}

/// A path as a variable's value.
pub fn value(path: &Path) -> OsString {
    path.as_os_str().to_owned()
}
