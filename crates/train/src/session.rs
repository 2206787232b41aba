//! All programs of a fit, planned and then made ready before its first batch.

use crate::compiled::Compiled;
use crate::error::{Error, Result};
use crate::examples::{Examples, Feed};
use crate::fit::Fit;
use crate::history::Scores;
use crate::pass::{Draft, Pass, Saving, Walk};
use crate::plan::{RunPlan, Sum};
use crate::totals::Totals;
use crate::weighting::ClassWeights;
use std::time::Instant;
use warploom_nn::{Mode, Model, Module, Parameters};

/// Watches a model on examples.
pub(crate) struct Evaluation {
    pass: Pass,
    feed: Feed,
    totals: Totals,
}

impl Evaluation {
    pub fn new(
        model: &Model,
        compiled: &Compiled,
        examples: &Examples,
        batch: usize,
        steps: Option<usize>,
    ) -> Result<Evaluation> {
        check_shape(model, examples)?;
        let totals = Totals::new(&compiled.metrics, model)?;
        let walk = Walk { batch, steps, work: model.parameter_count()?, saving: Saving::None };
        let draft = evaluation(model, compiled, examples, walk, &totals)?;
        Evaluation::ready(draft, examples, batch, totals)
    }

    fn ready(draft: Draft, examples: &Examples, batch: usize, totals: Totals) -> Result<Evaluation> {
        let feed = examples.feed(batch.min(examples.len()), false, 0)?;
        Ok(Evaluation { pass: draft.ready()?, feed, totals })
    }

    /// The scores, or `None` if `go_on` said no.
    pub fn run(&mut self, compiled: &Compiled, mut go_on: impl FnMut() -> bool) -> Result<Option<Scores>> {
        let sent = self.pass.run(&mut self.feed, 0, 0, |_| Ok(go_on()))?;
        let (scores, _) = self.totals.collect(&compiled.metrics)?;
        Ok((sent == self.pass.batches()).then_some(scores))
    }
}

/// Plans the programs that watch.
fn evaluation(
    model: &Model,
    compiled: &Compiled,
    examples: &Examples,
    walk: Walk,
    totals: &Totals,
) -> Result<Draft> {
    let walk = Walk { batch: walk.batch.min(examples.len()), ..walk };
    Draft::new(model.device(), examples, walk, |x, y, weights, rows| {
        let prediction = model.forward(x, Mode::Evaluate);
        let loss = compiled.loss_of(&prediction, y, weights);
        totals.add(&compiled.metrics, rows, &loss, &prediction, y, None)
    })
}

/// What is learned from, watched, tested.
pub(crate) struct Split {
    pub train: Examples,
    pub validation: Option<Examples>,
    pub test: Option<Examples>,
}

/// What a fit runs.
pub(crate) struct Session {
    pub train: Pass,
    pub feed: Feed,
    pub totals: Totals,
    pub class_weights: Option<ClassWeights>,
    pub validation: Option<Evaluation>,
    pub test: Option<Evaluation>,
    pub plan: RunPlan,
}

/// What the programs of a fit are recorded from: sums and tables are made once, programs planned for any batch size.
pub(crate) struct Planner<'a> {
    pub model: &'a Model,
    compiled: &'a Compiled,
    pub split: &'a Split,
    pub fit: &'a Fit<'a>,
    totals: Totals,
    class_weights: Option<ClassWeights>,
    validation: Option<Totals>,
    test: Option<Totals>,
    parameters: usize,
}

/// All programs of a fit, planned.
pub(crate) struct Drafts {
    pub train: Draft,
    validation: Option<Draft>,
    test: Option<Draft>,
    /// Examples in a batch of training, and of what is watched.
    batches: [usize; 2],
    pub plan: RunPlan,
}

impl Drafts {
    fn all(&self) -> impl Iterator<Item = &Draft> {
        [Some(&self.train), self.validation.as_ref(), self.test.as_ref()].into_iter().flatten()
    }

    /// The smallest arena that was reached, where one is larger than it may be.
    pub fn least_arena(&self) -> Option<usize> {
        self.all().filter_map(|draft| draft.least_arena).max()
    }
}

