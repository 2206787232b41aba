//! Running what was recorded: one program of what is looked at and all pending assignments of the device.

use crate::build::{build, next_step};
use crate::device::Device;
use crate::encode::{self, tag};
use crate::error::Error;
use crate::launcher::{Buffers, Launcher, Queue, keep_older, move_away};
use crate::node::{Content, Kind, Node};
use crate::planned::compiled;
use crate::ring::Ring;
use crate::tensor::Tensor;
use crate::trace::{Numbered, Trace};
use crate::variable::Slot;
use smallvec::SmallVec;
use std::io::Write;
use std::panic::Location;
use std::sync::Arc;
use warploom_device::Memory;
use warploom_graph::{Graph, Op, Origin, ParameterRole, Recording, ResultRole};

type Line = &'static Location<'static>;

/// Runs what `tensor` needs and copies its bytes to the host.
pub(crate) fn read(tensor: &Tensor, bytes: &mut [u8], line: Line) -> Result<(), Error> {
    evaluate(std::slice::from_ref(tensor), line)?;
    let device = tensor.device()?;
    // Held while reading: a launch might overwrite a variable's version.
    let _launcher = device.launcher();
    Ok(device.executor().download(&made(tensor, line)?, 0, bytes)?)
}

/// Runs what `tensor` needs and copies its bytes to memory of another device, through the host where the devices do not reach
/// each other.
pub(crate) fn send(tensor: &Tensor, device: &Device, memory: &Memory, line: Line) -> Result<(), Error> {
    evaluate(std::slice::from_ref(tensor), line)?;
    let (from, to) = (tensor.device()?, device.executor());
    // As for reading.
    let _launcher = from.launcher();
    let (source, bytes) = (made(tensor, line)?, tensor.ty().bytes());
    if to.receive(&source, memory, bytes)?.is_none() {
        let mut staged = vec![0; bytes];
        from.executor().download(&source, 0, &mut staged)?;
        to.upload(memory, 0, &staged)?;
    }
    Ok(())
}

/// Where the value of a tensor that was evaluated is.
fn made(tensor: &Tensor, line: Line) -> Result<Memory, Error> {
    tensor.memory().ok_or_else(|| Error::at_line("look", "the value was not made", line))
}

/// Runs what `roots`, all of one device, need, with the device's pending assignments, and waits for it.
pub(crate) fn evaluate(roots: &[Tensor], line: Line) -> Result<(), Error> {
    let Some(first) = roots.first() else { return Ok(()) };
    for root in roots {
        if let Some(error) = root.error() {
            return Err(error);
        }
    }
    let device = first.device()?;
    if let Some(other) = roots.iter().find(|root| root.0.device != first.0.device) {
        let message = format!("{} is on another device than {}", other.described(), first.described());
        return Err(Error::at_line("look", message, line));
    }
    let mut launcher = device.launcher();
    run(&device, &mut launcher, roots, line)?;
    launcher.queue.wait_all(&device)
}

/// Launches the device's pending assignments.
pub(crate) fn flush(device: &Device, line: Line) -> Result<(), Error> {
    if !device.has_pending() {
        return Ok(());
    }
    run(device, &mut device.launcher(), &[], line)
}

/// Launches what `roots` need with the pending assignments. First values of variables run before, in a program of their
/// own, so that the first round of a training loop is the same program as the others.
pub(crate) fn run(
    device: &Device,
    launcher: &mut Launcher,
    roots: &[Tensor],
    line: Line,
) -> Result<(), Error> {
    let mut updates: Vec<Arc<Slot>> = Vec::new();
    device.take_pending(&mut updates);
    if updates.iter().any(|slot| slot.is_initial()) {
        let (initial, later): (Vec<_>, Vec<_>) = updates.into_iter().partition(|slot| slot.is_initial());
        updates = later;
        let result = Run::new(device, &[], &initial, line).start(launcher);
        if result.is_err() {
            initial.iter().chain(&updates).for_each(|slot| device.add_pending(slot));
            return result;
        }
    }
    let is_missing = |t: &&Tensor| matches!(&*t.0.content(), Content::Inputs(_));
    let missing: SmallVec<[Tensor; 4]> = roots.iter().filter(is_missing).cloned().collect();
    if missing.is_empty() && updates.is_empty() {
        return Ok(());
    }
    Run::new(device, &missing, &updates, line).start(launcher)
}

