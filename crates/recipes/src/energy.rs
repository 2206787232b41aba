//! Joules of a run, of each of its epochs, and of an evaluation, where the machine counts them.

use crate::summary::rounded;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use warploom_device::EnergyCounter;
pub use warploom_energy::{Energy, Joules, Meter, Uncounted, nvml, rapl};
use warploom_tensor::Device;
use warploom_train::callbacks::{Callback, Context, State};
use warploom_train::{Result, RunPlan};

/// Begins to measure what work on a device uses.
pub(crate) fn meter(device: &Device) -> Meter {
    let gpu = match device.executor().energy_counter() {
        EnergyCounter::Processor => None,
        EnergyCounter::Nvidia(id) => Some(nvml::Gpu::find(&id)),
        EnergyCounter::Missing(why) => Some(Err(why)),
    };
    Meter::start(&rapl::folder(), gpu)
}

/// Energy as JSON, for so many examples: `joules` and `samples_per_joule`, null where they are not known.
pub fn figures(energy: &Energy, examples: usize) -> [(&'static str, Value); 2] {
    let known =
        |number: Option<f64>, digits| number.map_or(Value::Null, |number| json!(rounded(number, digits)));
    [("joules", known(energy.joules().ok(), 6)), ("samples_per_joule", known(energy.per_joule(examples), 3))]
}

/// The parts of the machine as a JSON object, each with its joules or the reason why they are not known.
pub fn parts_object(energy: &Energy) -> Value {
    let part = |joules: &Joules| match joules {
        Ok(joules) => json!({ "joules": rounded(*joules, 6) }),
        Err(why) => json!({ "joules": null, "reason": why }),
    };
    let parts = energy.parts().map(|(name, joules)| (name.to_lowercase(), part(joules)));
    Value::Object(parts.collect::<Map<_, _>>())
}

/// Measures a run and its epochs, and counts what was learned from meanwhile, in this process.
pub(crate) struct Watch {
    meter: Meter,
    /// Of a batch, and of an epoch.
    examples: (usize, usize),
    now: RefCell<Now>,
}

struct Now {
    /// What was read when the epoch began, or went on.
    before: Energy,
    /// Batches of the epoch that were done then.
    first: usize,
    /// Batches of it that are done.
    batches: usize,
    /// Examples of the epochs before it.
    earlier: usize,
}

impl Watch {
    pub fn new(device: &Device, plan: &RunPlan) -> Watch {
        let meter = meter(device);
        let now = Now { before: meter.read(), first: 0, batches: 0, earlier: 0 };
        Watch { meter, examples: (plan.batch, plan.examples[0]), now: RefCell::new(now) }
    }

    /// What was used since the start, and the examples learned from.
    pub fn run(&self) -> (Energy, usize) {
        let now = self.now.borrow();
        (self.meter.read(), now.earlier + self.learned(&now))
    }

    /// Ends an epoch: what it used with its validation, and the examples learned from.
    pub fn epoch(&self) -> (Energy, usize) {
        let now = &mut *self.now.borrow_mut();
        let learned = self.learned(now);
        (now.earlier, now.first) = (now.earlier + learned, now.batches);
        (self.meter.read().since(&now.before), learned)
    }

    /// Examples of this epoch so far.
    fn learned(&self, now: &Now) -> usize {
        let (batch, epoch) = self.examples;
        let examples = |batches: usize| batches.saturating_mul(batch).min(epoch);
        examples(now.batches).saturating_sub(examples(now.first))
    }

    fn begin(&self, first: usize) {
        let now = &mut *self.now.borrow_mut();
        (now.before, now.first, now.batches) = (self.meter.read(), first, first);
    }
}

impl Callback for &Watch {
    fn name(&self) -> &'static str {
        "energy"
    }

    fn epoch_begin(&mut self, _epoch: usize, _now: &mut Context<'_>) -> Result<()> {
        self.begin(0);
        Ok(())
    }

    fn batch_end(&mut self, batches: usize, _now: &mut Context<'_>) -> Result<()> {
        self.now.borrow_mut().batches = batches;
        Ok(())
    }

    fn save(&mut self) -> Result<State> {
        Ok(State::default().with("batches", self.now.borrow().batches as f64))
    }

    fn restore(&mut self, state: State, _now: &mut Context<'_>) -> Result<()> {
        self.begin(state.number("batches").map_or(0, |batches| batches as usize));
        Ok(())
    }
}
