//! A graph together with what its parameters and results stand for.

use crate::error::Error;
use crate::graph::{Graph, Value};
use crate::op::Op;
use crate::origin::Origin;
use crate::shape::{Dims, Type};
use crate::DType;
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
        let read = self.parameters.iter().filter_map(|r| if let ParameterRole::State(s) = r { Some(s + 1) } else { None });
        let written = self.results.iter().filter_map(|r| if let ResultRole::Update(s) = r { Some(s + 1) } else { None });
        read.chain(written).max().unwrap_or(0)
    }

    /// `steps` rounds of this recording in one: a scan with the state as carry. Inputs marked in `sliced` (one flag for
    /// each input, in order) get a leading axis of extent `steps` and are cut along it; the others are the same in every
    /// round. Outputs get a leading axis of extent `steps`.
    pub fn repeat(&self, steps: usize, sliced: &[bool], origin: &Origin) -> Result<Recording, Error> {
        let slots: Vec<usize> = (0..self.state_count()).collect();
        let parameter_of = |slot| self.parameters.iter().position(|r| *r == ParameterRole::State(slot));
        let mut inputs: Vec<usize> = Vec::new();
        for (i, role) in self.parameters.iter().enumerate() {
            if *role == ParameterRole::Input {
                inputs.push(i);
            }
        }
        if inputs.len() != sliced.len() {
            let message = format!("{} inputs, but {} flags say which are sliced", inputs.len(), sliced.len());
            return Err(Error::new("repeat", message).at(origin));
        }
        let pick = |flag: bool| inputs.iter().zip(sliced).filter(move |(_, s)| **s == flag).map(|(i, _)| *i);
        let old = |i: usize| self.graph.ty(self.graph.parameters()[i]).clone();
        let update_of = |slot| self.results.iter().position(|r| *r == ResultRole::Update(slot));
        let state_type = |slot: usize| {
            let value = parameter_of(slot).map(|i| self.graph.parameters()[i]);
            value.or_else(|| update_of(slot).map(|i| self.graph.results()[i])).map(|v| self.graph.ty(v).clone())
        };
        let missing = |slot| Error::new("repeat", format!("state slot {slot} is neither read nor written")).at(origin);

        let mut body = Graph::new();
        body.parameter(Type::scalar(DType::U32), origin.clone());
        let mut arguments: Vec<Option<Value>> = vec![None; self.parameters.len()];
        let mut carried: Vec<Value> = Vec::new();
        for slot in &slots {
            let carry = body.parameter(state_type(*slot).ok_or_else(|| missing(*slot))?, origin.clone());
            carried.push(carry);
            if let Some(i) = parameter_of(*slot) {
                arguments[i] = Some(carry);
            }
        }
        for i in pick(true).chain(pick(false)) {
            arguments[i] = Some(body.parameter(old(i), origin.clone()));
        }
        let arguments: Vec<Value> = arguments.into_iter().flatten().collect();
        let results = body.inline(&self.graph, &arguments);
        let mut returned: Vec<Value> =
            slots.iter().map(|s| update_of(*s).map_or(carried[*s], |i| results[i])).collect();
        let outputs = self.results.iter().zip(&results).filter(|(r, _)| **r == ResultRole::Output);
        returned.extend(outputs.map(|(_, v)| *v));
        body.set_results(returned);

        let mut graph = Graph::new();
        let mut parameters = Vec::new();
        let mut operands: Vec<Value> = Vec::new();
        for slot in &slots {
            operands.push(graph.parameter(state_type(*slot).ok_or_else(|| missing(*slot))?, origin.clone()));
            parameters.push(ParameterRole::State(*slot));
        }
        let mut fresh: Vec<(usize, Value)> = Vec::new();
        for (i, sliced) in inputs.iter().zip(sliced) {
            let mut ty = old(*i);
            if *sliced {
                let mut shape = Dims::from_slice(&[steps]);
                shape.extend_from_slice(&ty.shape);
                ty.shape = shape;
            }
            fresh.push((*i, graph.parameter(ty, origin.clone())));
            parameters.push(ParameterRole::Input);
        }
        let find = |i: usize| fresh.iter().find(|(j, _)| *j == i).map(|(_, v)| *v);
        operands.extend(pick(true).chain(pick(false)).filter_map(find));
        let slices = sliced.iter().filter(|s| **s).count();
        let scan = Op::Scan { body: Arc::new(body), length: steps, carries: slots.len(), slices, reverse: false };
        let node = graph.add(scan, &operands, origin.clone())?;
        let made: Vec<Value> = graph.node(node).outputs().collect();
        let mut results: Vec<ResultRole> = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        for slot in &slots {
            if update_of(*slot).is_some() {
                results.push(ResultRole::Update(*slot));
                values.push(made[*slot]);
            }
        }
        for output in &made[slots.len()..] {
            results.push(ResultRole::Output);
            values.push(*output);
        }
        graph.set_results(values);
        Ok(Recording { graph, parameters, results })
    }
}
