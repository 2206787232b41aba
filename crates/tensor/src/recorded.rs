//! Programs recorded once and run many times.

use crate::bound::Bound;
use crate::device::Device;
use crate::error::Error;
use crate::evaluate;
use crate::launcher::{Compiled, keep_older};
use crate::node::Content;
use crate::planned::Planned;
use crate::ring::{RING, Ring};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use warploom_device::{Executable, Memory, Plan, Program, Token};
use warploom_graph::{DType, Origin, Recording, ResultRole, Type};

/// What a run returns: its output tensors, in order.
pub type Outputs = SmallVec<[Tensor; 4]>;

/// Dtype and shape of an input of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputSpec(pub(crate) Type);

impl InputSpec {
    /// From dtype and extents.
    pub fn new(dtype: DType, shape: &[usize]) -> InputSpec {
        InputSpec(Type::new(dtype, shape))
    }
}

/// The type of an example.
impl From<&Tensor> for InputSpec {
    fn from(example: &Tensor) -> InputSpec {
        InputSpec(example.ty().clone())
    }
}

/// A program that was recorded once: it runs without recording again, touching no user code. A clone is the same program.
#[derive(Clone)]
pub struct Recorded(Arc<Inner>);

struct Inner {
    planned: Planned,
    executable: Arc<dyn Executable>,
    derived: Vec<Memory>,
    /// Memories by state slot.
    states: Vec<Memory>,
    /// State slots that are written.
    written: Vec<usize>,
    compile_ms: f64,
    running: Mutex<Running>,
}

/// What runs use again.
struct Running {
    inputs: Vec<Memory>,
    outputs: Vec<Memory>,
    /// Output tensors by output.
    rings: Vec<Vec<Tensor>>,
    /// For older versions of the written variables, by slot.
    kept: Vec<Ring>,
}

impl Recorded {
    pub(crate) fn new(planned: Planned) -> Result<Recorded, Error> {
        let started = Instant::now();
        let device = &planned.device;
        let executable = device.executor().prepare(planned.program.clone())?;
        let elapsed = planned.elapsed + started.elapsed();
        let Compiled { executable, derived, outputs, kept } =
            device.launcher().queue.adopt(device, executable)?;
        let written = planned.recording.results.iter().filter_map(|role| match role {
            ResultRole::Update(slot) => Some(*slot),
            ResultRole::Output => None,
        });
        let rings = outputs.iter().map(|_| Vec::with_capacity(RING)).collect();
        let running = Running { inputs: Vec::new(), outputs: Vec::new(), rings, kept };
        Ok(Recorded(Arc::new(Inner {
            executable,
            derived,
            written: written.collect(),
            states: planned.slots.iter().map(|slot| slot.memory.clone()).collect(),
            compile_ms: elapsed.as_secs_f64() * 1e3,
            running: Mutex::new(running),
            planned,
        })))
    }

    /// Runs the program: one tensor for each spec it was recorded with. Outputs are there when the device is done;
    /// looking at one waits. Memory of outputs that were dropped is used again.
    ///
    /// # Errors
    /// Inputs of another number, dtype, shape or device; what fails in pending work; what the device reports.
    #[track_caller]
    pub fn run(&self, inputs: &[&Tensor]) -> Result<Outputs, Error> {
        let line = Location::caller();
        self.check(inputs, line)?;
        let inner = &*self.0;
        for input in inputs {
            if matches!(&*input.0.content(), Content::Inputs(_)) {
                evaluate::evaluate(std::slice::from_ref(*input), line)?;
            }
        }
        evaluate::flush(&inner.planned.device, line)?;
        let mut launcher = inner.planned.device.launcher();
        let mut running = self.running();
        let running = &mut *running;
        self.keep_versions(&mut running.kept)?;
        running.inputs.clear();
        running
            .inputs
            .extend(inputs.iter().copied().chain(&inner.planned.captured).filter_map(Tensor::memory));
        running.outputs.clear();
        let types = &inner.executable.program().outputs;
        let mut made = Outputs::new();
        for (ring, ty) in running.rings.iter_mut().zip(types) {
            let tensor = self.output(ring, ty)?;
            running.outputs.extend(tensor.memory());
            made.push(tensor);
        }
        let memories: [&[Memory]; 3] = [&inner.states, &running.inputs, &running.outputs];
        launcher.queue.launch(&inner.planned.device, &*inner.executable, &inner.derived, memories)?;
        Ok(made)
    }

    /// A tensor for an output: one that nobody holds any more, or a new one.
    fn output(&self, ring: &mut Vec<Tensor>, ty: &Type) -> Result<Tensor, Error> {
        for tensor in ring.iter_mut() {
            if let Some(node) = Arc::get_mut(&mut tensor.0) {
                node.name.take();
                return Ok(tensor.clone());
            }
        }
        let device = &self.0.planned.device;
        let memory = device.allocate(ty.bytes())?;
        let tensor = Tensor::leaf(ty.clone(), memory, None, Origin::here(), Some(device.clone()));
        if ring.len() < RING {
            ring.push(tensor.clone());
        }
        Ok(tensor)
    }

