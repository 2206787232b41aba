//! Files to predict, and what a run says to each example in them.

use crate::folder::RunFolder;
use crate::model::build;
use crate::schema::{Loss, Recipe, Task};
use crate::signature::{Outputs, Signature};
use serde_json::{Value, json};
use std::path::Path;
use warploom_data::idx::{self, Elements};
use warploom_nn::Model;
use warploom_tensor::{Device, ElementwiseMethods, Tensor};
use warploom_train::{Error, Result, Training};

/// A run's model with its weights.
pub struct Predictor {
    model: Model,
    signature: Signature,
    task: Task,
    /// Whether predictions are logits of probabilities.
    logits: bool,
}

/// What is said to one example.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The file it is from.
    pub input: String,
    /// Its position there, from 0.
    pub index: usize,
    /// The class with its probability, where classes are predicted.
    pub class: Option<(String, f32)>,
    /// The numbers, where numbers are predicted.
    pub values: Vec<f32>,
}

impl Prediction {
    /// `{"input", "index", "class", "probability"}`, or `{"input", "index", "values"}`.
    pub fn json(&self) -> Value {
        match &self.class {
            Some((class, probability)) => {
                json!({ "input": self.input, "index": self.index, "class": class, "probability": probability })
            }
            None => json!({ "input": self.input, "index": self.index, "values": self.values }),
        }
    }
}

impl Predictor {
    /// Loads a run.
    ///
    /// # Errors
    /// A folder without weights, or with weights of another model; what the device reports.
    pub fn open(folder: &RunFolder, recipe: &Recipe) -> Result<Predictor> {
        let signature = folder.signature()?;
        let device = Device::named(&recipe.device)?;
        let model = build(recipe, &signature, 1, &device)?;
        folder.load_weights(&model)?;
        let logits = matches!(recipe.loss(), Loss::CrossEntropy | Loss::BinaryCrossEntropyWithLogits);
        Ok(Predictor { model, signature, task: recipe.task, logits })
    }

    /// Predicts every example of an IDX file, plain or gzip. A file of one example may leave its first dimension out.
    ///
    /// # Errors
    /// A file that cannot be read, holds examples of another shape or none, or a number that is not finite.
    pub fn predict_file(&self, path: &Path) -> Result<Vec<Prediction>> {
        let read = idx::read(path)?;
        let features = self.features(path, &read)?;
        let prediction = self.model.predict(&features)?;
        let prediction = match (self.task, self.logits) {
            (Task::Classification, true) => prediction.softmax(-1),
            (Task::BinaryClassification, true) => prediction.sigmoid(),
            (_, false) | (Task::Regression, true) => prediction,
        };
        let width = prediction.shape()?[1..].iter().product::<usize>().max(1);
        let numbers = prediction.to_vec::<f32>()?;
        let input = path.display().to_string();
        let one = |(index, row): (usize, &[f32])| Prediction {
            input: input.clone(),
            index,
            class: self.class(row),
            values: row.to_vec(),
        };
        Ok(numbers.chunks(width).enumerate().map(one).collect())
    }

    fn class(&self, row: &[f32]) -> Option<(String, f32)> {
        match (&self.signature.outputs, self.task) {
            (Outputs::Classes(names), _) => {
                let (best, probability) =
                    row.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
                Some((names.get(best)?.clone(), probability))
            }
            (Outputs::Numbers(1), Task::BinaryClassification) => {
                let yes = *row.first()?;
                Some(if yes > 0.5 { ("1".into(), yes) } else { ("0".into(), 1.0 - yes) })
            }
            (Outputs::Numbers(_), _) => None,
        }
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
            return Err(Error::invalid(format!(
                "{at} holds no examples to predict; give a file with at least one"
            )));
        }
        let shape: Vec<usize> = [count].iter().chain(example).copied().collect();
        let floats: Vec<f32> = match &read.elements {
            Elements::U8(bytes) if self.signature.bytes => {
                return Ok(self.model.device().scope(|| Tensor::from_slice(bytes, &shape)));
            }
            _ if self.signature.bytes => {
                let message = format!(
                    "the model learned from bytes, {at} holds other numbers; give a file of unsigned bytes (type 0x08)"
                );
                return Err(Error::invalid(message));
            }
            Elements::U8(values) => values.iter().map(|v| f32::from(*v)).collect(),
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
        Ok(self.model.device().scope(|| Tensor::from_slice(&floats, &shape)))
    }
}
