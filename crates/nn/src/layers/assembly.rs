//! Descriptions become modules, one after another.

use crate::model::output_shape;
use crate::module::Module;
use warploom_tensor::{Device, Dims, Error, module_scope};

/// A description of one or several modules, without input size or device. A module that needs neither describes itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    note = "layers are descriptions such as Dense::new(64), modules, and Box<dyn Layer>; see layers![…] to mix kinds"
)]
pub trait Layer {
    /// Adds the modules for examples of the shape that [`Assembly::example`] says.
    ///
    /// # Errors
    /// Why there are none for this shape.
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error>;
}

impl<M: Module + 'static> Layer for M {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        assembly.add(|_| Ok(self))
    }
}

impl Layer for Box<dyn Layer> {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        (*self).assemble(assembly)
    }
}

/// Modules made so far, and the shape that an example has after them. Each module takes one position.
pub struct Assembly {
    device: Device,
    example: Dims,
    modules: Vec<Box<dyn Module>>,
}

impl Assembly {
    pub(crate) fn new(device: Device, example: Dims) -> Assembly {
        Assembly { device, example, modules: Vec::new() }
    }

    /// The shape of one example here, without the batch axis.
    pub fn example(&self) -> &[usize] {
        &self.example
    }

    /// The device on which variables are made; it is the current one within [`Assembly::add`].
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Makes the next module, from the shape of one example. Its own forward pass says what shape follows.
    ///
    /// # Errors
    /// `make`'s own, and what the forward pass says to the shape.
    pub fn add<M: Module + 'static>(
        &mut self,
        make: impl FnOnce(&[usize]) -> Result<M, Error>,
    ) -> Result<(), Error> {
        let position = self.modules.len().to_string();
        let (module, output) = module_scope(&position, || {
            let module = self.device.scope(|| make(&self.example))?;
            let output = output_shape(&module, &self.example, &self.device)?;
            Ok::<_, Error>((module, output))
        })?;
        self.modules.push(Box::new(module));
        self.example = output;
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<Box<dyn Module>> {
        self.modules
    }
}
