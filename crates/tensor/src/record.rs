//! Recording a program from a closure.

use crate::build::{build, next_step};
use crate::context::{self, Level, Touched};
use crate::device::Device;
use crate::error::Error;
use crate::evaluate;
use crate::launcher::Launcher;
use crate::node::{Kind, Node};
use crate::planned::Planned;
use crate::recorded::{InputSpec, Recorded};
use crate::scope;
use crate::tensor::Tensor;
use crate::trace::{Numbered, Trace};
use crate::variable::Slot;
use smallvec::SmallVec;
use std::sync::Arc;
use warploom_graph::{Graph, Origin, ParameterRole, Recording, ResultRole};

impl Device {
    /// Records a program: `body` gets one tensor for each spec and returns the outputs. Within it variables are read as
    /// state, and assignments are recorded to run with every run. Tensors from outside are constants of the program.
    ///
    /// # Errors
    /// The first error that an output or an assignment carries; what the compiler or the device reports.
    #[track_caller]
    pub fn record(
        &self,
        inputs: &[InputSpec],
        body: impl FnOnce(&[Tensor]) -> Vec<Tensor>,
    ) -> Result<Recorded, Error> {
        self.try_record(inputs, |inputs| Ok(body(inputs)))
    }

    /// [`Device::record`] with a body that may fail, so that it can use `?`.
    ///
    /// # Errors
    /// As [`Device::record`], and the body's own.
    #[track_caller]
    pub fn try_record(
        &self,
        inputs: &[InputSpec],
        body: impl FnOnce(&[Tensor]) -> Result<Vec<Tensor>, Error>,
    ) -> Result<Recorded, Error> {
        self.try_plan(inputs, body)?.ready()
    }

    /// [`Device::try_record`] without taking memory: what a run would need is known before it starts.
    ///
    /// # Errors
    /// As [`Device::try_record`], without what the device reports.
    #[track_caller]
    pub fn try_plan(
        &self,
        inputs: &[InputSpec],
        body: impl FnOnce(&[Tensor]) -> Result<Vec<Tensor>, Error>,
    ) -> Result<Planned, Error> {
        let origin = scope::origin();
        if !context::is_plain() {
            return Err(Error::at("record", "a recording cannot be made within another", &origin));
        }
        let first = context::first_id();
        let placeholder = |spec: &InputSpec| {
            Tensor::lazy(Kind::Parameter, spec.0.clone(), SmallVec::new(), origin.clone(), Some(self.clone()))
        };
        let parameters: Vec<Tensor> = inputs.iter().map(placeholder).collect();
        let (outputs, level) =
            context::within(Level::Program(Vec::new()), || self.scope(|| body(&parameters)));
        let outputs = outputs?;
        if let Some(error) = outputs.iter().find_map(Tensor::error) {
            return Err(error);
        }
        let touched = match level {
            Level::Program(touched) => touched,
            Level::Region(_) => Vec::new(),
        };
        self.place(&parameters, &outputs, &touched, first, &origin)
    }

    fn place(
        &self,
        parameters: &[Tensor],
        outputs: &[Tensor],
        touched: &[Touched],
        first: u64,
        origin: &Origin,
    ) -> Result<Planned, Error> {
        let elsewhere = outputs
            .iter()
            .chain(touched.iter().map(|t| &t.current))
            .find(|t| t.0.device.as_ref() != Some(self));
        if let Some(tensor) = elsewhere {
            let message =
                format!("{} is not on {}, for which this is recorded", tensor.described(), self.id());
            return Err(Error::at("record", message, origin));
        }
        // Values from outside are made now, once; finding them needs a walk of its own.
        let roots = || outputs.iter().chain(touched.iter().filter(|t| t.assigned).map(|t| &t.current));
        let is_leaf = |node: &Node| node.id < first || matches!(node.kind, Kind::Parameter | Kind::State(_));
        let outside: Vec<Tensor> = {
            let mut trace = self.trace();
            trace.collect(roots(), is_leaf)?;
            let leaves = trace.entries.iter().filter(|entry| entry.leaf).map(|entry| entry.tensor.clone());
            let own = |t: &Tensor| matches!(t.0.kind, Kind::Parameter | Kind::State(_));
            let outside = leaves.filter(|t| !own(t)).collect();
            trace.clear();
            outside
        };
        evaluate::evaluate(&outside, origin.location)?;
        let mut launcher = self.launcher();
        let mut trace = self.trace();
        trace.collect(roots(), is_leaf)?;
        let made = write(self, &mut launcher, &mut trace, parameters, outputs, touched);
        trace.clear();
        drop(trace);
        drop(launcher);
        let Written { recording, slots, captured } = made?;
        Planned::new(self, recording, slots, captured, self.memory_limit())
    }
}

