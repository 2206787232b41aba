//! Timing on a machine that others use too: blocks of 100 ms in which other processes took more than 5 % of it are left
//! out where enough others remain, as in the scripts for the other frameworks.

use super::Setting;
use crate::output::note;
use std::sync::Once;
use std::time::{Duration, Instant};
use warploom::Result;
use warploom::tensor::Bound;

const WARM_UP: f64 = 0.7;
const BLOCK: f64 = 0.1;
const LEAST: usize = 7;
const MOST: usize = 2000;
/// Seconds of launches that are waited for together.
const TOGETHER: f64 = 0.05;
const MOST_TOGETHER: usize = 50;
/// Seconds in all that a measurement waits for the machine to calm down.
const PATIENCE: f64 = 45.0;
/// Another number of them, as the scripts for the other frameworks have it.
const PATIENCE_VARIABLE: &str = "PEERS_WAIT_MAX";
/// Processor seconds that others may use in a block on a calm machine.
const CALM: f64 = 0.02;
/// Waiting is told once for all that this process measures.
static TOLD: Once = Once::new();

/// Times in milliseconds, and how disturbed they are.
pub struct Samples {
    /// In the order of measurement.
    pub ms: Vec<f64>,
    /// How many were left out.
    pub dirty: usize,
    /// The machine's share that others had.
    pub other: f64,
    /// Whether only undisturbed ones are in.
    pub quiet: bool,
    /// The very first call.
    pub first_ms: f64,
}

