//! A file to learn from.

use super::options::{ColumnKind, CsvOptions, Task};
use super::read::{Lines, Raw};
use super::scan::scan;
use crate::array::{Array, Targets, Values};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::parts::{Parts, SplitRule};
use std::path::Path;
use warploom_transform::{
    Coded, Column, FitOptions, Input, ScaleKind, Table, TableFormat, TableTransform, TargetTransform,
    Transform,
};

/// A table in a file, with one column to be predicted.
#[derive(Debug)]
pub struct CsvFile {
    raw: Raw,
    format: TableFormat,
    target: String,
    task: Task,
}

/// How [`CsvFile::fit`] decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CsvFit {
    /// What is done with the columns that are learned from.
    pub columns: FitOptions,
    /// How a target of numbers is scaled. Standard by default: losses and learning rates then suit every unit.
    pub target: ScaleKind,
}

/// What was fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// What travels with the model.
    pub transform: Transform,
    /// Decisions that were taken, counted, in words.
    pub notes: Vec<String>,
}

/// Rows as a network learns them.
#[derive(Clone, Debug)]
pub struct CsvData {
    /// All rows of the file, in order.
    pub dataset: Dataset,
    /// Decisions that were taken, counted, in words.
    pub notes: Vec<String>,
}

impl CsvFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::NotAFile`] when it cannot be opened; [`Error::Line`] for an empty file, a line with more or
    /// fewer cells than the first, text that is not UTF-8, two columns of one name, and a file of one column;
    /// [`Error::Cell`] for text among numbers and numbers that are too large; [`Error::Invalid`] for a column that is not
    /// there, which names the nearest.
    pub fn open(path: impl AsRef<Path>, options: &CsvOptions) -> Result<CsvFile> {
        let lines = Lines::open(path.as_ref(), options.separator)?;
        let scan = scan(&lines, options)?;
        let target = scan.names[scan.target].clone();
        let format = TableFormat {
            separator: lines.separator,
            header: scan.header,
            missing: options.missing.clone(),
            columns: scan.names.clone(),
            target: Some(target.clone()),
        };
        if scan
            .kinds
            .iter()
            .enumerate()
            .all(|(place, kind)| place == scan.target || *kind == ColumnKind::Ignore)
        {
            let problem = format!("{}: all columns but the target are ignored", path.as_ref().display());
            return Err(Error::invalid(problem, "Leave at least one to learn from"));
        }
        let raw = lines.table(&format, scan.names, &scan.kinds)?;
        Ok(CsvFile { raw, format, target, task: scan.task })
    }

    /// The raw values of all columns that are not ignored, the target included.
    pub fn table(&self) -> &Table {
        &self.raw.table
    }

    /// How the file is written.
    pub fn format(&self) -> &TableFormat {
        &self.format
    }

    /// What is predicted.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The line of the file in which each row begins.
    pub fn lines(&self) -> &[u64] {
        self.raw.lines()
    }

    fn target(&self) -> Result<&Column> {
        self.raw.table.column(&self.target).map_err(|error| self.raw.locate(error))
    }

    fn classes(&self) -> Result<TargetTransform> {
        TargetTransform::fit_classes(self.target()?).map_err(|error| self.raw.locate(error))
    }

    /// Shares out the rows, before anything is fitted.
    ///
    /// # Errors
    /// As [`SplitRule::parts`]; for classes, [`Error::Cell`] for a missing one and [`Error::Invalid`] for fewer than two.
    pub fn parts(&self, rule: &SplitRule) -> Result<Parts> {
        let labels = match self.task {
            Task::Regression => None,
            Task::Classification => {
                match self.classes()?.apply(self.target()?).map_err(|error| self.raw.locate(error))? {
                    Coded::Classes(labels) => Some(labels),
                    Coded::Values(_) => None,
                }
            }
        };
        rule.parts(self.raw.table.rows(), labels.as_deref())
    }

    /// Fits the steps to `rows`, those that are learned from. The names of classes alone come from the whole file.
    ///
    /// # Errors
    /// As [`TableTransform::fit`] and [`TargetTransform`]'s fits, with file, line and column.
    pub fn fit(&self, rows: &[usize], fit: &CsvFit) -> Result<Fitted> {
        let at = |error| self.raw.locate(error);
        let (table, notes) =
            TableTransform::fit(&self.raw.table, rows, self.format.clone(), &fit.columns).map_err(at)?;
        let target = match self.task {
            Task::Classification => self.classes()?,
            Task::Regression => TargetTransform::fit_numbers(self.target()?, rows, fit.target).map_err(at)?,
        };
        Ok(Fitted { transform: Transform::new(Input::Table(table), target), notes })
    }

    /// All rows, transformed.
    ///
    /// # Errors
    /// As [`TableTransform::apply`] and [`TargetTransform::apply`], with file, line and column; [`Error::Invalid`] for the
    /// steps of pictures.
    pub fn dataset(&self, transform: &Transform) -> Result<CsvData> {
        dataset(&self.raw, transform, self.target()?)
    }
}

/// The rows of `raw` with their targets.
pub(super) fn dataset(raw: &Raw, transform: &Transform, target: &Column) -> Result<CsvData> {
    let features = table_of(transform)?.apply(&raw.table).map_err(|error| raw.locate(error))?;
    let targets =
        match (transform.target.apply(target).map_err(|error| raw.locate(error))?, &transform.target) {
            (Coded::Classes(values), TargetTransform::Classes { names }) => {
                Targets::Classes { values, names: names.clone() }
            }
            (Coded::Classes(_), TargetTransform::Numbers { .. }) => {
                unreachable!("numbers are coded as numbers")
            }
            (Coded::Values(values), _) => Targets::Values { values, width: 1 },
        };
    let array = Array::new(Values::F32(features.values), &[features.names.len()])?;
    let dataset = Dataset::with_feature_names(array, targets, features.names)?;
    Ok(CsvData { dataset, notes: features.notes })
}

pub(super) fn table_of(transform: &Transform) -> Result<&TableTransform> {
    match &transform.input {
        Input::Table(table) => Ok(table),
        Input::Image(_) => {
            Err(Error::invalid("The model learned from pictures, but a table was given", "Give pictures"))
        }
    }
}
