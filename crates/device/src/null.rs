//! The null executor: plans, checks bindings and counts, but computes nothing. The whole compiler is testable on it.

use crate::counters::{Counters, Held};
use crate::error::DeviceError;
use crate::executor::{
    Bindings, Capabilities, Executable, Executor, Memory, RawMemory, Statistics, Target, Token,
};
use crate::program::{Program, Step};
use std::any::Any;
use std::sync::Arc;
use warploom_graph::{DType, Graph, Source};

/// A device without arithmetic. Memory has a size and no content: downloads give zeros.
pub struct Null {
    capabilities: Capabilities,
    counters: Arc<Counters>,
}

impl Null {
    /// A null device with these rules.
    pub fn new(capabilities: Capabilities) -> Null {
        Null { capabilities, counters: Arc::default() }
    }
}

impl Default for Null {
    fn default() -> Null {
        Null::new(Capabilities {
            id: "null".into(),
            name: "null device".into(),
            dtypes: DType::ALL.to_vec(),
            tf32: false,
            slab_bytes: usize::MAX,
            alignment: 64,
            in_place: true,
            threads: 1,
            memory_bytes: None,
        })
    }
}

impl RawMemory for Held {
    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Target for Null {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn workspace_bytes(&self, _: &Step) -> usize {
        0
    }

    fn claims(&self, _: &str, _: &Graph, _: &[Source]) -> bool {
        false
    }
}

impl Executor for Null {
    fn target(&self) -> &dyn Target {
        self
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError> {
        let ((), held) = self.counters.hold(bytes, self.capabilities.memory_bytes, || Ok(()))?;
        Ok(Arc::new(held))
    }

    fn upload(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        check_range(memory, offset, bytes.len())?;
        self.counters.uploaded(bytes.len());
        Ok(Token(0))
    }

    fn download(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        check_range(memory, offset, bytes.len())?;
        self.counters.downloaded(bytes.len());
        bytes.fill(0);
        Ok(())
    }

    fn copy(&self, source: &Memory, destination: &Memory, bytes: usize) -> Result<Token, DeviceError> {
        check_range(source, 0, bytes)?;
        check_range(destination, 0, bytes)?;
        Ok(Token(0))
    }

    fn prepare(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        if !self.capabilities.tf32 {
            program.steps.iter().try_for_each(Step::refuse_tf32)?;
        }
        Ok(Arc::new(Ready { program, counters: self.counters.clone() }))
    }

    fn wait(&self, _: Token) -> Result<(), DeviceError> {
        Ok(())
    }

    fn statistics(&self) -> Statistics {
        self.counters.read()
    }
}

struct Ready {
    program: Arc<Program>,
    counters: Arc<Counters>,
}

impl Executable for Ready {
    fn program(&self) -> &Program {
        &self.program
    }

    fn launch(&self, bindings: Bindings<'_>) -> Result<Token, DeviceError> {
        check_bindings(&self.program, &bindings)?;
        Ok(Token(self.counters.launched()))
    }
}

fn check_range(memory: &Memory, offset: usize, bytes: usize) -> Result<(), DeviceError> {
    if offset.checked_add(bytes).is_some_and(|end| end <= memory.bytes()) {
        return Ok(());
    }
    Err(DeviceError::Binding(format!("{bytes} bytes at {offset} of memory that has {}", memory.bytes())))
}

/// Whether every memory is there and large enough; executors call it before they touch any.
pub fn check_bindings(program: &Program, bindings: &Bindings<'_>) -> Result<(), DeviceError> {
    let types = [
        ("state", bindings.states, &program.states),
        ("input", bindings.inputs, &program.inputs),
        ("output", bindings.outputs, &program.outputs),
    ];
    for (kind, memories, types) in types {
        check(kind, memories, types.len(), |i| types[i].bytes())?;
    }
    check("arena slab", bindings.arena, program.slabs.len(), |i| program.slabs[i])
}

fn check(
    kind: &str,
    memories: &[Memory],
    count: usize,
    bytes: impl Fn(usize) -> usize,
) -> Result<(), DeviceError> {
    if memories.len() < count {
        return Err(DeviceError::Binding(format!("{} memories for {count} {kind}s", memories.len())));
    }
    for (i, memory) in memories[..count].iter().enumerate() {
        if memory.bytes() < bytes(i) {
            let message = format!("{kind} {i} needs {} bytes, its memory has {}", bytes(i), memory.bytes());
            return Err(DeviceError::Binding(message));
        }
    }
    Ok(())
}
