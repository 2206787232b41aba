//! A program whose first launch is checked.

use super::Verification;
use super::alone::alone;
use super::check::{Checked, Launch};
use crate::error::DeviceError;
use crate::executor::{Bindings, Executable, Executor, Token};
use crate::null::check_bindings;
use crate::program::{BufferId, Program, Step};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub(super) struct Verified {
    inner: Arc<dyn Executor>,
    program: Arc<Program>,
    whole: Arc<dyn Executable>,
    operations: usize,
    counts: Arc<Mutex<Verification>>,
    is_checked: AtomicBool,
    /// Held while the first launch is checked.
    first: Mutex<()>,
}

impl Verified {
    pub fn new(
        inner: Arc<dyn Executor>,
        program: Arc<Program>,
        whole: Arc<dyn Executable>,
        operations: usize,
        counts: Arc<Mutex<Verification>>,
    ) -> Verified {
        let (is_checked, first) = (AtomicBool::new(false), Mutex::default());
        Verified { inner, program, whole, operations, counts, is_checked, first }
    }

    /// Makes each step ready on its own.
    fn ready(&self, steps: &[Step], windows: &[BufferId], around: &str) -> Result<Vec<Checked>, DeviceError> {
        let mut list = Vec::with_capacity(steps.len());
        for (i, step) in steps.iter().enumerate() {
            let position = format!("{around}{i}");
            let (one, cuts) = alone(&self.program, step, windows);
            let executable = self.inner.prepare(Arc::new(one))?;
            let body = match step {
                Step::Loop(body) => {
                    let mut windows = windows.to_vec();
                    windows.extend(body.windows.iter().map(|window| window.buffer));
                    self.ready(&body.body, &windows, &format!("{position}."))?
                }
                _ => Vec::new(),
            };
            list.push(Checked { position, step: step.clone(), executable, cuts, body });
        }
        Ok(list)
    }

    fn check(&self, bindings: &Bindings<'_>) -> Result<Token, DeviceError> {
        check_bindings(&self.program, bindings)?;
        let start = Instant::now();
        let steps = self.ready(&self.program.steps, &[], "")?;
        let mut launch = Launch {
            executor: &*self.inner,
            program: &self.program,
            bindings,
            operations: self.operations,
            windows: Vec::new(),
            token: Token(0),
            counts: Verification { programs: 1, ..Verification::default() },
        };
        let result = launch.check(&steps);
        let token = launch.token;
        let made = launch.counts;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.programs += made.programs;
        counts.kernels += made.kernels;
        counts.sampled += made.sampled;
        counts.elements += made.elements;
        counts.undecided += made.undecided;
        counts.loops += made.loops;
        counts.long_loops += made.long_loops;
        counts.calls += made.calls;
        counts.time += start.elapsed();
        result.map(|()| token)
    }
}

impl Executable for Verified {
    fn program(&self) -> &Program {
        &self.program
    }

    fn kernels(&self) -> usize {
        self.whole.kernels()
    }

    /// The first time waits until all is checked; the token is then of work already done.
    fn launch(&self, bindings: Bindings<'_>) -> Result<Token, DeviceError> {
        if !self.is_checked.load(Ordering::Acquire) {
            let _first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.is_checked.load(Ordering::Acquire) && !self.program.steps.is_empty() {
                let token = self.check(&bindings)?;
                self.is_checked.store(true, Ordering::Release);
                return Ok(token);
            }
        }
        self.whole.launch(bindings)
    }
}
