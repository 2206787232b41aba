//! What the launches of one device share: the arena, compiled programs, the random state, work under way.

use crate::cache::Interned;
use crate::device::Device;
use crate::error::Error;
use crate::liveness::Alive;
use crate::misses::Misses;
use crate::node::Content;
use crate::ring::Ring;
use crate::tensor::Tensor;
use crate::variable::Slot;
use std::collections::VecDeque;
use std::sync::Arc;
use warploom_device::{Bindings, Class, Executable, Memory, Program, Token};
use warploom_graph::{DType, Origin, Type};

/// Launches under way at most before the host waits for the oldest.
const AHEAD: usize = 8;

/// Held while a program is made and launched: launches that write a variable exclude all others of the device.
#[derive(Default)]
pub(crate) struct Launcher {
    pub cache: Interned<Compiled>,
    pub misses: Misses,
    pub queue: Queue,
    random: Option<Arc<Slot>>,
    pub buffers: Buffers,
}

/// Memory that all launches share, and those under way.
#[derive(Default)]
pub(crate) struct Queue {
    /// As large as the largest program needs.
    arena: Vec<Memory>,
    under_way: VecDeque<Token>,
}

/// Lists used again by every launch of plain code.
#[derive(Default)]
pub(crate) struct Buffers {
    pub states: Vec<Memory>,
    pub inputs: Vec<Memory>,
    pub outputs: Vec<Memory>,
    pub alive: Alive,
}

/// A program made ready, with its memory.
pub(crate) struct Compiled {
    pub executable: Arc<dyn Executable>,
    pub derived: Vec<Memory>,
    pub outputs: Vec<Ring>,
    /// For older versions of the states it writes.
    pub kept: Vec<Ring>,
}

impl Queue {
    /// Grows the arena to what a program needs.
    fn fit(&mut self, device: &Device, slabs: &[usize]) -> Result<(), Error> {
        for (i, bytes) in slabs.iter().enumerate() {
            if self.arena.get(i).is_none_or(|slab| slab.bytes() < *bytes) {
                // The smaller slab is freed before the larger is asked for. Should that fail, the next launch tries anew.
                let mut rest = self.arena.split_off(i.min(self.arena.len()));
                rest.reverse();
                rest.pop();
                self.arena.push(device.allocate(*bytes)?);
                self.arena.extend(rest.into_iter().rev());
            }
        }
        Ok(())
    }

    /// Gives a program that was made ready its memory.
    pub fn adopt(&mut self, device: &Device, executable: Arc<dyn Executable>) -> Result<Compiled, Error> {
        let program: &Program = executable.program();
        self.fit(device, &program.slabs)?;
        let mut derived: Vec<Memory> = Vec::new();
        let positions = program.buffers.iter().filter_map(|buffer| match buffer.class {
            Class::Derived(position) => Some((position, buffer.bytes)),
            Class::State(_) | Class::Input(_) | Class::Output(_) | Class::Arena { .. } | Class::Window => {
                None
            }
        });
        let mut positions: Vec<(usize, usize)> = positions.collect();
        positions.sort_unstable();
        for (_, bytes) in positions {
            derived.push(device.allocate(bytes)?);
        }
        let rings = |count: usize| (0..count).map(|_| Ring::default()).collect();
        Ok(Compiled {
            derived,
            outputs: rings(program.outputs.len()),
            kept: rings(program.states.len()),
            executable,
        })
    }

    /// Launches with the device's arena.
    pub fn launch(
        &mut self,
        device: &Device,
        executable: &dyn Executable,
        derived: &[Memory],
        [states, inputs, outputs]: [&[Memory]; 3],
    ) -> Result<Token, Error> {
        self.fit(device, &executable.program().slabs)?;
        if self.under_way.len() >= AHEAD
            && let Some(oldest) = self.under_way.pop_front()
        {
            device.executor().wait(oldest)?;
        }
        let token = executable.launch(Bindings { states, inputs, outputs, arena: &self.arena, derived })?;
        self.under_way.push_back(token);
        Ok(token)
    }

    /// Returns when all work is done, with the first failure in it.
    pub fn wait_all(&mut self, device: &Device) -> Result<(), Error> {
        let mut result = Ok(());
        while let Some(token) = self.under_way.pop_front() {
            result = result.and(device.executor().wait(token));
        }
        Ok(result?)
    }
}

impl Launcher {
    /// Seed and step of the device's random numbers, `u32[3]`.
    pub fn random(&mut self, device: &Device) -> Result<Arc<Slot>, Error> {
        if let Some(slot) = &self.random {
            return Ok(slot.clone());
        }
        let ty = Type::new(DType::U32, &[3]);
        let memory = device.allocate(ty.bytes())?;
        let leaf = |id: u64, memory: &Memory| random_version(&ty, id, memory);
        let slot = Arc::new(Slot::new(ty.clone(), memory, leaf));
        self.random = Some(slot.clone());
        Ok(slot)
    }

    /// Drops what can be made again.
    pub fn release_unused(&mut self) {
        self.cache.clear();
        self.queue.arena.clear();
    }

    /// Writes seed and step; draws kept from before keep theirs.
    pub fn set_random_state(&mut self, device: &Device, words: [u32; 3]) -> Result<(), Error> {
        let slot = self.random(device)?;
        let mut ring = Ring::default();
        keep_older(device, &slot, &mut ring)?;
        device.executor().upload(&slot.memory, 0, bytemuck::cast_slice(&words))?;
        Ok(())
    }

    /// Seed and step, if there are any.
    pub fn random_state(&self, device: &Device) -> Result<Option<[u32; 3]>, Error> {
        let Some(slot) = &self.random else { return Ok(None) };
        let mut words = [0u32; 3];
        device.executor().download(&slot.memory, 0, bytemuck::cast_slice_mut(&mut words))?;
        Ok(Some(words))
    }
}

/// A version of the random state. It names no device, so that the device does not hold itself.
pub(crate) fn random_version(ty: &Type, id: u64, memory: &Memory) -> Tensor {
    Tensor::leaf(ty.clone(), memory.clone(), Some(id), Origin::here(), None)
}

/// Before a variable's memory is overwritten: if somebody else holds the current version, it gets memory of its own, and
/// the variable a new version.
pub(crate) fn keep_older(device: &Device, slot: &Slot, ring: &mut Ring) -> Result<(), Error> {
    let mut versions = slot.versions();
    if Arc::strong_count(&versions.current.0) == 1 {
        return Ok(());
    }
    let node = &versions.current.0;
    let next = Tensor::leaf(
        node.ty.clone(),
        slot.memory.clone(),
        Some(slot.id),
        node.origin.clone(),
        node.device.clone(),
    );
    move_away(device, &versions.current, ring)?;
    versions.current = next;
    Ok(())
}

/// Copies a version to memory of its own.
pub(crate) fn move_away(device: &Device, version: &Tensor, ring: &mut Ring) -> Result<(), Error> {
    let bytes = version.ty().bytes();
    let mut content = version.0.content();
    if let Content::Ready { memory, state, .. } = &mut *content {
        let own = ring.take(device, bytes)?;
        device.executor().copy(memory, &own, bytes)?;
        *memory = own;
        *state = None;
    }
    Ok(())
}
