//! Programs recorded and compiled, with all memory they will take, before any is taken.

use crate::device::Device;
use crate::error::Error;
use crate::recorded::Recorded;
use crate::scope;
use crate::tensor::Tensor;
use crate::variable::Slot;
use std::sync::Arc;
use std::time::{Duration, Instant};
use warploom_compile::{Options, Recomputation, compile};
use warploom_device::{Plan, Program};
use warploom_graph::{Recording, Type};

/// A program that was recorded and compiled for a device, but has taken no memory there: what a run would need can be asked
/// before it starts. [`Planned::ready`] makes it one that runs.
#[derive(Clone)]
pub struct Planned {
    pub(crate) device: Device,
    pub(crate) recording: Recording,
    pub(crate) program: Arc<Program>,
    /// Variables by state slot.
    pub(crate) slots: Vec<Arc<Slot>>,
    /// Values from outside; they follow the inputs that a run hands in.
    pub(crate) captured: Vec<Tensor>,
    memory_limit: Option<usize>,
    recomputation: Option<Recomputation>,
    pub(crate) elapsed: Duration,
}

impl Planned {
    pub(crate) fn new(
        device: &Device,
        recording: Recording,
        slots: Vec<Arc<Slot>>,
        captured: Vec<Tensor>,
        memory_limit: Option<usize>,
    ) -> Result<Planned, Error> {
        let started = Instant::now();
        let (program, recomputation) = compiled(device, &recording, memory_limit)?;
        let (device, elapsed) = (device.clone(), started.elapsed());
        Ok(Planned { device, recording, program, slots, captured, memory_limit, recomputation, elapsed })
    }

    /// Makes the program ready to run, with its memory.
    ///
    /// # Errors
    /// What the device reports.
    pub fn ready(self) -> Result<Recorded, Error> {
        Recorded::new(self)
    }

    /// `steps` runs in one launch, as [`Recorded::repeat`].
    ///
    /// # Errors
    /// Another number of flags than of inputs; what the compiler reports.
    #[track_caller]
    pub fn repeat(&self, steps: usize, sliced: &[bool]) -> Result<Planned, Error> {
        let origin = scope::origin();
        if sliced.len() != self.inputs().len() {
            let message =
                format!("{} inputs, but {} flags say which are sliced", self.inputs().len(), sliced.len());
            return Err(Error::at("repeat", message, &origin));
        }
        let mut flags = sliced.to_vec();
        flags.resize(sliced.len() + self.captured.len(), false);
        self.with(self.recording.repeat(steps, &flags, &origin)?)
    }

    /// Another recording over the same variables and values from outside.
    pub(crate) fn with(&self, recording: Recording) -> Result<Planned, Error> {
        let (slots, captured) = (self.slots.clone(), self.captured.clone());
        Planned::new(&self.device, recording, slots, captured, self.memory_limit)
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Dtypes and shapes of the inputs that a run hands in.
    pub fn inputs(&self) -> &[Type] {
        &self.program.inputs[..self.program.inputs.len() - self.captured.len()]
    }

    /// Every byte that running it uses on the device, with one set of inputs and outputs.
    pub fn plan(&self) -> Plan {
        self.program.plan(1)
    }

    /// The limit under which it was compiled.
    pub fn memory_limit(&self) -> Option<usize> {
        self.memory_limit
    }

    /// What the limit costs, where values are computed again.
    pub fn recomputation(&self) -> Option<Recomputation> {
        self.recomputation
    }
}

/// Compiles a recording for a device.
pub(crate) fn compiled(
    device: &Device,
    recording: &Recording,
    memory_limit: Option<usize>,
) -> Result<(Arc<Program>, Option<Recomputation>), Error> {
    if cfg!(debug_assertions) {
        warploom_graph::verify::verify(&recording.graph)?;
    }
    let options = Options { memory_limit, precision: device.precision(), ..Options::default() };
    let compiled = compile(recording, device.executor().target(), options)?;
    Ok((Arc::new(compiled.program), compiled.recomputation))
}