/// A variable going from one version to the next.
struct Move {
    slot: Arc<Slot>,
    old: Tensor,
    next: Tensor,
    initial: bool,
}

struct Run<'a> {
    device: &'a Device,
    roots: &'a [Tensor],
    moves: SmallVec<[Move; 8]>,
    line: Line,
}

/// What a walk gave for the program's parameters and results.
#[derive(Default)]
struct Bound {
    parameters: SmallVec<[ParameterRole; 16]>,
    results: SmallVec<[(u32, ResultRole); 16]>,
    /// Roots that are outputs, in order.
    outputs: SmallVec<[usize; 4]>,
    random: Option<(Arc<Slot>, usize)>,
}

impl<'a> Run<'a> {
    /// Makes each pending assignment its variable's current version; readers take it from now on.
    fn new(device: &'a Device, roots: &'a [Tensor], updates: &[Arc<Slot>], line: Line) -> Run<'a> {
        let mut moves = SmallVec::new();
        for slot in updates {
            let mut versions = slot.versions();
            if let Some(next) = versions.pending.take() {
                let old = std::mem::replace(&mut versions.current, next.clone());
                let initial = slot.is_initial();
                slot.set_initial(false);
                moves.push(Move { slot: slot.clone(), old, next, initial });
            }
        }
        Run { device, roots, moves, line }
    }

    fn start(self, launcher: &mut Launcher) -> Result<(), Error> {
        let mut trace = self.device.trace();
        let mut buffers = std::mem::take(&mut launcher.buffers);
        let result = self.launch(launcher, &mut trace, &mut buffers);
        trace.clear();
        drop(trace);
        buffers.states.clear();
        buffers.inputs.clear();
        buffers.outputs.clear();
        launcher.buffers = buffers;
        if result.is_err() {
            self.roll_back();
        }
        result
    }

    /// Gives variables their old version back. A first value stays pending: there is nothing before it.
    fn roll_back(&self) {
        for step in &self.moves {
            let mut versions = step.slot.versions();
            versions.current = step.old.clone();
            if step.initial {
                versions.pending = Some(step.next.clone());
                step.slot.set_initial(true);
            }
        }
    }

    fn launch(&self, launcher: &mut Launcher, trace: &mut Trace, buffers: &mut Buffers) -> Result<(), Error> {
        let nexts = self.moves.iter().map(|step| &step.next);
        trace.collect(self.roots.iter().chain(nexts), |node| {
            matches!(node.kind, Kind::Parameter | Kind::State(_))
        })?;
        let mut bound = Bound::default();
        self.encode(launcher, trace, buffers, &mut bound)?;
        let hash = encode::hash(&trace.tokens);
        let Launcher { cache, misses, queue, .. } = launcher;
        let compiled = match cache.get(hash, &trace.tokens) {
            Some(compiled) => compiled,
            None => {
                let recording = recording(trace, &bound)?;
                if let Some(warning) = misses.count(self.line, &recording.graph) {
                    let _ = writeln!(std::io::stderr(), "{warning}");
                }
                let (program, _) = compiled(self.device, &recording, self.device.memory_limit())?;
                let compiled = queue.adopt(self.device, self.device.executor().prepare(program)?)?;
                cache.insert(hash, &trace.tokens, compiled)
            }
        };
        for (ring, root) in compiled.outputs.iter_mut().zip(&bound.outputs) {
            buffers.outputs.push(ring.take(self.device, self.roots[*root].ty().bytes())?);
        }
        self.keep_versions(trace, buffers, &bound, &mut compiled.kept)?;
        launch(queue, self.device, compiled, buffers)?;
        self.commit(trace, buffers, &bound);
        Ok(())
    }

    /// Tokens of the whole program, and what its parameters and results are.
    fn encode(
        &self,
        launcher: &mut Launcher,
        trace: &mut Trace,
        buffers: &mut Buffers,
        bound: &mut Bound,
    ) -> Result<(), Error> {
        if let Some(limit) = self.device.memory_limit() {
            trace.tokens.extend([tag::MEMORY_LIMIT, limit as u64]);
        }
        let Buffers { states, inputs, .. } = buffers;
        let Bound { parameters, results, outputs, random } = bound;
        let mut leaf = |tensor: &Tensor, tokens: &mut Vec<u64>| {
            let Content::Ready { memory, state, .. } = &*tensor.0.content() else {
                let message =
                    "a value from inside a recording or region was looked at, or used outside of it";
                return Err(Error::at(tensor.0.op_name(), message, tensor.origin()));
            };
            if state.is_some() {
                parameters.push(ParameterRole::State(states.len()));
                tokens.push(tag::STATE);
                states.push(memory.clone());
            } else {
                parameters.push(ParameterRole::Input);
                tokens.push(tag::INPUT);
                inputs.push(memory.clone());
            }
            encode::ty(tensor.ty(), tokens);
            // Of a state, its slot in the program.
            Ok(states.len().saturating_sub(1) as u32)
        };
        trace.encode(&mut leaf)?;
        let updated = |trace: &Trace, position: u32| {
            let same = trace.entries[position as usize].same;
            self.moves
                .iter()
                .filter_map(|m| trace.find(&m.next))
                .any(|p| trace.entries[p as usize].same == same)
        };
        for (i, root) in self.roots.iter().enumerate() {
            if let Some(position) = trace.find(root)
                && !updated(trace, position)
            {
                let number = trace.number(position, &mut leaf)?;
                trace.tokens.extend([tag::RESULT, number as u64]);
                results.push((number, ResultRole::Output));
                outputs.push(i);
            }
        }
        let mut numbers: SmallVec<[u32; 16]> = SmallVec::new();
        for step in &self.moves {
            if let Some(position) = trace.find(&step.next) {
                numbers.push(trace.number(position, &mut leaf)?);
            }
        }
        for (step, number) in self.moves.iter().zip(numbers) {
            let read = trace.find(&step.old).filter(|position| trace.number_of(*position).is_some());
            let slot = match read {
                Some(position) => trace.entries[position as usize].note as usize,
                None => {
                    states.push(step.slot.memory.clone());
                    states.len() - 1
                }
            };
            trace.tokens.extend([tag::UPDATE | (slot as u64) << 8, number as u64]);
            results.push((number, ResultRole::Update(slot)));
        }
        if let Some(number) = trace.random_state {
            let slot = launcher.random(self.device)?;
            trace.tokens.extend([tag::RANDOM_STEP, number as u64]);
            *random = Some((slot.clone(), states.len()));
            results.push((number, ResultRole::Update(states.len())));
            states.push(slot.memory.clone());
        }
        Ok(())
    }

    /// Gives older versions that can still be looked at memory of their own, and keeps the numbers of draws that can be.
    fn keep_versions(
        &self,
        trace: &Trace,
        buffers: &mut Buffers,
        bound: &Bound,
        rings: &mut [Ring],
    ) -> Result<(), Error> {
        if self.moves.is_empty() && bound.random.is_none() {
            return Ok(());
        }
        let Buffers { states, alive, .. } = buffers;
        let made = self.roots.iter().chain(self.moves.iter().map(|m| &m.next));
        alive.mark(trace, made, self.moves.iter().map(|m| &m.old));
        let updates = bound.results.iter().filter_map(|(_, role)| match role {
            ResultRole::Update(slot) => Some(*slot),
            ResultRole::Output => None,
        });
        for (step, slot) in self.moves.iter().zip(updates) {
            let needed = match trace.find(&step.old) {
                Some(position) => alive.contains(position as usize),
                None => Arc::strong_count(&step.old.0) > 1,
            };
            if needed && !step.initial {
                debug_assert!(Arc::ptr_eq(&states[slot], &step.slot.memory));
                move_away(self.device, &step.old, &mut rings[slot])?;
            }
        }
        if let Some((slot, index)) = &bound.random {
            let drawn = trace.entries.iter().enumerate().filter(|(position, entry)| {
                let draws = matches!(entry.tensor.0.kind, Kind::Random(_) | Kind::Key(_));
                draws && trace.inputs(*position).is_empty() && alive.is_made_again(*position)
            });
            let version = slot.versions().current.clone();
            for (_, entry) in drawn {
                if let Kind::Random(stream) | Kind::Key(stream) = &entry.tensor.0.kind {
                    let _ = stream.set(entry.note);
                }
                if let Content::Inputs(inputs) = &mut *entry.tensor.0.content() {
                    inputs.push(version.clone());
                }
            }
            drop(version);
            keep_older(self.device, slot, &mut rings[*index])?;
        }
        Ok(())
    }

    /// The results are there: values know their memory and forget what made them.
    fn commit(&self, trace: &Trace, buffers: &mut Buffers, bound: &Bound) {
        let behind = self.behind(trace);
        for (root, memory) in bound.outputs.iter().zip(buffers.outputs.drain(..)) {
            let ready = Content::Ready { memory, state: None, behind: behind.clone() };
            *self.roots[*root].0.content() = ready;
        }
        for step in &self.moves {
            let ready =
                Content::Ready { memory: step.slot.memory.clone(), state: Some(step.slot.id), behind: None };
            let before = std::mem::replace(&mut *step.next.0.content(), ready);
            if let Content::Inputs(inputs) = before
                && let Some(value) = inputs.first()
                && !matches!(value.0.kind, Kind::Version)
                && trace.find(value).is_some_and(|position| buffers.alive.contains(position as usize))
            {
                let mut content = value.0.content();
                if let Content::Inputs(_) = &*content {
                    *content = Content::Alias(step.next.clone());
                }
            }
        }
    }

    /// Ids of the versions, current after this run, on which the outputs depend.
    fn behind(&self, trace: &Trace) -> Option<Arc<[u64]>> {
        let mut reached: Vec<bool> = Vec::new();
        let mut ids: Vec<u64> = Vec::new();
        for root in self.roots.iter().filter(|root| root.ty().dtype.is_float()) {
            reached.resize(trace.entries.len(), false);
            if let Some(position) = trace.find(root) {
                reached[position as usize] = true;
            }
        }
        for position in trace.order().rev() {
            if !reached.get(position).is_some_and(|reached| *reached) {
                continue;
            }
            let node = &*trace.entries[position].tensor.0;
            if let Content::Ready { state, behind, .. } = &*node.content() {
                if state.is_some()
                    && self.moves.iter().all(|m| !Arc::ptr_eq(&m.old.0, &trace.entries[position].tensor.0))
                {
                    ids.push(node.id);
                }
                ids.extend(behind.iter().flat_map(|ids| ids.iter()));
            }
            if matches!(node.kind, Kind::Version) {
                ids.push(node.id);
                continue;
            }
            if passes_gradient(node) {
                trace.inputs(position).iter().for_each(|input| reached[*input as usize] = true);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        (!ids.is_empty()).then(|| ids.into())
    }
}

fn passes_gradient(node: &Node) -> bool {
    match &node.kind {
        Kind::Several(..) => true,
        Kind::Op(op) if matches!(**op, Op::StopGradient) => false,
        _ => node.ty.dtype.is_float(),
    }
}

fn launch(
    queue: &mut Queue,
    device: &Device,
    compiled: &crate::launcher::Compiled,
    buffers: &Buffers,
) -> Result<(), Error> {
    let memories: [&[Memory]; 3] = [&buffers.states, &buffers.inputs, &buffers.outputs];
    queue.launch(device, &*compiled.executable, &compiled.derived, memories)?;
    Ok(())
}

/// The program of an encoded trace.
fn recording(trace: &Trace, bound: &Bound) -> Result<Recording, Error> {
    let leaf =
        |graph: &mut Graph, tensor: &Tensor| graph.parameter(tensor.ty().clone(), tensor.origin().clone());
    let mut made = build(trace, Graph::new(), leaf)?;
    let mut parameters: Vec<ParameterRole> = Vec::new();
    let mut leaves = bound.parameters.iter();
    for position in &trace.values {
        match trace.numbered(*position) {
            Numbered::RandomState => {
                let slot = bound.random.as_ref().map_or(0, |(_, slot)| *slot);
                parameters.push(ParameterRole::State(slot));
            }
            Numbered::Leaf(_) => parameters.extend(leaves.next()),
            Numbered::Node(_) => {}
        }
    }
    let mut values = Vec::new();
    let mut roles = Vec::new();
    for (number, role) in &bound.results {
        let value = made.value(*number);
        let is_step = trace.random_state == Some(*number) && *role != ResultRole::Output;
        values.push(if is_step { next_step(&mut made.graph, value, &Origin::here())? } else { value });
        roles.push(*role);
    }
    made.graph.set_results(values);
    Ok(Recording { graph: made.graph, parameters, results: roles })
}