impl<'a> Planner<'a> {
    pub fn new(
        model: &'a Model,
        compiled: &'a Compiled,
        split: &'a Split,
        fit: &'a Fit<'a>,
    ) -> Result<Planner<'a>> {
        let given = [Some(&split.train), split.validation.as_ref(), split.test.as_ref()];
        given.into_iter().flatten().try_for_each(|examples| check_shape(model, examples))?;
        let class_weights = (!fit.class_weight.is_empty())
            .then(|| ClassWeights::new(&fit.class_weight, model.output_shape(), model.device()))
            .transpose()?;
        let totals = || Totals::new(&compiled.metrics, model);
        Ok(Planner {
            totals: totals()?,
            validation: split.validation.as_ref().map(|_| totals()).transpose()?,
            test: split.test.as_ref().map(|_| totals()).transpose()?,
            parameters: model.parameter_count()?,
            model,
            compiled,
            split,
            fit,
            class_weights,
        })
    }

    /// Plans all programs for batches of so many examples.
    pub fn drafts(&self, batch: usize, saving: Saving) -> Result<Drafts> {
        let Planner { model, compiled, split, fit, .. } = *self;
        let walk = Walk { batch, steps: fit.steps, work: self.parameters, saving };
        let train = Draft::new(model.device(), &split.train, walk, |x, y, weights, rows| {
            let by_class = self.class_weights.as_ref().map(|table| table.of(y));
            let weights = weights.or(by_class.as_ref());
            let (loss, prediction) =
                compiled.step.record_with(model, x, |p| compiled.loss_of(p, y, weights))?;
            let takes_place = compiled.step.gate().map(|gate| gate.takes_place());
            self.totals.add(&compiled.metrics, rows, &loss, &prediction, y, takes_place.as_ref())
        })?;
        let watched = fit.validation_batch.unwrap_or(batch);
        let held = |examples: &Option<Examples>, totals: &Option<Totals>, steps: Option<usize>| {
            let walk = Walk { batch: watched, steps, ..walk };
            let both = examples.as_ref().zip(totals.as_ref());
            both.map(|(examples, totals)| evaluation(model, compiled, examples, walk, totals)).transpose()
        };
        let validation = held(&split.validation, &self.validation, fit.validation_steps)?;
        let test = held(&split.test, &self.test, None)?;
        let batches = [batch, watched];
        let mut drafts = Drafts { train, validation, test, batches, plan: RunPlan::default() };
        drafts.plan = self.planned(&drafts)?;
        Ok(drafts)
    }

    fn planned(&self, drafts: &Drafts) -> Result<RunPlan> {
        let Planner { model, compiled, split, fit, .. } = *self;
        let mut sum = Sum::default();
        let variables: Vec<_> = model.named_variables().into_iter().chain(compiled.step.state()).collect();
        let gate = compiled.step.gate().into_iter().flat_map(|gate| gate.variables());
        sum.variables(variables.iter().map(|v| &v.variable).chain(gate))?;
        for (planned, sets) in drafts.all().flat_map(Draft::programs) {
            sum.program(planned.program(), planned.inputs(), sets);
        }
        let mut compile_ms = drafts.all().map(|draft| draft.compile_ms).sum();
        for totals in std::iter::once(&self.totals).chain(&self.validation).chain(&self.test) {
            let collector = totals.collector();
            let recorded = collector.recorded();
            sum.program(recorded.program(), recorded.inputs(), collector.slots());
            sum.state(totals.state_bytes()?);
            compile_ms += recorded.compile_ms();
        }
        let held: Vec<&Examples> = split.validation.iter().chain(&split.test).collect();
        let tables = self.class_weights.iter().map(ClassWeights::tensor);
        let given = std::iter::once(&split.train).chain(held.iter().copied());
        for tensor in given.flat_map(Examples::given).chain(tables) {
            let bytes = tensor.elements()? * tensor.dtype()?.bytes();
            sum.given(bytes, std::ptr::from_ref(tensor.origin()) as usize);
        }
        let [batch, watched] = drafts.batches;
        let rings = held.iter().map(|examples| examples.host_bytes(watched.min(examples.len()), false));
        let examples = |draft: &Option<Draft>| draft.as_ref().map_or(0, Draft::examples);
        Ok(RunPlan {
            device: sum.total(fit.seed.is_some()),
            host_ring: split.train.host_bytes(batch, fit.shuffle) + rings.sum::<u64>(),
            parameters: self.parameters,
            compile_ms,
            step: drafts.train.step.clone(),
            examples: [drafts.train.examples(), examples(&drafts.validation), examples(&drafts.test)],
            steps: drafts.train.batches(),
            batch: batch.min(split.train.len()),
            memory_limit: fit.memory_limit,
            recomputation: drafts.train.programs().next().and_then(|(planned, _)| planned.recomputation()),
        })
    }

    /// Takes the memory of what was planned.
    pub fn session(self, drafts: Drafts) -> Result<Session> {
        let Planner { split, fit, totals, class_weights, .. } = self;
        let Drafts { train, validation, test, batches: [batch, watched], plan } = drafts;
        let started = Instant::now();
        let held = |draft: Option<Draft>, examples: &Option<Examples>, totals: Option<Totals>| {
            let all = draft.zip(examples.as_ref()).zip(totals);
            all.map(|((draft, examples), totals)| Evaluation::ready(draft, examples, watched, totals))
                .transpose()
        };
        let mut session = Session {
            train: train.ready()?,
            feed: split.train.feed(batch, fit.shuffle, fit.seed.unwrap_or(0))?,
            totals,
            class_weights,
            validation: held(validation, &split.validation, self.validation)?,
            test: held(test, &split.test, self.test)?,
            plan,
        };
        session.plan.compile_ms += started.elapsed().as_secs_f64() * 1e3;
        Ok(session)
    }
}

fn check_shape(model: &Model, examples: &Examples) -> Result<()> {
    let found = examples.shape()?;
    if found[..] != *model.input_shape() {
        let message = format!(
            "the model was built for examples of shape {:?}, the data has {found:?}; build it with .build({found:?}, …)",
            model.input_shape()
        );
        return Err(Error::invalid(message));
    }
    Ok(())
}
