//! Examples with their targets.

use crate::array::{Array, Targets, Values, check_finite};
use crate::augment::Augmentation;
use crate::error::{Error, Result};
use crate::images::PictureFiles;
use std::sync::Arc;
use warploom_transform::PixelScale;

/// Examples with their targets, and what a [`Loader`](crate::Loader) does with each on its way into a batch. Cloning,
/// [`subset`](Dataset::subset) and the splits share the examples and copy none.
///
/// Every feature and target is finite and every label names a class: [`Dataset::new`] checks it.
#[derive(Clone, Debug)]
pub struct Dataset {
    features: Arc<Array>,
    targets: Arc<Targets>,
    feature_names: Arc<[String]>,
    /// Where pictures are read as batches need them; `features` then has their shape and no example.
    pictures: Option<Arc<PictureFiles>>,
    augmentation: Option<Arc<Augmentation>>,
    pixels: Arc<PixelScale>,
    /// One for each example of this set.
    weights: Option<Arc<[f32]>>,
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
        if let Values::F32(values) = features.values() {
            check_finite("feature", values, features.example_len(), &names)?;
        }
        let examples = features.examples();
        Self::checked(features, examples, targets, names, None)
    }

    /// Pictures that are read when a batch needs them.
    pub(crate) fn of_pictures(pictures: PictureFiles, targets: Targets) -> Result<Self> {
        let features = Array::new(Values::U8(Vec::new()), &pictures.transform().shape())?;
        Self::checked(features, pictures.len(), targets, Vec::new(), Some(Arc::new(pictures)))
    }

    fn checked(
        features: Array,
        examples: usize,
        targets: Targets,
        names: Vec<String>,
        pictures: Option<Arc<PictureFiles>>,
    ) -> Result<Self> {
        targets.check()?;
        if examples != targets.examples() {
            return Err(Error::invalid(
                format!("There are {examples} examples but {} targets", targets.examples()),
                "Give one target for each example",
            ));
        }
        if u32::try_from(examples).is_err() {
            return Err(Error::invalid(
                format!("{examples} examples are more than the {} that can be held", u32::MAX),
                "Split the data into several sets",
            ));
        }
        Ok(Self {
            features: Arc::new(features),
            targets: Arc::new(targets),
            feature_names: names.into(),
            pictures,
            augmentation: None,
            pixels: Arc::default(),
            weights: None,
            rows: None,
        })
    }

    /// This set with its pictures changed at random whenever they come into a batch, differently in each epoch.
    ///
    /// # Errors
    /// [`Error::Invalid`] when examples are no pictures, `[channels, height, width]`.
    pub fn with_augmentation(self, augmentation: Augmentation) -> Result<Self> {
        if self.example_shape().len() != 3 {
            return Err(Error::invalid(
                format!("Augmentation was asked for, but examples have the shape {:?}", self.example_shape()),
                "Augment pictures, [channels, height, width], alone",
            ));
        }
        Ok(Self { augmentation: Some(Arc::new(augmentation)), ..self })
    }

    /// This set with its bytes scaled on their way into a batch, after augmentation.
    ///
    /// # Errors
    /// [`Error::Invalid`] when examples are not bytes, or the scale is not for as many channels as they have.
    pub fn with_pixel_scale(self, scale: PixelScale) -> Result<Self> {
        if matches!(self.features.values(), Values::F32(_)) {
            return Err(Error::invalid(
                "A scale of pixels was asked for, but the examples are no bytes",
                "Scale bytes alone",
            ));
        }
        scale.check(self.example_shape()[0])?;
        Ok(Self { pixels: Arc::new(scale), ..self })
    }

    /// This set with a weight for each example, `[examples]`, which its batches carry.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another number of weights, or one that is negative or not finite.
    pub fn with_sample_weights(self, weights: Vec<f32>) -> Result<Self> {
        if weights.len() != self.len() {
            return Err(Error::invalid(
                format!("{} weights were given for {} examples", weights.len(), self.len()),
                "Give one weight for each example",
            ));
        }
        if let Some(place) = weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
            return Err(Error::invalid(
                format!("The weight of example {place} (counted from 0) is {}", weights[place]),
                "Give finite weights of at least 0",
            ));
        }
        Ok(Self { weights: Some(weights.into()), ..self })
    }

    /// This set with the weights of its examples multiplied by that of their class, `[classes]`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when targets are no classes, for another number of weights, or one that is negative or not
    /// finite.
    pub fn with_class_weights(self, weights: &[f32]) -> Result<Self> {
        let classes = self.targets.class_names().map_or(0, <[String]>::len);
        if classes == 0 || weights.len() != classes {
            return Err(Error::invalid(
                format!("{} class weights were given for {classes} classes", weights.len()),
                "Give one weight for each class",
            ));
        }
        let of_class = self.labels().into_iter().flatten().map(|label| weights[label as usize]);
        let product = match &self.weights {
            Some(own) => of_class.zip(own.iter()).map(|(class, own)| class * own).collect(),
            None => of_class.collect(),
        };
        self.with_sample_weights(product)
    }

    /// The class weights under which every class weighs the same in all: `examples / (classes × examples of the class)`,
    /// 0 for a class without examples. `None` where targets are numbers.
    pub fn balanced_class_weights(&self) -> Option<Vec<f32>> {
        let counts = self.class_counts()?;
        let share = self.len() as f64 / counts.len() as f64;
        Some(
            counts
                .iter()
                .map(|&count| if count == 0 { 0.0 } else { (share / count as f64) as f32 })
                .collect(),
        )
    }

    /// How many examples this set has.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.targets.examples(), |rows| rows.len())
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one example: `[1, 28, 28]` (channels, height, width) for grey pictures.
    pub fn example_shape(&self) -> &[usize] {
        self.features.example_shape()
    }

    /// Whether batches hold bytes; else they hold single-precision numbers.
    pub fn is_bytes(&self) -> bool {
        matches!(self.features.values(), Values::U8(_)) && self.pixels.is_bytes()
    }

    /// The stored features, shared by all subsets; [`Dataset::storage_row`] says which are this set's. An array without
    /// examples where pictures are read as batches need them.
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
            None => (index < self.targets.examples()).then_some(index),
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
        let weights =
            self.weights.as_ref().map(|weights| indices.iter().map(|&index| weights[index]).collect());
        Ok(Self { rows: Some(rows.into()), weights, ..self.clone() })
    }

    /// This set without augmentation and scale.
    pub(crate) fn without_changes(self) -> Self {
        Self { augmentation: None, pixels: Arc::default(), ..self }
    }

    pub(crate) fn pictures(&self) -> Option<&PictureFiles> {
        self.pictures.as_deref()
    }

    /// How pictures are augmented, if they are.
    pub fn augmentation(&self) -> Option<&Augmentation> {
        self.augmentation.as_deref()
    }

    /// What becomes of bytes on their way into a batch.
    pub fn pixel_scale(&self) -> &PixelScale {
        &self.pixels
    }

    /// The weight of each example, `[examples]`, if they have any.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
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

    #[test]
    fn weights_go_with_their_examples() {
        let data = table().with_class_weights(&[1.0, 2.0, 4.0]).unwrap();
        assert_eq!(data.weights().unwrap(), [1.0, 2.0, 2.0, 4.0]);
        let data = data.subset(&[3, 1, 1]).unwrap();
        assert_eq!(data.weights().unwrap(), [4.0, 2.0, 2.0]);
        let data = data.with_sample_weights(vec![0.5, 1.0, 0.0]).unwrap();
        let data = data.with_class_weights(&[1.0, 3.0, 5.0]).unwrap();
        assert_eq!(
            data.weights().unwrap(),
            [2.5, 3.0, 0.0],
            "those of examples and of classes are multiplied"
        );
        // Four examples, three classes: 4 / (3 × 1), 4 / (3 × 2).
        let balanced = table().balanced_class_weights().unwrap();
        assert_eq!(balanced, [4.0 / 3.0, 2.0 / 3.0, 4.0 / 3.0]);
        for (weights, wanted) in [
            (vec![1.0; 3], "3 weights were given for 4 examples"),
            (vec![1.0, 1.0, -1.0, 1.0], "example 2"),
            (vec![1.0, f32::NAN, 1.0, 1.0], "example 1"),
        ] {
            let error = table().with_sample_weights(weights).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let error = table().with_class_weights(&[1.0; 2]).unwrap_err().to_string();
        assert!(error.contains("2 class weights were given for 3 classes"), "{error}");
    }

    #[test]
    fn only_pictures_are_augmented_and_only_bytes_scaled() {
        let error =
            table().with_augmentation(Augmentation::new(Vec::new()).unwrap()).unwrap_err().to_string();
        assert!(error.contains("shape [3]"), "{error}");
        let error = table().with_pixel_scale(PixelScale::Unit).unwrap_err().to_string();
        assert!(error.contains("no bytes"), "{error}");
        let grey = Array::new(Values::U8(vec![0; 8]), &[1, 2, 2]).unwrap();
        let grey = Dataset::new(grey, Targets::numbered_classes(vec![0, 1], 2).unwrap()).unwrap();
        let colours = PixelScale::Standard { mean: vec![0.0; 3], deviation: vec![1.0; 3] };
        let error = grey.clone().with_pixel_scale(colours).unwrap_err().to_string();
        assert!(error.contains("3 means and 3 deviations are no scale of 1 channels"), "{error}");
        assert!(grey.is_bytes() && !grey.with_pixel_scale(PixelScale::Symmetric).unwrap().is_bytes());
    }
}
