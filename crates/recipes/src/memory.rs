//! What a run may take on its device, its batch size where that follows from it, and its plan, before anything begins.

use crate::fitting::prepared;
use crate::model::{build, compile};
use crate::place::placed;
use crate::schema::{Amount, Batch, Recipe};
use crate::source::Splits;
use warploom_data::Dataset;
use warploom_nn::Model;
use warploom_tensor::{Device, Recomputation, Recorded};
use warploom_train::{Bound, Error, Evaluate, Result, RunPlan, Scores, Shortage, Training, dry_device};

/// Examples in a batch of an evaluation, where there is room for them.
const EVALUATED: usize = 256;

/// A recipe with its batch size, and what it will take.
pub struct Planned {
    /// With what the data decided.
    pub recipe: Recipe,
    /// What was decided about the data, for people.
    pub notes: Vec<String>,
    /// The memory of the run.
    pub plan: RunPlan,
    /// The program of its training step.
    pub step: Recorded,
}

/// Bytes that a run of the recipe may take, where it says so.
///
/// # Errors
/// A share of the memory of a device that does not say how much it has.
pub(crate) fn memory_limit(recipe: &Recipe, device: &Device) -> Result<Option<u64>> {
    let Some(limit) = &recipe.memory_limit else { return Ok(None) };
    let share = match limit.amount().map_err(Error::Invalid)? {
        Amount::Bytes(bytes) => return Ok(Some(bytes)),
        Amount::Share(share) => share,
    };
    match device.capabilities().memory_bytes {
        Some(memory) => Ok(Some((memory as f64 * share) as u64)),
        None => Err(Error::invalid(format!(
            "`memory_limit` is a share of the memory of {}, which does not say how much it has; give it in bytes, such as \
             memory_limit=2GiB",
            device.id()
        ))),
    }
}

/// Plans the run of a recipe whose data decided what they decide. No memory of the device is used.
///
/// # Errors
/// [`Error::Memory`] where it does not fit; as building and compiling the network.
pub(crate) fn planned(recipe: &Recipe, splits: &Splits, device: &Device) -> Result<Planned> {
    let signature = splits.signature();
    let limit = memory_limit(recipe, device)?;
    let mut model = build(recipe, &signature, &dry_device(device)?)?;
    compile(recipe, &signature, splits.steps(recipe), &mut model)?;
    let network = recipe.model.clone();
    let told = |error: Error| match error {
        Error::Memory(mut shortage) => {
            shortage.batch_key = "train.batch";
            Error::Memory(shortage)
        }
        other => placed(other, &network),
    };
    let mut recipe = recipe.clone();
    if recipe.train.batch.examples().is_none() {
        let examples = model.largest_batch(&splits.train, &prepared(&recipe, splits, limit)).map_err(told)?;
        recipe.train.batch = Batch::Examples(examples);
    }
    let (plan, step) = model.plan_data(&splits.train, &prepared(&recipe, splits, limit)).map_err(told)?;
    let (batches, accumulate) = (plan.steps * recipe.train.epochs, recipe.train.accumulate as usize);
    if accumulate > batches {
        return Err(Error::invalid(format!(
            "`train.accumulate` is {accumulate}, but the run has {batches} batches in all, so that no update would happen"
        )));
    }
    Ok(Planned { recipe, notes: splits.notes.clone(), plan, step })
}

/// Scores of a model whose programs keep to so many bytes: in smaller batches where that is what it takes.
///
/// # Errors
/// [`Error::Memory`] where not even one example fits; as [`Training::evaluate_data`].
pub(crate) fn scored(model: &Model, data: &Dataset, limit: Option<u64>) -> Result<Scores> {
    use warploom_tensor::Error::{Block, MemoryLimit};
    let device = model.device();
    let bytes = limit.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let mut batch = EVALUATED.min(data.len());
    loop {
        let how = Evaluate::default().batch(batch);
        let (least, limit, bound) = match device
            .with_memory_limit(bytes, || model.evaluate_data_with(data, how))
        {
            Err(Error::Tensor(MemoryLimit { least, limit })) => (least, limit, Bound::Limit),
            Err(Error::Tensor(Block { bytes, most })) => (bytes, most, Bound::Buffer(device.id().to_owned())),
            scores => return scores,
        };
        if batch <= 1 {
            let (least, limit) = (least as u64, limit as u64);
            let shortage = Shortage { batch, least, limit, bound, fitting: None, batch_key: "batch" };
            return Err(Error::Memory(Box::new(shortage)));
        }
        batch /= 2;
    }
}

/// The batch size and the plan, for people: `batch 412: plan 60.9 of 64.0 MiB; 12 values computed again, 8.5 % more operations`.
pub(crate) fn memory_line(plan: &RunPlan) -> String {
    let mebibytes = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1u32 << 20));
    let planned = mebibytes(plan.planned_bytes());
    let of = plan.memory_limit.map_or(String::new(), |limit| format!(" of {}", mebibytes(limit)));
    let cost = plan.recomputation.map_or(String::new(), |cost| format!("; {}", cost_line(&cost)));
    format!("batch {}: plan {planned}{of} MiB{cost}", plan.batch)
}

/// What a memory limit costs, for people.
pub(crate) fn cost_line(cost: &Recomputation) -> String {
    format!(
        "{} values computed again by {} more kernels, {:.1} % more operations",
        cost.values,
        cost.steps,
        100.0 * cost.operations
    )
}
