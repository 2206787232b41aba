//! A program made ready, and its launch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use warploom_device::null::check_bindings;
use warploom_device::{Bindings, DeviceError, Executable, Memory, Program, Token};
use warploom_gpu::{Plan, Root};
use warploom_trace::{self as trace, Track};

use crate::bindings::{Binder, Bound};
use crate::context::Context;
use crate::faults::Faults;
use crate::memory::{GpuMemory, buffer};
use crate::pipelines::Pipelines;
use crate::prepare::{Prepared, ReadyNode, count, prepare};
use crate::profile::{Timestamps, Timing};
use crate::record::Recorder;

/// A program made ready for one device.
pub(crate) struct Ready {
    context: Arc<Context>,
    program: Arc<Program>,
    nodes: Vec<ReadyNode>,
    /// Dispatches of one launch.
    count: usize,
    /// The same, those in loops counted once.
    kernels: usize,
    own: Own,
    /// Locked while bind groups are looked up.
    binders: Mutex<Vec<Binder>>,
}

/// Memory of the executable.
struct Own {
    counters: Option<wgpu::Buffer>,
    faults: Option<Faults>,
}

/// Identities of the executable's own memory, which no memory of the device has.
const COUNTERS: u64 = u64::MAX;
const FAULTS: u64 = u64::MAX - 1;

impl Ready {
    pub(crate) fn new(
        context: Arc<Context>,
        pipelines: &Pipelines,
        program: Arc<Program>,
        plan: &Plan,
    ) -> Result<Ready, DeviceError> {
        let Prepared { nodes, binders } = prepare(&context, pipelines, plan)?;
        let uses =
            |root| plan.each().iter().any(|dispatch| dispatch.arguments.iter().any(|a| a.root == root));
        let bytes = 4 * plan.counters;
        let counters = (bytes > 0)
            .then(|| context.scoped("memory for counters", bytes, || buffer(&context.device, bytes)))
            .transpose()?;
        let faults = uses(Root::Faults).then(|| Faults::new(&context, &plan.kernels)).transpose()?;
        let own = Own { counters, faults };
        let count = count(&nodes);
        let kernels = plan.each().len();
        Ok(Ready { context, program, nodes, count, kernels, own, binders: Mutex::new(binders) })
    }

    /// Finds or makes the bind group of every kernel.
    fn groups(&self, bindings: &Bindings<'_>) -> Result<Vec<wgpu::BindGroup>, DeviceError> {
        let mut binders = self.binders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memories = Vec::new();
        let mut groups = Vec::with_capacity(binders.len());
        for binder in binders.iter_mut() {
            memories.clear();
            for argument in binder.arguments() {
                memories.push(self.bound(argument.root, bindings)?);
            }
            groups.push(binder.group(&self.context, &memories)?);
        }
        Ok(groups)
    }

    fn bound<'a>(&'a self, root: Root, bindings: &Bindings<'a>) -> Result<Bound<'a>, DeviceError> {
        let (memories, position): (&'a [Memory], usize) = match root {
            Root::State(i) => (bindings.states, i),
            Root::Input(i) => (bindings.inputs, i),
            Root::Output(i) => (bindings.outputs, i),
            Root::Slab(i) => (bindings.arena, i),
            Root::Derived(i) => (bindings.derived, i),
            Root::Counters => return self.own.bound(COUNTERS),
            Root::Faults => return self.own.bound(FAULTS),
        };
        let memory = memories.get(position);
        let memory = memory.ok_or_else(|| DeviceError::Binding(format!("{root:?} is not bound")))?;
        let memory = GpuMemory::of(memory, &self.context)?;
        Ok(Bound { id: memory.id, buffer: &memory.buffer })
    }

    /// Writes all commands, submits them, and sees that faults are read.
    fn submit(&self, groups: &[wgpu::BindGroup], timestamps: Option<&Timestamps>) -> Token {
        let mut recorder = Recorder::new(&self.context, timestamps);
        record(&mut recorder, &self.nodes, groups);
        let faults = self.own.faults.as_ref();
        let reader = faults.map(|faults| (faults, faults.collect(&self.context, recorder.encoder())));
        let token = self.context.submit(recorder.finish());
        if let Some((faults, reader)) = reader {
            faults.expect(&self.context, token, reader);
        }
        token
    }

    /// Waits for a timed launch and notes what its kernels took.
    fn note(&self, timestamps: &Timestamps, submitted: Instant) -> Result<(), DeviceError> {
        let times = timestamps.read(&self.context)?;
        let mut names = Vec::with_capacity(self.count);
        collect_names(&self.nodes, &mut names);
        let timings = names.into_iter().zip(times).map(|(name, (start, seconds))| Timing {
            name: name.clone(),
            start,
            seconds,
        });
        for timing in timings {
            if trace::is_on() {
                // The device's clock is not the host's: its first kernel is shown where the launch was submitted.
                let start = submitted + Duration::from_secs_f64(timing.start);
                let length = Duration::from_secs_f64(timing.seconds);
                trace::note(Track::Device, timing.name.clone(), start, length, None);
            }
            self.context.profile.add(timing);
        }
        Ok(())
    }
}

impl Own {
    fn bound(&self, id: u64) -> Result<Bound<'_>, DeviceError> {
        let buffer = match id {
            COUNTERS => self.counters.as_ref(),
            _ => self.faults.as_ref().map(|faults| &faults.words),
        };
        let missing = || DeviceError::Binding("a kernel counts, but the plan has no counters".into());
        Ok(Bound { id, buffer: buffer.ok_or_else(missing)? })
    }
}

fn collect_names<'a>(nodes: &'a [ReadyNode], names: &mut Vec<&'a String>) {
    for node in nodes {
        match node {
            ReadyNode::Dispatch(dispatch) => names.push(&dispatch.name),
            ReadyNode::Repeat(times, body) => (0..*times).for_each(|_| collect_names(body, names)),
        }
    }
}

fn record(recorder: &mut Recorder<'_>, nodes: &[ReadyNode], groups: &[wgpu::BindGroup]) {
    for node in nodes {
        match node {
            ReadyNode::Dispatch(dispatch) => {
                recorder.dispatch(&dispatch.pipeline.pipeline, &groups[dispatch.binder], dispatch.groups);
            }
            ReadyNode::Repeat(times, body) => (0..*times).for_each(|_| record(recorder, body, groups)),
        }
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
        self.context.health.check()?;
        check_bindings(&self.program, &bindings)?;
        let groups = self.groups(&bindings)?;
        let _span = trace::span(Track::Host, || "launch");
        let profiled = self.context.profile.is_wanted() && self.count > 0 && Timestamps::exist(&self.context);
        let submitted = Instant::now();
        let timestamps = profiled.then(|| Timestamps::new(&self.context, self.count)).transpose()?;
        let token = self.context.scoped("a launch", 0, || self.submit(&groups, timestamps.as_ref()))?;
        self.context.counters.launched();
        if let Some(timestamps) = timestamps {
            self.note(&timestamps, submitted)?;
        }
        Ok(token)
    }
}
