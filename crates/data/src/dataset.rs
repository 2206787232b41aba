//! Examples with their targets.

use crate::array::{Array, Targets, Values, check_finite};
use crate::error::{Error, Result};
use std::sync::Arc;

/// Examples with their targets. Cloning, [`subset`](Dataset::subset) and the splits share the
/// examples and copy none.
///
/// Every feature and target is finite and every label names a class: [`Dataset::new`] checks it.
#[derive(Clone, Debug)]
pub struct Dataset {
    features: Arc<Array>,
    targets: Arc<Targets>,
    feature_names: Arc<[String]>,
    /// The rows of the storage this set consists of; all in order where `None`.
    rows: Option<Arc<[u32]>>,
}

impl Dataset {
    /// All examples of `features`, `[examples, ...]`, with `targets`, `[examples]` or
    /// `[examples, width]`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when their numbers of examples differ, [`Error::Label`] for a label that is
    /// no class, [`Error::NotFinite`] for a NaN or an infinity.
    pub fn new(features: Array, targets: Targets) -> Result<Self> {
        Self::with_feature_names(features, targets, Vec::new())
    }

    /// [`Dataset::new`] with a name for each number of an example, as for the columns of a table.
    /// No names at all is allowed.
    ///
    /// # Errors
    /// As [`Dataset::new`], and [`Error::Invalid`] when there are fewer or more names than numbers in
    /// an example.
    pub fn with_feature_names(features: Array, targets: Targets, names: Vec<String>) -> Result<Self> {
        if !names.is_empty() && names.len() != features.example_len() {
            return Err(Error::invalid(
                format!("{} feature names were given for {} features", names.len(), features.example_len()),
                "Give one name for each feature, or none",
            ));
        }
        targets.check()?;
        if features.examples() != targets.examples() {
            return Err(Error::invalid(
                format!("There are {} examples but {} targets", features.examples(), targets.examples()),
                "Give one target for each example",
            ));
        }
        if u32::try_from(features.examples()).is_err() {
            return Err(Error::invalid(
                format!("{} examples are more than the {} that can be held", features.examples(), u32::MAX),
                "Split the data into several sets",
            ));
        }
        if let Values::F32(values) = features.values() {
            check_finite("feature", values, features.example_len(), &names)?;
        }
        Ok(Self {
            features: Arc::new(features),
            targets: Arc::new(targets),
            feature_names: names.into(),
            rows: None,
        })
    }

    /// How many examples this set has.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.features.examples(), |rows| rows.len())
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one example: `[1, 28, 28]` (channels, height, width) for grey pictures.
    pub fn example_shape(&self) -> &[usize] {
        self.features.example_shape()
    }

    /// The stored features, shared by all subsets; [`Dataset::storage_row`] says which are this set's.
    pub fn features(&self) -> &Array {
        &self.features
    }

    /// The stored targets, shared by all subsets; [`Dataset::storage_row`] says which are this set's.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The name of each feature; empty where features have no names.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The row of the storage that holds example `index`; `None` past the end.
    pub fn storage_row(&self, index: usize) -> Option<usize> {
        match &self.rows {
            Some(rows) => rows.get(index).map(|&row| row as usize),
            None => (index < self.features.examples()).then_some(index),
        }
    }

    /// The class of each example in order; `None` where targets are numbers.
    pub fn labels(&self) -> Option<impl Iterator<Item = i32> + '_> {
        match &*self.targets {
            Targets::Classes { values, .. } => {
                Some((0..self.len()).filter_map(|index| self.storage_row(index)).map(|row| values[row]))
            }
            Targets::Values { .. } => None,
        }
    }

    /// How many examples each class has; `None` where targets are numbers.
    pub fn class_counts(&self) -> Option<Vec<usize>> {
        let mut counts = vec![0; self.targets.class_names()?.len()];
        for label in self.labels()? {
            counts[label as usize] += 1;
        }
        Some(counts)
    }

    /// The examples at `indices` in that order, repeats included; no example is copied.
    ///
    /// # Errors
    /// [`Error::Invalid`] when an index is past the end.
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        let row = |(place, &index): (usize, &usize)| match self.storage_row(index) {
            Some(row) => Ok(row as u32),
            None => Err(Error::invalid(
                format!("Index {index} at place {place} is past the last of {} examples", self.len()),
                "Give indices below the number of examples",
            )),
        };
        let rows = indices.iter().enumerate().map(row).collect::<Result<Vec<u32>>>()?;
        Ok(Self { rows: Some(rows.into()), ..self.clone() })
    }

    /// Bytes the stored features and targets take, shared by all subsets.
    pub fn storage_bytes(&self) -> u64 {
        let features = self.features.values().len() as u64 * self.features.values().element_bytes() as u64;
        features + self.targets.examples() as u64 * self.targets.width() as u64 * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Dataset {
        let features = Array::new(Values::F32((0..12).map(|v| v as f32).collect()), &[3]).unwrap();
        Dataset::new(features, Targets::numbered_classes(vec![0, 1, 1, 2], 3).unwrap()).unwrap()
    }

    #[test]
    fn a_subset_shares_its_storage() {
        let data = table();
        let subset = data.subset(&[3, 1, 1]).unwrap();
        assert_eq!(subset.len(), 3);
        assert!(Arc::ptr_eq(&data.features, &subset.features));
        assert_eq!(subset.labels().unwrap().collect::<Vec<_>>(), [2, 1, 1]);
        let inner = subset.subset(&[0, 2]).unwrap();
        assert_eq!(
            (inner.storage_row(0), inner.storage_row(1), inner.storage_row(2)),
            (Some(3), Some(1), None)
        );
        assert_eq!(inner.class_counts().unwrap(), [0, 1, 1]);
        assert!(data.subset(&[]).unwrap().is_empty());
        let error = subset.subset(&[0, 3]).unwrap_err().to_string();
        assert!(error.contains("Index 3 at place 1"), "{error}");
    }

    #[test]
    fn counts_and_names_must_agree() {
        let features = |rows: usize| Array::new(Values::U8(vec![0; rows * 2]), &[2]).unwrap();
        let targets = || Targets::Values { values: vec![0.0; 3], width: 1 };
        let error = Dataset::new(features(4), targets()).unwrap_err().to_string();
        assert!(error.contains("4 examples but 3 targets"), "{error}");
        let error = Dataset::with_feature_names(features(3), targets(), vec!["a".into()]).unwrap_err();
        assert!(error.to_string().contains("1 feature names"), "{error}");
        let data = Dataset::with_feature_names(features(3), targets(), vec!["a".into(), "b".into()]).unwrap();
        assert_eq!((data.feature_names().len(), data.storage_bytes()), (2, 6 + 12));
        assert!(data.labels().is_none() && data.class_counts().is_none());
    }

    #[test]
    fn a_feature_that_is_not_finite_is_named() {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let features = Array::new(Values::F32(vec![0.0, 1.0, 2.0, wrong]), &[2]).unwrap();
            let targets = Targets::Values { values: vec![0.0; 2], width: 1 };
            let names = vec!["age".to_string(), "height".to_string()];
            let error = Dataset::with_feature_names(features, targets, names).unwrap_err().to_string();
            assert!(error.contains("row 1, column 1 (`height`)"), "{error}");
        }
    }
}
