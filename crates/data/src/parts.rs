//! Which examples a model learns from, is watched on and is judged by.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::split::draw;

/// What an example is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// To learn from.
    Train,
    /// To watch the training.
    Validation,
    /// To judge by, after training.
    Test,
}

/// The indices of the examples of each part, ascending, no index twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// To learn from; never empty.
    pub train: Vec<usize>,
    /// To watch the training.
    pub validation: Vec<usize>,
    /// To judge by, after training.
    pub test: Vec<usize>,
}

/// How examples are shared out.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitRule {
    /// By lot, with the same shares of each class where targets are classes.
    Random {
        /// Share of all examples that is watched, 0 for none.
        validation: f64,
        /// Share of all examples that is judged by, 0 for none.
        test: f64,
        /// What fixes the lot.
        seed: u64,
    },
    /// By place within the class, in the order of the examples (of a folder: the natural order of the names): the first
    /// are learned from, those that follow watched, the rest judged by.
    FirstOfClass {
        /// Examples of each class to learn from.
        train: usize,
        /// Examples of each class to watch.
        validation: usize,
    },
    /// As said, one for each example.
    Given(Vec<Part>),
}

impl SplitRule {
    /// Shares out `examples` with these classes; `labels` is `None` where targets are numbers.
    ///
    /// # Errors
    /// [`Error::Invalid`] when nothing remains to learn from, a share that was asked for comes out empty, shares are not
    /// between 0 and 1 or 1 in all, classes are needed and there are none, or a class has too few examples.
    pub fn parts(&self, examples: usize, labels: Option<&[i32]>) -> Result<Parts> {
        match self {
            SplitRule::Random { validation, test, seed } => {
                random(examples, labels, *validation, *test, *seed)
            }
            SplitRule::FirstOfClass { train, validation } => {
                let Some(labels) = labels.filter(|_| *train > 0) else {
                    return Err(Error::invalid(
                        format!("The first {train} of each class were asked for"),
                        "Give at least 1, and classes as targets; or split by lot (in a recipe split.rule = \"random\")",
                    ));
                };
                first_of_class(labels, *train, *validation)
            }
            SplitRule::Given(parts) => {
                if parts.len() != examples {
                    return Err(Error::invalid(
                        format!("{} examples were assigned to parts, but there are {examples}", parts.len()),
                        "Give the part of each example",
                    ));
                }
                Parts::collect(parts.iter().copied())
            }
        }
    }
}

impl Parts {
    fn collect(parts: impl Iterator<Item = Part>) -> Result<Parts> {
        let mut collected = Parts::default();
        for (index, part) in parts.enumerate() {
            match part {
                Part::Train => collected.train.push(index),
                Part::Validation => collected.validation.push(index),
                Part::Test => collected.test.push(index),
            }
        }
        if collected.train.is_empty() {
            return Err(Error::invalid("No example is left to learn from", "Assign examples to train"));
        }
        Ok(collected)
    }
}

impl Dataset {
    /// Shares out this set's examples.
    ///
    /// # Errors
    /// As [`SplitRule::parts`].
    pub fn parts(&self, rule: &SplitRule) -> Result<Parts> {
        let labels: Option<Vec<i32>> = self.labels().map(Iterator::collect);
        rule.parts(self.len(), labels.as_deref())
    }
}

fn random(examples: usize, labels: Option<&[i32]>, validation: f64, test: f64, seed: u64) -> Result<Parts> {
    let share = |share: f64| (0.0..1.0).contains(&share);
    if !share(validation) || !share(test) || validation + test >= 1.0 {
        return Err(Error::invalid(
            format!(
                "The shares {validation} for validation and {test} for the test leave no share to learn from"
            ),
            "Give two numbers from 0 to below 1 whose sum is below 1",
        ));
    }
    let mut parts = vec![Part::Train; examples];
    let mut rest: Vec<usize> = (0..examples).collect();
    let mut remaining = 1.0;
    for (part, share, seed) in [(Part::Test, test, seed), (Part::Validation, validation, !seed)] {
        if share == 0.0 {
            continue;
        }
        let labels: Option<Vec<i32>> = labels.map(|labels| rest.iter().map(|&index| labels[index]).collect());
        // Of what the user said, not of the rest that is drawn from.
        let too_few = |_| too_few(examples, labels.is_some(), validation, test);
        for place in draw(rest.len(), labels.as_deref(), share / remaining, seed).map_err(too_few)? {
            parts[rest[place]] = part;
        }
        rest.retain(|&index| parts[index] == Part::Train);
        remaining -= share;
    }
    Parts::collect(parts.into_iter())
}

fn too_few(examples: usize, by_class: bool, validation: f64, test: f64) -> Error {
    let shares = [(validation, "to watch"), (test, "to test on")];
    let shares = shares.iter().filter(|(share, _)| *share > 0.0);
    let shares: Vec<String> = shares.map(|(share, what)| format!("{share} {what}")).collect();
    let keeps = if by_class { ", where each class keeps one to learn from" } else { "" };
    let are = if examples == 1 { "1 example is".to_owned() } else { format!("{examples} examples are") };
    Error::invalid(
        format!("{are} too few for a share of {}{keeps}", shares.join(" and one of ")),
        "Each share needs one example at least: give more examples, a larger share, or 0 for what is not wanted (in a recipe \
         split.validation, split.test)",
    )
}

