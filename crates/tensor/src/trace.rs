//! Walks over lazy nodes: which there are, in topological order, with their structure as tokens.

use crate::cache::Interned;
use crate::encode::{self, tag};
use crate::error::Error;
use crate::gradients::Template;
use crate::node::{self, Content, Kind, Node};
use crate::random::Streams;
use crate::tensor::Tensor;
use std::sync::atomic::Ordering;

/// A node that was met.
pub(crate) struct Entry {
    pub tensor: Tensor,
    /// Operands are `edges[first..end]`; none for a leaf.
    first: u32,
    end: u32,
    /// The entry whose value this is; itself but for versions and aliases.
    pub same: u32,
    /// The value's number in the token stream, once it has one.
    number: u32,
    /// The stream of a random node; of a leaf, what its writer gave.
    pub note: u32,
    pub leaf: bool,
}

enum Class {
    Here,
    Alias,
    Made,
}

/// What has a number.
pub(crate) enum Numbered<'t> {
    RandomState,
    Leaf(&'t Entry),
    Node(usize),
}

const UNNUMBERED: u32 = u32::MAX;
/// Stands for the device's random state in [`Trace::values`], which is no entry.
const RANDOM_STATE: u32 = u32::MAX;
const POSITION_BITS: u32 = 24;

/// One walk. The buffers are used again by the next.
#[derive(Default)]
pub(crate) struct Trace {
    epoch: u64,
    /// Nodes in the order in which they were met; their places here are their positions.
    pub entries: Vec<Entry>,
    /// Entries met at the node that is being looked at.
    fresh: Vec<Entry>,
    /// Positions in topological order: values that are here, then aliases of these, then the rest by age.
    order: Vec<u32>,
    here: Vec<u32>,
    aliases: Vec<u32>,
    /// With their ids.
    made: Vec<(u64, u32)>,
    table: Vec<u32>,
    edges: Vec<u32>,
    /// Entries in the order of their numbers.
    pub values: Vec<u32>,
    pub tokens: Vec<u64>,
    /// The number of the random state, once some value draws from it.
    pub random_state: Option<u32>,
    streams: Streams,
    /// Gradients of structures met before.
    pub templates: Interned<Template>,
}

