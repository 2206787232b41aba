//! A training step: forward pass, loss, gradients and update as one recording.

use crate::accumulation::Accumulation;
use crate::clipping::Clipping;
use crate::gate::{Gate, all_finite};
use crate::loss_scale::{LossScale, LossScaling};
use crate::module::{Mode, Module};
use crate::optimizers::{Optimizer, Updater};
use crate::parameters::{Kind, NamedVariable};
use crate::scope::at_line;
use std::panic::Location;
use warploom_tensor::{Device, ElementwiseMethods, Error, Operand, Tensor, gradients};

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
    loss_scale: Option<LossScale>,
    clipping: Option<Clipping>,
    accumulation: Option<Accumulation>,
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
        Ok(TrainingStep {
            loss: Box::new(loss),
            updater,
            gate: Some(gate),
            loss_scale: None,
            clipping: None,
            accumulation: None,
        })
    }

    /// Without the gate: an update that is not finite happens. Nor is the loss scaled then.
    pub fn ungated(self) -> TrainingStep {
        TrainingStep { gate: None, loss_scale: None, ..self }
    }

    /// With the loss multiplied by a scale before gradients are computed, and gradients divided by it before anything looks
    /// at them: what is small stays in the range of f16. An update whose gradients overflow does not happen, and the scale
    /// is made smaller; the [`Gate`] counts such an update only where the scale is at its floor.
    ///
    /// # Errors
    /// A step without a gate; numbers that make no scale; what the device reports.
    pub fn scale_loss(self, scaling: LossScaling) -> Result<TrainingStep, Error> {
        if self.gate.is_none() {
            return Err(Error::new("scale_loss", "the step has no gate, which holds back what overflows"));
        }
        let loss_scale = LossScale::new(scaling, &self.updater.step_count().device()?)?;
        Ok(TrainingStep { loss_scale: Some(loss_scale), ..self })
    }

    /// With gradients clipped before an update, after those of several micro-batches were made one.
    pub fn clip(self, clipping: Clipping) -> TrainingStep {
        TrainingStep { clipping: Some(clipping), ..self }
    }

    /// With one update for so many batches, by the mean of their losses: for a loss that is a mean over the batch, what one
    /// batch of all their examples would do, where the batches are of one size and no layer looks at a batch as a whole
    /// (normalisation by batch sees each on its own). The sums are variables on the device, so that the batches may come
    /// in one launch or in several. A loss or gradient that is not finite holds back the update that it would be part of.
    ///
    /// # Errors
    /// No batches; what the device reports.
    pub fn accumulate(self, micro_batches: u32) -> Result<TrainingStep, Error> {
        let (parameters, device) = (self.updater.parameters(), self.updater.step_count().device()?);
        let loss = self.updater.learning_rate().dtype()?;
        let accumulation = Accumulation::new(micro_batches, parameters, loss, &device)?;
        Ok(TrainingStep { accumulation: Some(accumulation), ..self })
    }

    /// Every variable that goes from step to step beside the module's own: the optimizer's, the gate's counter, the loss's
    /// scale, the sums of micro-batches. With the module's, what an exact resumption needs.
    pub fn state(&self) -> Vec<NamedVariable> {
        let gate = self.gate.iter().map(|gate| NamedVariable {
            name: gate.skipped().name().unwrap_or_default().to_owned(),
            variable: gate.skipped().clone(),
            kind: Kind::State,
        });
        let scale = self.loss_scale.iter().flat_map(LossScale::state);
        let sums = self.accumulation.iter().flat_map(Accumulation::state);
        self.updater.state().into_iter().chain(gate).chain(scale).chain(sums).collect()
    }

    /// The optimizer with its state.
    pub fn updater(&self) -> &Updater {
        &self.updater
    }

    /// The gate, if there is one.
    pub fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// The loss's scale, if there is one.
    pub fn loss_scale(&self) -> Option<&LossScale> {
        self.loss_scale.as_ref()
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
        let line = Location::caller();
        self.record_with(module, x, |prediction| self.loss_at(prediction, target, line))
    }

    /// [`TrainingStep::record`] with a loss of the predictions, such as one that weighs examples. State that the forward
    /// pass changes, such as running statistics, is kept by the gate as parameters are.
    ///
    /// # Errors
    /// As [`TrainingStep::record`].
    #[track_caller]
    pub fn record_with(
        &self,
        module: &(impl Module + ?Sized),
        x: &Tensor,
        loss: impl FnOnce(&Tensor) -> Tensor,
    ) -> Result<(Tensor, Tensor), Error> {
        let mut state = Vec::new();
        if self.gate.is_some() {
            let all = module.named_variables().into_iter().filter(|v| v.kind == Kind::State);
            state.extend(all.map(|v| (v.variable.value(), v.variable)));
        }
        let prediction = module.forward(x, Mode::Train);
        let loss = loss(&prediction);
        if let Some(passes) = self.gated(&loss)? {
            for (before, variable) in state {
                variable.assign(&passes.select(&variable.value(), &before))?;
            }
        }
        Ok((loss, prediction))
    }

    /// Records gradients and update for a loss of one's own making, a scalar that depends on every parameter.
    ///
    /// # Errors
    /// As [`gradients`].
    #[track_caller]
    pub fn update(&self, loss: &Tensor) -> Result<(), Error> {
        self.gated(loss).map(|_| ())
    }

    /// Records the gradients of a loss by the parameters, in their order, without an update.
    ///
    /// # Errors
    /// As [`gradients`].
    #[track_caller]
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Tensor>, Error> {
        let parameters: Vec<&dyn Operand> =
            self.updater.parameters().iter().map(|p| p as &dyn Operand).collect();
        gradients(loss, &parameters)
    }

    /// Records an update; returns whether the step changes anything, `bool[]`, where there is a gate.
    #[track_caller]
    fn gated(&self, loss: &Tensor) -> Result<Option<Tensor>, Error> {
        let mut gradients = match &self.loss_scale {
            Some(scale) => scale.undo(&self.gradients(&scale.apply(loss)?)?)?,
            None => self.gradients(loss)?,
        };
        if self.gate.is_some() || self.clipping.is_some() || self.accumulation.is_some() {
            // The update waits for all gradients: computed where each of them is, it would be stored only to be changed or
            // selected from later.
            gradients = gradients.iter().map(Tensor::barrier).collect();
        }
        let (mut takes_place, mut changes, mut passes, mut overflows) = (None, None, None, None);
        if let Some(gate) = &self.gate {
            let finite = all_finite(loss, &gradients);
            let overflow = self.loss_scale.as_ref().map(|scale| scale.overflows(loss, &finite));
            let admitted =
                gate.admit(&overflow.as_ref().map_or(finite.clone(), |overflow| finite.or(overflow)))?;
            overflows = overflow.map(|overflow| overflow.and(&admitted));
            let both = admitted.and(&finite);
            (changes, passes) = (Some(both.clone()), Some(both));
            takes_place = Some(admitted);
        }
        let mut due = takes_place.clone();
        if let Some(accumulation) = &self.accumulation {
            let whole = accumulation.add(loss, &gradients, takes_place.as_ref())?;
            passes = Some(match &self.gate {
                Some(_) => whole.due.and(&all_finite(&whole.loss, &whole.gradients)),
                None => whole.due.clone(),
            });
            (gradients, due) = (whole.gradients, Some(whole.due));
        }
        if let (Some(gate), Some(due), Some(passes)) = (&self.gate, &due, &passes) {
            let held = due.and(&passes.not());
            gate.count(&match (&self.loss_scale, &overflows) {
                (Some(scale), Some(overflows)) => held.and(&scale.advance(overflows, due, passes)?.not()),
                _ => held,
            })?;
        }
        if let Some(clipping) = &self.clipping {
            gradients = clipping.apply(&gradients)?;
        }
        match &passes {
            Some(condition) => self.updater.step_if(condition, &gradients)?,
            None => self.updater.step(&gradients)?,
        }
        Ok(changes)
    }

    /// Records the loss alone, in evaluation; returns it and the predictions.
    #[track_caller]
    pub fn evaluate(&self, module: &(impl Module + ?Sized), x: &Tensor, target: &Tensor) -> (Tensor, Tensor) {
        let prediction = module.forward(x, Mode::Evaluate);
        (self.loss_at(&prediction, target, Location::caller()), prediction)
    }

    fn loss_at(&self, prediction: &Tensor, target: &Tensor, line: &'static Location<'static>) -> Tensor {
        at_line(&[prediction, target], (self.loss)(prediction, target), line)
    }

    /// Moves the optimizer's and the gate's state to where the module has moved.
    ///
    /// # Errors
    /// As [`Updater::move_to`].
    pub fn move_to(&mut self, module: &(impl Module + ?Sized), device: &Device) -> Result<(), Error> {
        self.updater.move_to(module.parameters(), device)?;
        if let Some(accumulation) = &mut self.accumulation {
            accumulation.move_to(device)?;
        }
        if let Some(scale) = &mut self.loss_scale {
            scale.move_to(device)?;
        }
        self.gate.as_mut().map_or(Ok(()), |gate| gate.move_to(device))
    }
}
