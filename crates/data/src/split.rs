//! Setting a part of the examples aside, by lot.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

impl Dataset {
    /// `(rest, part)`, where `part` is `fraction` of the examples, rounded, drawn by lot under `seed`.
    /// Both keep the order of this set and share its storage.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `fraction` is not between 0 and 1 or leaves either side empty.
    pub fn split_off(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        self.divide(draw(self.len(), None, fraction, seed)?)
    }

    /// [`Dataset::split_off`] with the same fraction of each class, to within one example. A class
    /// always keeps an example in `rest`; `part` may be that much smaller.
    ///
    /// # Errors
    /// As [`Dataset::split_off`], and [`Error::Invalid`] when targets are not classes.
    pub fn split_off_stratified(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        let Some(labels) = self.labels() else {
            return Err(Error::invalid(
                "A stratified split was asked for, but the targets are numbers",
                "Use a plain split, or give classes as targets",
            ));
        };
        self.divide(draw(self.len(), Some(&labels.collect::<Vec<_>>()), fraction, seed)?)
    }

    fn divide(&self, part: Vec<usize>) -> Result<(Dataset, Dataset)> {
        let mut taken = vec![false; self.len()];
        for index in part {
            taken[index] = true;
        }
        let side =
            |wanted: bool| (0..taken.len()).filter(|&index| taken[index] == wanted).collect::<Vec<_>>();
        Ok((self.subset(&side(false))?, self.subset(&side(true))?))
    }
}

/// Draws `fraction` of `examples`, rounded; with the same fraction of each class where `labels` are given, each class
/// keeping one example.
pub(crate) fn draw(examples: usize, labels: Option<&[i32]>, fraction: f64, seed: u64) -> Result<Vec<usize>> {
    let size = part_size(examples, fraction)?;
    let Some(labels) = labels else {
        let mut order: Vec<usize> = (0..examples).collect();
        Random::new(seed, Purpose::Split, 0).shuffle(&mut order);
        order.truncate(size);
        return Ok(order);
    };
    let classes = labels.iter().map(|&label| label as usize + 1).max().unwrap_or(0);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label as usize].push(index);
    }
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let mut part = Vec::with_capacity(size);
    for (class, (members, quota)) in members.iter_mut().zip(quotas(&counts, fraction, size)).enumerate() {
        Random::new(seed, Purpose::Split, class as u64).shuffle(members);
        part.extend(members.iter().take(quota));
    }
    if part.is_empty() {
        return Err(empty_side(fraction, examples, 0));
    }
    Ok(part)
}

fn part_size(examples: usize, fraction: f64) -> Result<usize> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(Error::invalid(
            format!("The fraction to split off is {fraction}"),
            "Give a number between 0 and 1, such as 0.2",
        ));
    }
    let size = (fraction * examples as f64 + 0.5) as usize;
    if size == 0 || size >= examples {
        return Err(empty_side(fraction, examples, size));
    }
    Ok(size)
}

fn empty_side(fraction: f64, examples: usize, size: usize) -> Error {
    Error::invalid(
        format!("Splitting {fraction} off {examples} examples gives parts of {} and {size}", examples - size),
        "Choose a fraction that leaves examples on both sides (in a recipe split.validation, split.test), or give more examples",
    )
}

/// How many of each class to take: the whole part of its share, then one more for the largest
/// remainders (Hamilton's method) while `size` is not reached and a class keeps one.
fn quotas(counts: &[usize], fraction: f64, size: usize) -> Vec<usize> {
    let shares: Vec<f64> = counts.iter().map(|&count| count as f64 * fraction).collect();
    let mut quotas: Vec<usize> = shares
        .iter()
        .zip(counts)
        .map(|(&share, &count)| (share as usize).min(count.saturating_sub(1)))
        .collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    let remainder = |class: usize| shares[class] - shares[class].floor();
    by_remainder.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)).then(a.cmp(&b)));
    let mut missing = size.saturating_sub(quotas.iter().sum());
    for class in by_remainder {
        if missing > 0 && quotas[class] + 1 < counts[class] {
            quotas[class] += 1;
            missing -= 1;
        }
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Targets, Values};

    fn classes(labels: Vec<i32>, classes: usize) -> Dataset {
        let features = Array::new(Values::U8(vec![0; labels.len()]), &[1]).unwrap();
        Dataset::new(features, Targets::numbered_classes(labels, classes).unwrap()).unwrap()
    }

    fn rows(data: &Dataset) -> Vec<usize> {
        (0..data.len()).filter_map(|index| data.storage_row(index)).collect()
    }

    #[test]
    fn the_parts_are_disjoint_complete_and_fixed_by_the_seed() {
        let data = classes(vec![0; 100], 1);
        let (rest, part) = data.split_off(0.2, 7).unwrap();
        assert_eq!((rest.len(), part.len()), (80, 20));
        let mut all = [rows(&rest), rows(&part)].concat();
        assert!(rows(&rest).is_sorted() && rows(&part).is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(rows(&data.split_off(0.2, 7).unwrap().1), rows(&part));
        assert_ne!(rows(&data.split_off(0.2, 8).unwrap().1), rows(&part));
        let (_, inner) = part.split_off(0.5, 1).unwrap();
        assert!(rows(&inner).iter().all(|row| rows(&part).contains(row)));
    }

    #[test]
    fn a_stratified_split_keeps_the_proportions() {
        let labels =
            (0..1000).map(|i| if i % 10 == 0 { 1 } else { 0 } + if i == 3 { 2 } else { 0 }).collect();
        let data = classes(labels, 4);
        let (rest, part) = data.split_off_stratified(0.25, 3).unwrap();
        assert_eq!(part.class_counts().unwrap(), [225, 25, 0, 0]);
        assert_eq!(rest.class_counts().unwrap(), [674, 75, 1, 0]);
        assert_eq!(rows(&data.split_off_stratified(0.25, 3).unwrap().1), rows(&part));
        assert_ne!(rows(&data.split_off_stratified(0.25, 4).unwrap().1), rows(&part));
    }

    #[test]
    fn every_class_stays_in_the_rest() {
        let data = classes(vec![0, 0, 1, 1, 2, 2, 2, 2], 3);
        let (rest, part) = data.split_off_stratified(0.75, 0).unwrap();
        assert_eq!(rest.class_counts().unwrap(), [1, 1, 1]);
        assert_eq!(part.class_counts().unwrap(), [1, 1, 3]);
    }

    #[test]
    fn fractions_that_leave_a_side_empty_are_refused() {
        let data = classes(vec![0, 1, 0, 1], 2);
        for fraction in [0.0, 1.0, -0.5, 2.0, f64::NAN, f64::INFINITY, 1e-9, 0.999] {
            assert!(data.split_off(fraction, 0).is_err(), "{fraction}");
            assert!(data.split_off_stratified(fraction, 0).is_err(), "{fraction}");
        }
        assert!(data.subset(&[]).unwrap().split_off(0.5, 0).is_err());
        assert!(classes(vec![0, 1], 2).split_off_stratified(0.5, 0).is_err());
    }

    #[test]
    fn numbers_cannot_be_stratified() {
        let features = Array::new(Values::U8(vec![0; 4]), &[1]).unwrap();
        let data = Dataset::new(features, Targets::Values { values: vec![0.0; 4], width: 1 }).unwrap();
        assert!(data.split_off_stratified(0.5, 0).unwrap_err().to_string().contains("targets are numbers"));
    }
}
