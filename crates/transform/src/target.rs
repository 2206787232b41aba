//! What is predicted: classes by name, or numbers with their scale.

use crate::error::{Error, Result};
use crate::names::{natural_order, proposal};
use crate::scale::{Scale, ScaleKind};
use crate::table::{Cells, Column};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How targets become what a network learns, and its answers become targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetTransform {
    /// One of several classes.
    Classes {
        /// Their names, numbered from 0 in natural order: see [`natural_order`].
        names: Vec<String>,
    },
    /// A number.
    Numbers {
        /// Its scale; undone on what is predicted.
        scale: Scale,
    },
}

/// Targets as a network learns them, `[rows]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Coded {
    /// Numbers of classes.
    Classes(Vec<i32>),
    /// Scaled numbers.
    Values(Vec<f32>),
}

impl TargetTransform {
    /// The classes among all cells of `column`: every different text, or number as it is printed.
    ///
    /// # Errors
    /// [`Error::Cell`] for a missing class, [`Error::Invalid`] for fewer than two classes.
    pub fn fit_classes(column: &Column) -> Result<TargetTransform> {
        let mut names: Vec<String> = match &column.cells {
            Cells::Text(words) => words.words().to_vec(),
            Cells::Numbers(values) => {
                let mut values = values.clone();
                values.retain(|value| !value.is_nan());
                values.sort_by(f64::total_cmp);
                values.dedup();
                values.into_iter().map(class_name).collect()
            }
        };
        names.sort_by(|a, b| natural_order(a, b));
        names.dedup();
        if let Cells::Text(words) = &column.cells
            && words.len() > 2
            && names.len() == words.len()
        {
            let problem = format!(
                "The target `{}` holds {} texts, each of them once: there are no classes to be told apart",
                column.name,
                names.len()
            );
            return Err(Error::invalid(problem, "Name the column to be predicted (in a recipe data.target)"));
        }
        if let Some(row) = (0..column.cells.len()).find(|row| column.cells.is_missing(*row)) {
            return Err(missing(row, &column.name));
        }
        if names.len() < 2 {
            let found = names.first().map_or("none".to_owned(), |name| format!("`{name}` alone"));
            let problem = format!("The target `{}` has one class: {found}", column.name);
            return Err(Error::invalid(
                if names.is_empty() { format!("The target `{}` has no class", column.name) } else { problem },
                "Give examples of at least two classes, or name another target (in a recipe data.target)",
            ));
        }
        Ok(TargetTransform::Classes { names })
    }

    /// A scale fitted to the cells of `column` in `rows`.
    ///
    /// # Errors
    /// [`Error::Cell`] for a missing number, [`Error::Invalid`] for text and for no rows.
    pub fn fit_numbers(column: &Column, rows: &[usize], kind: ScaleKind) -> Result<TargetTransform> {
        let values = numbers(column)?;
        if let Some(row) = rows.iter().copied().find(|row| !values[*row].is_finite()) {
            return Err(missing(row, &column.name));
        }
        Ok(TargetTransform::Numbers { scale: Scale::fit(kind, rows.iter().map(|row| values[*row]))? })
    }

    /// The names of the classes; `None` where numbers are predicted.
    pub fn class_names(&self) -> Option<&[String]> {
        match self {
            TargetTransform::Classes { names } => Some(names),
            TargetTransform::Numbers { .. } => None,
        }
    }

    /// What a network learns for every cell of `column`.
    ///
    /// # Errors
    /// [`Error::Cell`] for a missing cell and for a class that was not there in training; [`Error::Invalid`] for text
    /// where numbers were learned.
    pub fn apply(&self, column: &Column) -> Result<Coded> {
        match self {
            TargetTransform::Classes { names } => classes(names, column).map(Coded::Classes),
            TargetTransform::Numbers { scale } => {
                let scaled = |(row, value): (usize, &f64)| match scale.apply(*value) as f32 {
                    scaled if scaled.is_finite() => Ok(scaled),
                    _ => Err(missing(row, &column.name)),
                };
                Ok(Coded::Values(numbers(column)?.iter().enumerate().map(scaled).collect::<Result<_>>()?))
            }
        }
    }

    /// A predicted number in the target's own unit; classes are left as they are.
    pub fn restore(&self, predicted: f32) -> f64 {
        match self {
            TargetTransform::Classes { .. } => f64::from(predicted),
            TargetTransform::Numbers { scale } => scale.restore(f64::from(predicted)),
        }
    }

    /// Refuses what no fit gives.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            TargetTransform::Numbers { scale } => scale.check(),
            TargetTransform::Classes { names } => {
                let mut sorted: Vec<&String> = names.iter().collect();
                sorted.sort();
                sorted.dedup();
                if names.len() >= 2 && sorted.len() == names.len() {
                    return Ok(());
                }
                let problem = "The stored classes are fewer than two, or one stands there twice";
                Err(Error::invalid(problem, "Use the file as it was written"))
            }
        }
    }
}

fn class_name(value: f64) -> String {
    // Without a sign for zero.
    (value + 0.0).to_string()
}

fn classes(names: &[String], column: &Column) -> Result<Vec<i32>> {
    let numbers: HashMap<&str, i32> = names.iter().map(String::as_str).zip(0..).collect();
    let unknown = |row: usize, found: &str| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let problem = format!("the class `{found}` was not there in training{}", proposal(found, &names));
        let advice = "Correct it, or train with examples of it".to_owned();
        Error::Cell { row, column: column.name.clone(), problem, advice }
    };
    let code = |row: usize, name: &str| numbers.get(name).copied().ok_or_else(|| unknown(row, name));
    match &column.cells {
        Cells::Text(words) => (0..words.len())
            .map(|row| code(row, words.get(row).ok_or_else(|| missing(row, &column.name))?))
            .collect(),
        Cells::Numbers(values) => values
            .iter()
            .enumerate()
            .map(|(row, value)| match value.is_nan() {
                true => Err(missing(row, &column.name)),
                false => code(row, &class_name(*value)),
            })
            .collect(),
    }
}

fn numbers(column: &Column) -> Result<&[f64]> {
    match &column.cells {
        Cells::Numbers(values) => Ok(values),
        Cells::Text(_) => Err(Error::invalid(
            format!("The target `{}` holds text, but numbers are to be predicted", column.name),
            "Name a target of numbers (in a recipe data.target), or ask for classification (task)",
        )),
    }
}

fn missing(row: usize, column: &str) -> Error {
    Error::Cell {
        row,
        column: column.to_owned(),
        problem: "the target is missing or not finite".to_owned(),
        advice: "Fill it in or remove the row: what is to be learned cannot be guessed".to_owned(),
    }
}
