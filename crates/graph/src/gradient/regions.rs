//! Gradients of the ops that hold a region.

use super::{Cotangents, Step, vjp, walk_back};
use crate::dtype::DType;
use crate::error::Error;
use crate::expr::{Builder, Expr};
use crate::graph::{Graph, Value};
use crate::op::{CallGradient, Op};
use crate::origin::Origin;
use crate::shape::Type;
use std::ops::Range;
use std::sync::Arc;

impl<'b> Step<'_, 'b> {
    pub(super) fn call(&self) -> Result<Cotangents<'b>, Error> {
        let Op::Call { name, body, gradient, .. } = &self.node.op else { unreachable!("called for calls") };
        let builder = self.builder;
        let upstream = self.all_upstream();
        let mut arguments: Vec<Value> = self.node.inputs.to_vec();
        match gradient {
            CallGradient::Missing => {
                Err(Error::new(*name, "has no gradient; give it one, or stop the gradient before it"))
            }
            CallGradient::Region(region) => {
                arguments.extend(self.node.outputs());
                arguments.extend(upstream.iter().map(|e| e.value()));
                let (body, gradient) = (region.clone(), CallGradient::Body);
                let call = Op::Call { name, body, gradient, sources: Vec::new() };
                let made = builder.try_add(call, &arguments)?;
                Ok(made.into_iter().map(|v| Some(builder.expr(v))).collect())
            }
            CallGradient::Body => {
                // Only through the body: how the arguments depend on each other is the caller's walk.
                let first = builder.with(Graph::len);
                let outputs = builder.inline(body, &arguments);
                let pairs = outputs.iter().zip(&upstream).map(|(o, c)| (*o, c.value()));
                let pairs: Vec<(Value, Value)> = pairs.filter(|(o, _)| is_float(builder.expr(*o))).collect();
                let mut made = walk_back(builder, first, &pairs, &arguments)?;
                // An argument given twice has one cotangent for all its places: it is handed down at the first.
                for i in 1..arguments.len() {
                    if arguments[..i].contains(&arguments[i]) {
                        made[i] = None;
                    }
                }
                Ok(made.into_iter().map(|v| v.map(|v| builder.expr(v))).collect())
            }
        }
    }

    /// Runs the scan once more to keep each round's carries, then walks back over them, recomputing each round's body.
    pub(super) fn scan(&self) -> Result<Cotangents<'b>, Error> {
        let Op::Scan { body, length, carries, slices, reverse } = &self.node.op else {
            unreachable!("called for scans")
        };
        let (builder, inputs) = (self.builder, &self.inputs);
        let upstream = self.all_upstream();
        let walk = WalkBack {
            body,
            carries: (0..*carries).filter(|i| is_float(inputs[*i])).collect(),
            slices: (*carries..carries + slices).filter(|i| self.wanted[*i]).collect(),
            captured: (carries + slices..inputs.len()).filter(|i| self.wanted[*i]).collect(),
            stacked: (*carries..upstream.len()).filter(|i| is_float(upstream[*i])).collect(),
            kept: 0..carries + slices,
        };

        let mut keeping = Graph::clone(body);
        let mut results = keeping.results()[..*carries].to_vec();
        results.extend_from_slice(&keeping.parameters()[1..1 + carries]);
        keeping.set_results(results);
        let keep = Op::Scan {
            body: Arc::new(keeping),
            length: *length,
            carries: *carries,
            slices: *slices,
            reverse: *reverse,
        };
        let kept = if *carries == 0 {
            Vec::new()
        } else {
            builder.try_add(keep, &self.node.inputs)?.split_off(*carries)
        };

        let mut operands: Vec<Value> = walk.carries.iter().map(|i| upstream[*i].value()).collect();
        operands.extend(walk.captured.iter().map(|i| inputs[*i].like(0.0).value()));
        operands.extend(&kept);
        operands.extend(&self.node.inputs[*carries..carries + slices]);
        operands.extend(walk.stacked.iter().map(|i| upstream[*i].value()));
        operands.extend(&self.node.inputs[carries + slices..]);
        let op = Op::Scan {
            body: Arc::new(walk.body(&self.node.origin)?),
            length: *length,
            carries: walk.carries.len() + walk.captured.len(),
            slices: walk.kept.len() + walk.stacked.len(),
            reverse: !reverse,
        };
        let outputs = builder.try_add(op, &operands)?;
        let mut cotangents = self.none();
        for (i, output) in walk.results().zip(outputs) {
            cotangents[i] = Some(builder.expr(output));
        }
        Ok(cotangents)
    }
}

fn is_float(e: Expr) -> bool {
    e.ty().dtype.is_float()
}

/// The scan that walks back over another, by positions among that one's inputs and outputs.
struct WalkBack<'s> {
    body: &'s Graph,
    /// Carries whose cotangents are carried.
    carries: Vec<usize>,
    /// Sliced inputs whose cotangents are stacked.
    slices: Vec<usize>,
    /// Captured values whose cotangents are summed, as further carries.
    captured: Vec<usize>,
    /// Stacked outputs that bring a cotangent.
    stacked: Vec<usize>,
    /// Inputs of which each round needs its own: kept carries and the original slices.
    kept: Range<usize>,
}

impl WalkBack<'_> {
    /// Which input's cotangent each result is.
    fn results(&self) -> impl Iterator<Item = usize> {
        self.carries.iter().chain(&self.captured).chain(&self.slices).copied()
    }

    /// Parameters: iteration; carries: cotangents of carries, sums of cotangents of captured values; slices: kept inputs,
    /// cotangents of stacked outputs; captured: as before.
    fn body(&self, origin: &Origin) -> Result<Graph, Error> {
        let types: Vec<&Type> = self.body.parameters()[1..].iter().map(|v| self.body.ty(*v)).collect();
        let back = Builder::new(Graph::new(), origin.clone());
        let parameter = |i: usize| back.parameter(types[i].clone());
        let mut arguments = vec![back.parameter(Type::scalar(DType::U32)).value()];
        let carried: Vec<Expr> = self.carries.iter().map(|i| parameter(*i)).collect();
        let sums: Vec<Expr> = self.captured.iter().map(|i| parameter(*i)).collect();
        arguments.extend(self.kept.clone().map(|i| parameter(i).value()));
        let result_type = |i: usize| self.body.ty(self.body.results()[i]).clone();
        let stacked: Vec<Expr> = self.stacked.iter().map(|i| back.parameter(result_type(*i))).collect();
        arguments.extend((self.kept.end..types.len()).map(|i| parameter(i).value()));

        let outputs = back.inline(self.body, &arguments);
        let cotangents = self.carries.iter().chain(&self.stacked).zip(carried.iter().chain(&stacked));
        let pairs: Vec<(Value, Value)> = cotangents.map(|(i, c)| (outputs[*i], c.value())).collect();
        let wrt: Vec<Value> = self.results().map(|i| arguments[1 + i]).collect();
        let found = vjp(&back, &pairs, &wrt)?;
        let fresh = self.results().zip(found);
        let fresh = fresh.map(|(i, v)| v.map_or_else(|| back.fill(types[i], 0.0), |v| back.expr(v)));
        let summed = self.carries.len()..self.carries.len() + self.captured.len();
        let results = fresh.enumerate().map(|(at, e)| match summed.contains(&at) {
            true => (sums[at - summed.start] + e).value(),
            false => e.value(),
        });
        let results = results.collect();
        let mut back = back.finish();
        back.set_results(results);
        Ok(back)
    }
}
