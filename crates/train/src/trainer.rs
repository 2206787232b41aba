//! The loop over epochs, and what happens between launches.

use crate::callbacks::{Callback, Context};
use crate::checkpoint::{Place, Terms};
use crate::compiled::Compiled;
use crate::diagnose::{Found, NotFinite, Probe, draws};
use crate::error::{Error, Result};
use crate::examples::Feed;
use crate::fit::{EpochReport, Fit};
use crate::history::{History, Outcome, advice};
use crate::pass::Pass;
use crate::progress::Progress;
use crate::rate::ScheduledRate;
use crate::saver::{Parts, Saver, states};
use crate::session::{Evaluation, Planner, Session, Split};
use crate::totals::Totals;
use crate::weighting::ClassWeights;
use std::time::{Duration, Instant};
use warploom_nn::{Gate, Mode, Model, Module};
use warploom_trace::{Track, span};

/// How long the gate may go unlooked at: what is launched after it paused the steps is computed for nothing.
const LOOK: Duration = Duration::from_secs(1);

/// A fit under way.
pub(crate) struct Trainer<'t, 'f> {
    train: Pass,
    feed: Feed,
    now: Now<'t, 'f>,
}

/// All of a fit but what its launches hold.
struct Now<'t, 'f> {
    model: &'t Model,
    compiled: &'t mut Compiled,
    split: &'t Split,
    fit: Fit<'f>,
    totals: Totals,
    class_weights: Option<ClassWeights>,
    validation: Option<Evaluation>,
    test: Option<Evaluation>,
    saver: Option<Saver>,
    rate: Option<ScheduledRate>,
    place: Place,
    history: History,
    progress: Progress,
    looked: Instant,
    started: Instant,
    /// When the epoch under way began.
    began: Instant,
    /// Seconds of training, and examples.
    trained: (f64, usize),
    /// Updates left out for an overflow when the epoch began.
    left_out: u32,
}

impl<'t, 'f> Trainer<'t, 'f> {
    pub fn new(model: &'t Model, compiled: &'t mut Compiled, split: &'t Split, fit: Fit<'f>) -> Result<Self> {
        let planner = Planner::new(model, compiled, split, &fit)?;
        let compiling = span(Track::Host, || "compile");
        let drafts = planner.fitting()?;
        drop(compiling);
        let preparing = span(Track::Host, || "prepare");
        let Session { train, feed, totals, class_weights, validation, test, plan } =
            planner.session(drafts)?;
        drop(preparing);
        let terms = Terms {
            examples: split.train.len(),
            batch: fit.batch,
            steps: train.batches(),
            shuffle: fit.shuffle,
            seed: fit.seed,
        };
        let launches_per_step = train.launches_per_step();
        let instant = Instant::now();
        let now = Now {
            // Where one process goes on with another's weights, the epoch says which order is next.
            place: Place {
                epoch: fit.initial_epoch,
                order: compiled.epochs.max(fit.initial_epoch as u64),
                ..Place::default()
            },
            rate: None,
            saver: fit.checkpoints.as_ref().map(|settings| Saver::new(settings, terms)),
            history: History { plan, launches_per_step, ..History::default() },
            progress: Progress::new(fit.quiet, fit.initial_epoch, fit.epochs, train.examples()),
            model,
            compiled,
            split,
            fit,
            totals,
            class_weights,
            validation,
            test,
            looked: instant,
            started: instant,
            began: instant,
            trained: (0.0, 0),
            left_out: 0,
        };
        Ok(Trainer { train, feed, now })
    }

    pub fn run(mut self) -> Result<History> {
        let now = &mut self.now;
        now.started = Instant::now();
        now.compiled.arm()?;
        now.begin()?;
        now.left_out = now.overflows()?.map_or(0, |(left_out, _)| left_out);
        now.history.overflowed = now.overflowed();
        while self.now.place.epoch < self.now.fit.epochs && !self.now.place.stopped {
            if !self.epoch()? {
                break;
            }
        }
        let Trainer { mut feed, mut now, .. } = self;
        now.history.samples_per_second = now.rate();
        if !now.history.interrupted() {
            now.explain_end(&mut feed);
            now.finish()?;
        }
        now.history.seconds = now.seconds();
        Ok(now.history)
    }

