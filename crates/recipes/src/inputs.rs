//! Files to predict, and what a run says to each example in them.

use crate::folder::RunFolder;
use crate::model::build;
use crate::precision::device;
use crate::schema::{Loss, Recipe, Task};
use crate::signature::{Outputs, Signature};
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use warploom_data::idx::{self, Elements};
use warploom_data::transform::{ImageTransform, Input, Transform};
use warploom_data::{Values, csv, images};
use warploom_nn::Model;
use warploom_tensor::{ElementwiseMethods, Tensor};
use warploom_train::{Error, Result, Training};

/// Pictures that are read and predicted together.
const PICTURES: usize = 256;

/// A run's model with its weights and transforms.
pub struct Predictor {
    model: Model,
    signature: Signature,
    transform: Option<Transform>,
    task: Task,
    /// Whether predictions are logits of probabilities.
    logits: bool,
    /// Whether it was said that pictures are resized.
    resizing_said: Cell<bool>,
}

/// What is said to one example.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The file it is from.
    pub input: String,
    /// Its position there, from 0.
    pub index: usize,
    /// What is said.
    pub said: Said,
}

/// What is said to an example.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Classes with their probabilities, the most likely first.
    Classes(Vec<(String, f32)>),
    /// Numbers, in the target's own unit.
    Numbers(Vec<f64>),
}

impl Prediction {
    /// `{"input", "index", "class", "probability", "probabilities"}`, or `{"input", "index", "values"}`.
    pub fn json(&self) -> Value {
        match &self.said {
            Said::Classes(classes) => {
                let (class, probability) = classes.first().cloned().unwrap_or_default();
                let all: Map<String, Value> =
                    classes.iter().map(|(name, p)| (name.clone(), json!(p))).collect();
                json!({ "input": self.input, "index": self.index, "class": class, "probability": probability,
                        "probabilities": all })
            }
            Said::Numbers(values) => json!({ "input": self.input, "index": self.index, "values": values }),
        }
    }
}

impl Predictor {
    /// Loads a run.
    ///
    /// # Errors
    /// A folder without weights, or with weights of another model; what the device reports.
    pub fn open(folder: &RunFolder, recipe: &Recipe) -> Result<Predictor> {
        let (signature, transform) = (folder.signature()?, folder.transform()?);
        let device = device(recipe)?;
        let model = build(recipe, &signature, &device)?;
        folder.load_weights(&model)?;
        let logits = matches!(recipe.loss(), Loss::CrossEntropy { .. } | Loss::BinaryCrossEntropyWithLogits);
        Ok(Predictor {
            model,
            signature,
            transform,
            task: recipe.task,
            logits,
            resizing_said: Cell::new(false),
        })
    }

    /// The names of classes, where classes are predicted.
    pub fn class_names(&self) -> Option<&[String]> {
        match &self.signature.outputs {
            Outputs::Classes(names) => Some(names),
            Outputs::Numbers(_) => None,
        }
    }

    /// Predicts every example of a file: rows of a table, a picture, a folder of pictures, or an IDX file, plain or gzip, in
    /// which a single example may leave its first dimension out. `note` hears of decisions that were taken, counted.
    ///
    /// # Errors
    /// A file that cannot be read, holds examples of another shape or none, or a number that is not finite.
    pub fn predict_file(&self, path: &Path, note: &mut dyn FnMut(String)) -> Result<Vec<Prediction>> {
        match &self.transform {
            Some(transform @ Transform { input: Input::Table(_), .. }) => {
                let rows = csv::read_features(path, transform)?;
                rows.notes.into_iter().for_each(|text| note(format!("{}: {text}", path.display())));
                let Values::F32(values) = rows.features.values() else {
                    return Err(Error::invalid("rows of a table are numbers"));
                };
                let count = rows.features.examples();
                if count == 0 {
                    return Err(none(path));
                }
                let features = self.tensor(values, count);
                self.predict(&features, |index| (path.display().to_string(), index))
            }
            Some(Transform { input: Input::Image(image), .. }) if path.is_dir() || is_picture(path) => {
                let mut all = Vec::new();
                for files in images::list(path)?.chunks(PICTURES) {
                    all.extend(self.pictures(files, image, note)?);
                }
                Ok(all)
            }
            Some(_) | None => {
                let read = idx::read(path)?;
                let features = self.features(path, &read)?;
                self.predict(&features, |index| (path.display().to_string(), index))
            }
        }
    }

    fn pictures(
        &self,
        files: &[PathBuf],
        image: &ImageTransform,
        note: &mut dyn FnMut(String),
    ) -> Result<Vec<Prediction>> {
        let mut bytes = Vec::with_capacity(files.len() * image.len());
        for (file, read) in files.iter().zip(images::read_all(files, image, 1)) {
            let (picture, [height, width]) = read?;
            bytes.extend(picture);
            if [height, width] != [image.height, image.width] && !self.resizing_said.replace(true) {
                note(format!(
                    "{}: {height} × {width} pixels are resized to the {} × {} that the model takes; other pictures too, which \
                     is not said again",
                    file.display(),
                    image.height,
                    image.width
                ));
            }
        }
        let shape: Vec<usize> = [files.len()].into_iter().chain(image.shape()).collect();
        let features = if image.pixels.is_bytes() {
            self.model.device().scope(|| Tensor::from_slice(&bytes, &shape))
        } else {
            let mut values = Vec::with_capacity(bytes.len());
            bytes
                .chunks(image.len())
                .for_each(|picture| image.pixels.apply(picture, image.channels, &mut values));
            self.tensor(&values, files.len())
        };
        self.predict(&features, |index| (files[index].display().to_string(), 0))
    }

