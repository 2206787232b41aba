//! One kernel, run on the processor.

use std::collections::BTreeSet;
use std::sync::Arc;
use warploom_cuda::CudaCpp;
use warploom_device::{Bindings, DeviceError, Executor, Memory, Program};
use warploom_emulate::{Emulated, LIMITS, is_available};
use warploom_gpu::{Argument, Dialect, Dispatch, Elements, Module, Node, Plan, Root, Shared};
use warploom_graph::{DType, Type};

pub const WORKGROUP: u32 = 64;

/// An argument: how it is declared, whether it is written, and what it holds.
pub type Words = (Elements, bool, Vec<u32>);

/// A kernel of these parts, over states.
pub fn plan(
    functions: &[&'static str],
    shared: &[Shared],
    body: &str,
    arguments: &[Words],
    groups: [u32; 3],
) -> Plan {
    let argument = |(i, (elements, writable, words)): (usize, &Words)| {
        let argument =
            Argument { root: Root::State(i), offset: 0, bytes: words.len() * 4, writable: *writable };
        (argument, *elements)
    };
    let arguments: Vec<_> = arguments.iter().enumerate().map(argument).collect();
    let functions: BTreeSet<&'static str> = functions.iter().copied().collect();
    let module = Module {
        name: "test",
        workgroup: WORKGROUP,
        resident: None,
        arguments: &arguments,
        shared,
        functions: &functions,
        body,
    };
    let dispatch = Dispatch {
        name: "test".into(),
        source: CudaCpp.module(&module),
        workgroup: WORKGROUP,
        groups,
        arguments: arguments.into_iter().map(|(argument, _)| argument).collect(),
        shared_bytes: 0,
        operations: 0,
        traffic: 0,
    };
    Plan { nodes: vec![Node::Dispatch(dispatch)], kernels: vec!["test".into()], counters: 0 }
}

/// What a plan does to its arguments. `None` without a C++ compiler.
pub fn launch(plan: Plan, arguments: &[Words]) -> Option<Result<Vec<Vec<u32>>, DeviceError>> {
    is_available().then(|| run(plan, arguments))
}

fn run(plan: Plan, arguments: &[Words]) -> Result<Vec<Vec<u32>>, DeviceError> {
    let device = Emulated::new(&CudaCpp, LIMITS);
    let states: Vec<Memory> =
        arguments.iter().map(|(_, _, words)| device.allocate(words.len() * 4)).collect::<Result<_, _>>()?;
    for (memory, (_, _, words)) in states.iter().zip(arguments) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        device.upload(memory, 0, &bytes)?;
    }
    let program = Program {
        buffers: Vec::new(),
        steps: Vec::new(),
        states: arguments.iter().map(|(_, _, words)| Type::new(DType::U32, &[words.len()])).collect(),
        written: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        slabs: Vec::new(),
        notes: Vec::new(),
    };
    let ready = device.prepare_plan(Arc::new(program), plan)?;
    let bindings = Bindings { states: &states, inputs: &[], outputs: &[], arena: &[], derived: &[] };
    device.wait(ready.launch(bindings)?)?;
    let read = |memory: &Memory| {
        let mut bytes = vec![0; memory.bytes()];
        device.download(memory, 0, &mut bytes)?;
        Ok(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    };
    states.iter().map(read).collect()
}
