//! Which classes were taken for which, and the scores that follow from it.

use std::fmt;

/// How often examples of one class were said to be of another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row-major; a row for each true class.
    counts: Vec<u64>,
}

/// How scores of classes become one number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Average {
    /// The mean over the classes that are there: those of some example, and those that some example was taken for.
    #[default]
    Macro,
    /// Of all decisions together; where each example has one class, precision, recall and F1 are all the accuracy.
    Micro,
    /// The mean weighted by the number of examples of each class.
    Weighted,
}

/// What is asked of a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Score {
    Precision,
    Recall,
    F1,
}

impl ConfusionMatrix {
    pub(crate) fn new(classes: usize, counts: Vec<u64>) -> ConfusionMatrix {
        ConfusionMatrix { classes, counts }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Examples of class `truth` that were taken for class `said`; 0 for classes that are not there.
    pub fn count(&self, truth: usize, said: usize) -> u64 {
        let there = truth < self.classes && said < self.classes;
        if there { self.counts[truth * self.classes + said] } else { 0 }
    }

    /// A row for each true class: how often it was taken for each class.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.counts.chunks(self.classes.max(1))
    }

    /// Right decisions for, decisions for, and examples of a class.
    fn of(&self, class: usize) -> [u64; 3] {
        let said = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        let there = (0..self.classes).map(|said| self.count(class, said)).sum();
        [self.count(class, class), said, there]
    }

    /// Of one class: right / said, right / there, 2 · right / (said + there); 0 where nothing divides.
    pub(crate) fn score(&self, score: Score, class: usize) -> f64 {
        ratio(score, self.of(class))
    }

    pub(crate) fn average(&self, score: Score, average: Average) -> f64 {
        let all: Vec<[u64; 3]> = (0..self.classes).map(|class| self.of(class)).collect();
        match average {
            Average::Micro => {
                let sum = |i: usize| all.iter().map(|counts| counts[i]).sum();
                ratio(score, [sum(0), sum(1), sum(2)])
            }
            Average::Macro => {
                let present = all.iter().filter(|counts| counts[1] + counts[2] > 0);
                let (sum, count) = present.fold((0.0, 0.0), |(s, n), c| (s + ratio(score, *c), n + 1.0));
                if count == 0.0 { 0.0 } else { sum / count }
            }
            Average::Weighted => {
                let examples: u64 = all.iter().map(|counts| counts[2]).sum();
                let sum: f64 = all.iter().map(|c| ratio(score, *c) * c[2] as f64).sum();
                if examples == 0 { 0.0 } else { sum / examples as f64 }
            }
        }
    }
}

fn ratio(score: Score, [right, said, there]: [u64; 3]) -> f64 {
    let (above, below) = match score {
        Score::Precision => (right, said),
        Score::Recall => (right, there),
        Score::F1 => (2 * right, said + there),
    };
    if below == 0 { 0.0 } else { above as f64 / below as f64 }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.counts.iter().max().map_or(1, |most| most.to_string().len());
        for row in self.rows() {
            let cells: Vec<String> = row.iter().map(|count| format!("{count:>widest$}")).collect();
            writeln!(f, "{}", cells.join(" "))?;
        }
        Ok(())
    }
}
