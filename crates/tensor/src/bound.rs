//! A recorded program with memories of its own, for loops that make no tensors.

use crate::element::Element;
use crate::error::Error;
use crate::recorded::Recorded;
use warploom_device::{Memory, Token};

/// A recorded program bound to sets of input and output memories. While one set runs, another can be filled.
pub struct Bound {
    recorded: Recorded,
    sets: Vec<Set>,
}

struct Set {
    inputs: Vec<Memory>,
    outputs: Vec<Memory>,
    token: Option<Token>,
}

impl Bound {
    pub(crate) fn new(recorded: Recorded, slots: usize) -> Result<Bound, Error> {
        let device = recorded.device().clone();
        let allocate = |types: &[warploom_graph::Type]| -> Result<Vec<Memory>, Error> {
            types.iter().map(|ty| device.allocate(ty.bytes())).collect()
        };
        let set = |_| {
            let (inputs, outputs) = (allocate(recorded.inputs())?, allocate(recorded.outputs())?);
            Ok::<Set, Error>(Set { inputs, outputs, token: None })
        };
        let sets = (0..slots.max(1)).map(set).collect::<Result<_, _>>()?;
        Ok(Bound { recorded, sets })
    }

    /// The program.
    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// Number of sets.
    pub fn slots(&self) -> usize {
        self.sets.len()
    }

    /// The memory of an input.
    ///
    /// # Panics
    /// If there is no such set or input.
    pub fn input(&self, slot: usize, index: usize) -> &Memory {
        &self.sets[slot].inputs[index]
    }

    /// The memory of an output.
    ///
    /// # Panics
    /// If there is no such set or output.
    pub fn output(&self, slot: usize, index: usize) -> &Memory {
        &self.sets[slot].outputs[index]
    }

    /// Copies stored bytes to an input, after what was launched before.
    ///
    /// # Errors
    /// Another number of bytes than the input has; what the device reports.
    ///
    /// # Panics
    /// As [`Bound::input`].
    pub fn upload(&self, slot: usize, index: usize, bytes: &[u8]) -> Result<Token, Error> {
        let ty = &self.recorded.inputs()[index];
        if bytes.len() != ty.bytes() {
            return Err(Error::new(
                "upload",
                format!("input {index} is {ty}, {} bytes, found {}", ty.bytes(), bytes.len()),
            ));
        }
        Ok(self.recorded.device().executor().upload(self.input(slot, index), 0, bytes)?)
    }

    /// Starts a run on a set and returns at once where the device can.
    ///
    /// # Errors
    /// What fails in pending work; what the device reports.
    ///
    /// # Panics
    /// If there is no such set.
    #[track_caller]
    pub fn launch(&mut self, slot: usize) -> Result<Token, Error> {
        let set = &mut self.sets[slot];
        let token = self.recorded.launch(&set.inputs, &set.outputs)?;
        set.token = Some(token);
        Ok(token)
    }

    /// Returns when the latest run on a set is done.
    ///
    /// # Errors
    /// What failed in it.
    ///
    /// # Panics
    /// If there is no such set.
    pub fn wait(&mut self, slot: usize) -> Result<(), Error> {
        match self.sets[slot].token.take() {
            Some(token) => Ok(self.recorded.device().executor().wait(token)?),
            None => Ok(()),
        }
    }

    /// Waits for the latest run on a set and copies an output's stored bytes to the host.
    ///
    /// # Errors
    /// What failed in the run; more bytes than the output has.
    ///
    /// # Panics
    /// As [`Bound::output`].
    pub fn download(&mut self, slot: usize, index: usize, bytes: &mut [u8]) -> Result<(), Error> {
        self.wait(slot)?;
        Ok(self.recorded.device().executor().download(self.output(slot, index), 0, bytes)?)
    }

    /// Waits for the latest run on a set and reads an output's elements in row-major order.
    ///
    /// # Errors
    /// As [`Bound::download`]; a dtype other than `T`'s.
    ///
    /// # Panics
    /// As [`Bound::output`].
    pub fn read<T: Element>(&mut self, slot: usize, index: usize) -> Result<Vec<T>, Error> {
        let ty = self.recorded.outputs()[index].clone();
        if ty.dtype != T::DTYPE {
            return Err(Error::new("read", format!("output {index} is {ty}, {} was asked for", T::DTYPE)));
        }
        let mut bytes = vec![0; ty.bytes()];
        self.download(slot, index, &mut bytes)?;
        Ok(T::from_bytes(&bytes))
    }
}
