//! Where a program's buffers lie: which memory, how far from its start, and how that moves with loops.

use std::collections::HashMap;
use warploom_device::{BufferId, Class, DeviceError, Program, Step};

/// A memory that kernels see.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Root {
    /// A state slot.
    State(usize),
    /// An input.
    Input(usize),
    /// An output.
    Output(usize),
    /// A slab of the arena.
    Slab(usize),
    /// A derived buffer.
    Derived(usize),
    /// The positions of the program's loops, `u32` each; memory of the executable.
    Counters,
    /// Where kernels report an index out of range, [`FAULT_WORDS`] words of `u32`; memory of the executable.
    Faults,
}

/// Words of [`Root::Faults`]: a flag that is 1 once something was reported, the kernel's ordinal, the index as the bits
/// of an `i32`, the extent. All zero before the first launch. The first report stays.
pub const FAULT_WORDS: usize = 4;

/// Where a buffer lies.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    pub root: Root,
    /// Bytes from the root's start to what is bound.
    pub offset: usize,
    /// Bytes that are bound.
    pub bytes: usize,
    /// By how many bytes each position of a loop, named by its counter, moves the buffer.
    pub moves: Vec<(usize, usize)>,
}

/// Places of all buffers of a program. Loops are numbered in the order in which they are met, outer before inner.
pub(crate) struct Places {
    places: Vec<Option<Place>>,
    loops: usize,
}

impl Places {
    pub(crate) fn new(program: &Program) -> Result<Places, DeviceError> {
        let mut places: Vec<Option<Place>> = Vec::with_capacity(program.buffers.len());
        for spec in &program.buffers {
            let (root, offset) = match spec.class {
                Class::State(i) => (Root::State(i), 0),
                Class::Input(i) => (Root::Input(i), 0),
                Class::Output(i) => (Root::Output(i), 0),
                Class::Derived(i) => (Root::Derived(i), 0),
                Class::Arena { slab, offset } => (Root::Slab(slab), offset),
                Class::Window => {
                    places.push(None);
                    continue;
                }
            };
            places.push(Some(Place { root, offset, bytes: spec.bytes, moves: Vec::new() }));
        }
        let mut all = Places { places, loops: 0 };
        all.windows(&program.steps)?;
        Ok(all)
    }

    /// How many loops there are.
    pub(crate) fn loops(&self) -> usize {
        self.loops
    }

    fn windows(&mut self, steps: &[Step]) -> Result<(), DeviceError> {
        for step in steps {
            if let Step::Loop(body) = step {
                let own = self.loops;
                self.loops += 1;
                for window in &body.windows {
                    let mut place = self.of(window.parent)?.clone();
                    place.moves.push((own, window.stride));
                    self.places[window.buffer.0 as usize] = Some(place);
                }
                self.windows(&body.body)?;
            }
        }
        Ok(())
    }

    pub(crate) fn of(&self, buffer: BufferId) -> Result<&Place, DeviceError> {
        let place = self.places.get(buffer.0 as usize).and_then(Option::as_ref);
        place.ok_or_else(|| DeviceError::Binding(format!("buffer {} has no place", buffer.0)))
    }
}

/// Collects the arguments of one kernel, equal ones once.
#[derive(Default)]
pub(crate) struct Arguments {
    list: Vec<(Place, bool)>,
    known: HashMap<(Root, usize), usize>,
}

impl Arguments {
    /// The position of what is bound for a buffer.
    pub(crate) fn add(&mut self, place: &Place, written: bool) -> usize {
        let key = (place.root, place.offset);
        let position = *self.known.entry(key).or_insert_with(|| {
            self.list.push((Place { moves: Vec::new(), ..place.clone() }, false));
            self.list.len() - 1
        });
        let (known, writes) = &mut self.list[position];
        known.bytes = known.bytes.max(place.bytes);
        *writes |= written;
        position
    }

    /// All of them, in order.
    pub(crate) fn list(&self) -> Vec<crate::Argument> {
        let written = |root: Root| self.list.iter().any(|(place, writes)| *writes && place.root == root);
        let argument = |place: &Place| crate::Argument {
            root: place.root,
            offset: place.offset,
            bytes: place.bytes.next_multiple_of(4).max(4),
            writable: written(place.root),
        };
        self.list.iter().map(|(place, _)| argument(place)).collect()
    }
}
