//! A training step: forward pass, loss, gradients and update as one recording.

use crate::gate::Gate;
use crate::module::{Mode, Module};
use crate::optimizers::{Optimizer, Updater};
use crate::scope::at_line;
use std::panic::Location;
use warploom_tensor::{Device, Error, Operand, Tensor, gradients};

/// A loss: prediction and target to a scalar.
pub type Loss = Box<dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync>;

/// What a loop repeats for each batch. Called in plain code it records and lets run; called in `device.record` it makes
/// the program that is replayed.
///
/// ```no_run
/// use warploom_nn::{Adam, Module, TrainingStep, losses};
/// use warploom_tensor::{DType, Device, InputSpec};
///
/// # fn example(model: impl Module, device: Device) -> Result<(), warploom_tensor::Error> {
/// let step = TrainingStep::new(&model, losses::cross_entropy, Adam::new(1e-3))?;
/// let batch = [InputSpec::new(DType::F32, &[32, 784]), InputSpec::new(DType::I32, &[32])];
/// let recorded = device.try_record(&batch, |inputs| {
///     let (loss, _) = step.record(&model, &inputs[0], &inputs[1])?;
///     Ok(vec![loss])
/// })?;
/// # Ok(()) }
/// ```
pub struct TrainingStep {
    loss: Loss,
    updater: Updater,
    gate: Option<Gate>,
}

impl TrainingStep {
    /// Over the module's parameters, with a [`Gate`].
    ///
    /// # Errors
    /// As [`Updater::new`].
    pub fn new(
        module: &(impl Module + ?Sized),
        loss: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
        optimizer: impl Optimizer + 'static,
    ) -> Result<TrainingStep, Error> {
        let updater = Updater::new(optimizer, module.parameters())?;
        let gate = Gate::new(&updater.step_count().device()?)?;
        Ok(TrainingStep { loss: Box::new(loss), updater, gate: Some(gate) })
    }

    /// Without the gate: an update that is not finite happens.
    pub fn ungated(self) -> TrainingStep {
        TrainingStep { gate: None, ..self }
    }

    /// The optimizer with its state.
    pub fn updater(&self) -> &Updater {
        &self.updater
    }

    /// The gate, if there is one.
    pub fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// Records a step on a batch; returns the loss (a scalar, of the parameters before the update) and the predictions.
    ///
    /// # Errors
    /// What the forward pass, the loss or the gradients cannot do.
    #[track_caller]
    pub fn record(
        &self,
        module: &(impl Module + ?Sized),
        x: &Tensor,
        target: &Tensor,
    ) -> Result<(Tensor, Tensor), Error> {
        let prediction = module.forward(x, Mode::Train);
        let loss = self.loss(&prediction, target);
        self.update(&loss)?;
        Ok((loss, prediction))
    }

    /// Records gradients and update for a loss of one's own making, a scalar that depends on every parameter.
    ///
    /// # Errors
    /// As [`gradients`].
    #[track_caller]
    pub fn update(&self, loss: &Tensor) -> Result<(), Error> {
        let parameters: Vec<&dyn Operand> =
            self.updater.parameters().iter().map(|p| p as &dyn Operand).collect();
        let gradients = gradients(loss, &parameters)?;
        match &self.gate {
            None => self.updater.step(&gradients),
            Some(gate) => {
                // The update waits for the gate: computed where each gradient is, it would be stored only to be selected
                // from later.
                let gradients: Vec<Tensor> = gradients.iter().map(Tensor::barrier).collect();
                self.updater.step_if(&gate.check(loss, &gradients)?, &gradients)
            }
        }
    }

    /// Records the loss alone, in evaluation; returns it and the predictions.
    #[track_caller]
    pub fn evaluate(&self, module: &(impl Module + ?Sized), x: &Tensor, target: &Tensor) -> (Tensor, Tensor) {
        let prediction = module.forward(x, Mode::Evaluate);
        (self.loss(&prediction, target), prediction)
    }

    #[track_caller]
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        at_line(&[prediction, target], (self.loss)(prediction, target), Location::caller())
    }

    /// Moves the optimizer's and the gate's state to where the module has moved.
    ///
    /// # Errors
    /// As [`Updater::move_to`].
    pub fn move_to(&mut self, module: &(impl Module + ?Sized), device: &Device) -> Result<(), Error> {
        self.updater.move_to(module.parameters(), device)?;
        self.gate.as_mut().map_or(Ok(()), |gate| gate.move_to(device))
    }
}