    /// One epoch, or the rest of it. Whether the fit goes on.
    fn epoch(&mut self) -> Result<bool> {
        self.now.began = Instant::now();
        let number = self.now.place.epoch + 1;
        let _span = span(Track::Host, || format!("epoch {number}"));
        if self.now.place.scores.is_none() {
            let first = self.now.place.batch;
            if first == 0 {
                let epoch = self.now.place.epoch;
                self.now.each(|callback, context| callback.epoch_begin(epoch, context))?;
            }
            if !self.steps()? {
                return self.now.interrupt();
            }
            let now = &mut self.now;
            now.trained.0 += now.began.elapsed().as_secs_f64();
            now.trained.1 += now.examples(now.place.batch) - now.examples(first);
            now.close_training(self.train.batches())?;
        }
        self.now.close_epoch()
    }

    /// The training steps of an epoch from where it stands. Whether they came to their end.
    fn steps(&mut self) -> Result<bool> {
        let Trainer { train, feed, now } = self;
        let device = now.model.device();
        let draws = train.programs().any(|bound| draws(bound.recorded().program()));
        let random_state = || if draws { device.random_state() } else { Ok(None) };
        loop {
            // A launch holds several steps; those of its first that are done already are passed over.
            let (first, start) = (now.place.batch, train.launch_of(now.place.batch));
            let random = random_state()?;
            if first > start {
                now.gate().map_or(Ok(()), |gate| gate.pass_over(first - start))?;
                shift(device, random, start as i64 - first as i64)?;
            }
            let sent = train.run(feed, now.place.order, start, |batches| now.between(batches))?;
            device.sync()?;
            let paused = now.gate().map(Gate::paused).transpose()?.flatten();
            let Some(steps) = paused else {
                now.place.batch = sent;
                return Ok(sent == train.batches() || now.place.stopped);
            };
            now.place.batch = sent - steps;
            shift(device, random, now.place.batch as i64 - first as i64)?;
            now.explain(feed)?;
            if now.place.stopped {
                return Ok(true);
            }
        }
    }
}

/// Moves random numbers to `steps` after a state.
fn shift(device: &warploom_tensor::Device, state: Option<[u32; 3]>, steps: i64) -> Result<()> {
    match state {
        Some([low, high, step]) => {
            Ok(device.restore_random_state([low, high, step.wrapping_add(steps as u32)])?)
        }
        None => Ok(()),
    }
}

impl Now<'_, '_> {
    fn gate(&self) -> Option<&Gate> {
        self.compiled.step.gate()
    }

    /// From the start, or from a checkpoint.
    fn begin(&mut self) -> Result<()> {
        let (found, said) = match &mut self.saver {
            Some(saver) => saver.newest(self.fit.epochs)?,
            None => (None, Vec::new()),
        };
        said.iter().for_each(|line| self.progress.say(line));
        let Some((path, manifest)) = found else {
            self.place.skipped_before = self.skipped()?;
            self.place.overflowed_before = self.overflows()?.map_or(0, |(left_out, _)| left_out);
            return self.each(|callback, context| callback.train_begin(context));
        };
        let _span = span(Track::Host, || "restore");
        let parts = Parts { model: self.model, compiled: self.compiled, totals: &self.totals };
        parts.restore(&path, manifest.random)?;
        self.place = manifest.place;
        self.compiled.epochs = self.place.order;
        self.history.skipped = self.place.skipped;
        self.history.earlier_seconds = manifest.seconds;
        manifest.history.into_iter().for_each(|scores| self.history.push(scores));
        self.progress.starts_at(self.place.epoch);
        let names: Vec<&str> = self.fit.callbacks.iter().map(|callback| callback.name()).collect();
        let mut states = states(&path, manifest.callbacks, &names, self.model)?.into_iter();
        self.each(|callback, context| match states.next().flatten() {
            Some(state) => callback.restore(state, context),
            None => {
                context.say(format!("{} has no state in the checkpoint and begins anew", callback.name()));
                callback.train_begin(context)
            }
        })
    }

