//! What the tests share: an adapter, programs of bindings only, and plans made by hand.

use std::sync::Arc;

use warploom_device::{Bindings, DeviceError, Executable, Memory, Program, Token};
use warploom_gpu::{Argument, Dispatch, FAULT_WORDS, Node, Plan, Root};
use warploom_graph::{DType, Type};
use warploom_wgpu::{Wgpu, adapters};

/// The first adapter. Without one the test passes and says so, unless WARPLOOM_REQUIRE_GPU is set.
pub fn open() -> Option<Wgpu> {
    let required = std::env::var_os("WARPLOOM_REQUIRE_GPU").is_some_and(|value| value == "1");
    match adapters().first() {
        Some(adapter) => Some(Wgpu::open(Some(adapter.index)).unwrap()),
        None if required => panic!("no adapter: {}", Wgpu::open(None).err().unwrap()),
        None => {
            println!("skipped: no adapter");
            None
        }
    }
}

/// A program that binds states of these many words, and whose steps are a plan's.
pub fn program(states: &[usize]) -> Arc<Program> {
    let types = |words: &[usize]| words.iter().map(|words| Type::new(DType::U32, &[*words])).collect();
    Arc::new(Program {
        buffers: Vec::new(),
        steps: Vec::new(),
        states: types(states),
        written: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        slabs: Vec::new(),
        notes: Vec::new(),
    })
}

/// `words` words of a state, from word `first`.
pub fn argument(state: usize, first: usize, words: usize, writable: bool) -> Argument {
    Argument { root: Root::State(state), offset: 4 * first, bytes: 4 * words, writable }
}

/// A kernel whose body sees `i`, the number of the invocation, and its arguments as arrays of `u32`, `a0` and so on.
pub fn dispatch(name: &str, body: &str, groups: u32, arguments: Vec<Argument>) -> Dispatch {
    let mut source = String::new();
    for (i, argument) in arguments.iter().enumerate() {
        let access = if argument.writable { "read_write" } else { "read" };
        source += &format!("@group(0) @binding({i}) var<storage, {access}> a{i}: array<u32>;\n");
    }
    source += &format!(
        "@compute @workgroup_size(64)\nfn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) {{\nlet i = id.x;\n{body}\n}}\n"
    );
    Dispatch {
        name: name.into(),
        source,
        workgroup: 64,
        groups: [groups, 1, 1],
        arguments,
        shared_bytes: 0,
        operations: 0,
        traffic: 0,
    }
}

pub fn plan(nodes: Vec<Node>) -> Plan {
    Plan { nodes, kernels: Vec::new(), counters: 0 }
}

pub fn prepare(gpu: &Wgpu, states: &[usize], plan: &Plan) -> Arc<dyn Executable> {
    gpu.prepare_plan(program(states), plan).unwrap()
}

/// Adds 1 to each of the first 64 words of state 0.
pub fn increment(gpu: &Wgpu) -> Arc<dyn Executable> {
    let kernel = dispatch("increment", "a0[i] = a0[i] + 1u;", 1, vec![argument(0, 0, 64, true)]);
    prepare(gpu, &[64], &plan(vec![Node::Dispatch(kernel)]))
}

/// Reports the first word of state 0 as an index out of an axis of 10 where it is.
pub fn gather(gpu: &Wgpu) -> Arc<dyn Executable> {
    let faults = Argument { root: Root::Faults, offset: 0, bytes: 4 * FAULT_WORDS, writable: true };
    let body = "if (i == 0u && a0[0] >= 10u) { a1[0] = 1u; a1[1] = 1u; a1[2] = a0[0]; a1[3] = 10u; }";
    let kernel = dispatch("gather", body, 1, vec![argument(0, 0, 1, false), faults]);
    let kernels = vec!["other".into(), "gather rows".into()];
    prepare(gpu, &[1], &Plan { nodes: vec![Node::Dispatch(kernel)], kernels, counters: 0 })
}

pub fn launch(executable: &Arc<dyn Executable>, states: &[Memory]) -> Result<Token, DeviceError> {
    executable.launch(Bindings { states, inputs: &[], outputs: &[], arena: &[], derived: &[] })
}

pub fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}
