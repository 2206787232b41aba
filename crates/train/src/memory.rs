//! What a fit may take, and what is done about it: fewer steps in a launch, then values computed again; else a refusal that
//! says what would do. Nothing is allocated to find out.

use crate::error::{Error, Result};
use crate::pass::Saving;
use crate::session::{Drafts, Planner};
use std::fmt;
use warploom_tensor::Error::Block;

/// The share of a device's memory that a batch size chosen by itself leaves to the system, the driver and other programs:
/// one part of so many.
const MARGIN: u64 = 5;
/// Where slabs of several programs together take more than each of them may, the arena is made smaller at most so often.
const TRIES: usize = 4;
/// The smallest plan that is found grows by one part of so many until it is one that was made.
const GROWTH: u64 = 32;

/// What bounds the memory of a fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bound {
    /// A limit that was set.
    Limit,
    /// All memory of the device of this id.
    Device(String),
    /// The largest buffer of the device of this id, in which a tensor of the step would have to lie.
    Buffer(String),
}

/// A fit that needs more memory than it may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shortage {
    /// Examples in a batch.
    pub batch: usize,
    /// Bytes that are enough for it.
    pub least: u64,
    /// Bytes that it may take.
    pub limit: u64,
    /// Whose limit that is.
    pub bound: Bound,
    /// The largest batch that fits, and the bytes that it takes; `None` where not even one example does.
    pub fitting: Option<(usize, u64)>,
    /// How the message calls the batch size.
    pub batch_key: &'static str,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortage { batch, least, limit, bound, fitting, batch_key } = self;
        let (least, limit) = (bytes(*least), bytes(*limit));
        write!(f, "with {batch_key}={batch} ")?;
        match bound {
            Bound::Limit => write!(f, "this needs at least {least}, and memory_limit is {limit}; ")?,
            Bound::Device(device) => write!(f, "this needs at least {least}, and {device} has {limit}; ")?,
            Bound::Buffer(device) => {
                write!(
                    f,
                    "a tensor of this needs {least}, and {device} holds at most {limit} in one buffer; "
                )?;
            }
        }
        match fitting {
            Some((batch, taken)) => write!(f, "with {batch_key}={batch} it needs {} in all", bytes(*taken)),
            None => f.write_str("no batch is small enough: allow more memory, or make the network smaller"),
        }
    }
}

/// `61.0 MiB (63963136 bytes)`.
fn bytes(count: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => format!("{:.1} {unit} ({count} bytes)", count as f64 / *size as f64),
        None => format!("{count} bytes"),
    }
}

/// What a fit may take.
#[derive(Clone)]
struct Budget {
    bytes: u64,
    bound: Bound,
    /// Whether values are computed again to keep to it.
    recompute: bool,
}

impl Drafts {
    fn fit(&self, budget: &Budget) -> bool {
        self.plan.planned_bytes() <= budget.bytes
    }
}

