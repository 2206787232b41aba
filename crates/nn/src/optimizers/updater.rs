//! An optimizer over given parameters, with its state.

use crate::initialise::zeros;
use crate::model::moved;
use crate::optimizers::{Moment, Optimizer};
use crate::parameters::{Kind, NamedVariable};
use crate::schedules::Schedule;
use std::borrow::Borrow;
use warploom_tensor::{DType, Device, ElementwiseMethods, Error, Tensor, Variable};

/// An optimizer over given parameters. Its state is variables, named `adam.step`, `adam.learning_rate` and
/// `adam.m.<parameter>` by the optimizer; a parameter without a name goes by its position.
///
/// ```no_run
/// use warploom_nn::{Adam, Updater, losses};
/// use warploom_tensor::{Tensor, Variable, gradients};
///
/// # fn example(x: Tensor, y: Tensor) -> Result<(), warploom_tensor::Error> {
/// let w = Variable::new([[0.5f32], [0.1]]).named("w");
/// let adam = Updater::new(Adam::new(1e-3), [&w])?;
/// for _ in 0..1000 {
///     let loss = losses::mean_squared_error(&x.matmul(&w), &y);
///     adam.step(&gradients(&loss, &[&w])?)?;
/// }
/// # Ok(()) }
/// ```
pub struct Updater {
    optimizer: Box<dyn Optimizer>,
    parameters: Vec<Variable>,
    /// One list for each parameter, in the order of the optimizer's slots.
    slots: Vec<Vec<Variable>>,
    /// `u32[]`, updates made.
    step: Variable,
    /// The base learning rate, `[]`; f64 if a parameter is.
    learning_rate: Variable,
}

impl Updater {
    /// Makes the state, on the parameters' device.
    ///
    /// # Errors
    /// An optimizer with numbers that cannot be; no parameters; one that is not of floats or could not be made; what the device reports.
    pub fn new<V: Borrow<Variable>>(
        optimizer: impl Optimizer + 'static,
        parameters: impl IntoIterator<Item = V>,
    ) -> Result<Updater, Error> {
        let name = optimizer.name();
        optimizer.check()?;
        let parameters: Vec<Variable> = parameters.into_iter().map(|p| p.borrow().clone()).collect();
        let Some(first) = parameters.first() else {
            return Err(Error::new(name, "has no parameters to change"));
        };
        let device = first.device()?;
        let mut slots = Vec::with_capacity(parameters.len());
        let mut dtype = DType::F32;
        for (position, parameter) in parameters.iter().enumerate() {
            let (shape, own) = (parameter.shape()?, parameter.dtype()?);
            let called = parameter.name().map_or_else(|| position.to_string(), str::to_owned);
            if !own.is_float() {
                return Err(Error::new(name, format!("changes floats, found {called} of {own}")));
            }
            if own == DType::F64 {
                dtype = DType::F64;
            }
            let slot = |slot: &&str| zeros(&format!("{name}.{slot}.{called}"), &shape, own, &device);
            slots.push(optimizer.slots().iter().map(slot).collect::<Result<Vec<_>, _>>()?);
        }
        let step = zeros(&format!("{name}.step"), &[], DType::U32, &device)?;
        let rate = optimizer.learning_rate();
        let rate =
            device.scope(|| if dtype == DType::F64 { Tensor::from(rate) } else { Tensor::from(rate as f32) });
        let learning_rate = Variable::new(rate).named(&format!("{name}.learning_rate"));
        learning_rate.shape()?;
        Ok(Updater { optimizer: Box::new(optimizer), parameters, slots, step, learning_rate })
    }

    /// What it changes, in the order in which gradients are given.
    pub fn parameters(&self) -> &[Variable] {
        &self.parameters
    }

    /// Updates made so far, `u32[]`.
    pub fn step_count(&self) -> &Variable {
        &self.step
    }

