//! A module on a device with the shape of what it takes.

use crate::module::{Mode, Module};
use crate::parameters::{Parameters, Visitor, VisitorMut};
use std::any::Any;
use warploom_tensor::{DType, Device, Dims, Error, Integers, Tensor, Variable};

/// A device, or the answer to the question for one, so that `build([10], Device::best())?` reads as it should.
pub trait OnDevice {
    /// The device.
    ///
    /// # Errors
    /// Why there is none.
    fn on_device(self) -> Result<Device, Error>;
}

impl OnDevice for Device {
    fn on_device(self) -> Result<Device, Error> {
        Ok(self)
    }
}

impl OnDevice for &Device {
    fn on_device(self) -> Result<Device, Error> {
        Ok(self.clone())
    }
}

impl OnDevice for Result<Device, Error> {
    fn on_device(self) -> Result<Device, Error> {
        self
    }
}

/// A module with its device and the shape of one example.
pub struct Model {
    module: Box<dyn Module>,
    device: Device,
    input: Dims,
    output: Dims,
    attached: Option<Box<dyn Any + Send + Sync>>,
}

impl Model {
    /// From a module whose variables are on `device` and that takes examples of shape `input`, without the batch axis.
    ///
    /// # Errors
    /// What the forward pass says to a batch of such examples; a device that is not there.
    #[track_caller]
    pub fn new(
        module: impl Module + 'static,
        input: impl Integers,
        device: impl OnDevice,
    ) -> Result<Model, Error> {
        let (input, device) = (extents(&input)?, device.on_device()?);
        let output = output_shape(&module, &input, &device)?;
        Ok(Model { module: Box::new(module), device, input, output, attached: None })
    }

    /// The device its variables are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The shape of one example, without the batch axis.
    pub fn input_shape(&self) -> &[usize] {
        &self.input
    }

    /// The shape of what one example gives.
    pub fn output_shape(&self) -> &[usize] {
        &self.output
    }

    /// The module.
    pub fn module(&self) -> &dyn Module {
        &*self.module
    }

    /// What a training framework keeps with the model between its calls: optimizer, loss, metrics.
    pub fn attached<T: Any>(&self) -> Option<&T> {
        self.attached.as_ref().and_then(|a| a.downcast_ref())
    }

    /// [`Model::attached`] to change it.
    pub fn attached_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.attached.as_mut().and_then(|a| a.downcast_mut())
    }

    /// Keeps `what` with the model, in place of what was attached before.
    pub fn attach<T: Any + Send + Sync>(&mut self, what: T) {
        self.attached = Some(Box::new(what));
    }

    /// Moves the variables to another device. What is attached stays as it is.
    ///
    /// # Errors
    /// As [`Parameters::move_to`].
    pub fn to(&mut self, device: impl OnDevice) -> Result<(), Error> {
        let device = device.on_device()?;
        self.module.move_to(&device)?;
        self.device = device;
        Ok(())
    }
}

impl Parameters for Model {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.module.visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        self.module.visit_mut(visitor);
    }
}

impl Module for Model {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.module.forward(x, mode)
    }

    fn input_dtype(&self) -> Option<DType> {
        self.module.input_dtype()
    }
}

/// Extents given by a user.
#[track_caller]
pub(crate) fn extents(list: &impl Integers) -> Result<Dims, Error> {
    let positive = |extent: &isize| usize::try_from(*extent).ok().filter(|n| *n > 0);
    let list = list.integers();
    list.iter().map(positive).collect::<Option<Dims>>().ok_or_else(|| {
        Error::new("build", format!("the shape of one example has extents of 1 and more, found {list:?}"))
    })
}

/// The shape that one example of shape `input` gives: recorded on a batch of one, nothing runs.
#[track_caller]
pub(crate) fn output_shape(
    module: &(impl Module + ?Sized),
    input: &[usize],
    device: &Device,
) -> Result<Dims, Error> {
    let dtype = match module.input_dtype() {
        Some(dtype) => dtype,
        None => module.named_variables().first().map_or(Ok(DType::F32), |first| first.variable.dtype())?,
    };
    let batch: Dims = [1].iter().chain(input).copied().collect();
    let example = device.scope(|| Tensor::zeros(&batch, dtype));
    let output = module.forward(&example, Mode::Evaluate).shape()?;
    Ok(Dims::from_slice(output.get(1..).unwrap_or_default()))
}

/// A variable on another device that begins with this one's value.
pub(crate) fn moved(variable: &Variable, device: &Device) -> Result<Variable, Error> {
    let there = Variable::new(variable.value().to(device));
    there.shape()?;
    Ok(match variable.name() {
        Some(name) => there.named(name),
        None => there,
    })
}
