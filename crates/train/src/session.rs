//! All programs of a fit, recorded before its first batch.

use crate::compiled::Compiled;
use crate::error::{Error, Result};
use crate::examples::{Examples, Feed};
use crate::fit::Fit;
use crate::history::Scores;
use crate::pass::{Pass, Walk};
use crate::plan::{RunPlan, Sum};
use crate::totals::Totals;
use crate::weighting::ClassWeights;
use warploom_nn::{Mode, Model, Module, Parameters};

/// Watches a model on examples.
pub(crate) struct Evaluation {
    pass: Pass,
    feed: Feed,
    totals: Totals,
}

impl Evaluation {
    pub fn new(model: &Model, compiled: &Compiled, examples: &Examples, walk: Walk) -> Result<Evaluation> {
        check_shape(model, examples)?;
        let totals = Totals::new(&compiled.metrics, model)?;
        let work = model.parameter_count()?;
        let walk = Walk { batch: walk.batch.min(examples.len()), ..walk };
        let pass = Pass::record(model.device(), examples, walk, work, |x, y, weights, rows| {
            let prediction = model.forward(x, Mode::Evaluate);
            let loss = compiled.loss_of(&prediction, y, weights);
            totals.add(&compiled.metrics, rows, &loss, &prediction, y, None)
        })?;
        Ok(Evaluation { pass, feed: examples.feed(walk.batch, false, 0)?, totals })
    }

    /// The scores, or `None` if `go_on` said no.
    pub fn run(&mut self, compiled: &Compiled, mut go_on: impl FnMut() -> bool) -> Result<Option<Scores>> {
        let sent = self.pass.run(&mut self.feed, 0, 0, |_| Ok(go_on()))?;
        let (scores, _) = self.totals.collect(&compiled.metrics)?;
        Ok((sent == self.pass.batches()).then_some(scores))
    }

    fn programs(&self) -> (&Pass, &Feed, &Totals) {
        (&self.pass, &self.feed, &self.totals)
    }
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

/// What is learned from, watched, tested.
pub(crate) struct Split {
    pub train: Examples,
    pub validation: Option<Examples>,
    pub test: Option<Examples>,
}

impl Session {
    pub fn new(model: &Model, compiled: &Compiled, split: &Split, fit: &Fit<'_>) -> Result<Session> {
        check_shape(model, &split.train)?;
        let device = model.device();
        let totals = Totals::new(&compiled.metrics, model)?;
        let parameters = model.parameter_count()?;
        let class_weights = (!fit.class_weight.is_empty())
            .then(|| ClassWeights::new(&fit.class_weight, model.output_shape(), device))
            .transpose()?;
        let walk = Walk { batch: fit.batch, steps: fit.steps };
        let train = Pass::record(device, &split.train, walk, parameters, |x, y, weights, rows| {
            let by_class = class_weights.as_ref().map(|table| table.of(y));
            let weights = weights.or(by_class.as_ref());
            let (loss, prediction) =
                compiled.step.record_with(model, x, |p| compiled.loss_of(p, y, weights))?;
            let takes_place = compiled.step.gate().map(|gate| gate.takes_place());
            totals.add(&compiled.metrics, rows, &loss, &prediction, y, takes_place.as_ref())
        })?;
        let feed = split.train.feed(fit.batch, fit.shuffle, fit.seed.unwrap_or(0))?;
        let evaluation = |examples: &Option<Examples>, steps: Option<usize>| {
            let walk = Walk { batch: fit.validation_batch.unwrap_or(fit.batch), steps };
            examples.as_ref().map(|examples| Evaluation::new(model, compiled, examples, walk)).transpose()
        };
        let validation = evaluation(&split.validation, fit.validation_steps)?;
        let test = evaluation(&split.test, None)?;
        let plan = RunPlan::default();
        let mut session = Session { train, feed, totals, class_weights, validation, test, plan };
        session.plan = session.planned(model, compiled, split, fit.seed.is_some(), parameters)?;
        Ok(session)
    }

    fn planned(
        &self,
        model: &Model,
        compiled: &Compiled,
        split: &Split,
        seeded: bool,
        parameters: usize,
    ) -> Result<RunPlan> {
        let mut sum = Sum::default();
        let variables: Vec<_> = model.named_variables().into_iter().chain(compiled.step.state()).collect();
        let gate = compiled.step.gate().into_iter().flat_map(|gate| gate.variables());
        sum.variables(variables.iter().map(|v| &v.variable).chain(gate))?;
        let mut compile_ms = 0.0;
        let mut host_ring = 0;
        let evaluations = self.validation.iter().chain(&self.test).map(Evaluation::programs);
        for (pass, feed, totals) in
            std::iter::once((&self.train, &self.feed, &self.totals)).chain(evaluations)
        {
            pass.slabs.iter().for_each(|slabs| sum.slabs(slabs));
            pass.programs().for_each(|bound| sum.program(bound));
            sum.program(totals.collector());
            sum.state(totals.state_bytes()?);
            compile_ms += pass.compile_ms + totals.collector().recorded().compile_ms();
            host_ring += feed.host_bytes();
        }
        let given =
            [Some(&split.train), split.validation.as_ref(), split.test.as_ref()].into_iter().flatten();
        let tables = self.class_weights.iter().map(ClassWeights::tensor);
        for tensor in given.flat_map(Examples::given).chain(tables) {
            let bytes = tensor.elements()? * tensor.dtype()?.bytes();
            sum.given(bytes, std::ptr::from_ref(tensor.origin()) as usize);
        }
        let held = |e: &Option<Evaluation>| e.as_ref().map_or(0, |e| e.pass.examples());
        Ok(RunPlan {
            device: sum.total(seeded),
            host_ring,
            parameters,
            compile_ms,
            kernels: self.train.kernels,
            examples: [self.train.examples(), held(&self.validation), held(&self.test)],
            steps: self.train.batches(),
        })
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
