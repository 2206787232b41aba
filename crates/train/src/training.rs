//! Compile, fit, evaluate, predict: what a model can do with data.

use crate::compiled::{Attached, Compiled};
use crate::error::{Error, Result};
use crate::examples::Examples;
use crate::fit::{EpochReport, Fit, Held};
use crate::history::{History, Scores};
use crate::metrics::Metric;
use crate::plan::RunPlan;
use crate::predict;
use crate::progress::Progress;
use crate::session::{Evaluation, Session, Setup};
use std::sync::MutexGuard;
use std::time::Instant;
use warploom_data::Dataset;
use warploom_nn::{Model, Optimizer, TrainingStep};
use warploom_tensor::{Recorded, Tensor};

/// Examples in a batch of [`Training::evaluate`].
const EVALUATE_BATCH: usize = 256;

/// What a [`Model`] can do with data. `x` and `y` begin with the number of examples and are on the model's device;
/// features of bytes are scaled to 0 to 1 on the device.
pub trait Training {
    /// Chooses optimizer, loss and metrics. The optimizer's state begins anew.
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

    /// Learns from `x` and `y`. Another fit goes on from weights and optimizer state; a model that has moved to another
    /// device in between takes the optimizer's state along.
    ///
    /// # Errors
    /// A model that is not compiled; shapes that do not fit; numbers that are not finite in the data or, at every step of
    /// an epoch, in the loss; what the device reports.
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

    /// [`Training::evaluate`] on a data set.
    ///
    /// # Errors
    /// As [`Training::fit`].
    fn evaluate_data(&self, data: &Dataset) -> Result<Scores>;

    /// What the model says to `x`, `[examples, …]`, computed in batches.
    ///
    /// # Errors
    /// Another shape than the model's; no examples; what the device reports.
    fn predict(&self, x: &Tensor) -> Result<Tensor>;

    /// The memory that this fit would use, and the program of its training step.
    ///
    /// # Errors
    /// As [`Training::fit`].
    fn plan_data(&mut self, data: &Dataset, fit: &Fit<'_>) -> Result<(RunPlan, Recorded)>;
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
        let step = TrainingStep::new(self, loss, optimizer)?;
        self.attach(Attached::new(Compiled { step, metrics: metrics.into_iter().collect(), epochs: 0 }));
        Ok(())
    }

    fn fit(&mut self, x: &Tensor, y: &Tensor, fit: Fit<'_>) -> Result<History> {
        fit.check()?;
        let examples = Examples::tensors(x, y, self.device())?;
        run(self, examples, fit)
    }

    fn fit_data(&mut self, data: &Dataset, fit: Fit<'_>) -> Result<History> {
        fit.check()?;
        run(self, Examples::Data(data.clone()), fit)
    }

    fn evaluate(&self, x: &Tensor, y: &Tensor) -> Result<Scores> {
        evaluate(self, &Examples::tensors(x, y, self.device())?)
    }

    fn evaluate_data(&self, data: &Dataset) -> Result<Scores> {
        evaluate(self, &Examples::Data(data.clone()))
    }

    fn predict(&self, x: &Tensor) -> Result<Tensor> {
        predict::predict(self, x)
    }

    fn plan_data(&mut self, data: &Dataset, fit: &Fit<'_>) -> Result<(RunPlan, Recorded)> {
        fit.check()?;
        let attached = Attached::of(self)?;
        let compiled = attached.lock();
        let split = Split::new(self, Examples::Data(data.clone()), fit)?;
        let session = Session::new(self, &compiled, &split.setup(fit))?;
        let Some(program) = session.train.programs().next() else {
            return Err(Error::invalid("there are no examples to learn from"));
        };
        Ok((session.plan.clone(), program.recorded().clone()))
    }
}

/// The state, on the model's device.
fn compiled_here<'a>(model: &Model, attached: &'a Attached) -> Result<MutexGuard<'a, Compiled>> {
    let mut compiled = attached.lock();
    if compiled.step.updater().step_count().device()? != *model.device() {
        compiled.step.move_to(model, model.device())?;
    }
    Ok(compiled)
}

fn evaluate(model: &Model, examples: &Examples) -> Result<Scores> {
    let attached = Attached::of(model)?;
    let compiled = compiled_here(model, &attached)?;
    let batch = EVALUATE_BATCH.min(examples.len());
    let scores = Evaluation::new(model, &compiled, examples, batch)?.run(|| true)?;
    Ok(scores.unwrap_or_default())
}

/// What is learned from, watched, tested.
struct Split {
    train: Examples,
    validation: Option<Examples>,
    test: Option<Examples>,
}

