//! What a fit says on standard error while it runs: a line that changes on a terminal, one an epoch elsewhere.

use crate::history::Scores;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Least time between two drawings of the line, or between two lines where epochs are short.
const PAUSE: Duration = Duration::from_millis(100);
const LINE_PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Progress {
    quiet: bool,
    terminal: bool,
    /// Where this process began.
    first: usize,
    epochs: usize,
    examples: usize,
    /// Of the epoch under way, as far as they are known.
    pub scores: Option<Scores>,
    started: Instant,
    line_drawn: Option<Instant>,
    line_written: Option<Instant>,
}

impl Progress {
    pub fn new(quiet: bool, first: usize, epochs: usize, examples: usize) -> Progress {
        let terminal = stderr().is_terminal();
        let started = Instant::now();
        Progress {
            quiet,
            terminal,
            first,
            epochs,
            examples,
            scores: None,
            started,
            line_drawn: None,
            line_written: None,
        }
    }

    /// Epochs before this one are another process's.
    pub fn starts_at(&mut self, first: usize) {
        self.first = first;
    }

    /// A line of its own.
    pub fn say(&mut self, line: &str) {
        if !self.quiet {
            self.clear_line();
            // A closed standard error is no reason to stop training.
            let _ = writeln!(stderr(), "{line}");
        }
    }

    /// `sent` examples of epoch number `epoch` (from 0) are on their way.
    pub fn step(&mut self, epoch: usize, sent: usize, rate: f64) {
        if !self.is_drawn() || self.line_drawn.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.line_drawn = Some(Instant::now());
        let line = self.line(epoch, sent, rate);
        // The terminal cuts off what its width does not hold: a line that wrapped could not be drawn over.
        let drawn = format!("\r\x1b[?7l{line}\x1b[K\x1b[?7h");
        // At once: a process that is killed in between would leave the terminal without wrapping.
        let _ = stderr().write_all(drawn.as_bytes());
    }

    /// What counts most first: a narrow terminal shows only the beginning.
    fn line(&self, epoch: usize, sent: usize, rate: f64) -> String {
        let percent = 100 * sent / self.examples.max(1);
        let mut line = format!("epoch {}/{} {percent:>3}%", epoch + 1, self.epochs);
        if let Some(scores) = &self.scores {
            let _ = write!(line, "  {scores}");
        }
        let _ = write!(line, "  {} left  {} samples/s", self.left(epoch, sent), grouped(rate));
        line
    }

    /// Whether anybody sees a line that changes.
    pub fn is_drawn(&self) -> bool {
        self.terminal && !self.quiet
    }

    /// Epoch number `epoch` (from 0) is done.
    pub fn epoch(&mut self, epoch: usize, scores: &Scores, rate: f64) {
        self.scores = None;
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

    fn clear_line(&mut self) {
        if self.line_drawn.take().is_some() {
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
    use super::{Progress, duration, grouped};
    use crate::history::Scores;

    #[test]
    fn a_narrow_line_begins_with_what_counts() {
        let mut progress = Progress::new(false, 0, 100, 60_000);
        assert!(progress.line(11, 21_000, 0.0).starts_with("epoch 12/100  35%  "));
        let mut scores = Scores::default();
        scores.set("loss", 0.123_45);
        scores.set("accuracy", 0.95);
        progress.scores = Some(scores);
        let line = progress.line(11, 21_000, 12_345.0);
        let narrow: String = line.chars().take(40).collect();
        assert!(narrow.starts_with("epoch 12/100  35%  loss 0.1235  accuracy"), "{narrow}");
        assert!(line.contains("accuracy 0.9500") && line.ends_with("12,345 samples/s"), "{line}");
        assert!(line.chars().all(|c| !c.is_control()));
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            [grouped(0.4), grouped(999.0), grouped(1000.0), grouped(1234567.8)],
            ["0", "999", "1,000", "1,234,568"]
        );
        assert_eq!([duration(0.2), duration(61.0), duration(7300.0)], ["0 s", "1 min 01 s", "2 h 01 min"]);
    }
}
