//! Raw tables: columns of numbers and of text, as they stand in a file.

use crate::error::{Error, Result};
use crate::names::proposal;
use std::collections::HashMap;

/// Stands for a missing cell among the codes of [`Words`].
const MISSING: u32 = u32::MAX;

/// Columns of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its cells, `[rows]`.
    pub cells: Cells,
}

/// The cells of a column, `[rows]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Numbers; NaN where one is missing.
    Numbers(Vec<f64>),
    /// Text.
    Text(Words),
}

impl Cells {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Cells::Numbers(values) => values.len(),
            Cells::Text(words) => words.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the cell in `row` is missing.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Cells::Numbers(values) => values[row].is_nan(),
            Cells::Text(words) => words.get(row).is_none(),
        }
    }
}

/// Cells of text, each different text stored once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    codes: Vec<u32>,
    words: Vec<String>,
    index: HashMap<String, u32>,
}

impl Words {
    /// Appends a cell; `None` where it is missing.
    pub fn push(&mut self, text: Option<&str>) {
        let code = match text {
            None => MISSING,
            Some(text) => self.index.get(text).copied().unwrap_or_else(|| {
                let code = self.words.len() as u32;
                self.words.push(text.to_owned());
                self.index.insert(text.to_owned(), code);
                code
            }),
        };
        self.codes.push(code);
    }

    /// The cell in `row`; `None` where it is missing.
    pub fn get(&self, row: usize) -> Option<&str> {
        self.words.get(self.codes[row] as usize).map(String::as_str)
    }

    /// The number of the text in `row` among [`Words::words`]; `None` where it is missing.
    pub(crate) fn code(&self, row: usize) -> Option<usize> {
        let code = self.codes[row];
        (code != MISSING).then_some(code as usize)
    }

    /// Every different text, in the order of appearance.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

impl Column {
    /// A column of numbers, NaN where one is missing.
    pub fn numbers(name: impl Into<String>, values: Vec<f64>) -> Column {
        Column { name: name.into(), cells: Cells::Numbers(values) }
    }

    /// A column of text.
    pub fn text<'a>(name: impl Into<String>, cells: impl IntoIterator<Item = Option<&'a str>>) -> Column {
        let mut words = Words::default();
        cells.into_iter().for_each(|cell| words.push(cell));
        Column { name: name.into(), cells: Cells::Text(words) }
    }
}

impl Table {
    /// A table of `columns`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for columns of different lengths or of the same name.
    pub fn new(columns: Vec<Column>) -> Result<Table> {
        let rows = columns.first().map_or(0, |column| column.cells.len());
        for (place, column) in columns.iter().enumerate() {
            if column.cells.len() != rows {
                let (name, found) = (&column.name, column.cells.len());
                let problem =
                    format!("Column `{name}` has {found} cells, but `{}` has {rows}", columns[0].name);
                return Err(Error::invalid(problem, "Give columns of equal length"));
            }
            if columns[..place].iter().any(|other| other.name == column.name) {
                let problem = format!("Two columns are called `{}`", column.name);
                return Err(Error::invalid(problem, "Give each column a name of its own"));
            }
        }
        Ok(Table { columns, rows })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column called `name`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is none; names the nearest.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            let problem = format!("There is no column `{name}`{}", proposal(name, &names));
            Error::invalid(problem, "Correct the name, or give data that has the column")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_stored_once() {
        let column = Column::text("port", [Some("b"), None, Some("a"), Some("b")]);
        let Cells::Text(words) = &column.cells else { panic!("text") };
        assert_eq!(words.words(), ["b", "a"]);
        assert_eq!(
            (0..4).map(|row| words.get(row)).collect::<Vec<_>>(),
            [Some("b"), None, Some("a"), Some("b")]
        );
        assert!(column.cells.is_missing(1) && !column.cells.is_missing(2) && !column.cells.is_empty());
    }

    #[test]
    fn tables_that_are_none_are_refused() {
        let of = |name, count| Column::numbers(name, vec![0.0; count]);
        let error = Table::new(vec![of("a", 2), of("b", 3)]).unwrap_err().to_string();
        assert!(error.contains("`b` has 3 cells, but `a` has 2"), "{error}");
        let error = Table::new(vec![of("a", 2), of("a", 2)]).unwrap_err().to_string();
        assert!(error.contains("Two columns are called `a`"), "{error}");
        let error = Table::new(vec![of("median_income", 2), of("b", 2)]).unwrap();
        let error = error.column("median_incme").unwrap_err().to_string();
        assert!(error.contains("nearest is `median_income`; there are `median_income`, `b`"), "{error}");
    }
}
