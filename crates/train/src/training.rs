//! Compile, fit, evaluate, predict: what a model can do with data.

use crate::compiled::{self, Attached, Compiled};
use crate::error::{Error, Result};
use crate::examples::Examples;
use crate::fit::{Evaluate, Fit, Held};
use crate::history::{History, Scores};
use crate::metrics::Metric;
use crate::plan::RunPlan;
use crate::predict;
use crate::session::{Evaluation, Planner, Split};
use crate::trainer::Trainer;
use crate::weighting::{self, LossFunction};
use std::sync::Arc;
use warploom_data::Dataset;
use warploom_nn::{LossScaling, Model, Optimizer, TrainingStep};
use warploom_tensor::{Precision, Recorded, Tensor};

/// What a [`Model`] can do with data. `x` and `y` begin with the number of examples and are on the model's device;
/// features of bytes are scaled to 0 to 1 on the device.
pub trait Training {
    /// Chooses optimizer, loss and metrics. The optimizer's state begins anew. A loss gives the mean over the batch, or one
    /// value an example, `[batch]`, of which the mean is taken.
    ///
    /// # Errors
    /// A model without parameters; what the device reports.
    fn compile<L>(
        &mut self,
        optimizer: impl Optimizer + 'static,
        loss: L,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> Result<()>
    where
        L: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static;

    /// [`Training::compile`] with a step that clips or accumulates gradients: `|step| Ok(step.clip(…))`.
    ///
    /// # Errors
    /// As [`Training::compile`]; those of `settings`.
    fn compile_with<L>(
        &mut self,
        optimizer: impl Optimizer + 'static,
        loss: L,
        metrics: impl IntoIterator<Item = Metric>,
        settings: impl FnOnce(TrainingStep) -> std::result::Result<TrainingStep, warploom_tensor::Error>,
    ) -> Result<()>
    where
        L: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static;

    /// Learns from `x` and `y`. Another fit goes on from weights and optimizer state; a model that has moved to another
    /// device in between takes the optimizer's state along.
    ///
    /// # Errors
    /// A model that is not compiled; shapes that do not fit; numbers that are not finite in the data;
    /// [`Error::Diverged`] where no update of an epoch was finite; what the device reports.
    fn fit(&mut self, x: &Tensor, y: &Tensor, fit: Fit<'_>) -> Result<History>;

    /// [`Training::fit`] on a data set, whose batches are prepared beside the computation.
    ///
    /// # Errors
    /// As [`Training::fit`].
    fn fit_data(&mut self, data: &Dataset, fit: Fit<'_>) -> Result<History>;

    /// Loss and metrics on `x` and `y`.
    ///
    /// # Errors
    /// As [`Training::fit`].
    fn evaluate(&self, x: &Tensor, y: &Tensor) -> Result<Scores>;

    /// [`Training::evaluate`] with another batch size, fewer steps, or weights.
    ///
    /// # Errors
    /// As [`Training::fit`].
    fn evaluate_with(&self, x: &Tensor, y: &Tensor, how: Evaluate<'_>) -> Result<Scores>;

    /// [`Training::evaluate`] on a data set.
    ///
    /// # Errors
    /// As [`Training::fit`].
    fn evaluate_data(&self, data: &Dataset) -> Result<Scores>;

    /// [`Training::evaluate_data`] with another batch size, fewer steps, or weights.
    ///
    /// # Errors
    /// As [`Training::fit`].
    fn evaluate_data_with(&self, data: &Dataset, how: Evaluate<'_>) -> Result<Scores>;

    /// What the model says to `x`, `[examples, …]`, computed in batches.
    ///
    /// # Errors
    /// Another shape than the model's; no examples; what the device reports.
    fn predict(&self, x: &Tensor) -> Result<Tensor>;

    /// [`Training::predict`] in batches of another size than 256.
    ///
    /// # Errors
    /// As [`Training::predict`]; a batch size of 0.
    fn predict_in_batches(&self, x: &Tensor, batch: usize) -> Result<Tensor>;

    /// The memory that this fit would use, and the program of its training step.
    ///
    /// # Errors
    /// As [`Training::fit`].
    fn plan_data(&mut self, data: &Dataset, fit: &Fit<'_>) -> Result<(RunPlan, Recorded)>;

    /// The largest batch, up to all examples, with which this fit keeps to its memory limit, else to the device's memory
    /// less a fifth of it. What is recorded is planned, and nothing of it allocated.
    ///
    /// # Errors
    /// As [`Training::fit`]; [`Error::Memory`] where not even one example fits; a device that does not say what memory it
    /// has, where no limit is set.
    fn largest_batch(&mut self, data: &Dataset, fit: &Fit<'_>) -> Result<usize>;
}

impl Training for Model {
    fn compile<L>(
        &mut self,
        optimizer: impl Optimizer + 'static,
        loss: L,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> Result<()>
    where
        L: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    {
        self.compile_with(optimizer, loss, metrics, Ok)
    }

    fn compile_with<L>(
        &mut self,
        optimizer: impl Optimizer + 'static,
        loss: L,
        metrics: impl IntoIterator<Item = Metric>,
        settings: impl FnOnce(TrainingStep) -> std::result::Result<TrainingStep, warploom_tensor::Error>,
    ) -> Result<()>
    where
        L: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    {
        let loss: LossFunction = Arc::new(loss);
        let mean = loss.clone();
        let step =
            TrainingStep::new(self, move |p: &Tensor, t: &Tensor| weighting::mean(&mean, p, t), optimizer)?;
        let step = match self.device().precision() {
            Precision::F16 => step.scale_loss(LossScaling::default())?,
            Precision::F32 | Precision::Tf32 | Precision::Bf16 => step,
        };
        let step = settings(step)?;
        let metrics = metrics.into_iter().collect();
        let mut compiled = Compiled { step, loss, metrics, epochs: 0, armed: false };
        // Here and not in a fit, whose plan counts every byte.
        compiled.arm()?;
        self.device().sync()?;
        self.attach(Attached::new(compiled));
        Ok(())
    }

    fn fit(&mut self, x: &Tensor, y: &Tensor, fit: Fit<'_>) -> Result<History> {
        fit.check()?;
        let examples = Examples::tensors(x, y, self.device())?;
        run(self, examples, fit)
    }

    fn fit_data(&mut self, data: &Dataset, fit: Fit<'_>) -> Result<History> {
        fit.check()?;
        run(self, Examples::data(data), fit)
    }

    fn evaluate(&self, x: &Tensor, y: &Tensor) -> Result<Scores> {
        self.evaluate_with(x, y, Evaluate::default())
    }

    fn evaluate_with(&self, x: &Tensor, y: &Tensor, how: Evaluate<'_>) -> Result<Scores> {
        let examples = Examples::tensors(x, y, self.device())?;
        evaluate(self, &examples.weighted(how.sample_weight)?, how)
    }

    fn evaluate_data(&self, data: &Dataset) -> Result<Scores> {
        self.evaluate_data_with(data, Evaluate::default())
    }

    fn evaluate_data_with(&self, data: &Dataset, how: Evaluate<'_>) -> Result<Scores> {
        evaluate(self, &Examples::data(data).weighted(how.sample_weight)?, how)
    }

    fn predict(&self, x: &Tensor) -> Result<Tensor> {
        predict::predict(self, x, predict::BATCH)
    }

    fn predict_in_batches(&self, x: &Tensor, batch: usize) -> Result<Tensor> {
        predict::predict(self, x, batch)
    }

    fn plan_data(&mut self, data: &Dataset, fit: &Fit<'_>) -> Result<(RunPlan, Recorded)> {
        fit.check()?;
        let attached = Attached::of(self)?;
        let compiled = attached.lock()?;
        let split = Split::new(self, Examples::data(data), fit)?;
        let drafts = Planner::new(self, &compiled, &split, fit)?.fitting()?;
        let Some((program, _)) = drafts.train.programs().next() else {
            return Err(Error::invalid("there are no examples to learn from"));
        };
        Ok((drafts.plan.clone(), program.clone().ready()?))
    }

    fn largest_batch(&mut self, data: &Dataset, fit: &Fit<'_>) -> Result<usize> {
        fit.check()?;
        let attached = Attached::of(self)?;
        let compiled = attached.lock()?;
        let split = Split::new(self, Examples::data(data), fit)?;
        Planner::new(self, &compiled, &split, fit)?.largest_batch()
    }
}

/// The state, on the model's device.
fn compiled_here<'a>(model: &Model, attached: &'a Attached) -> Result<compiled::Held<'a>> {
    let mut compiled = attached.lock()?;
    if compiled.step.updater().step_count().device()? != *model.device() {
        compiled.step.move_to(model, model.device())?;
    }
    Ok(compiled)
}

fn evaluate(model: &Model, examples: &Examples, how: Evaluate<'_>) -> Result<Scores> {
    how.check()?;
    let attached = Attached::of(model)?;
    let compiled = compiled_here(model, &attached)?;
    let mut evaluation = Evaluation::new(model, &compiled, examples, how.batch, how.steps)?;
    let scores = evaluation.run(&compiled, || true)?;
    Ok(scores.unwrap_or_default())
}

impl Split {
    fn new(model: &Model, examples: Examples, fit: &Fit<'_>) -> Result<Split> {
        let examples = examples.weighted(fit.sample_weight)?;
        let (train, validation) = match &fit.validation {
            Held::None => (examples, None),
            Held::Split(fraction) => examples.split_last(*fraction)?,
            Held::Tensors(x, y) => (examples, Some(Examples::tensors(x, y, model.device())?)),
            Held::Data(data) => (examples, Some(Examples::data(data))),
        };
        let validation = match validation {
            Some(examples) => Some(examples.weighted(fit.validation_weight)?),
            None => None,
        };
        Ok(Split { train, validation, test: fit.test.map(Examples::data) })
    }
}

fn run(model: &Model, examples: Examples, fit: Fit<'_>) -> Result<History> {
    let attached = Attached::of(model)?;
    let mut compiled = compiled_here(model, &attached)?;
    if let Some(seed) = fit.seed {
        model.device().seed(seed)?;
    }
    let split = Split::new(model, examples, &fit)?;
    Trainer::new(model, &mut compiled, &split, fit)?.run()
}
