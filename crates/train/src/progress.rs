//! What a fit says on standard error while it runs: a bar on a terminal, lines elsewhere.

use crate::history::Scores;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Least time between two bars, or between two lines where epochs are short.
const PAUSE: Duration = Duration::from_millis(100);
const LINE_PAUSE: Duration = Duration::from_millis(500);
const WIDTH: usize = 24;

pub(crate) struct Progress {
    quiet: bool,
    terminal: bool,
    /// Where this process began.
    first: usize,
    epochs: usize,
    examples: usize,
    started: Instant,
    bar_drawn: Option<Instant>,
    line_written: Option<Instant>,
}

impl Progress {
    pub fn new(quiet: bool, first: usize, epochs: usize, examples: usize) -> Progress {
        let terminal = stderr().is_terminal();
        let started = Instant::now();
        Progress { quiet, terminal, first, epochs, examples, started, bar_drawn: None, line_written: None }
    }

    /// Epochs before this one are another process's.
    pub fn starts_at(&mut self, first: usize) {
        self.first = first;
    }

    /// A line of its own.
    pub fn say(&mut self, line: &str) {
        if !self.quiet {
            self.clear_bar();
            // A closed standard error is no reason to stop training.
            let _ = writeln!(stderr(), "{line}");
        }
    }

    /// `sent` examples of epoch number `epoch` (from 0) are on their way.
    pub fn step(&mut self, epoch: usize, sent: usize, rate: f64) {
        if self.quiet || !self.terminal || self.bar_drawn.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.bar_drawn = Some(Instant::now());
        let done = WIDTH * sent / self.examples.max(1);
        let bar: String = (0..WIDTH).map(|i| if i < done { '=' } else { ' ' }).collect();
        let left = self.left(epoch, sent);
        let mut line = format!("\repoch {}/{} [{bar}] {sent}/{}", epoch + 1, self.epochs, self.examples);
        let _ = write!(line, "  {} samples/s  {left} left\x1b[K", grouped(rate));
        let _ = write!(stderr(), "{line}");
        let _ = stderr().flush();
    }

    /// Epoch number `epoch` (from 0) is done.
    pub fn epoch(&mut self, epoch: usize, scores: &Scores, rate: f64) {
        let due = self.line_written.is_none_or(|at| at.elapsed() >= LINE_PAUSE);
        let done = epoch + 1;
        if self.quiet || !(due || done == self.epochs) {
            return;
        }
        self.line_written = Some(Instant::now());
        let left = self.left(done, 0);
        let line =
            format!("epoch {done}/{}  {scores}  {} samples/s  {left} left", self.epochs, grouped(rate));
        self.say(&line);
    }

    fn left(&self, epochs: usize, sent: usize) -> String {
        let all = (self.epochs.saturating_sub(self.first) * self.examples) as f64;
        let done = (epochs.saturating_sub(self.first) * self.examples + sent) as f64;
        duration(self.started.elapsed().as_secs_f64() * (all - done).max(0.0) / done.max(1.0))
    }

    fn clear_bar(&mut self) {
        if self.bar_drawn.take().is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn duration(seconds: f64) -> String {
    match seconds.round() as u64 {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// `1234567.8` as `1,234,568`.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let first = digits.len() % 3;
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && position % 3 == first % 3 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{duration, grouped};

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            [grouped(0.4), grouped(999.0), grouped(1000.0), grouped(1234567.8)],
            ["0", "999", "1,000", "1,234,568"]
        );
        assert_eq!([duration(0.2), duration(61.0), duration(7300.0)], ["0 s", "1 min 01 s", "2 h 01 min"]);
    }
}
