//! Layers one after another.

use crate::initialise::seed_scope;
use crate::layers::{Assembly, Layer};
use crate::model::{Model, OnDevice, extents};
use crate::module::{Mode, Module};
use crate::parameters::{Parameters, Visitor, VisitorMut};
use crate::scope::in_module;
use warploom_tensor::{DType, Error, Integers, Tensor};

/// The description of layers one after another.
///
/// Variables are named by position, as torch.nn.Sequential's, where an activation is a position of its own:
/// `[Dense::new(64).relu(), Dense::new(1)]` has `0.weight`, `0.bias`, `2.weight`, `2.bias`. As a layer within another
/// `Sequential` it takes one position: `1.0.weight`.
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
    seed: Option<u64>,
}

impl Sequential {
    /// Of layers of one kind, or of [`crate::layers!`] of several.
    pub fn new<L: Layer + 'static>(layers: impl IntoIterator<Item = L>) -> Sequential {
        let layers = layers.into_iter().map(|layer| Box::new(layer) as Box<dyn Layer>).collect();
        Sequential { layers, seed: None }
    }

    /// Followed by one more layer.
    pub fn then(mut self, layer: impl Layer + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    /// First values are drawn by this seed, whatever was made before; without it, by the seed around
    /// ([`seed_scope`]).
    pub fn seed(self, seed: u64) -> Sequential {
        Sequential { seed: Some(seed), ..self }
    }

    /// Makes the variables, for examples of shape `input` (without the batch axis).
    ///
    /// # Errors
    /// No device; a layer that cannot take the shape it would get, named by its position.
    #[track_caller]
    pub fn build(self, input: impl Integers, device: impl OnDevice) -> Result<Model, Error> {
        let (input, device) = (extents(&input)?, device.on_device()?);
        let assembly = Assembly::new(device.clone(), input.clone());
        let stack = match self.seed {
            Some(seed) => seed_scope(seed, || self.stack(assembly)),
            None => self.stack(assembly),
        }?;
        Model::new(stack, input, device)
    }

    pub(super) fn stack(self, mut assembly: Assembly) -> Result<Stack, Error> {
        for layer in self.layers {
            layer.assemble(&mut assembly)?;
        }
        Ok(Stack { modules: assembly.finish() })
    }
}

impl Layer for Sequential {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        let device = assembly.device().clone();
        assembly.add(|example| self.stack(Assembly::new(device, example.into())))
    }
}

/// Modules one after another: what a [`Sequential`] becomes.
pub struct Stack {
    modules: Vec<Box<dyn Module>>,
}

impl Stack {
    /// Of modules made already.
    pub fn new(modules: Vec<Box<dyn Module>>) -> Stack {
        Stack { modules }
    }

    /// The modules, in order.
    pub fn modules(&self) -> &[Box<dyn Module>] {
        &self.modules
    }
}

impl Parameters for Stack {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.modules.visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        self.modules.visit_mut(visitor);
    }
}

impl Module for Stack {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = x.clone();
        for (position, module) in self.modules.iter().enumerate() {
            x = in_module(&position.to_string(), &x, || module.forward(&x, mode));
        }
        x
    }

    fn input_dtype(&self) -> Option<DType> {
        self.modules.first().and_then(Module::input_dtype)
    }
}