struct Written {
    recording: Recording,
    slots: Vec<Arc<Slot>>,
    captured: Vec<Tensor>,
}

fn write(
    device: &Device,
    launcher: &mut Launcher,
    trace: &mut Trace,
    parameters: &[Tensor],
    outputs: &[Tensor],
    touched: &[Touched],
) -> Result<Written, Error> {
    let mut leaf = |_: &Tensor, _: &mut Vec<u64>| Ok(0);
    trace.encode(&mut leaf)?;
    let mut number = |trace: &mut Trace, tensor: &Tensor| -> Result<u32, Error> {
        let position = trace.find(tensor).unwrap_or_default();
        trace.number(position, &mut leaf)
    };
    let mut results: Vec<(u32, ResultRole)> = Vec::new();
    for output in outputs {
        results.push((number(trace, output)?, ResultRole::Output));
    }
    let mut updates: Vec<(u32, &Arc<Slot>)> = Vec::new();
    for variable in touched.iter().filter(|t| t.assigned) {
        updates.push((number(trace, &variable.current)?, &variable.slot));
    }
    // Slots in the order of their first use.
    let mut slots: Vec<Arc<Slot>> = Vec::new();
    for position in &trace.values {
        if let Numbered::Leaf(entry) = trace.numbered(*position)
            && let Kind::State(slot) = &entry.tensor.0.kind
        {
            slots.push(slot.clone());
        }
    }
    for (number, slot) in updates {
        let index = slots.iter().position(|s| s.id == slot.id).unwrap_or_else(|| {
            slots.push(slot.clone());
            slots.len() - 1
        });
        results.push((number, ResultRole::Update(index)));
    }
    let random = slots.len();
    if let Some(number) = trace.random_state {
        slots.push(launcher.random(device)?);
        results.push((number, ResultRole::Update(random)));
    }

    // Inputs come first in the order of the specs, so that unused ones are there too.
    let mut graph = Graph::new();
    let own: Vec<_> =
        parameters.iter().map(|t| graph.parameter(t.ty().clone(), t.origin().clone())).collect();
    let mut roles = vec![ParameterRole::Input; own.len()];
    let mut captured = Vec::new();
    let mut made = build(trace, graph, |graph, tensor| {
        if let Some(index) = parameters.iter().position(|p| Arc::ptr_eq(&p.0, &tensor.0)) {
            return own[index];
        }
        if !matches!(tensor.0.kind, Kind::State(_)) {
            captured.push(tensor.clone());
        }
        graph.parameter(tensor.ty().clone(), tensor.origin().clone())
    })?;
    for position in &trace.values {
        match trace.numbered(*position) {
            Numbered::RandomState => roles.push(ParameterRole::State(random)),
            Numbered::Leaf(entry) => match &entry.tensor.0.kind {
                Kind::State(slot) => {
                    let index = slots.iter().position(|s| s.id == slot.id);
                    roles.push(ParameterRole::State(index.unwrap_or_default()));
                }
                _ if parameters.iter().any(|p| Arc::ptr_eq(&p.0, &entry.tensor.0)) => {}
                _ => roles.push(ParameterRole::Input),
            },
            Numbered::Node(_) => {}
        }
    }
    let mut values = Vec::new();
    for (number, role) in &results {
        let value = made.value(*number);
        let is_step = *role == ResultRole::Update(random) && trace.random_state.is_some();
        values.push(if is_step { next_step(&mut made.graph, value, &Origin::here())? } else { value });
    }
    made.graph.set_results(values);
    let results = results.into_iter().map(|(_, role)| role).collect();
    Ok(Written { recording: Recording { graph: made.graph, parameters: roles, results }, slots, captured })
}
