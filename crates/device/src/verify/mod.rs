//! An executor that holds another to the reference: the first launch of every program goes step by step, and what a step
//! writes is compared with [`crate::reference`].

mod alone;
mod call;
mod check;
mod compare;
mod executable;
mod repeat;

use crate::around::Around;
use crate::error::DeviceError;
use crate::executor::{Executable, Executor};
use crate::program::Program;
use executable::Verified;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Operations of the reference above which a step is checked on a sample of its results.
const OPERATIONS: usize = 50_000_000;

/// What was checked so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Verification {
    /// Programs whose first launch was checked.
    pub programs: u64,
    /// Steps compared with the reference: kernels, products, convolutions, scatters, copies.
    pub kernels: u64,
    /// Of these, how many on a sample of their results alone.
    pub sampled: u64,
    /// Elements compared.
    pub elements: u64,
    /// Of these, how many have no one answer: what overflows, or hangs on a comparison that rounding may turn.
    pub undecided: u64,
    /// Loops compared whole with their rounds run one by one.
    pub loops: u64,
    /// Loops too long for that, of which the first round alone was checked.
    pub long_loops: u64,
    /// Calls that the device claims, whose bodies are too long to be interpreted.
    pub calls: u64,
    /// Time it took, launches and copies included.
    pub time: Duration,
}

impl fmt::Display for Verification {
    /// `verified 54 kernels, 1.2 M elements, in 3.4 s`, with what was not checked whole behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements = match self.elements {
            count @ 0..10_000 => count.to_string(),
            count @ 10_000..1_000_000 => format!("{:.1} k", count as f64 / 1e3),
            count => format!("{:.1} M", count as f64 / 1e6),
        };
        let seconds = self.time.as_secs_f64();
        write!(f, "verified {} kernels, {elements} elements, in {seconds:.1} s", self.kernels)?;
        let rest = [
            (self.sampled, "kernels by a sample of their results"),
            (self.long_loops, "loops by their first round"),
            (self.calls, "long calls of the device's own not at all"),
        ];
        rest.iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, what)| write!(f, "; {count} {what}"))
    }
}

/// An executor that checks another. The first launch of an executable runs its steps one at a time and compares what each
/// writes with the reference; the first that differs fails the launch with [`DeviceError::Failed`]. Later launches, and
/// everything else, go to the inner executor. What the first launch leaves in memory is what the inner executor computed.
///
/// Tolerance: a result may be as far from the reference as roundings on the way can bring it. Each rounding of arithmetic
/// loses a unit (2^-24 for f32, 2^-52 for f64) of the result's magnitude, a quotient four, an elementary function sixteen;
/// a sum of n terms n units of the sum of their magnitudes, whatever its order; errors of operands go through each
/// instruction. Where nothing rounds — whole numbers, moves, random bits — results must be equal. NaN equals NaN. A stored
/// half is one of those between the rounded ends. What overflows, or hangs on a comparison that rounding may turn, is
/// counted as undecided and not compared.
///
/// What a claimed call gives is compared with its body, interpreted: to a thousandth of the result's largest magnitude, a
/// hundredth for halves, since nothing is known of its roundings.
pub struct Verifying {
    inner: Arc<dyn Executor>,
    operations: usize,
    counts: Arc<Mutex<Verification>>,
}

impl Verifying {
    /// Checks `inner`.
    pub fn new(inner: Arc<dyn Executor>) -> Verifying {
        Verifying { inner, operations: OPERATIONS, counts: Arc::default() }
    }

    /// The same with another number of operations of the reference above which a step is checked on a sample of its results.
    pub fn with_operations(self, operations: usize) -> Verifying {
        Verifying { operations, ..self }
    }

    /// What was checked so far.
    pub fn verification(&self) -> Verification {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Around for Verifying {
    fn inner(&self) -> &dyn Executor {
        &*self.inner
    }

    fn ready(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        let whole = self.inner.prepare(program.clone())?;
        let (inner, counts) = (self.inner.clone(), self.counts.clone());
        Ok(Arc::new(Verified::new(inner, program, whole, self.operations, counts)))
    }
}