    fn tensor(&self, values: &[f32], count: usize) -> Tensor {
        let shape: Vec<usize> = [count].iter().chain(&self.signature.example).copied().collect();
        self.model.device().scope(|| Tensor::from_slice(values, &shape))
    }

    fn predict(
        &self,
        features: &Tensor,
        place: impl Fn(usize) -> (String, usize),
    ) -> Result<Vec<Prediction>> {
        let prediction = self.model.predict(features)?;
        let prediction = match (self.task, self.logits) {
            (Task::Classification, true) => prediction.softmax(-1),
            (Task::BinaryClassification, true) => prediction.sigmoid(),
            (_, false) | (Task::Auto | Task::Regression, true) => prediction,
        };
        let width = prediction.shape()?[1..].iter().product::<usize>().max(1);
        let numbers = prediction.to_vec::<f32>()?;
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            let (input, index) = place(at / width);
            return Err(Error::invalid(format!(
                "what the model says to {input}[{index}] is {}: it holds numbers too large to compute with; train it again with \
                 a lower learning rate",
                numbers[at]
            )));
        }
        let one = |(at, row): (usize, &[f32])| {
            let (input, index) = place(at);
            Prediction { input, index, said: self.said(row) }
        };
        Ok(numbers.chunks(width).enumerate().map(one).collect())
    }

    fn said(&self, row: &[f32]) -> Said {
        let mut classes: Vec<(String, f32)> = match (&self.signature.outputs, self.task) {
            (Outputs::Classes(names), _) => names.iter().cloned().zip(row.iter().copied()).collect(),
            (Outputs::Numbers(1), Task::BinaryClassification) => {
                let yes = row.first().copied().unwrap_or(0.0);
                vec![("0".into(), 1.0 - yes), ("1".into(), yes)]
            }
            (Outputs::Numbers(_), _) => {
                let restored = |value: &f32| match &self.transform {
                    Some(transform) => transform.target.restore(*value),
                    None => f64::from(*value),
                };
                return Said::Numbers(row.iter().map(restored).collect());
            }
        };
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        Said::Classes(classes)
    }

    fn features(&self, path: &Path, read: &idx::Idx) -> Result<Tensor> {
        let (example, at) = (&self.signature.example, path.display());
        // A picture `[height, width]` is one of `[1, height, width]`.
        let plain =
            |shape: &[usize]| shape.iter().copied().skip_while(|extent| *extent == 1).collect::<Vec<_>>();
        let count = match read.shape.split_first() {
            Some((count, rest)) if plain(rest) == plain(example) => *count,
            _ if plain(&read.shape) == plain(example) => 1,
            _ => {
                let message = format!(
                    "{at} has the shape {:?}; the model takes [examples, …] with examples of shape {example:?}",
                    read.shape
                );
                return Err(Error::invalid(message));
            }
        };
        if count == 0 {
            return Err(none(path));
        }
        let shape: Vec<usize> = [count].iter().chain(example).copied().collect();
        let floats: Vec<f32> = match &read.elements {
            Elements::U8(bytes) => match &self.transform {
                Some(Transform { input: Input::Image(image), .. }) if !image.pixels.is_bytes() => {
                    let mut values = Vec::with_capacity(bytes.len());
                    bytes
                        .chunks(image.len())
                        .for_each(|one| image.pixels.apply(one, image.channels, &mut values));
                    values
                }
                _ if self.signature.bytes => {
                    return Ok(self.model.device().scope(|| Tensor::from_slice(bytes, &shape)));
                }
                _ => bytes.iter().map(|v| f32::from(*v)).collect(),
            },
            _ if self.signature.bytes => {
                let message = format!(
                    "the model learned from bytes, {at} holds other numbers; give a file of unsigned bytes (type 0x08)"
                );
                return Err(Error::invalid(message));
            }
            Elements::I8(values) => values.iter().map(|v| f32::from(*v)).collect(),
            Elements::I16(values) => values.iter().map(|v| f32::from(*v)).collect(),
            Elements::I32(values) => values.iter().map(|v| *v as f32).collect(),
            Elements::F32(values) => values.clone(),
            Elements::F64(values) => values.iter().map(|v| *v as f32).collect(),
        };
        if let Some(bad) = floats.iter().position(|value| !value.is_finite()) {
            let width = (floats.len() / count).max(1);
            let (row, column) = (bad / width, bad % width);
            let message =
                format!("{at} holds {} in example {row}, number {column}; fill or remove it", floats[bad]);
            return Err(Error::invalid(message));
        }
        Ok(self.tensor(&floats, count))
    }
}

fn none(path: &Path) -> Error {
    Error::invalid(format!("{} holds no examples to predict; give a file with at least one", path.display()))
}

/// Whether a file is a picture by its name or its first bytes.
fn is_picture(path: &Path) -> bool {
    const ENDINGS: [&str; 7] = ["jpg", "jpeg", "png", "pgm", "ppm", "pbm", "pnm"];
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
        return true;
    }
    let mut first = [0; 3];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && matches!(first, [0x89, b'P', b'N'] | [0xff, 0xd8, _] | [b'P', b'1'..=b'7', b'\n' | b' '])
}