impl Split {
    fn new(model: &Model, examples: Examples, fit: &Fit<'_>) -> Result<Split> {
        let (train, validation) = match &fit.validation {
            Held::None => (examples, None),
            Held::Split(fraction) => examples.split_last(*fraction)?,
            Held::Tensors(x, y) => (examples, Some(Examples::tensors(x, y, model.device())?)),
            Held::Data(data) => (examples, Some(Examples::Data(Dataset::clone(data)))),
        };
        Ok(Split { train, validation, test: fit.test.map(|data| Examples::Data(data.clone())) })
    }

    fn setup(&self, fit: &Fit<'_>) -> Setup<'_> {
        Setup {
            train: &self.train,
            validation: self.validation.as_ref(),
            test: self.test.as_ref(),
            batch: fit.batch,
            shuffle: fit.shuffle,
            seed: fit.seed,
        }
    }
}

fn run(model: &Model, examples: Examples, mut fit: Fit<'_>) -> Result<History> {
    let attached = Attached::of(model)?;
    let mut compiled = compiled_here(model, &attached)?;
    let device = model.device();
    if let Some(seed) = fit.seed {
        device.seed(seed)?;
    }
    let split = Split::new(model, examples, &fit)?;
    let mut session = Session::new(model, &compiled, &split.setup(&fit))?;
    let mut history = History {
        plan: session.plan.clone(),
        launches_per_step: session.train.launches_per_step(),
        ..History::default()
    };
    let mut progress = Progress::new(fit.quiet, fit.epochs, split.train.len());
    let mut skipped_before = skipped(&compiled)?;
    let started = Instant::now();
    let (mut trained_seconds, mut trained) = (0.0, 0usize);
    for epoch in 1..=fit.epochs {
        let epoch_started = Instant::now();
        let finished = session.train.run(&mut session.feed, compiled.epochs, |sent| {
            progress.step(epoch, sent, sent as f64 / epoch_started.elapsed().as_secs_f64());
            !fit.is_stopped()
        })?;
        device.sync()?;
        if !finished {
            history.interrupted = true;
            break;
        }
        let (scores, counted) = session.totals.collect()?;
        let mut scores = Scores(scores);
        trained_seconds += epoch_started.elapsed().as_secs_f64();
        trained += split.train.len();
        compiled.epochs += 1;
        let now = skipped(&compiled)?;
        let skipped_steps = now - skipped_before;
        skipped_before = now;
        history.skipped += skipped_steps;
        if skipped_steps > 0 {
            explain_skipped(
                &split.train,
                skipped_steps,
                session.train.batches(),
                counted,
                epoch,
                &mut progress,
            )?;
        }
        if let Some(validation) = &mut session.validation {
            match validation.run(|| !fit.is_stopped())? {
                Some(watched) => scores.0.extend(watched.0.into_iter().map(|(n, v)| (format!("val_{n}"), v))),
                None => history.interrupted = true,
            }
        }
        let samples_per_second = trained as f64 / trained_seconds;
        progress.epoch(epoch, &scores, samples_per_second);
        if let Some(report) = &mut fit.on_epoch {
            let seconds = epoch_started.elapsed().as_secs_f64();
            report(&EpochReport {
                epoch,
                epochs: fit.epochs,
                scores: &scores,
                seconds,
                samples_per_second,
                skipped_steps,
            })?;
        }
        history.push(scores);
        if history.interrupted || fit.is_stopped() {
            // A stop that comes during the last epoch stops nothing.
            history.interrupted |= epoch < fit.epochs;
            break;
        }
    }
    history.samples_per_second = if trained_seconds > 0.0 { trained as f64 / trained_seconds } else { 0.0 };
    if let Some(test) = session.test.as_mut().filter(|_| !history.interrupted) {
        history.test = test.run(|| !fit.is_stopped())?;
        history.interrupted |= history.test.is_none();
    }
    history.seconds = started.elapsed().as_secs_f64();
    Ok(history)
}

fn skipped(compiled: &Compiled) -> Result<u64> {
    let Some(gate) = compiled.step.gate() else { return Ok(0) };
    Ok(u64::from(gate.skipped().value().item::<u32>()?))
}

/// Steps were skipped: because of the data, which is an error, or because the training diverges, which is said, and an
/// error once no step is left.
fn explain_skipped(
    examples: &Examples,
    skipped: u64,
    steps: usize,
    counted: u64,
    epoch: usize,
    progress: &mut Progress,
) -> Result<()> {
    if let Some(place) = examples.find_not_finite()? {
        let message = format!("{place}; only finite numbers can be learned from: fill or remove it");
        return Err(Error::invalid(message));
    }
    let what = format!("epoch {epoch}: {skipped} of {steps} updates were not finite and did not happen");
    if counted == 0 || skipped >= steps as u64 {
        return Err(Error::invalid(format!("{what}; the training diverges: lower the learning rate")));
    }
    progress.say(&format!("{what}; if this goes on, lower the learning rate"));
    Ok(())
}
