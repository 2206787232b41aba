//! A graph together with what its parameters and results stand for.

use crate::DType;
use crate::error::Error;
use crate::graph::{Graph, Value};
use crate::op::Op;
use crate::origin::Origin;
use crate::shape::Type;
use std::sync::Arc;

/// What a parameter stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ParameterRole {
    /// Data handed in at each launch.
    Input,
    /// The current version of a state slot. A slot has at most one parameter.
    State(usize),
}

/// What a result stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResultRole {
    /// A tensor handed back.
    Output,
    /// The next version of a state slot.
    Update(usize),
}

/// A graph with roles: what is compiled into a program.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The computation.
    pub graph: Graph,
    /// One role for each parameter.
    pub parameters: Vec<ParameterRole>,
    /// One role for each result.
    pub results: Vec<ResultRole>,
}

impl Recording {
    /// A recording without state.
    pub fn stateless(graph: Graph) -> Recording {
        let parameters = vec![ParameterRole::Input; graph.parameters().len()];
        let results = vec![ResultRole::Output; graph.results().len()];
        Recording { graph, parameters, results }
    }

    /// Number of state slots.
    pub fn state_count(&self) -> usize {
        let read = self
            .parameters
            .iter()
            .filter_map(|r| if let ParameterRole::State(s) = r { Some(s + 1) } else { None });
        let written = self
            .results
            .iter()
            .filter_map(|r| if let ResultRole::Update(s) = r { Some(s + 1) } else { None });
        read.chain(written).max().unwrap_or(0)
    }

    /// Where each state slot stands among parameters and results, if every parameter and result has a role and each slot
    /// at most one of either.
    fn slots(&self) -> Result<Vec<Slot>, String> {
        let (parameters, results) = (self.graph.parameters(), self.graph.results());
        if parameters.len() != self.parameters.len() || results.len() != self.results.len() {
            return Err(format!(
                "{} parameters and {} results, but {} and {} roles",
                parameters.len(),
                results.len(),
                self.parameters.len(),
                self.results.len()
            ));
        }
        let mut slots = vec![Slot::default(); self.state_count()];
        for (i, role) in self.parameters.iter().enumerate() {
            if let ParameterRole::State(slot) = role
                && slots[*slot].parameter.replace(i).is_some()
            {
                return Err(format!("two parameters read state slot {slot}"));
            }
        }
        for (i, role) in self.results.iter().enumerate() {
            if let ResultRole::Update(slot) = role
                && slots[*slot].result.replace(i).is_some()
            {
                return Err(format!("two results write state slot {slot}"));
            }
        }
        match slots.iter().position(|s| s.parameter.or(s.result).is_none()) {
            Some(slot) => Err(format!("state slot {slot} is neither read nor written")),
            None => Ok(slots),
        }
    }

    fn state_type(&self, slot: &Slot) -> Option<&Type> {
        let value = slot
            .parameter
            .map(|i| self.graph.parameters()[i])
            .or(slot.result.map(|i| self.graph.results()[i]));
        value.map(|v| self.graph.ty(v))
    }

    /// `steps` rounds of this recording in one: a scan with the state as carry. Inputs marked in `sliced` (one flag for
    /// each input, in order) get a leading axis of extent `steps` and are cut along it; the others are the same in every
    /// round. Outputs get a leading axis of extent `steps`.
    ///
    /// Parameters are every state slot, also those that are only written, then the inputs in order; results are the
    /// updates by slot, then the outputs in order.
    pub fn repeat(&self, steps: usize, sliced: &[bool], origin: &Origin) -> Result<Recording, Error> {
        let fail = |message: String| Error::new("repeat", message).at(origin);
        let slots = self.slots().map_err(fail)?;
        let is_input = |i: &usize| self.parameters[*i] == ParameterRole::Input;
        let inputs: Vec<usize> = (0..self.parameters.len()).filter(is_input).collect();
        if inputs.len() != sliced.len() {
            return Err(fail(format!(
                "{} inputs, but {} flags say which are sliced",
                inputs.len(),
                sliced.len()
            )));
        }
        // A scan takes its slices before what it captures.
        let (cut, same): (Vec<_>, Vec<_>) = inputs.iter().zip(sliced).partition(|(_, sliced)| **sliced);
        let order: Vec<usize> = cut.iter().chain(&same).map(|(i, _)| **i).collect();
        let body = self.round(&slots, &order, origin);

        let mut graph = Graph::new();
        let states = slots.iter().filter_map(|slot| self.state_type(slot));
        let mut operands: Vec<Value> = states.map(|ty| graph.parameter(ty.clone(), origin.clone())).collect();
        let mut parameters: Vec<ParameterRole> = (0..slots.len()).map(ParameterRole::State).collect();
        let mut fresh = vec![None; self.parameters.len()];
        for (i, sliced) in inputs.iter().zip(sliced) {
            let mut ty = self.graph.ty(self.graph.parameters()[*i]).clone();
            if *sliced {
                ty.shape.insert(0, steps);
            }
            fresh[*i] = Some(graph.parameter(ty, origin.clone()));
            parameters.push(ParameterRole::Input);
        }
        operands.extend(order.iter().filter_map(|i| fresh[*i]));
        let scan = Op::Scan {
            body: Arc::new(body),
            length: steps,
            carries: slots.len(),
            slices: cut.len(),
            reverse: false,
        };
        let node = graph.add(scan, &operands, origin.clone())?;
        let made: Vec<Value> = graph.node(node).outputs().collect();
        let updated: Vec<usize> = (0..slots.len()).filter(|slot| slots[*slot].result.is_some()).collect();
        let outputs = &made[slots.len()..];
        graph.set_results(updated.iter().map(|slot| made[*slot]).chain(outputs.iter().copied()).collect());
        let updates = updated.into_iter().map(ResultRole::Update);
        let results = updates.chain(outputs.iter().map(|_| ResultRole::Output)).collect();
        Ok(Recording { graph, parameters, results })
    }

    /// One round as the body of a scan: the iteration, the state, then the inputs in `order`; returns the state, then the
    /// outputs.
    fn round(&self, slots: &[Slot], order: &[usize], origin: &Origin) -> Graph {
        let mut body = Graph::new();
        body.parameter(Type::scalar(DType::U32), origin.clone());
        let mut arguments: Vec<Option<Value>> = vec![None; self.parameters.len()];
        let mut carried: Vec<Value> = Vec::new();
        for slot in slots {
            let carry = self.state_type(slot).map(|ty| body.parameter(ty.clone(), origin.clone()));
            carried.extend(carry);
            if let Some(i) = slot.parameter {
                arguments[i] = carry;
            }
        }
        for i in order {
            let ty = self.graph.ty(self.graph.parameters()[*i]).clone();
            arguments[*i] = Some(body.parameter(ty, origin.clone()));
        }
        let arguments: Vec<Value> = arguments.into_iter().flatten().collect();
        let results = body.inline(&self.graph, &arguments);
        let updates =
            slots.iter().zip(&carried).map(|(slot, carry)| slot.result.map_or(*carry, |i| results[i]));
        let outputs = self.results.iter().zip(&results).filter(|(role, _)| **role == ResultRole::Output);
        body.set_results(updates.chain(outputs.map(|(_, v)| *v)).collect());
        body
    }
}

/// Positions of the parameter that reads a state slot and of the result that writes it.
#[derive(Clone, Default)]
struct Slot {
    parameter: Option<usize>,
    result: Option<usize>,
}
