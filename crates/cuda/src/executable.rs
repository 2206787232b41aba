//! A program made ready, and its launch: recorded once for each set of memories that is bound, then one call.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::CUstream;
use warploom_device::null::check_bindings;
use warploom_device::{Bindings, DeviceError, Executable, Memory, Program, Token};
use warploom_gpu::{Plan, Root};
use warploom_trace::{self as trace, Track};

use crate::context::Context;
use crate::driver::{Api, Graph};
use crate::faults::Faults;
use crate::kernels::Kernels;
use crate::matrices::Addresses;
use crate::memory::{Block, GpuMemory};
use crate::prepare::{Part, Prepared, ReadyConvolution, ReadyKernel, ReadyNode, ReadyProduct, prepare};
use crate::timed::Timers;
use crate::vendor::Vendor;

/// Sets of memories remembered: rings have two or three slots for inputs and as many for outputs.
const REMEMBERED: usize = 8;

/// Identities of the executable's own memory, which no memory of the device has.
const COUNTERS: u64 = u64::MAX;
const FAULTS: u64 = u64::MAX - 1;

/// A program made ready for one device.
pub(crate) struct Ready {
    /// Last used first.
    recorded: Mutex<VecDeque<Arc<Recorded>>>,
    /// The last launch.
    last: AtomicU64,
    program: Arc<Program>,
    prepared: Prepared,
    /// Kernels of the plan, those in loops counted once.
    kernels: usize,
    counters: Option<Block>,
    faults: Option<Faults>,
    // Last: everything above is the device's.
    context: Arc<Context>,
}

/// The recordings for one set of memories.
struct Recorded {
    /// By root.
    memories: Vec<u64>,
    graphs: Vec<Graph>,
}

/// How a launch is queued.
enum Way {
    Recorded(Arc<Recorded>),
    Timed(Timers),
}

/// A memory that a launch binds.
struct Bound<'a> {
    id: u64,
    block: &'a Block,
}

impl Ready {
    pub(crate) fn new(
        context: Arc<Context>,
        kernels: &Kernels,
        vendor: &Vendor,
        program: Arc<Program>,
        plan: &Plan,
    ) -> Result<Ready, DeviceError> {
        let prepared = prepare(&context.device.gpu, kernels, vendor, plan)?;
        let counters = (plan.counters > 0).then(|| Block::new(&context, 4 * plan.counters)).transpose()?;
        let notes = prepared.roots.contains(&Root::Faults);
        let faults = notes.then(|| Faults::new(&context, &plan.kernels)).transpose()?;
        let kernels = plan.launches();
        let (recorded, last) = Default::default();
        Ok(Ready { recorded, last, program, prepared, kernels, counters, faults, context })
    }

    fn bound<'a>(&'a self, root: Root, bindings: &Bindings<'a>) -> Result<Bound<'a>, DeviceError> {
        let missing = || DeviceError::Binding(format!("{root:?} is not bound"));
        let (memories, position): (&'a [Memory], usize) = match root {
            Root::State(i) => (bindings.states, i),
            Root::Input(i) => (bindings.inputs, i),
            Root::Output(i) => (bindings.outputs, i),
            Root::Slab(i) => (bindings.arena, i),
            Root::Derived(i) => (bindings.derived, i),
            Root::Counters => {
                return Ok(Bound { id: COUNTERS, block: self.counters.as_ref().ok_or_else(missing)? });
            }
            Root::Faults => {
                let faults = self.faults.as_ref().ok_or_else(missing)?;
                return Ok(Bound { id: FAULTS, block: &faults.words });
            }
        };
        let memory = GpuMemory::of(memories.get(position).ok_or_else(missing)?, &self.context)?;
        Ok(Bound { id: memory.id, block: &memory.block })
    }

