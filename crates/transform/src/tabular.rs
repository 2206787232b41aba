//! The steps of a whole table, with what is needed to read such a table again.

use crate::column::{ColumnTransform, Encoding, Unseen};
use crate::error::{Error, Result};
use crate::names::proposal;
use crate::scale::ScaleKind;
use crate::table::Table;
use serde::{Deserialize, Serialize};

/// How the file was written that the steps were fitted on, so that others are read alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFormat {
    /// What stands between cells.
    pub separator: char,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Texts that stand for a missing value, whatever their case.
    pub missing: Vec<String>,
    /// The names of all columns in the file's order, the target included. Without a header they are `column_1`, ….
    pub columns: Vec<String>,
    /// The name of the column to be predicted, where there is one.
    pub target: Option<String>,
}

impl Default for TableFormat {
    /// A header, commas, and the usual marks of missing values.
    fn default() -> Self {
        let missing = ["", "?", "NA", "N/A", "NaN", "null"].map(String::from).to_vec();
        TableFormat { separator: ',', header: true, missing, columns: Vec::new(), target: None }
    }
}

/// How [`TableTransform::fit`] decides.
#[derive(Clone, Debug, PartialEq)]
pub struct FitOptions {
    /// How numbers are scaled.
    pub scale: ScaleKind,
    /// How text becomes numbers.
    pub encoding: Encoding,
    /// What is done about missing values.
    pub missing: Missing,
    /// What is done, after training, with categories that were not there in training.
    pub unseen: Unseen,
    /// A column of text with more different texts than this says too little about each and is left out.
    pub max_categories: usize,
    /// Columns that are not learned from.
    pub leave_out: Vec<String>,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            scale: ScaleKind::default(),
            encoding: Encoding::default(),
            missing: Missing::default(),
            unseen: Unseen::default(),
            max_categories: 100,
            leave_out: Vec::new(),
        }
    }
}

/// What is done about missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// They are an error that names the row and the column.
    #[default]
    Refuse,
    /// The mean of a column of numbers stands in, the most frequent text of a column of text.
    Impute,
}

/// The fitted steps of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableTransform {
    /// How raw files are read.
    pub format: TableFormat,
    /// The columns that are learned from, in the order of their features.
    pub columns: Vec<ColumnTransform>,
}

/// Numbers for a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// `[rows, names.len()]`, row by row.
    pub values: Vec<f32>,
    /// The name of each feature.
    pub names: Vec<String>,
    /// Decisions that were taken on the way, counted, in words.
    pub notes: Vec<String>,
}

impl TableTransform {
    /// Fits a step for each column of `table` but `format.target` to the cells in `rows`. Also gives the decisions that were
    /// taken, in words.
    ///
    /// # Errors
    /// [`Error::Cell`] for a missing value under [`Missing::Refuse`] and for an infinite number; [`Error::Invalid`] when
    /// `rows` is empty or goes past the table, a column to leave out is not there, or no column remains.
    pub fn fit(
        table: &Table,
        rows: &[usize],
        format: TableFormat,
        options: &FitOptions,
    ) -> Result<(TableTransform, Vec<String>)> {
        if rows.is_empty() || rows.iter().any(|row| *row >= table.rows()) {
            let problem = format!("{} of {} rows were given to fit on", rows.len(), table.rows());
            return Err(Error::invalid(problem, "Give at least one row, each of them in the table"));
        }
        for name in options.leave_out.iter().chain(&format.target) {
            table.column(name)?;
        }
        let mut notes = Vec::new();
        let mut columns = Vec::new();
        for column in table.columns() {
            if !options.leave_out.contains(&column.name) && format.target.as_ref() != Some(&column.name) {
                columns.extend(ColumnTransform::fit(column, rows, options, &mut notes)?);
            }
        }
        if columns.is_empty() {
            let problem = format!("No column remains to learn from. {}", notes.join("; "));
            return Err(Error::invalid(
                problem.trim_end_matches(". "),
                "Give at least one column with values",
            ));
        }
        Ok((TableTransform { format, columns }, notes))
    }

    /// How many features a row has.
    pub fn width(&self) -> usize {
        self.columns.iter().map(ColumnTransform::width).sum()
    }

    /// The features of every row of `table`. Columns are found by name; others are ignored.
    ///
    /// # Errors
    /// [`Error::Cell`] for a missing value without stand-in, a category that was not there in training where such are
    /// refused, and a number too large for single precision; [`Error::Invalid`] for a column that is not there, which
    /// names the nearest, or holds text for numbers.
    pub fn apply(&self, table: &Table) -> Result<Features> {
        let stride = self.width();
        let mut features = Features {
            values: vec![0.0; stride * table.rows()],
            names: self.columns.iter().flat_map(ColumnTransform::feature_names).collect(),
            notes: Vec::new(),
        };
        let mut offset = 0;
        for column in &self.columns {
            let cells = &table.column(&column.name)?.cells;
            column.apply(cells, &mut features.values, stride, offset, &mut features.notes)?;
            offset += column.width();
        }
        Ok(features)
    }

    /// Refuses a header that lacks a column which was learned from.
    ///
    /// # Errors
    /// [`Error::Invalid`], which names the column and the nearest that is there.
    pub fn check_columns(&self, found: &[String]) -> Result<()> {
        for column in &self.columns {
            if !found.contains(&column.name) {
                let names: Vec<&str> = found.iter().map(String::as_str).collect();
                let problem = format!(
                    "The column `{}`, which was learned from, is not there{}",
                    column.name,
                    proposal(&column.name, &names)
                );
                return Err(Error::invalid(problem, "Give a table with the columns of the training data"));
            }
        }
        Ok(())
    }

    /// Refuses what no fit gives.
    pub(crate) fn check(&self) -> Result<()> {
        if self.columns.is_empty() {
            return Err(Error::invalid("The stored steps have no column", "Use the file as it was written"));
        }
        self.columns.iter().try_for_each(ColumnTransform::check)
    }
}
