//! What a confusion matrix says: of each class, and of all.

use crate::results::Classification;

/// A confusion matrix of any shape, as its cells that are not 0.
pub struct Confusion {
    /// Number of classes: as many as there are names, rows or columns, whatever is most.
    pub classes: usize,
    /// True class, predicted class, count above 0; sorted.
    pub cells: Vec<(usize, usize, u64)>,
    /// All examples.
    pub examples: u64,
    /// Examples of each true class.
    pub support: Vec<u64>,
    /// Examples taken for each class.
    taken_for: Vec<u64>,
    /// Examples of each class taken for what they are.
    right: Vec<u64>,
}

/// How well one class was told apart. A quotient of nothing is none.
#[derive(Debug, PartialEq)]
pub struct ClassScores {
    /// Share of what was taken for it that is it.
    pub precision: Option<f64>,
    /// Share of it that was taken for it.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
}

impl Confusion {
    /// Reads the matrix.
    pub fn new(of: &Classification) -> Confusion {
        let widest = of.confusion.iter().map(Vec::len).max().unwrap_or(0);
        let classes = of.classes.len().max(of.confusion.len()).max(widest);
        let (mut support, mut taken_for, mut right) =
            (vec![0u64; classes], vec![0u64; classes], vec![0; classes]);
        let (mut cells, mut examples) = (Vec::new(), 0u64);
        for (truth, row) in of.confusion.iter().enumerate() {
            for (predicted, count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
                cells.push((truth, predicted, *count));
                support[truth] = support[truth].saturating_add(*count);
                taken_for[predicted] = taken_for[predicted].saturating_add(*count);
                examples = examples.saturating_add(*count);
                if truth == predicted {
                    right[truth] = *count;
                }
            }
        }
        Confusion { classes, cells, examples, support, taken_for, right }
    }

    /// The scores of a class.
    pub fn scores(&self, class: usize) -> ClassScores {
        let right = self.right[class];
        ClassScores {
            precision: share(right, self.taken_for[class]),
            recall: share(right, self.support[class]),
            // 2 × right / (taken for it + of it): the harmonic mean, without its 0 / 0 where nothing was right.
            f1: share(right.saturating_mul(2), self.taken_for[class].saturating_add(self.support[class])),
        }
    }

    /// The share of examples taken for what they are.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.right.iter().fold(0, |sum, count| sum.saturating_add(*count)), self.examples)
    }

    /// The mean of every class's scores over the classes that have them.
    pub fn mean(&self) -> ClassScores {
        let of = |score: fn(ClassScores) -> Option<f64>| {
            let values: Vec<f64> = (0..self.classes).filter_map(|class| score(self.scores(class))).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        ClassScores { precision: of(|s| s.precision), recall: of(|s| s.recall), f1: of(|s| s.f1) }
    }

    /// The most frequent true class and its share of all examples.
    pub fn most_frequent(&self) -> Option<(usize, f64)> {
        let most = *self.support.iter().max()?;
        let class = self.support.iter().position(|count| *count == most)?;
        Some((class, share(most, self.examples)?))
    }

    /// The pairs of classes that were confused most, most first; ties in the order of the matrix.
    pub fn most_confused(&self, wanted: usize) -> Vec<(usize, usize, u64)> {
        let mut wrong: Vec<_> =
            self.cells.iter().copied().filter(|(truth, predicted, _)| truth != predicted).collect();
        wrong.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        wrong.truncate(wanted);
        wrong
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(rows: &[&[u64]]) -> Confusion {
        let confusion = rows.iter().map(|row| row.to_vec()).collect();
        Confusion::new(&Classification { confusion, ..Classification::default() })
    }

    #[test]
    fn scores_by_hand() {
        // Class 0: 8 of 10 found, 8 of the 9 named so. Class 2 was never named.
        let found = confusion(&[&[8, 2, 0], &[1, 4, 0], &[0, 5, 0]]);
        let scores = found.scores(0);
        assert_eq!((scores.precision, scores.recall), (Some(8.0 / 9.0), Some(0.8)));
        assert!((scores.f1.unwrap() - 2.0 / (9.0 / 8.0 + 1.0 / 0.8)).abs() < 1e-12);
        assert_eq!(found.scores(2), ClassScores { precision: None, recall: Some(0.0), f1: Some(0.0) });
        assert_eq!(found.accuracy(), Some(0.6));
        assert_eq!(found.mean().precision, Some((8.0 / 9.0 + 4.0 / 11.0) / 2.0));
        assert_eq!(found.most_frequent(), Some((0, 0.5)));
        assert_eq!(found.most_confused(2), [(2, 1, 5), (0, 1, 2)]);
    }

    #[test]
    fn any_shape_is_read() {
        assert_eq!(confusion(&[]).accuracy(), None);
        assert_eq!(confusion(&[&[0]]).mean(), ClassScores { precision: None, recall: None, f1: None });
        let ragged = confusion(&[&[1], &[], &[0, 0, 0, u64::MAX]]);
        assert_eq!((ragged.classes, ragged.examples), (4, u64::MAX));
    }
}