    /// Finds or makes the recordings for these memories.
    fn recorded(&self, bound: &[Bound<'_>]) -> Result<Arc<Recorded>, DeviceError> {
        let mut recent = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &Arc<Recorded>| known.memories.iter().eq(bound.iter().map(|bound| &bound.id));
        let known = recent.iter().position(same).and_then(|position| recent.remove(position));
        let recorded = match known {
            Some(recorded) => recorded,
            None => Arc::new(self.record(bound)?),
        };
        recent.truncate(REMEMBERED - 1);
        recent.push_front(recorded.clone());
        Ok(recorded)
    }

    fn record(&self, bound: &[Bound<'_>]) -> Result<Recorded, DeviceError> {
        let graphs = self.prepared.recordings.iter().map(|nodes| {
            self.context
                .record(|api, stream| nodes.iter().try_for_each(|node| self.queue(*node, bound, api, stream)))
        });
        Ok(Recorded {
            graphs: graphs.collect::<Result<_, _>>()?,
            memories: bound.iter().map(|bound| bound.id).collect(),
        })
    }

    fn queue(
        &self,
        node: usize,
        bound: &[Bound<'_>],
        api: &Api,
        stream: CUstream,
    ) -> Result<(), DeviceError> {
        match &self.prepared.nodes[node] {
            ReadyNode::Kernel(kernel) => self.queue_kernel(kernel, bound, api, stream),
            ReadyNode::Product(call) => self.queue_product(call, bound, stream),
            ReadyNode::Convolution(call) => self.queue_convolution(call, bound, stream),
        }
    }

    /// The address of an argument in what is bound.
    fn address(&self, argument: &(usize, usize, usize), bound: &[Bound<'_>]) -> Result<u64, DeviceError> {
        let (position, first, end) = *argument;
        let block = bound[position].block;
        if end > block.bytes {
            let root = self.prepared.roots[position];
            let bytes = end - first;
            return Err(DeviceError::Binding(format!(
                "{bytes} bytes at {first} of {root:?}, which has {}",
                block.bytes
            )));
        }
        Ok(block.pointer + first as u64)
    }

    fn queue_product(
        &self,
        call: &ReadyProduct,
        bound: &[Bound<'_>],
        stream: CUstream,
    ) -> Result<(), DeviceError> {
        let optional = |argument: &Option<_>| {
            argument.as_ref().map(|argument| self.address(argument, bound)).transpose()
        };
        let at = Addresses {
            left: self.address(&call.left, bound)?,
            right: self.address(&call.right, bound)?,
            result: self.address(&call.result, bound)?,
            bias: optional(&call.bias)?,
            scratch: optional(&call.workspace)?,
        };
        // SAFETY: each address is that of as many bytes as the plan gives the product, which live until the launch is done.
        unsafe { call.product.queue(&at, stream) }
    }

    fn queue_convolution(
        &self,
        call: &ReadyConvolution,
        bound: &[Bound<'_>],
        stream: CUstream,
    ) -> Result<(), DeviceError> {
        let [input, kernel, result] = &call.arguments;
        let at = [
            self.address(input, bound)?,
            self.address(kernel, bound)?,
            self.address(result, bound)?,
            call.workspace.as_ref().map_or(Ok(0), |workspace| self.address(workspace, bound))?,
        ];
        // SAFETY: each address is that of as many bytes as the plan gives the convolution, which live until the launch is done.
        unsafe { call.convolution.queue(at, stream) }
    }

    fn queue_kernel(
        &self,
        kernel: &ReadyKernel,
        bound: &[Bound<'_>],
        api: &Api,
        stream: CUstream,
    ) -> Result<(), DeviceError> {
        let pointers = kernel.arguments.iter().map(|argument| self.address(argument, bound));
        let mut pointers = pointers.collect::<Result<Vec<u64>, _>>()?;
        let mut parameters: Vec<*mut c_void> =
            pointers.iter_mut().map(|pointer| std::ptr::from_mut(pointer).cast()).collect();
        let ([x, y, z], threads, shared) = (kernel.groups, kernel.workgroup, 0);
        // SAFETY: the module lives as long as `self`; each parameter is a pointer into memory that is large enough, in the
        // order of the source's arguments, and is read during the call.
        let answer = unsafe {
            (api.launch)(
                kernel.module.function,
                x,
                y,
                z,
                threads,
                1,
                1,
                shared,
                stream,
                parameters.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        self.context.device.done("a kernel", answer)
    }

    /// Launches recordings; what loops repeat beyond one recording is launched again.
    fn run(&self, parts: &[Part], graphs: &[Graph], api: &Api, stream: CUstream) -> Result<(), DeviceError> {
        for part in parts {
            match part {
                Part::Recording(position) => {
                    // SAFETY: the graph and all that it touches live until the launch is done.
                    let answer = unsafe { (api.graph_launch)(graphs[*position].raw, stream) };
                    self.context.device.done("a launch", answer)?;
                }
                Part::Repeat(times, inner) => {
                    (0..*times).try_for_each(|_| self.run(inner, graphs, api, stream))?;
                }
            }
        }
        Ok(())
    }
}

impl Executable for Ready {
    fn program(&self) -> &Program {
        &self.program
    }

    fn kernels(&self) -> usize {
        self.kernels
    }

    fn launch(&self, bindings: Bindings<'_>) -> Result<Token, DeviceError> {
        let context = &self.context;
        context.device.health.check()?;
        check_bindings(&self.program, &bindings)?;
        let roots = self.prepared.roots.iter();
        let bound = roots.map(|root| self.bound(*root, &bindings)).collect::<Result<Vec<_>, _>>()?;
        let way = match Timers::new(context, &self.prepared)? {
            Some(timers) => Way::Timed(timers),
            None => Way::Recorded(self.recorded(&bound)?),
        };
        let _span = trace::span(Track::Host, || "launch");
        let note = self.faults.as_ref().map(|faults| faults.note(context)).transpose()?;
        let token = context.compute(bound.iter().map(|bound| &bound.block.touched), |api, stream| {
            match &way {
                Way::Timed(timers) => timers.run(stream, |node| self.queue(node, &bound, api, stream))?,
                Way::Recorded(recorded) => self.run(&self.prepared.parts, &recorded.graphs, api, stream)?,
            }
            match (&self.faults, &note) {
                (Some(faults), Some(note)) => faults.collect(context, note, api, stream),
                _ => Ok(()),
            }
        })?;
        self.last.fetch_max(token.0, Relaxed);
        if let Some(note) = note {
            context.expected.add(token, note);
        }
        context.counters.launched();
        if let Way::Timed(timers) = way {
            context.settle(token)?;
            timers.note(&self.prepared.names)?;
        }
        Ok(token)
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        // Modules are unloaded at once, also those that run. What failed is told by whoever waits.
        let _ = self.context.settle(Token(self.last.load(Relaxed)));
    }
}