impl Planner<'_> {
    /// The programs of the fit, within what it may take.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn fitting(&self) -> Result<Drafts> {
        self.fitting_batch(self.fit.batch)
    }

    fn fitting_batch(&self, batch: usize) -> Result<Drafts> {
        let drafts = match self.drafts(batch, Saving::None) {
            Err(Error::Tensor(Block { bytes, most })) => return Err(self.too_large(batch, bytes, most)?),
            drafts => drafts?,
        };
        let (Some(budget), Some(easy)) = (self.budget(0), self.budget(MARGIN)) else { return Ok(drafts) };
        if drafts.fit(&easy) {
            return Ok(drafts);
        }
        match self.attempt(batch, &budget)? {
            Ok(drafts) => Ok(drafts),
            Err(least) => Err(self.shortage(batch, least, budget)?),
        }
    }

    /// The largest batch with which the fit keeps to what it may take without computing anything again: larger ones would
    /// make each example slower. The budget is its limit, else the device's memory less a fifth. Where not even one
    /// example fits so, values are computed again for the limit.
    ///
    /// # Errors
    /// [`Error::Memory`] where not even one example fits; neither limit nor memory are known.
    pub fn largest_batch(&self) -> Result<usize> {
        let Some(budget) = self.budget(MARGIN) else {
            let id = self.model.device().id();
            return Err(Error::invalid(format!(
                "{id} does not say how much memory it has, so that the largest batch is not known; set a memory limit or \
                 a batch size"
            )));
        };
        let most = self.split.train.len();
        let plain = Budget { recompute: false, ..budget.clone() };
        let found = match self.largest(most, &plain)? {
            None if budget.recompute => self.largest(most, &budget)?,
            found => found,
        };
        if let Some((batch, _)) = found {
            return Ok(batch);
        }
        let one = match self.attempt(1, &budget) {
            Err(Error::Tensor(Block { bytes, most })) => return Err(self.too_large(1, bytes, most)?),
            attempt => attempt?,
        };
        match one {
            Ok(_) => Ok(1),
            Err(least) => Err(self.shortage(1, least, budget)?),
        }
    }

    /// `margin`: see [`MARGIN`]; 0 for none.
    fn budget(&self, margin: u64) -> Option<Budget> {
        let capabilities = self.model.device().capabilities();
        let memory = capabilities.memory_bytes.map(|bytes| bytes as u64);
        let memory = memory.map(|bytes| bytes - bytes.checked_div(margin).unwrap_or(0));
        let limit = self.fit.memory_limit;
        let bytes = limit.into_iter().chain(memory).min()?;
        let bound = match limit == Some(bytes) {
            true => Bound::Limit,
            false => Bound::Device(capabilities.id.clone()),
        };
        Some(Budget { bytes, bound, recompute: limit.is_some() })
    }

    /// The programs within a budget, or the bytes that the smallest plan takes.
    fn attempt(&self, batch: usize, budget: &Budget) -> Result<std::result::Result<Drafts, u64>> {
        let mut drafts = self.drafts(batch, Saving::Steps)?;
        let planned = drafts.plan.planned_bytes();
        if drafts.fit(budget) {
            return Ok(Ok(drafts));
        }
        if !budget.recompute {
            return Ok(Err(planned));
        }
        let beside = planned - drafts.plan.device.arena as u64;
        let mut arena = budget.bytes.saturating_sub(beside);
        for _ in 0..TRIES {
            drafts = self.drafts(batch, Saving::Arena(arena as usize))?;
            if let Some(least) = drafts.least_arena() {
                return Ok(Err(beside + least as u64));
            }
            if drafts.fit(budget) {
                return Ok(Ok(drafts));
            }
            arena = arena.saturating_sub(drafts.plan.planned_bytes() - budget.bytes);
        }
        Ok(Err(drafts.plan.planned_bytes()))
    }

    /// The largest batch of at most `most` examples that is found to fit, and what it takes: by doubling, then bisection.
    ///
    /// A plan does not only grow with the batch: what is left over for the last batch of an epoch has a program with inputs of
    /// its own. So larger batches that leave next to nothing over are tried as well, up to half as large again.
    fn largest(&self, most: usize, budget: &Budget) -> Result<Option<(usize, u64)>> {
        let fits = |batch: usize| -> Result<Option<(usize, u64)>> {
            match self.attempt(batch, budget) {
                Err(Error::Tensor(Block { .. })) => Ok(None),
                attempt => Ok(attempt?.ok().map(|drafts| (batch, drafts.plan.planned_bytes()))),
            }
        };
        let (mut best, mut too_many) = (None, most + 1);
        let mut batch = 1.min(most);
        while batch > 0 && batch < too_many {
            match fits(batch)? {
                Some(found) => best = Some(found),
                None => too_many = batch,
            }
            batch = if batch == most { too_many } else { (2 * batch).min(most) };
        }
        let mut fewest = best.map_or(0, |(batch, _)| batch);
        while too_many - fewest > 1 {
            let middle = fewest + (too_many - fewest) / 2;
            match fits(middle)? {
                Some(found) => (best, fewest) = (Some(found), middle),
                None => too_many = middle,
            }
        }
        let examples = self.split.train.len();
        let mut tried = fewest;
        for steps in (1..=examples.checked_div(fewest).unwrap_or(0)).rev() {
            let even = examples / steps;
            if even > most || even > fewest + fewest / 2 {
                break;
            }
            if even > tried {
                tried = even;
                best = fits(even)?.or(best);
            }
        }
        Ok(best)
    }

    /// The refusal of a batch of which the smallest plan takes `least` bytes.
    fn shortage(&self, batch: usize, least: u64, budget: Budget) -> Result<Error> {
        let mut enough = Budget { bytes: least, bound: Bound::Limit, ..budget };
        // The smallest plan was found on the way to a smaller one: with it as the limit, others are tried.
        while self.attempt(batch, &enough)?.is_err() {
            enough.bytes += enough.bytes / GROWTH + 1;
        }
        let fitting = self.largest((batch - 1).min(self.split.train.len()), &budget)?;
        Ok(Error::Memory(Box::new(Shortage {
            batch,
            least: enough.bytes,
            limit: budget.bytes,
            bound: budget.bound,
            fitting,
            batch_key: "batch",
        })))
    }

    /// The refusal of a batch of which one tensor takes `bytes`, where the device's buffers hold `most`.
    fn too_large(&self, batch: usize, bytes: usize, most: usize) -> Result<Error> {
        let bound = Bound::Buffer(self.model.device().id().to_owned());
        let unbounded = Budget { bytes: u64::MAX, bound: Bound::Limit, recompute: false };
        let budget = self.budget(0).unwrap_or(unbounded);
        let fitting = match self.largest((batch - 1).min(self.split.train.len()), &budget)? {
            Some((batch, _)) => Some((batch, self.fitting_batch(batch)?.plan.planned_bytes())),
            None => None,
        };
        let (least, limit) = (bytes as u64, most as u64);
        Ok(Error::Memory(Box::new(Shortage { batch, least, limit, bound, fitting, batch_key: "batch" })))
    }
}
