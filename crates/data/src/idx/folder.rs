//! A folder of IDX files as MNIST and its kin are published: pictures and labels, train and test.

use super::source::Origin;
use super::{Elements, Idx, open};
use crate::array::{Array, Targets, Values};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Examples to learn from and examples to judge by.
#[derive(Clone, Debug)]
pub struct TrainTest {
    /// To learn from.
    pub train: Dataset,
    /// To judge by; not seen while learning.
    pub test: Dataset,
}

/// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte` from `folder`, also spelt with `.idx` for `-idx`, each plain or with
/// `.gz`. Features are `[examples, 1, height, width]`, targets are numbers below `classes`.
///
/// # Errors
/// [`Error::Missing`] when the folder lacks a file; otherwise as [`read_pair`].
pub fn read_folder(folder: impl AsRef<Path>, classes: usize) -> Result<TrainTest> {
    let folder = folder.as_ref();
    let pair = |set: &str| -> Result<(PathBuf, PathBuf)> {
        let images = find(folder, &format!("{set}-images"), "idx3-ubyte")?;
        let labels = find(folder, &format!("{set}-labels"), "idx1-ubyte")?;
        Ok((images, labels))
    };
    // All four are found before the first is read: reading takes longer than finding.
    let (train, test) = (pair("train")?, pair("t10k")?);
    Ok(TrainTest {
        train: read_pair(&train.0, &train.1, classes)?,
        test: read_pair(&test.0, &test.1, classes)?,
    })
}

/// Reads a file of examples and a file of their labels.
///
/// Bytes stay bytes, other elements become f32. An example of two dimensions is taken as a grey
/// picture, `[1, height, width]`; other shapes are kept.
///
/// # Errors
/// As [`read`](super::read); [`Error::Format`] for a label that is not below `classes`, for labels that are not
/// whole numbers in one dimension and for files without examples; [`Error::Invalid`] when the numbers
/// of examples and labels differ; [`Error::NotFinite`] for a NaN or an infinity.
pub fn read_pair(examples: impl AsRef<Path>, labels: impl AsRef<Path>, classes: usize) -> Result<Dataset> {
    let (examples_path, labels_path) = (examples.as_ref(), labels.as_ref());
    let (labels, origin) = open(labels_path)?;
    let targets = targets(labels, &origin, classes)?;
    let (examples, origin) = open(examples_path)?;
    let features = features(examples, &origin)?;
    if features.examples() != targets.examples() {
        let (examples_path, labels_path) = (examples_path.display(), labels_path.display());
        let (examples, labels) = (features.examples(), targets.examples());
        return Err(Error::invalid(
            format!("{examples_path} holds {examples} examples, but {labels_path} holds {labels} labels"),
            "Use the two files that were published together",
        ));
    }
    Dataset::new(features, targets)
}

fn find(folder: &Path, stem: &str, suffix: &str) -> Result<PathBuf> {
    let mut looked_for = Vec::new();
    for separator in ["-", "."] {
        for ending in ["", ".gz"] {
            let name = format!("{stem}{separator}{suffix}{ending}");
            let path = folder.join(&name);
            if path.is_file() {
                return Ok(path);
            }
            looked_for.push(name);
        }
    }
    Err(Error::Missing { folder: folder.to_path_buf(), looked_for })
}

fn features(idx: Idx, file: &Origin<'_>) -> Result<Array> {
    let values = match idx.elements {
        Elements::U8(bytes) => Values::U8(bytes),
        Elements::I8(numbers) => floats(numbers, f32::from),
        Elements::I16(numbers) => floats(numbers, f32::from),
        Elements::I32(numbers) => floats(numbers, |number| number as f32),
        Elements::F32(numbers) => Values::F32(numbers),
        Elements::F64(numbers) => floats(numbers, |number| number as f32),
    };
    if values.is_empty() {
        return Err(file.format(4, format!("the shape {:?} holds no element", idx.shape), FILE_OF_EXAMPLES));
    }
    match idx.shape[1..] {
        [] => Array::new(values, &[1]),
        [height, width] => Array::new(values, &[1, height, width]),
        ref shape => Array::new(values, shape),
    }
}

fn floats<T>(numbers: Vec<T>, convert: fn(T) -> f32) -> Values {
    Values::F32(numbers.into_iter().map(convert).collect())
}

fn targets(idx: Idx, file: &Origin<'_>, classes: usize) -> Result<Targets> {
    if idx.shape.len() != 1 || idx.elements.is_empty() {
        let problem =
            format!("labels have the shape {:?}, but one number for each example is needed", idx.shape);
        return Err(file.format(3, problem, FILE_OF_LABELS));
    }
    let (labels, width) = match idx.elements {
        Elements::U8(labels) => (labels.into_iter().map(i32::from).collect(), 1),
        Elements::I8(labels) => (labels.into_iter().map(i32::from).collect(), 1),
        Elements::I16(labels) => (labels.into_iter().map(i32::from).collect(), 2),
        Elements::I32(labels) => (labels, 4),
        Elements::F32(_) | Elements::F64(_) => {
            let problem = "labels are fractions, but whole numbers are needed".to_string();
            return Err(file.format(2, problem, FILE_OF_LABELS));
        }
    };
    Targets::numbered_classes(labels, classes).map_err(|error| match error {
        Error::Label { row, found, classes } => {
            let offset = LABELS_HEADER + row as u64 * width;
            let problem = format!("label {row} (counted from 0) is {found}, but there are {classes} classes");
            file.format(
                offset,
                problem,
                "Correct the number of classes (in a recipe data.classes) or the file",
            )
        }
        other => other,
    })
}

/// Bytes before the first label: the magic number and one dimension.
const LABELS_HEADER: u64 = 8;
const FILE_OF_EXAMPLES: &str = "Name a file that holds examples";
const FILE_OF_LABELS: &str = "Name the file of labels, such as train-labels-idx1-ubyte";