impl Samples {
    /// The value below which this share of the samples lies.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.ms.clone();
        sorted.sort_by(f64::total_cmp);
        let at = ((share * sorted.len() as f64) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// Measures launches of a program on memories of its own. On a GPU several are waited for together, as in a training loop
/// and in the scripts for the other frameworks: what the host does for one overlaps with another.
pub fn measure_launches(setting: &Setting, bound: &mut Bound) -> Result<Samples> {
    let mut launch = |times: usize| {
        for _ in 0..times {
            bound.launch(0)?;
        }
        Ok(bound.wait(0)?)
    };
    if setting.device.id() == "cpu" {
        return measure(setting.budget, || Ok(()), || launch(1));
    }
    let mut one = || -> Result<f64> {
        let started = Instant::now();
        launch(1)?;
        Ok(started.elapsed().as_secs_f64())
    };
    let first = one()?;
    let together = ((TOGETHER / one()?) as usize).clamp(1, MOST_TOGETHER);
    let mut samples = measure(setting.budget, || Ok(()), || launch(together))?;
    samples.ms.iter_mut().for_each(|ms| *ms /= together as f64);
    samples.first_ms = first * 1e3;
    Ok(samples)
}

/// A handful of launches after one that does not count, however disturbed: enough to tell which of two devices is faster.
pub fn a_few_launches(bound: &mut Bound) -> Result<Samples> {
    let mut launch = || {
        let started = Instant::now();
        bound.launch(0)?;
        bound.wait(0)?;
        Ok::<f64, warploom::Error>(started.elapsed().as_secs_f64() * 1e3)
    };
    let first_ms = launch()?;
    let ms = (0..LEAST).map(|_| launch()).collect::<Result<_>>()?;
    Ok(Samples { ms, dirty: 0, other: f64::NAN, quiet: false, first_ms })
}

/// Bytes of f32 numbers between -1 and 1 that repeat nothing soon (a Weyl sequence by the golden ratio), from its `first`.
pub fn noise(first: u32, count: usize) -> Vec<u8> {
    let number = |i: u32| i.wrapping_mul(0x9e37_79b9) as i32 as f32 / (1u32 << 31) as f32;
    (0..count as u32).flat_map(|i| number(i + first).to_le_bytes()).collect()
}

/// Measures `body` for `budget` seconds; `prepare` comes before each call and is not timed.
pub fn measure(
    budget: f64,
    mut prepare: impl FnMut() -> Result<()>,
    mut body: impl FnMut() -> Result<()>,
) -> Result<Samples> {
    let mut one = || -> Result<f64> {
        prepare()?;
        let started = Instant::now();
        body()?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    let given = std::env::var(PATIENCE_VARIABLE).ok().and_then(|seconds| seconds.parse().ok());
    let mut patience = Patience { most: given.unwrap_or(PATIENCE), waited: 0.0 };
    let first_ms = one()?;
    let warm = Instant::now();
    one()?;
    while warm.elapsed().as_secs_f64() < WARM_UP.min(budget) {
        one()?;
    }
    let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let (mut spent, mut wall, mut others) = (0.0, 0.0, 0.0);
    while good.len() < LEAST || (spent < budget && good.len() < MOST) {
        let hopeless = wall > 6.0 * budget && good.len() + bad.len() >= 5 && patience.is_over();
        if (spent > 5.0 * budget && good.len() >= 3) || hopeless {
            break;
        }
        let (before, started) = (busy_seconds(), Instant::now());
        let mut block = Vec::new();
        while started.elapsed().as_secs_f64() < BLOCK {
            block.push(one()?);
        }
        let seconds = started.elapsed().as_secs_f64();
        let other = (busy_seconds() - before).max(0.0);
        others += other;
        wall += seconds;
        if other <= CALM + 0.05 * seconds * cores {
            good.append(&mut block);
            spent += seconds;
            continue;
        }
        bad.append(&mut block);
        patience.wait(busy_seconds, |text| TOLD.call_once(|| note(text)));
        one()?;
    }
    let dirty = bad.len();
    let quiet = good.len() >= 3;
    if !quiet {
        good.append(&mut bad);
    }
    Ok(Samples { ms: good, dirty, other: others / wall.max(1e-9) / cores, quiet, first_ms })
}

/// How long others are waited for.
struct Patience {
    /// Seconds in all.
    most: f64,
    waited: f64,
}

impl Patience {
    fn is_over(&self) -> bool {
        self.waited >= self.most
    }

    /// Waits until others leave the processors alone, by the processor seconds that they have used, or for as long as may be;
    /// says so where there is something to wait for.
    fn wait(&mut self, mut busy: impl FnMut() -> f64, tell: impl Fn(&str)) {
        while !self.is_over() {
            let (before, started) = (busy(), Instant::now());
            std::thread::sleep(Duration::from_secs_f64(BLOCK));
            let seconds = started.elapsed().as_secs_f64();
            self.waited += seconds;
            let used = busy() - before;
            if used <= CALM {
                return;
            }
            if !self.is_over() {
                tell(&format!(
                    "other processes use {:.1} cores of this machine; measuring waits until it is less than {:.1}, {:.0} s at \
                     most for each phase ({PATIENCE_VARIABLE}=0 waits for nothing)",
                    used / seconds,
                    CALM / BLOCK,
                    self.most
                ));
            }
        }
    }
}

/// Processor seconds that others have used on this machine; 0 where the system does not say.
fn busy_seconds() -> f64 {
    let numbers =
        |text: &str| -> Vec<f64> { text.split_whitespace().filter_map(|word| word.parse().ok()).collect() };
    let all = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = numbers(all.lines().next().unwrap_or_default().trim_start_matches("cpu"));
    let own = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15, counted from 1; the second is a name in parentheses that may hold spaces.
    let own = numbers(own.rsplit_once(')').map_or("", |(_, rest)| rest));
    let ticks = [0, 1, 2, 5, 6].iter().filter_map(|i| all.get(*i)).sum::<f64>()
        - own.get(10..12).map_or(0.0, |t| t.iter().sum());
    // USER_HZ is 100 on every Linux that Rust supports.
    ticks / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// What is told where others use so many processor seconds in each block, and how long it took.
    fn told(most: f64, used: &[f64]) -> (Vec<String>, f64) {
        let (mut total, mut asked, said) = (0.0, 0, RefCell::new(Vec::new()));
        let mut patience = Patience { most, waited: 0.0 };
        let busy = || {
            // Asked before and after each block.
            if asked % 2 == 1 {
                total += used.get(asked / 2).copied().unwrap_or(0.0);
            }
            asked += 1;
            total
        };
        patience.wait(busy, |text| said.borrow_mut().push(text.to_owned()));
        (said.into_inner(), patience.waited)
    }

    #[test]
    fn waiting_is_told_where_there_is_something_to_wait_for() {
        let (said, waited) = told(40.0, &[0.15, 0.15]);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains("until it is less than 0.2, 40 s at most") && said[0].contains(" cores"),
            "{said:?}"
        );
        assert!((0.3..40.0).contains(&waited), "{waited}");
        // Calm again at once; and no patience at all.
        assert_eq!(told(40.0, &[0.01]).0, [""; 0]);
        assert_eq!(told(0.0, &[0.15]), (Vec::new(), 0.0));
    }
}