    /// Calls every callback in turn.
    fn each(
        &mut self,
        mut call: impl FnMut(&mut dyn Callback, &mut Context<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut said = Vec::new();
        let mut result = Ok(());
        for callback in &mut self.fit.callbacks {
            let mut context = Context {
                model: self.model,
                updater: self.compiled.step.updater(),
                rate: &mut self.rate,
                stopped: &mut self.place.stopped,
                said: &mut said,
            };
            result = call(&mut **callback, &mut context);
            if result.is_err() {
                break;
            }
        }
        said.iter().for_each(|line| self.progress.say(line));
        result
    }

    /// After a launch: `batches` of the epoch are on their way. Whether the next may follow.
    fn between(&mut self, batches: usize) -> Result<bool> {
        let new = batches.saturating_sub(self.place.batch);
        self.place.batch = batches;
        let examples = self.examples(batches);
        self.progress.step(self.place.epoch, examples, examples as f64 / self.began.elapsed().as_secs_f64());
        self.each(|callback, context| callback.batch_end(batches, context))?;
        if self.place.stopped || self.fit.is_stopped() {
            return Ok(false);
        }
        // The end of an epoch has checkpoints of its own.
        let within = batches < self.history.plan.steps;
        let due = self.saver.as_mut().is_some_and(|saver| saver.is_due(new)) && within;
        if due || self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if let Some(gate) = self.gate() {
                if gate.paused()?.is_some() {
                    return Ok(false);
                }
                // The device has just been waited for.
                if self.progress.is_drawn() {
                    self.progress.scores = self.totals.so_far(&self.compiled.metrics)?;
                }
            }
        }
        if due {
            self.save()?;
        }
        Ok(true)
    }

    /// Writes a checkpoint, where some are kept. The steps are not paused.
    fn save(&mut self) -> Result<()> {
        let seconds = self.seconds();
        let Some(saver) = &mut self.saver else { return Ok(()) };
        let _span = span(Track::Host, || "checkpoint");
        let parts = Parts { model: self.model, compiled: self.compiled, totals: &self.totals };
        saver.write(&self.place, &parts, &self.history.epochs, seconds, &mut self.fit.callbacks).map(|_| ())
    }

    /// The gate has paused the steps before the batch where the epoch stands: says why, and lets them go on.
    fn explain(&mut self, feed: &mut Feed) -> Result<()> {
        if let Some(gate) = self.compiled.step.gate() {
            gate.pass_over(0)?;
            gate.pause_when_tripped(false)?;
            self.compiled.armed = false;
        }
        self.check_data()?;
        let found = self.origin(feed, self.place.order, self.place.batch);
        let what = NotFinite { epoch: self.place.epoch, batch: self.place.batch, found };
        self.progress.say(&format!("{what}; this update does not happen"));
        self.history.not_finite = Some(what.clone());
        self.each(|callback, context| callback.not_finite(&what, context))
    }

    /// Where the last loss is not finite though each update was, the last batch tells what the weights make of it now.
    fn explain_end(&mut self, feed: &mut Feed) {
        let value = |name| self.history.epochs.last().and_then(|scores| scores.get(name));
        let lost = ["loss", "val_loss"].into_iter().filter_map(value).any(|value| !value.is_finite());
        let steps = self.history.plan.steps;
        let (Some(order), Some(batch)) = (self.place.order.checked_sub(1), steps.checked_sub(1)) else {
            return;
        };
        if !lost || self.history.not_finite.is_some() {
            return;
        }
        if let Some(found) = self.origin(feed, order, batch) {
            let epoch = self.place.epoch.saturating_sub(1);
            self.history.not_finite = Some(NotFinite { epoch, batch, found: Some(found) });
        }
    }