    fn check(&self, inputs: &[&Tensor], line: &'static Location<'static>) -> Result<(), Error> {
        let wanted = self.inputs();
        if inputs.len() != wanted.len() {
            let message = format!("the program takes {} inputs, found {}", wanted.len(), inputs.len());
            return Err(Error::at_line("run", message, line));
        }
        for (i, (input, want)) in inputs.iter().zip(wanted).enumerate() {
            if let Some(error) = input.error() {
                return Err(error);
            }
            if input.ty() != want {
                let message = format!("input {i} is {want}, found {}", input.ty());
                return Err(Error::at_line("run", message, line));
            }
            if input.0.device.as_ref() != Some(&self.0.planned.device) {
                let message =
                    format!("input {i} is not on {}; move it with .to(&device)", self.0.planned.device.id());
                return Err(Error::at_line("run", message, line));
            }
        }
        Ok(())
    }

    /// Older versions of written variables that somebody holds get memory of their own.
    fn keep_versions(&self, kept: &mut [Ring]) -> Result<(), Error> {
        for slot in &self.0.written {
            keep_older(&self.0.planned.device, &self.0.planned.slots[*slot], &mut kept[*slot])?;
        }
        Ok(())
    }

    /// Starts a run on memories that the caller keeps.
    pub(crate) fn launch(&self, inputs: &[Memory], outputs: &[Memory]) -> Result<Token, Error> {
        let inner = &*self.0;
        if inner.planned.device.has_pending() {
            evaluate::flush(&inner.planned.device, Location::caller())?;
        }
        let mut launcher = inner.planned.device.launcher();
        let mut running = self.running();
        let running = &mut *running;
        self.keep_versions(&mut running.kept)?;
        running.inputs.clear();
        running.inputs.extend(inputs.iter().cloned());
        running.inputs.extend(inner.planned.captured.iter().filter_map(Tensor::memory));
        let memories: [&[Memory]; 3] = [&inner.states, &running.inputs, outputs];
        launcher.queue.launch(&inner.planned.device, &*inner.executable, &inner.derived, memories)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `steps` runs in one launch, with the same bits. Inputs marked in `sliced` (one flag each) get a leading axis of
    /// extent `steps` and are cut along it, the others are the same in every step; outputs get a leading axis.
    ///
    /// # Errors
    /// Another number of flags than of inputs; what the compiler or the device reports.
    #[track_caller]
    pub fn repeat(&self, steps: usize, sliced: &[bool]) -> Result<Recorded, Error> {
        self.0.planned.repeat(steps, sliced)?.ready()
    }

    /// The program of a recording made from [`Recorded::recording`]: its parameters are the same and stand for the same
    /// inputs and variables, its results may be others.
    ///
    /// # Errors
    /// Other parameters; what the compiler or the device reports.
    #[track_caller]
    pub fn with_recording(&self, recording: Recording) -> Result<Recorded, Error> {
        let planned = &self.0.planned;
        let types =
            |r: &Recording| r.graph.parameters().iter().map(|v| r.graph.ty(*v).clone()).collect::<Vec<_>>();
        if recording.parameters != planned.recording.parameters
            || types(&recording) != types(&planned.recording)
            || recording.state_count() != planned.slots.len()
        {
            return Err(Error::new("with_recording", "the parameters are not those of this program"));
        }
        planned.with(recording)?.ready()
    }

    /// The name of the variable that is a state slot of the recording.
    pub fn state_name(&self, slot: usize) -> Option<&str> {
        self.0.planned.slots.get(slot)?.name.get().map(|name| &**name)
    }

    /// Memories of the program's own, `slots` sets of inputs and outputs, for loops that fill one while another runs.
    ///
    /// # Errors
    /// What the device reports.
    pub fn bind(&self, slots: usize) -> Result<Bound, Error> {
        Bound::new(self.clone(), slots)
    }

    /// The device it runs on.
    pub fn device(&self) -> &Device {
        &self.0.planned.device
    }

    /// What was recorded.
    pub fn recording(&self) -> &Recording {
        &self.0.planned.recording
    }

    /// What runs.
    pub fn program(&self) -> &Program {
        self.0.executable.program()
    }

    /// Dtypes and shapes of the inputs that a run hands in.
    pub fn inputs(&self) -> &[Type] {
        self.0.planned.inputs()
    }

    /// Dtypes and shapes of the outputs.
    pub fn outputs(&self) -> &[Type] {
        &self.0.executable.program().outputs
    }

    /// Every byte that running it uses on the device, with one set of inputs and outputs.
    pub fn plan(&self) -> Plan {
        self.0.planned.plan()
    }

    /// Time from the recording to the program ready to run, in milliseconds.
    pub fn compile_ms(&self) -> f64 {
        self.0.compile_ms
    }

    /// Kernels that one run starts, those in loops counted once.
    pub fn kernels_per_run(&self) -> usize {
        self.0.executable.kernels()
    }
}