    /// The base learning rate `[]`, which the schedule starts from. Assign it to change it; nothing is compiled anew.
    pub fn learning_rate(&self) -> &Variable {
        &self.learning_rate
    }

    /// How the learning rate follows from the base and the step.
    pub fn schedule(&self) -> &dyn Schedule {
        self.optimizer.schedule()
    }

    /// Every variable of the state, to be saved with the model.
    pub fn state(&self) -> Vec<NamedVariable> {
        let all = [&self.step, &self.learning_rate].into_iter().chain(self.slots.iter().flatten());
        let named = |v: &Variable| NamedVariable {
            name: v.name().unwrap_or_default().to_owned(),
            variable: v.clone(),
            kind: Kind::State,
        };
        all.map(named).collect()
    }

    /// Records one update of every parameter, from gradients in the order of [`Updater::parameters`].
    ///
    /// # Errors
    /// Another number of gradients; the error that a gradient carries.
    #[track_caller]
    pub fn step(&self, gradients: &[Tensor]) -> Result<(), Error> {
        self.record(gradients, None)
    }

    /// [`Updater::step`] where `condition` (`bool[]`) holds; else every variable, the step counter included, keeps its
    /// value.
    ///
    /// # Errors
    /// As [`Updater::step`].
    #[track_caller]
    pub fn step_if(&self, condition: &Tensor, gradients: &[Tensor]) -> Result<(), Error> {
        self.record(gradients, Some(condition))
    }

    #[track_caller]
    fn record(&self, gradients: &[Tensor], condition: Option<&Tensor>) -> Result<(), Error> {
        if gradients.len() != self.parameters.len() {
            let message = format!("{} gradients for {} parameters", gradients.len(), self.parameters.len());
            return Err(Error::new(self.optimizer.name(), message));
        }
        let assign = |variable: &Variable, next: Tensor| match condition {
            Some(condition) => variable.assign(&condition.select(&next, &variable.value())),
            None => variable.assign(&next),
        };
        let step = self.step.value();
        let mut by_dtype: Vec<(DType, Vec<Tensor>)> = Vec::new();
        let mut assignments: Vec<(&Variable, Tensor)> = Vec::new();
        for ((parameter, slots), gradient) in self.parameters.iter().zip(&self.slots).zip(gradients) {
            let dtype = parameter.dtype()?;
            let at = by_dtype.iter().position(|(known, _)| *known == dtype).unwrap_or_else(|| {
                by_dtype.push((dtype, self.optimizer.shared(&self.moment(&step, dtype))));
                by_dtype.len() - 1
            });
            let kept: Vec<Tensor> = slots.iter().map(Variable::value).collect();
            let update = self.optimizer.update(&parameter.value(), gradient, &kept, &by_dtype[at].1);
            assignments.push((parameter, update.parameter));
            assignments.extend(slots.iter().zip(update.slots));
        }
        let next = &step + &step.full_like(1.0);
        assignments.push((&self.step, next));
        assignments.into_iter().try_for_each(|(variable, next)| assign(variable, next))
    }

    fn moment(&self, step: &Tensor, dtype: DType) -> Moment {
        let step = step.cast(dtype);
        let learning_rate =
            self.optimizer.schedule().learning_rate(&self.learning_rate.value().cast(dtype), &step);
        Moment { learning_rate, step }
    }

    /// Moves the state to where the model's parameters have moved, given in the same order.
    ///
    /// # Errors
    /// Another number of parameters; what the devices report.
    pub fn move_to(&mut self, parameters: Vec<Variable>, device: &Device) -> Result<(), Error> {
        if parameters.len() != self.parameters.len() {
            let message = format!("{} parameters in place of {}", parameters.len(), self.parameters.len());
            return Err(Error::new(self.optimizer.name(), message));
        }
        let state =
            [&mut self.step, &mut self.learning_rate].into_iter().chain(self.slots.iter_mut().flatten());
        for variable in state {
            *variable = moved(variable, device)?;
        }
        self.parameters = parameters;
        Ok(())
    }
}
