//! Executors that pass on to another what they do not do themselves.

use crate::error::DeviceError;
use crate::executor::{EnergyCounter, Executable, Executor, Memory, Statistics, Target, Token};
use crate::program::Program;
use std::sync::Arc;

/// An executor around another, of which it changes what it says here. The rest is passed on in one place, below.
pub trait Around: Send + Sync {
    /// The executor within.
    fn inner(&self) -> &dyn Executor;

    /// As [`Executor::target`].
    fn rules(&self) -> &dyn Target {
        self.inner().target()
    }

    /// As [`Executor::prepare`].
    fn ready(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        self.inner().prepare(program)
    }
}

impl<T: Around> Executor for T {
    fn target(&self) -> &dyn Target {
        self.rules()
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError> {
        self.inner().allocate(bytes)
    }

    fn upload(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        self.inner().upload(memory, offset, bytes)
    }

    fn download(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.inner().download(memory, offset, bytes)
    }

    fn copy(&self, source: &Memory, destination: &Memory, bytes: usize) -> Result<Token, DeviceError> {
        self.inner().copy(source, destination, bytes)
    }

    fn receive(
        &self,
        source: &Memory,
        destination: &Memory,
        bytes: usize,
    ) -> Result<Option<Token>, DeviceError> {
        self.inner().receive(source, destination, bytes)
    }

    fn prepare(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        self.ready(program)
    }

    fn wait(&self, token: Token) -> Result<(), DeviceError> {
        self.inner().wait(token)
    }

    fn statistics(&self) -> Statistics {
        self.inner().statistics()
    }

    fn energy_counter(&self) -> EnergyCounter {
        self.inner().energy_counter()
    }
}
