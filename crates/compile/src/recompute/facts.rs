//! What the schedule of a region says of its values: when each is touched, what makes it again, until when it can be made
//! again, and at what price.

use super::again::only;
use crate::lower::{Buffers, Home, Unit, Update};
use crate::schedule::writes_in_place;
use smallvec::SmallVec;
use warploom_device::{BufferId, Capabilities, Instruction, Kernel, Step};

/// Operations that take as long as moving one byte: processors and GPUs alike do some 10 to 100.
const OPERATIONS_PER_BYTE: f64 = 16.0;
/// A value is small below this part of the region's largest.
const SMALL: usize = 1024;

/// A unit that runs again for one value.
pub(super) struct Part {
    pub unit: Unit,
    /// Values of the region that it reads, the made one excepted.
    pub sources: SmallVec<[usize; 6]>,
    /// Bytes that it needs only while it runs.
    pub scratch: usize,
    pub operations: f64,
}

/// A temporary that the region makes.
pub(super) struct Value {
    pub buffer: BufferId,
    /// As placed: aligned.
    pub bytes: usize,
    pub small: bool,
    /// Units that read or write it.
    pub touches: Vec<usize>,
    /// Of these, the last that writes it.
    pub complete: usize,
    /// The units that make it again, in order; none where it cannot be.
    pub parts: Vec<Part>,
    /// The last unit before which it can be made again: then what its makers read is overwritten.
    pub until: usize,
    /// Time to make it again from what its makers read, in operations.
    pub cost: f64,
}

/// A unit's part in the region.
pub(super) struct Moment {
    /// Values it touches.
    pub touches: SmallVec<[usize; 8]>,
    /// Values that are read here for the last time, each with one that is made in its place, element by element.
    pub handed_on: SmallVec<[(usize, usize); 1]>,
    /// Most bytes that the body of a loop has of its own at once.
    pub inner: usize,
    pub operations: f64,
}

pub(super) struct Facts<'a> {
    pub units: &'a [Unit],
    pub values: Vec<Value>,
    /// By unit.
    pub moments: Vec<Moment>,
}