    /// What is first not finite in a batch, if that can be found.
    fn origin(&mut self, feed: &mut Feed, order: u64, batch: usize) -> Option<Found> {
        match self.probe(feed, order, batch) {
            Ok(found) => found.map(|found| found.named(self.fit.layer_name.as_deref())),
            Err(error) => {
                self.progress
                    .say(&format!("where a number began that is not finite could not be found: {error}"));
                None
            }
        }
    }

    fn check_data(&self) -> Result<()> {
        match self.split.train.find_not_finite()? {
            None => Ok(()),
            Some(place) => Err(Error::invalid(format!(
                "{place}; only finite numbers can be learned from: fill or remove it"
            ))),
        }
    }

    /// Runs a batch of the epoch of this order once more, and looks at every value.
    fn probe(&self, feed: &mut Feed, order: u64, batch: usize) -> Result<Option<Found>> {
        let examples = &self.split.train;
        let rows = self.examples(batch + 1) - self.examples(batch);
        let recorded = self.model.device().try_record(&examples.specs(rows), |inputs| {
            let (x, y, weights) = examples.record(inputs);
            let by_class = self.class_weights.as_ref().map(|table| table.of(&y));
            let prediction = self.model.forward(&x, Mode::Train);
            let loss = self.compiled.loss_of(&prediction, &y, weights.as_ref().or(by_class.as_ref()));
            let gradients = self.compiled.step.gradients(&loss)?;
            Ok(std::iter::once(loss).chain(gradients).collect())
        })?;
        let probe = Probe::new(&recorded)?;
        let mut bound = probe.program().bind(1)?;
        feed.epoch(order, batch)?.send(&bound, 0, 0)?;
        bound.launch(0)?;
        let count = probe.program().outputs().len();
        let magnitudes = (0..count).map(|i| Ok(bound.read::<f32>(0, i)?[0])).collect::<Result<Vec<f32>>>()?;
        Ok(probe.find(&magnitudes))
    }

    /// Examples in the first so many batches of an epoch.
    fn examples(&self, batches: usize) -> usize {
        batches.saturating_mul(self.fit.batch).min(self.history.plan.examples[0])
    }

    fn skipped(&self) -> Result<u64> {
        let Some(gate) = self.gate() else { return Ok(0) };
        Ok(u64::from(gate.skipped().value().item::<u32>()?))
    }

    /// Updates left out so far because a gradient of the scaled loss overflowed, and the scale.
    fn overflows(&self) -> Result<Option<(u32, f32)>> {
        let Some(scale) = self.compiled.step.loss_scale() else { return Ok(None) };
        Ok(Some((scale.left_out().value().item()?, scale.scale().value().item()?)))
    }

    /// Updates of this fit left out for an overflow, in this process and those before it.
    fn overflowed(&self) -> u64 {
        u64::from(self.left_out.wrapping_sub(self.place.overflowed_before))
    }

    /// That every update was left out while a scale of the loss was looked for is no success.
    fn check_overflows(&self) -> Result<()> {
        let left_out = self.history.overflowed;
        if left_out == 0 || self.compiled.step.updater().step_count().value().item::<u32>()? > 0 {
            return Ok(());
        }
        Err(Error::Diverged(format!(
            "nothing was learned: all {left_out} updates were left out, for gradients times the loss's scale were beyond f16, and \
             the scale had not come down far enough; train for more updates, or compute in bf16"
        )))
    }

    /// Says how many updates of the epoch were left out while the scale of the loss became smaller.
    fn tell_overflows(&mut self, batches: usize) -> Result<()> {
        let Some((left_out, scale)) = self.overflows()? else { return Ok(()) };
        let new = left_out.wrapping_sub(self.left_out);
        self.left_out = left_out;
        self.history.overflowed = self.overflowed();
        if new > 0 {
            let epoch = self.place.epoch + 1;
            self.progress.say(&format!(
                "epoch {epoch}: {new} of {batches} updates were left out, whose gradients times the loss's scale were beyond \
                 f16; the scale is {scale} now"
            ));
        }
        Ok(())
    }

    /// Since the first batch, in this process and those before it.
    fn seconds(&self) -> f64 {
        self.history.earlier_seconds + self.started.elapsed().as_secs_f64()
    }

