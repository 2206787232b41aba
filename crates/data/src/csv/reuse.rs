//! Files that are read as the one was that a model learned from.

use super::file::{CsvData, dataset, table_of};
use super::options::ColumnKind;
use super::read::{Lines, Raw, number};
use crate::array::{Array, Values};
use crate::error::{Error, Result};
use std::path::Path;
use warploom_transform::{ColumnStep, TableTransform, TargetTransform, Transform};

/// Rows to predict.
#[derive(Clone, Debug)]
pub struct RawRows {
    /// `[rows, features]`.
    pub features: Array,
    /// The line of the file in which each row begins.
    pub lines: Vec<u64>,
    /// Decisions that were taken, counted, in words.
    pub notes: Vec<String>,
}

/// Reads rows to predict. With a header, columns are found by name, in any order, and others are passed over; without one,
/// they stand in the order of the training file, with the target or without.
///
/// # Errors
/// As [`CsvFile::open`](super::CsvFile::open); [`Error::Invalid`] for a column that is not there, which names the nearest;
/// [`Error::Cell`] for a missing value where none stands in, or a category that was not there in training where such are
/// refused.
pub fn read_features(path: impl AsRef<Path>, transform: &Transform) -> Result<RawRows> {
    let table = table_of(transform)?;
    let raw = read(path.as_ref(), table, None)?;
    let features = table.apply(&raw.table).map_err(|error| raw.locate(error))?;
    let array = Array::new(Values::F32(features.values), &[features.names.len()])?;
    Ok(RawRows { features: array, lines: raw.lines().to_vec(), notes: features.notes })
}

/// Reads rows with their targets, to evaluate a model on another file than it learned from.
///
/// # Errors
/// As [`read_features`], and [`Error::Cell`] for a missing target or a class that was not there in training.
pub fn read_labelled(path: impl AsRef<Path>, transform: &Transform) -> Result<CsvData> {
    let table = table_of(transform)?;
    let Some(target) = &table.format.target else {
        return Err(Error::invalid("The stored transform names no target", "Predict, or train again"));
    };
    let kind = target_kind(&transform.target);
    let raw = read(path.as_ref(), table, Some((target, kind)))?;
    let column = raw.table.column(target).map_err(|error| raw.locate(error))?;
    dataset(&raw, transform, column)
}

/// Classes that were numbers are read as numbers, so that `3.0` is `3`.
fn target_kind(target: &TargetTransform) -> ColumnKind {
    let printed = |name: &String| number(name).is_some_and(|value| value.to_string() == *name);
    match target {
        TargetTransform::Classes { names } if !names.iter().all(printed) => ColumnKind::Text,
        TargetTransform::Classes { .. } | TargetTransform::Numbers { .. } => ColumnKind::Number,
    }
}

fn read(path: &Path, table: &TableTransform, target: Option<(&String, ColumnKind)>) -> Result<Raw> {
    let lines = Lines::open(path, Some(table.format.separator))?;
    let mut names = Vec::new();
    lines.each(|line, cells| {
        names = if table.format.header {
            lines.names(cells, true)?
        } else {
            by_position(&lines, line, cells.len(), table, target.is_some())?
        };
        Ok(false)
    })?;
    let invalid = |error| match (error, lines.other_separator()) {
        (_, Some(separator)) => {
            let advice = format!("Cut it at {:?}, as the table is that was learned from", lines.separator);
            Error::invalid(format!("{}: {separator}", path.display()), advice)
        }
        (warploom_transform::Error::Invalid { problem, advice }, None) => {
            Error::invalid(format!("{}: {problem}", path.display()), advice)
        }
        (other, None) => other.into(),
    };
    table.check_columns(&names).map_err(invalid)?;
    let kind = |name: &String| {
        if let Some((_, kind)) = target.filter(|(target, _)| *target == name) {
            return kind;
        }
        match table.columns.iter().find(|column| column.name == *name).map(|column| &column.step) {
            Some(ColumnStep::Number { .. }) => ColumnKind::Number,
            Some(ColumnStep::Category { .. }) => ColumnKind::Text,
            None => ColumnKind::Ignore,
        }
    };
    let kinds: Vec<ColumnKind> = names.iter().map(kind).collect();
    lines.table(&table.format, names, &kinds)
}

/// Names of the columns of a file without a header.
fn by_position(
    lines: &Lines<'_>,
    line: u64,
    found: usize,
    table: &TableTransform,
    labelled: bool,
) -> Result<Vec<String>> {
    let all = &table.format.columns;
    if found == all.len() {
        return Ok(all.clone());
    }
    let without: Vec<String> =
        all.iter().filter(|name| Some(*name) != table.format.target.as_ref()).cloned().collect();
    if found == without.len() && !labelled {
        return Ok(without);
    }
    let separator = lines.other_separator().map_or(String::new(), |text| format!(". {text}"));
    let problem = format!(
        "{found} cells stand here, but the model learned from {} columns and the target{separator}",
        without.len()
    );
    Err(lines.refuse(line, problem, "Give the columns of the training file in their order"))
}
