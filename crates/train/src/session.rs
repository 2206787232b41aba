//! All programs of a fit, recorded before its first batch.

use crate::compiled::Compiled;
use crate::error::{Error, Result};
use crate::examples::{Examples, Feed};
use crate::history::Scores;
use crate::pass::Pass;
use crate::plan::{RunPlan, Sum};
use crate::totals::Totals;
use warploom_nn::{Model, Parameters};

/// Watches a model on examples.
pub(crate) struct Evaluation {
    pass: Pass,
    feed: Feed,
    totals: Totals,
    examples: usize,
}

impl Evaluation {
    pub fn new(model: &Model, compiled: &Compiled, examples: &Examples, batch: usize) -> Result<Evaluation> {
        check_shape(model, examples)?;
        let totals = Totals::new(&compiled.metrics, model.device())?;
        let work = model.parameter_count()?;
        let pass = Pass::record(model.device(), examples, batch, work, |x, y, rows| {
            let (loss, prediction) = compiled.step.evaluate(model, x, y);
            totals.add(&compiled.metrics, rows, &loss, &prediction, y, false)
        })?;
        Ok(Evaluation { pass, feed: examples.feed(batch, false, 0)?, totals, examples: examples.len() })
    }

    /// The scores, or `None` if `go_on` said no.
    pub fn run(&mut self, mut go_on: impl FnMut() -> bool) -> Result<Option<Scores>> {
        if !self.pass.run(&mut self.feed, 0, |_| go_on())? {
            self.totals.collect()?;
            return Ok(None);
        }
        Ok(Some(Scores(self.totals.collect()?.0)))
    }
}

/// What a fit runs.
pub(crate) struct Session {
    pub train: Pass,
    pub feed: Feed,
    pub totals: Totals,
    pub validation: Option<Evaluation>,
    pub test: Option<Evaluation>,
    pub plan: RunPlan,
}

/// What a session is made of.
pub(crate) struct Setup<'a> {
    pub train: &'a Examples,
    pub validation: Option<&'a Examples>,
    pub test: Option<&'a Examples>,
    pub batch: usize,
    pub shuffle: bool,
    pub seed: Option<u64>,
}

impl Session {
    pub fn new(model: &Model, compiled: &Compiled, setup: &Setup<'_>) -> Result<Session> {
        check_shape(model, setup.train)?;
        let device = model.device();
        let totals = Totals::new(&compiled.metrics, device)?;
        let parameters = model.parameter_count()?;
        let train = Pass::record(device, setup.train, setup.batch, parameters, |x, y, rows| {
            let (loss, prediction) = compiled.step.record(model, x, y)?;
            totals.add(&compiled.metrics, rows, &loss, &prediction, y, compiled.step.gate().is_some())
        })?;
        let feed = setup.train.feed(setup.batch, setup.shuffle, setup.seed.unwrap_or(0))?;
        let evaluation = |examples: Option<&Examples>| {
            examples.map(|examples| Evaluation::new(model, compiled, examples, setup.batch)).transpose()
        };
        let (validation, test) = (evaluation(setup.validation)?, evaluation(setup.test)?);
        let mut session = Session { train, feed, totals, validation, test, plan: RunPlan::default() };
        session.plan = session.planned(model, compiled, setup, parameters)?;
        Ok(session)
    }

    fn planned(
        &self,
        model: &Model,
        compiled: &Compiled,
        setup: &Setup<'_>,
        parameters: usize,
    ) -> Result<RunPlan> {
        let mut sum = Sum::default();
        let variables: Vec<_> =
            model.named_variables().into_iter().chain(compiled.step.updater().state()).collect();
        let gate = compiled.step.gate().map(|gate| gate.skipped());
        sum.variables(variables.iter().map(|v| &v.variable).chain(gate))?;
        let mut compile_ms = 0.0;
        let mut host_ring = 0;
        let evaluations = self.validation.iter().chain(&self.test).map(|e| (&e.pass, &e.feed, &e.totals));
        for (pass, feed, totals) in
            std::iter::once((&self.train, &self.feed, &self.totals)).chain(evaluations)
        {
            pass.slabs.iter().for_each(|slabs| sum.slabs(slabs));
            pass.programs().for_each(|bound| sum.program(bound));
            sum.program(totals.collector());
            sum.state(totals.state_bytes());
            compile_ms += pass.compile_ms + totals.collector().recorded().compile_ms();
            host_ring += feed.host_bytes();
        }
        for examples in [Some(setup.train), setup.validation, setup.test].into_iter().flatten() {
            if let Examples::Tensors { x, y, .. } = examples {
                for tensor in [x, y] {
                    let bytes = tensor.elements()? * tensor.dtype()?.bytes();
                    sum.given(bytes, std::ptr::from_ref(tensor.origin()) as usize);
                }
            }
        }
        let held = |e: &Option<Evaluation>| e.as_ref().map_or(0, |e| e.examples);
        Ok(RunPlan {
            device: sum.total(setup.seed.is_some()),
            host_ring,
            parameters,
            compile_ms,
            kernels: self.train.kernels,
            examples: [setup.train.len(), held(&self.validation), held(&self.test)],
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
