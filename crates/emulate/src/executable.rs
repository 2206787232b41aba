//! A program made ready, and its launch.

use crate::build::Launch;
use crate::executor::{Kernels, lock};
use crate::memory::HostMemory;
use std::collections::HashMap;
use std::ffi::{CStr, c_void};
use std::slice;
use std::sync::{Arc, Mutex};
use warploom_device::counters::Counters;
use warploom_device::null::check_bindings;
use warploom_device::{Bindings, DeviceError, Executable, Memory, Program, Token};
use warploom_gpu::{Argument, Convolving, Dispatch, FAULT_WORDS, Multiplication, Node, Plan, Root};

/// Seeds of the orders in which threads run; 0 is their own.
const ORDERS: [u64; 3] = [0, 0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];

pub(crate) struct Ready {
    program: Arc<Program>,
    plan: Plan,
    kernels: Arc<Kernels>,
    counters: Arc<Counters>,
    own: Mutex<Own>,
}

/// Memory of the executable.
struct Own {
    counters: Vec<u32>,
    faults: [u32; FAULT_WORDS],
}

impl Ready {
    pub(crate) fn new(
        program: Arc<Program>,
        plan: Plan,
        kernels: Arc<Kernels>,
        counters: Arc<Counters>,
    ) -> Ready {
        let own = Mutex::new(Own { counters: vec![0; plan.counters], faults: [0; FAULT_WORDS] });
        Ready { program, plan, kernels, counters, own }
    }
}

impl Executable for Ready {
    fn program(&self) -> &Program {
        &self.program
    }

    fn kernels(&self) -> usize {
        self.plan.each().len()
    }

    fn launch(&self, bindings: Bindings<'_>) -> Result<Token, DeviceError> {
        check_bindings(&self.program, &bindings)?;
        let kernels = lock(&self.kernels);
        let mut own = lock(&self.own);
        Run { kernels: &kernels, bindings, own: &mut own }.nodes(&self.plan.nodes)?;
        let token = Token(self.counters.launched());
        let [fault, kernel, index, extent] = std::mem::take(&mut own.faults);
        if fault == 0 {
            return Ok(token);
        }
        Err(DeviceError::IndexOutOfRange {
            kernel: self.plan.kernels.get(kernel as usize).cloned().unwrap_or_default(),
            index: i64::from(index as i32),
            extent: extent as usize,
        })
    }
}

/// A launch under way.
struct Run<'a> {
    kernels: &'a HashMap<String, Launch>,
    bindings: Bindings<'a>,
    own: &'a mut Own,
}

/// An argument's memory.
#[derive(Clone, Copy)]
struct Part {
    start: *mut u8,
    bytes: usize,
    /// Whether runs must leave the same in it: written, and not the faults, of which the first stays.
    is_compared: bool,
    is_written: bool,
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<(), DeviceError> {
        nodes.iter().try_for_each(|node| match node {
            Node::Dispatch(dispatch) if dispatch.groups.contains(&0) => Ok(()),
            Node::Dispatch(dispatch) => self.dispatch(dispatch),
            Node::Product(Multiplication { name, .. }) | Node::Convolution(Convolving { name, .. }) => {
                Err(DeviceError::Unsupported(format!("{name} is left to a library; there is none")))
            }
            Node::Repeat(times, body) => (0..*times).try_for_each(|_| self.nodes(body)),
        })
    }

    /// Runs a kernel in all orders.
    fn dispatch(&mut self, dispatch: &Dispatch) -> Result<(), DeviceError> {
        let failed = |what: &str| DeviceError::Failed(format!("kernel {} {what}", dispatch.name));
        let launch = *self.kernels.get(&dispatch.source).ok_or_else(|| failed("is not compiled"))?;
        let parts = dispatch.arguments.iter().map(|argument| self.part(argument));
        let parts = parts.collect::<Result<Vec<Part>, _>>()?;
        let written = |part: &&Part| part.is_written;
        let before: Vec<Vec<u8>> = parts.iter().filter(written).map(|part| bytes(part).to_vec()).collect();
        let mut first: Option<Vec<Vec<u8>>> = None;
        for seed in ORDERS {
            for (part, before) in parts.iter().filter(written).zip(&before) {
                bytes_mut(part).copy_from_slice(before);
            }
            run(launch, dispatch, &parts, seed).map_err(|what| failed(&what))?;
            let compared = || parts.iter().filter(|part| part.is_compared).map(bytes);
            match &first {
                None => first = Some(compared().map(<[u8]>::to_vec).collect()),
                Some(first) if !compared().eq(first.iter().map(Vec::as_slice)) => {
                    return Err(failed("leaves something else when its threads run in another order"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn part(&mut self, argument: &Argument) -> Result<Part, DeviceError> {
        let Argument { root, offset, bytes, writable } = *argument;
        let within = |memories: &[Memory], i: usize| {
            let missing = || DeviceError::Binding(format!("{root:?} is not bound"));
            HostMemory::of(memories.get(i).ok_or_else(missing)?)?.part(offset, bytes)
        };
        let start = match root {
            Root::State(i) => within(self.bindings.states, i)?,
            Root::Input(i) => within(self.bindings.inputs, i)?,
            Root::Output(i) => within(self.bindings.outputs, i)?,
            Root::Slab(i) => within(self.bindings.arena, i)?,
            Root::Derived(i) => within(self.bindings.derived, i)?,
            Root::Counters => self.own.counters.as_mut_ptr().cast(),
            Root::Faults => self.own.faults.as_mut_ptr().cast(),
        };
        Ok(Part { start, bytes, is_compared: writable && root != Root::Faults, is_written: writable })
    }
}

fn bytes(part: &Part) -> &[u8] {
    // SAFETY: parts lie within memories that live as long as the launch, under whose lock nobody else touches them.
    unsafe { slice::from_raw_parts(part.start, part.bytes) }
}

#[expect(clippy::mut_from_ref, reason = "a part stands for memory that it does not own")]
fn bytes_mut(part: &Part) -> &mut [u8] {
    // SAFETY: as above; callers hold no other reference meanwhile.
    unsafe { slice::from_raw_parts_mut(part.start, part.bytes) }
}

/// Runs a kernel once.
fn run(launch: Launch, dispatch: &Dispatch, parts: &[Part], seed: u64) -> Result<(), String> {
    let addresses: Vec<*mut c_void> = parts.iter().map(|part| part.start.cast()).collect();
    // SAFETY: the kernel was compiled for as many arguments, each of which has the bytes that the dispatch states; a kernel
    // that goes beyond them is what tests look for, by `sanitized`.
    let wrong = unsafe { launch(addresses.as_ptr(), dispatch.groups.as_ptr(), dispatch.workgroup, seed) };
    if wrong.is_null() {
        return Ok(());
    }
    // SAFETY: not null, so a constant text of the library.
    Err(unsafe { CStr::from_ptr(wrong) }.to_string_lossy().into_owned())
}
