//! Steps run one at a time, each against the reference.

use super::Verification;
use super::compare::Comparison;
use crate::error::DeviceError;
use crate::executor::{Bindings, Executable, Executor, Memory, Token};
use crate::program::{BufferId, Class, Loop, Program, Step};
use crate::reference::{Extent, Fault, Host, evaluate};
use std::sync::Arc;

/// A step made ready on its own.
pub(super) struct Checked {
    /// Where it stands: `3`, or `3.1` in the body of a loop.
    pub position: String,
    pub step: Step,
    pub executable: Arc<dyn Executable>,
    /// Windows of loops around it, which its program has as states.
    pub cuts: Vec<BufferId>,
    /// The steps of a loop.
    pub body: Vec<Checked>,
}

/// Part of a memory.
pub(super) struct Place {
    memory: Memory,
    offset: usize,
    bytes: usize,
}

/// A launch that goes step by step.
pub(super) struct Launch<'a> {
    pub executor: &'a dyn Executor,
    pub program: &'a Program,
    pub bindings: &'a Bindings<'a>,
    /// Of the reference, for one step.
    pub operations: usize,
    /// Windows of the loops around, with their parents and where they lie in them, in bytes.
    pub windows: Vec<(BufferId, BufferId, usize)>,
    pub token: Token,
    pub counts: Verification,
}

impl Launch<'_> {
    /// Runs and checks steps in order.
    pub fn check(&mut self, steps: &[Checked]) -> Result<(), DeviceError> {
        steps.iter().try_for_each(|checked| match &checked.step {
            Step::Loop(body) => self.check_loop(checked, body),
            Step::Claimed { body, inputs, outputs, .. } => self.check_call(checked, &body.0, inputs, outputs),
            _ => self.check_step(checked),
        })
    }

    fn check_step(&mut self, checked: &Checked) -> Result<(), DeviceError> {
        let step = &checked.step;
        let before = self.host(&step.reads())?;
        self.run(checked)?;
        let after = self.host(&step.writes())?;
        let mut comparison = Comparison::new(&before, &after);
        let extent = evaluate(step, &before, self.operations, &mut |written| comparison.element(written));
        let extent = extent.map_err(|fault| {
            let what = match fault {
                Fault::Index { index, extent } => {
                    format!(
                        "index {index} is out of range for an axis of {extent}, and the device did not say so"
                    )
                }
                Fault::Outside { buffer, element } => {
                    format!("it reads element {element} of buffer b{}, which has none", buffer.0)
                }
            };
            self.differs(checked, &what)
        })?;
        if extent == Extent::Whole {
            comparison.untouched();
        }
        self.counts.kernels += 1;
        self.counts.sampled += u64::from(extent == Extent::Sample);
        self.counts.elements += comparison.elements;
        self.counts.undecided += comparison.undecided;
        match comparison.wrong {
            Some(what) => Err(self.differs(checked, &what)),
            None => Ok(()),
        }
    }

    /// The error that names a step.
    pub fn differs(&self, checked: &Checked, what: &str) -> DeviceError {
        DeviceError::Failed(format!(
            "step {} of the program, `{}`, does not do on {} what it says: {what}\n{}",
            checked.position,
            checked.step.name(),
            self.executor.target().capabilities().id,
            checked.step
        ))
    }

    /// Runs one step by itself and waits for it.
    pub fn run(&mut self, checked: &Checked) -> Result<(), DeviceError> {
        let mut states = self.bindings.states[..self.program.states.len()].to_vec();
        for id in &checked.cuts {
            let bytes = self.read(&self.place(*id)?)?;
            let memory = self.executor.allocate(bytes.len().max(1))?;
            self.executor.upload(&memory, 0, &bytes)?;
            states.push(memory);
        }
        self.token = checked.executable.launch(Bindings { states: &states, ..*self.bindings })?;
        self.executor.wait(self.token)?;
        let written = checked.step.writes();
        for (id, memory) in checked.cuts.iter().zip(&states[self.program.states.len()..]) {
            if written.contains(id) {
                let place = self.place(*id)?;
                let bytes = self.read(&Place { memory: memory.clone(), offset: 0, bytes: place.bytes })?;
                self.write(&place, &bytes)?;
            }
        }
        Ok(())
    }

    /// Moves the windows of a loop to a position, and sets its counter.
    pub fn enter(&mut self, body: &Loop, position: usize) -> Result<(), DeviceError> {
        let moved = body.windows.iter().map(|w| (w.buffer, w.parent, position * w.stride));
        self.windows.extend(moved);
        match body.counter {
            Some(counter) => self.write(&self.place(counter)?, &(position as u32).to_le_bytes()),
            None => Ok(()),
        }
    }

    pub fn leave(&mut self, body: &Loop) {
        self.windows.truncate(self.windows.len() - body.windows.len());
    }

    fn place(&self, id: BufferId) -> Result<Place, DeviceError> {
        let spec = self.program.buffer(id);
        let missing = || DeviceError::Binding(format!("buffer b{} is not bound", id.0));
        let (list, i, offset) = match spec.class {
            Class::State(i) => (self.bindings.states, i, 0),
            Class::Input(i) => (self.bindings.inputs, i, 0),
            Class::Output(i) => (self.bindings.outputs, i, 0),
            Class::Arena { slab, offset } => (self.bindings.arena, slab, offset),
            Class::Derived(i) => (self.bindings.derived, i, 0),
            Class::Window => {
                let window = self.windows.iter().rev().find(|(window, ..)| *window == id);
                let (_, parent, moved) = *window.ok_or_else(missing)?;
                let parent = self.place(parent)?;
                return Ok(Place { offset: parent.offset + moved, bytes: spec.bytes, ..parent });
            }
        };
        let memory = list.get(i).ok_or_else(missing)?.clone();
        Ok(Place { memory, offset, bytes: spec.bytes })
    }

    fn read(&self, place: &Place) -> Result<Vec<u8>, DeviceError> {
        let mut bytes = vec![0; place.bytes];
        if !bytes.is_empty() {
            self.executor.download(&place.memory, place.offset, &mut bytes)?;
        }
        Ok(bytes)
    }

    fn write(&self, place: &Place, bytes: &[u8]) -> Result<(), DeviceError> {
        if !bytes.is_empty() {
            self.executor.upload(&place.memory, place.offset, bytes)?;
        }
        Ok(())
    }

    /// What buffers hold now.
    pub fn host(&self, ids: &[BufferId]) -> Result<Host, DeviceError> {
        let mut host = Host::default();
        for id in ids {
            host.buffers.insert(*id, self.read(&self.place(*id)?)?);
        }
        Ok(host)
    }

    /// Makes buffers hold again what they held all at one time.
    pub fn restore(&self, host: &Host) -> Result<(), DeviceError> {
        host.buffers.iter().try_for_each(|(id, bytes)| self.write(&self.place(*id)?, bytes))
    }
}