fn first_of_class(labels: &[i32], train: usize, validation: usize) -> Result<Parts> {
    let classes = labels.iter().map(|&label| label as usize + 1).max().unwrap_or(0);
    let mut counts = vec![0_usize; classes];
    let needed = train.saturating_add(validation);
    let parts: Vec<Part> = labels
        .iter()
        .map(|&label| {
            let count = &mut counts[label as usize];
            *count += 1;
            match *count {
                count if count <= train => Part::Train,
                count if count <= needed => Part::Validation,
                _ => Part::Test,
            }
        })
        .collect();
    if let Some(class) = counts.iter().position(|&count| count > 0 && count < needed) {
        return Err(Error::invalid(
            format!(
                "Class number {class} has {} examples, but its first {needed} were asked for",
                counts[class]
            ),
            "Ask for fewer (in a recipe split.train_per_class, split.validation_per_class), or split by lot",
        ));
    }
    Parts::collect(parts.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(parts: &Parts, examples: usize) {
        let mut all = [&parts.train[..], &parts.validation, &parts.test].concat();
        for part in [&parts.train, &parts.validation, &parts.test] {
            assert!(part.is_sorted());
        }
        all.sort_unstable();
        assert_eq!(all, (0..examples).collect::<Vec<_>>());
    }

    #[test]
    fn shares_are_those_asked_for() {
        for examples in [10, 57, 1000] {
            let labels: Vec<i32> = (0..examples as i32).map(|index| i32::from(index % 5 == 0)).collect();
            for labels in [None, Some(&labels[..])] {
                for (validation, test) in [(0.2, 0.2), (0.0, 0.3), (0.1, 0.0), (0.0, 0.0)] {
                    let rule = |seed| SplitRule::Random { validation, test, seed };
                    let parts = rule(3).parts(examples, labels).unwrap();
                    complete(&parts, examples);
                    for (part, share) in [(&parts.validation, validation), (&parts.test, test)] {
                        assert!((part.len() as f64 - share * examples as f64).abs() <= 1.0, "{parts:?}");
                        let yes = part.iter().filter(|index| *index % 5 == 0).count() as f64;
                        assert!(
                            labels.is_none() || (yes - part.len() as f64 / 5.0).abs() <= 1.0,
                            "{parts:?}"
                        );
                    }
                    assert_eq!(rule(3).parts(examples, labels).unwrap(), parts);
                    assert!(test == 0.0 || rule(4).parts(examples, labels).unwrap() != parts);
                }
            }
        }
    }

    #[test]
    fn the_first_of_each_class_learn() {
        let labels = [0, 1, 0, 1, 0, 0, 1, 1];
        let parts = SplitRule::FirstOfClass { train: 2, validation: 1 }.parts(8, Some(&labels)).unwrap();
        assert_eq!((parts.train, parts.validation, parts.test), (vec![0, 1, 2, 3], vec![4, 6], vec![5, 7]));
        let refused = |train, labels: Option<&[i32]>| {
            SplitRule::FirstOfClass { train, validation: 0 }.parts(8, labels).unwrap_err().to_string()
        };
        assert!(refused(5, Some(&labels)).contains("Class number 0 has 4 examples"));
        assert!(refused(2, None).contains("first 2 of each class"));
        assert!(refused(0, Some(&labels)).contains("at least 1"));
    }

    #[test]
    fn parts_are_given_one_by_one() {
        let parts = vec![Part::Test, Part::Train, Part::Validation, Part::Train];
        let given = SplitRule::Given(parts.clone()).parts(4, None).unwrap();
        assert_eq!((given.train, given.validation, given.test), (vec![1, 3], vec![2], vec![0]));
        let error = SplitRule::Given(parts).parts(5, None).unwrap_err().to_string();
        assert!(error.contains("4 examples were assigned"), "{error}");
        let error = SplitRule::Given(vec![Part::Test; 3]).parts(3, None).unwrap_err().to_string();
        assert!(error.contains("No example is left"), "{error}");
    }

    #[test]
    fn shares_that_leave_nothing_are_refused() {
        for (validation, test) in [(0.5, 0.5), (-0.1, 0.2), (0.2, 1.0), (f64::NAN, 0.1), (0.1, f64::INFINITY)]
        {
            let rule = SplitRule::Random { validation, test, seed: 0 };
            assert!(rule.parts(100, None).unwrap_err().to_string().contains("shares"), "{validation} {test}");
        }
        let rule = SplitRule::Random { validation: 0.0, test: 0.01, seed: 0 };
        assert!(rule.parts(10, None).is_err(), "a share that was asked for is not empty");
        let rule = SplitRule::Random { validation: 0.1, test: 0.3, seed: 0 };
        let error = rule.parts(3, Some(&[0, 1, 0])).unwrap_err().to_string();
        let told = "3 examples are too few for a share of 0.1 to watch and one of 0.3 to test on, where each class keeps one";
        assert!(error.starts_with(told), "{error}");
        let error = rule.parts(1, None).unwrap_err().to_string();
        assert!(error.starts_with("1 example is too few for a share of"), "{error}");
    }
}
