//! Timing: warm up, then sample until the budget is spent.

use std::time::{Duration, Instant};
use warploom::Result;

/// Times of single runs.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Milliseconds, ascending.
    pub milliseconds: Vec<f64>,
    /// The first run, compilation and all, in milliseconds.
    pub first: f64,
}

const WARM_UP: Duration = Duration::from_millis(700);
const FEWEST: usize = 7;
const MOST: usize = 20_000;

impl Samples {
    /// Times `run`, each time after an untimed `prepare`.
    pub(crate) fn take(
        budget: f64,
        mut prepare: impl FnMut() -> Result<()>,
        mut run: impl FnMut() -> Result<()>,
    ) -> Result<Samples> {
        let mut once = || -> Result<f64> {
            prepare()?;
            let started = Instant::now();
            run()?;
            Ok(started.elapsed().as_secs_f64() * 1e3)
        };
        let first = once()?;
        let started = Instant::now();
        while started.elapsed() < WARM_UP {
            once()?;
        }
        let mut milliseconds = Vec::new();
        let mut spent = 0.0;
        while milliseconds.len() < FEWEST || spent < budget * 1e3 && milliseconds.len() < MOST {
            let sample = once()?;
            spent += sample;
            milliseconds.push(sample);
        }
        milliseconds.sort_by(f64::total_cmp);
        Ok(Samples { milliseconds, first })
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.milliseconds[self.milliseconds.len() / 2]
    }

    /// The best.
    pub fn least(&self) -> f64 {
        self.milliseconds[0]
    }

    /// Nine of ten are not above.
    pub fn ninetieth(&self) -> f64 {
        self.milliseconds[(self.milliseconds.len() * 9 / 10).min(self.milliseconds.len() - 1)]
    }
}

/// Most memory this process ever had resident, in bytes, where the system tells.
pub fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