impl Trace {
    /// Finds everything below `roots`. The walk stops at values that are here and where `is_leaf` says so.
    pub fn collect<'t>(
        &mut self,
        roots: impl IntoIterator<Item = &'t Tensor>,
        is_leaf: impl Fn(&Node) -> bool,
    ) -> Result<(), Error> {
        self.clear();
        self.epoch += 1;
        let mark = self.epoch << POSITION_BITS;
        for root in roots {
            let next = self.entries.len();
            if let (_, Some(entry)) = meet(root, mark, next) {
                self.entries.push(entry);
            }
        }
        let mut position = 0;
        while let Some(entry) = self.entries.get(position) {
            let node = &*entry.tensor.0;
            let first = self.edges.len() as u32;
            let mut leaf = is_leaf(node);
            let next = self.entries.len();
            let (fresh, edges) = (&mut self.fresh, &mut self.edges);
            let mut step = |input: &Tensor| {
                let (position, entry) = meet(input, mark, next + fresh.len());
                edges.push(position);
                fresh.extend(entry);
            };
            let class = match &*node.content() {
                Content::Ready { .. } => {
                    leaf = true;
                    Class::Here
                }
                Content::Alias(target) => {
                    step(target);
                    Class::Alias
                }
                Content::Inputs(inputs) => {
                    if !leaf {
                        inputs.iter().for_each(step);
                    }
                    Class::Made
                }
            };
            match class {
                Class::Here => self.here.push(position as u32),
                Class::Alias => self.aliases.push(position as u32),
                Class::Made => self.made.push((node.id, position as u32)),
            }
            let entry = &mut self.entries[position];
            (entry.first, entry.end, entry.leaf) = (first, self.edges.len() as u32, leaf);
            self.entries.append(&mut self.fresh);
            position += 1;
            if self.entries.len() >= 1 << POSITION_BITS {
                let message =
                    format!("{} values in one program; look at some on the way", self.entries.len());
                self.clear();
                return Err(Error::new("record", message));
            }
        }
        self.sort();
        for position in &self.order {
            let entry = &self.entries[*position as usize];
            let is_alias = entry.end == entry.first + 1
                && !entry.leaf
                && (matches!(entry.tensor.0.kind, Kind::Version) || self.aliases.contains(position));
            if is_alias {
                let target = self.edges[entry.first as usize];
                self.entries[*position as usize].same = self.entries[target as usize].same;
            }
        }
        Ok(())
    }

    /// Puts positions in order. Most of a walk's nodes were recorded one after the other, so that a table by id is
    /// cheaper than a sort.
    fn sort(&mut self) {
        self.order.append(&mut self.here);
        self.order.extend_from_slice(&self.aliases);
        let ids = self.made.iter().map(|(id, _)| *id);
        let (Some(first), Some(last)) = (ids.clone().min(), ids.max()) else { return };
        let range = (last - first) as usize + 1;
        if range <= 4 * self.made.len() + 64 {
            self.table.clear();
            self.table.resize(range, UNNUMBERED);
            for (id, position) in &self.made {
                self.table[(id - first) as usize] = *position;
            }
            self.order.extend(self.table.iter().filter(|position| **position != UNNUMBERED));
        } else {
            self.made.sort_unstable();
            self.order.extend(self.made.iter().map(|(_, position)| *position));
        }
        self.made.clear();
    }

    /// Where a tensor is among the entries, if the walk met it.
    pub fn find(&self, tensor: &Tensor) -> Option<u32> {
        position_of(tensor, self.epoch << POSITION_BITS)
    }

    /// Positions from the operands to what is made of them.
    pub fn order(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.order.iter().map(|position| *position as usize)
    }

    /// Operands of an entry, as positions.
    pub fn inputs(&self, position: usize) -> &[u32] {
        let entry = &self.entries[position];
        &self.edges[entry.first as usize..entry.end as usize]
    }

    /// Writes the tokens of all entries but leaves, which are written where they are first used: `leaf` writes theirs.
    pub fn encode(
        &mut self,
        leaf: &mut impl FnMut(&Tensor, &mut Vec<u64>) -> Result<u32, Error>,
    ) -> Result<(), Error> {
        for i in 0..self.order.len() {
            let position = self.order[i];
            let entry = &self.entries[position as usize];
            if entry.leaf || entry.same != position {
                continue;
            }
            for edge in entry.first..entry.end {
                self.number(self.edges[edge as usize], leaf)?;
            }
            self.encode_node(position)?;
        }
        Ok(())
    }

    /// Writes the tokens of an entry whose operands have numbers.
    fn encode_node(&mut self, position: u32) -> Result<(), Error> {
        let entry = &mut self.entries[position as usize];
        let node = &*entry.tensor.0;
        match &node.kind {
            Kind::Elementwise { row, literal } => {
                encode::elementwise(*row, *literal, &node.ty.shape, &mut self.tokens);
            }
            Kind::Op(op) | Kind::Several(op, _) => encode::op(op, &mut self.tokens),
            Kind::Output(slot) => self.tokens.push(tag::OUTPUT | (*slot as u64) << 8),
            Kind::Random(stream) | Kind::Key(stream) => {
                entry.note = match stream.get() {
                    Some(kept) => *kept,
                    None => self.streams.next(node.origin.module.as_deref()),
                };
                if entry.first == entry.end && self.random_state.is_none() {
                    self.random_state = Some(self.values.len() as u32);
                    self.values.push(RANDOM_STATE);
                    self.tokens.push(tag::RANDOM_STATE);
                }
                let tag = if matches!(node.kind, Kind::Random(_)) { tag::RANDOM } else { tag::KEY };
                self.tokens.push(tag | (entry.note as u64) << 8);
                encode::ty(&node.ty, &mut self.tokens);
            }
            Kind::Version | Kind::Leaf | Kind::Parameter | Kind::State(_) | Kind::Failed(_) => {
                let message = "a value from inside a recording or region was used outside of it";
                return Err(Error::at(node.op_name(), message, &node.origin));
            }
        }
        entry.number = self.values.len() as u32;
        self.values.push(position);
        let edges = &self.edges[entry.first as usize..entry.end as usize];
        self.tokens.push(edges.len() as u64);
        for edge in edges {
            let same = self.entries[*edge as usize].same;
            self.tokens.push(self.entries[same as usize].number as u64);
        }
        Ok(())
    }

    /// The number of a value, given to it now if it is a leaf not used before.
    pub fn number(
        &mut self,
        position: u32,
        leaf: &mut impl FnMut(&Tensor, &mut Vec<u64>) -> Result<u32, Error>,
    ) -> Result<u32, Error> {
        let same = self.entries[position as usize].same;
        let entry = &mut self.entries[same as usize];
        if entry.number == UNNUMBERED {
            entry.number = self.values.len() as u32;
            self.values.push(same);
            entry.note = leaf(&entry.tensor, &mut self.tokens)?;
        }
        Ok(entry.number)
    }

    /// The number of an entry's value, if it has one.
    pub fn number_of(&self, position: u32) -> Option<u32> {
        let same = self.entries[position as usize].same;
        Some(self.entries[same as usize].number).filter(|number| *number != UNNUMBERED)
    }

    /// What a number of [`Trace::values`] stands for.
    pub fn numbered(&self, position: u32) -> Numbered<'_> {
        match self.entries.get(position as usize) {
            None => Numbered::RandomState,
            Some(entry) if entry.leaf => Numbered::Leaf(entry),
            Some(_) => Numbered::Node(position as usize),
        }
    }

    /// Drops what was met. Nodes that only the walk holds end here.
    pub fn clear(&mut self) {
        self.entries.drain(..).for_each(|entry| node::recycle(entry.tensor));
        self.order.clear();
        self.here.clear();
        self.aliases.clear();
        self.made.clear();
        self.edges.clear();
        self.values.clear();
        self.tokens.clear();
        self.random_state = None;
        self.streams.clear();
    }
}

/// The position of a tensor; if it was not met before, `next` with its entry.
fn meet(tensor: &Tensor, mark: u64, next: usize) -> (u32, Option<Entry>) {
    if let Some(position) = position_of(tensor, mark) {
        return (position, None);
    }
    let position = next as u32;
    tensor.0.mark.store(mark | position as u64, Ordering::Relaxed);
    let tensor = tensor.clone();
    (
        position,
        Some(Entry { tensor, first: 0, end: 0, same: position, number: UNNUMBERED, note: 0, leaf: false }),
    )
}

/// The position that a walk's mark gives a tensor.
fn position_of(tensor: &Tensor, mark: u64) -> Option<u32> {
    let found = tensor.0.mark.load(Ordering::Relaxed) ^ mark;
    (found >> POSITION_BITS == 0).then_some(found as u32)
}