    /// Training examples a second.
    fn rate(&self) -> f64 {
        let (seconds, examples) = self.trained;
        if seconds > 0.0 { examples as f64 / seconds } else { 0.0 }
    }

    /// The training steps of the epoch are done: their scores, and what was skipped.
    fn close_training(&mut self, batches: usize) -> Result<()> {
        let (scores, counted) = self.totals.collect(&self.compiled.metrics)?;
        self.place.scores = Some(scores);
        self.place.order += 1;
        self.compiled.epochs = self.place.order;
        self.tell_overflows(batches)?;
        let skipped = self.skipped()? - self.place.skipped_before;
        self.history.skipped += skipped;
        self.place.skipped = self.history.skipped;
        if skipped == 0 || self.place.stopped {
            return Ok(());
        }
        let epoch = self.place.epoch + 1;
        let what =
            format!("epoch {epoch}: {skipped} of {batches} updates were not finite and did not happen");
        if counted == 0 || skipped >= batches as u64 {
            self.check_data()?;
            let remedy = self.history.remedy(self.model.device().precision());
            let message = format!("{what}; the training diverges: {remedy}");
            return Err(Error::Diverged(message));
        }
        let advice = advice(self.model.device().precision());
        self.progress.say(&format!("{what}; if this goes on, {advice}"));
        Ok(())
    }

    /// Validation and the end of the epoch. Whether the fit goes on.
    fn close_epoch(&mut self) -> Result<bool> {
        let epoch = self.place.epoch;
        let mut scores = self.place.scores.clone().unwrap_or_default();
        let watched = (epoch + 1).is_multiple_of(self.fit.validation_every);
        if let Some(validation) = self.validation.as_mut().filter(|_| watched) {
            let fit = &self.fit;
            let _span = span(Track::Host, || "validation");
            let Some(found) = validation.run(self.compiled, || !fit.is_stopped())? else {
                self.interrupt()?;
                self.history.push(scores);
                return Ok(false);
            };
            found.iter().for_each(|(name, value)| scores.set(&format!("val_{name}"), value));
            scores.confusion = found.confusion.or(scores.confusion);
        }
        self.each(|callback, context| callback.epoch_end(epoch, &mut scores, context))?;
        let samples_per_second = self.rate();
        self.progress.epoch(epoch, &scores, samples_per_second);
        let skipped = self.skipped()?;
        if let Some(report) = &mut self.fit.on_epoch {
            report(&EpochReport {
                epoch: epoch + 1,
                epochs: self.fit.epochs,
                scores: &scores,
                seconds: self.began.elapsed().as_secs_f64(),
                samples_per_second,
                skipped_steps: skipped - self.place.skipped_before,
            })?;
        }
        self.history.push(scores);
        self.place =
            Place { epoch: epoch + 1, batch: 0, skipped_before: skipped, scores: None, ..self.place.clone() };
        let last = self.place.epoch == self.fit.epochs || self.place.stopped;
        if self.fit.is_stopped() && !last {
            return self.interrupt();
        }
        if last || self.saver.as_mut().is_some_and(|saver| saver.is_due_after(epoch + 1)) {
            self.save()?;
        }
        Ok(true)
    }

    /// A stop was asked for: what was learned is kept.
    fn interrupt(&mut self) -> Result<bool> {
        self.save()?;
        self.history.outcome = Outcome::Interrupted;
        Ok(false)
    }

    fn finish(&mut self) -> Result<()> {
        if self.place.stopped {
            self.history.outcome = Outcome::Stopped;
        }
        self.check_overflows()?;
        self.each(|callback, context| callback.train_end(context))?;
        let Some(test) = &mut self.test else { return Ok(()) };
        let fit = &self.fit;
        let _span = span(Track::Host, || "test");
        self.history.test = test.run(self.compiled, || !fit.is_stopped())?;
        if self.history.test.is_none() {
            self.history.outcome = Outcome::Interrupted;
        }
        Ok(())
    }
}