impl<'a> Facts<'a> {
    /// Of a region that is given the `outer` buffers.
    pub fn new(
        units: &'a [Unit],
        buffers: &Buffers,
        capabilities: &Capabilities,
        outer: &[BufferId],
    ) -> Facts<'a> {
        let alignment = capabilities.alignment;
        let mut number: Vec<Option<usize>> = vec![None; buffers.list.len()];
        let mut writers: Vec<Vec<usize>> = vec![Vec::new(); buffers.list.len()];
        let mut facts = Facts { units, values: Vec::new(), moments: Vec::new() };
        for (position, unit) in units.iter().enumerate() {
            for buffer in unit.writes.iter().map(|b| buffers.root(*b)) {
                let index = buffer.0 as usize;
                writers[index].push(position);
                let own = buffers.list[index].home == Home::Temporary && !outer.contains(&buffer);
                if own && number[index].is_none() {
                    number[index] = Some(facts.values.len());
                    facts.values.push(Value {
                        buffer,
                        bytes: buffers.list[index].bytes.next_multiple_of(alignment),
                        small: false,
                        touches: Vec::new(),
                        complete: 0,
                        parts: Vec::new(),
                        until: 0,
                        cost: 0.0,
                    });
                }
            }
        }
        let value_of = |buffer: BufferId| number[buffers.root(buffer).0 as usize];
        for (position, unit) in units.iter().enumerate() {
            let mut touches: SmallVec<[usize; 8]> =
                unit.reads.iter().chain(&unit.writes).filter_map(|b| value_of(*b)).collect();
            touches.sort_unstable();
            touches.dedup();
            touches.iter().for_each(|v| facts.values[*v].touches.push(position));
            unit.writes.iter().filter_map(|b| value_of(*b)).for_each(|v| facts.values[v].complete = position);
            let inner = inner_peak(unit, buffers, capabilities);
            let handed_on = SmallVec::new();
            facts.moments.push(Moment { touches, handed_on, inner, operations: operations(unit) });
        }
        let largest = facts.values.iter().map(|value| value.bytes).max().unwrap_or(0);
        facts.values.iter_mut().for_each(|value| value.small = value.bytes < largest / SMALL);
        if capabilities.in_place {
            (0..units.len()).for_each(|unit| facts.hand_on(unit, buffers));
        }
        // In the order in which values are complete, so that of what makes one all is known.
        let mut order: Vec<usize> = (0..facts.values.len()).collect();
        order.sort_by_key(|v| facts.values[*v].complete);
        for value in order {
            facts.find_parts(value, &writers, buffers, &value_of, alignment);
        }
        facts
    }

    /// Finds what a unit may write in the place of what it reads for the last time.
    fn hand_on(&mut self, position: usize, buffers: &Buffers) {
        let unit = &self.units[position];
        if !matches!(unit.step, Step::Kernel(_) | Step::Contraction(_) | Step::Convolution(_)) {
            return;
        }
        let mut pairs: SmallVec<[(usize, usize); 1]> = SmallVec::new();
        for to in &self.moments[position].touches {
            let made = &self.values[*to];
            if made.touches[0] != position || made.complete != position || made.small {
                continue;
            }
            let info = |value: &Value| &buffers.list[value.buffer.0 as usize];
            let fits = |from: &&usize| {
                let read = &self.values[**from];
                let update = Update { fresh: made.buffer, target: read.buffer };
                read.complete < position
                    && read.touches.last() == Some(&position)
                    && info(read).bytes == info(made).bytes
                    && info(read).ty.dtype.bytes() == info(made).ty.dtype.bytes()
                    && pairs.iter().all(|pair| pair.0 != **from)
                    && writes_in_place(unit, &update)
            };
            let from = self.moments[position].touches.iter().find(fits).copied();
            pairs.extend(from.map(|from| (from, *to)));
        }
        self.moments[position].handed_on = pairs;
    }

    fn find_parts(
        &mut self,
        index: usize,
        writers: &[Vec<usize>],
        buffers: &Buffers,
        value_of: &dyn Fn(BufferId) -> Option<usize>,
        alignment: usize,
    ) {
        let wanted = self.values[index].buffer;
        let (mut parts, mut until, mut cost) = (Vec::new(), usize::MAX, 0.0);
        for position in &writers[wanted.0 as usize] {
            let Some(unit) = only(&self.units[*position], wanted) else { return };
            let mut sources: SmallVec<[usize; 6]> = SmallVec::new();
            for buffer in &unit.reads {
                match value_of(*buffer) {
                    Some(source) if source == index => {}
                    Some(source) => {
                        let value = &self.values[source];
                        let last = value.touches.last().copied().unwrap_or(0);
                        until = until.min(if value.parts.is_empty() { last } else { value.until });
                        sources.push(source);
                    }
                    None => {
                        let writes = &writers[buffers.root(*buffer).0 as usize];
                        until = until.min(*writes.iter().find(|w| **w >= *position).unwrap_or(&usize::MAX));
                    }
                }
            }
            sources.sort_unstable();
            sources.dedup();
            let bytes = |b: &BufferId| buffers.list[b.0 as usize].bytes;
            let scratch = unit.writes.iter().filter(|b| **b != wanted);
            let scratch = scratch.map(|b| bytes(b).next_multiple_of(alignment)).sum();
            let moved: usize = unit.reads.iter().chain(&unit.writes).map(bytes).sum();
            let operations = operations(&unit);
            cost += operations + OPERATIONS_PER_BYTE * moved as f64;
            parts.push(Part { unit, sources, scratch, operations });
        }
        let value = &mut self.values[index];
        (value.parts, value.until, value.cost) = (parts, until, cost);
    }

    /// Most bytes of its own that the region has at once.
    pub fn peak(&self) -> usize {
        let mut change = vec![0isize; self.units.len() + 1];
        for value in &self.values {
            if let (Some(first), Some(last)) = (value.touches.first(), value.touches.last()) {
                change[*first] += value.bytes as isize;
                change[*last + 1] -= value.bytes as isize;
            }
        }
        let held = change.iter().scan(0, |held, change| {
            *held += change;
            Some(*held as usize)
        });
        self.moments.iter().zip(held).map(|(moment, held)| held + moment.inner).max().unwrap_or(0)
    }

    /// Operations of all units.
    pub fn operations(&self) -> f64 {
        self.moments.iter().map(|moment| moment.operations).sum()
    }
}

/// Most bytes that the body of a loop has of its own at once.
fn inner_peak(unit: &Unit, buffers: &Buffers, capabilities: &Capabilities) -> usize {
    if unit.body.is_empty() {
        return 0;
    }
    Facts::new(&unit.body, buffers, capabilities, &outside(unit, buffers)).peak()
}

/// What the body of a loop is given.
pub(super) fn outside(unit: &Unit, buffers: &Buffers) -> Vec<BufferId> {
    unit.reads.iter().chain(&unit.writes).map(|b| buffers.root(*b)).collect()
}

/// Scalar operations of a unit; a multiply-add of a product is two.
fn operations(unit: &Unit) -> f64 {
    match &unit.step {
        Step::Kernel(kernel) => of_kernel(kernel),
        Step::Contraction(c) => 2.0 * (c.batch * c.m * c.n) as f64 * c.k as f64 + of_kernel(&c.epilogue),
        Step::Convolution(c) => {
            let taps: usize = c.shape.spatial.iter().map(|axis| axis.kernel).product();
            let results: usize = c.shape.result().iter().product();
            2.0 * results as f64 * (c.shape.channels * taps) as f64 + of_kernel(&c.epilogue)
        }
        Step::Scatter(s) => (s.outer * s.count * s.inner) as f64,
        Step::Loop(l) => l.iterations as f64 * unit.body.iter().map(operations).sum::<f64>(),
        Step::Copy { .. } | Step::Claimed { .. } => 0.0,
    }
}

fn of_kernel(kernel: &Kernel) -> f64 {
    let computing = |i: &&Instruction| matches!(i, Instruction::Apply { .. } | Instruction::Random { .. });
    let body = kernel.body.iter().filter(computing).count() + kernel.reductions.len();
    let tail = kernel.tail.iter().filter(computing).count();
    kernel.points() as f64 * (kernel.sweep() * body + tail) as f64
}
