//! Lines of cells from a file that is not trusted.

use super::options::ColumnKind;
use crate::error::{Error, Result};
use csv::{ByteRecord, Reader, ReaderBuilder};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use warploom_transform::{Cells, Column, Table, TableFormat, Words, nearest};

/// Separators that are looked for, the first of equally frequent ones first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The part of the first line that is looked at for the separator.
const FIRST_BYTES: u64 = 1 << 20;

/// What to do about text among numbers.
pub(super) const NO_NUMBER: &str = "Correct it, leave the cell empty where the value is missing, or say that the column is \
     text (in a recipe data.categories)";

/// A table with the lines that its rows stand in.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) path: PathBuf,
    /// The columns that are not ignored.
    pub(super) table: Table,
    /// The names of all columns.
    pub(super) names: Vec<String>,
    lines: Vec<u64>,
}

/// A file and how its lines are cut.
pub(super) struct Lines<'a> {
    pub(super) path: &'a Path,
    pub(super) separator: char,
    /// What the first line looks cut at, if at anything.
    frequent: Option<char>,
    /// What stands between two lines.
    ends: Ends,
}

/// How lines end.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// `\n`, or `\r` alone, which is not counted as a line.
    One,
    /// `\r\n`: the reader stands before the second when it has read a record.
    Two,
}

impl<'a> Lines<'a> {
    /// The file at `path`, cut at `separator` or at what looks like it.
    pub(super) fn open(path: &'a Path, separator: Option<char>) -> Result<Self> {
        if separator.is_some_and(|separator| !separator.is_ascii() || matches!(separator, '"' | '\n' | '\r'))
        {
            return Err(Error::invalid(
                format!("The separator is {separator:?}"),
                "Give one ASCII character, no quotation mark and no line end",
            ));
        }
        let metadata = fs::metadata(path).map_err(failed(path, "open"))?;
        if !metadata.is_file() {
            let found = if metadata.is_dir() { "a folder" } else { "no regular file" };
            return Err(Error::NotAFile { path: path.to_path_buf(), found });
        }
        let mut start = Vec::new();
        let file = File::open(path).map_err(failed(path, "open"))?;
        file.take(FIRST_BYTES).read_to_end(&mut start).map_err(failed(path, "read"))?;
        if start.iter().all(u8::is_ascii_whitespace) && start.len() < FIRST_BYTES as usize {
            let advice = "Give a file with a header or rows";
            return Err(Error::Line {
                path: path.into(),
                line: 1,
                problem: "the file is empty".into(),
                advice: advice.into(),
            });
        }
        let frequent = frequent_separator(&start);
        let ends = if first_end(&start) == Some(b'\r') { Ends::Two } else { Ends::One };
        let separator = separator.or(frequent).unwrap_or(char::from(SEPARATORS[0]));
        Ok(Self { path, separator, frequent, ends })
    }

    /// Where the first line looks cut at something else than what the file is cut at: a sentence that says so.
    pub(super) fn other_separator(&self) -> Option<String> {
        let own = self.separator;
        let other = self.frequent.filter(|other| *other != own)?;
        Some(format!("The file looks cut at {other:?}, but it is read as cut at {own:?}"))
    }

    /// Hands each line of cells with its number to `take`, until that says no.
    pub(super) fn each(&self, mut take: impl FnMut(u64, &[&str]) -> Result<bool>) -> Result<()> {
        let file = File::open(self.path).map_err(failed(self.path, "open"))?;
        let mut reader: Reader<File> = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.separator as u8)
            .from_reader(file);
        let mut record = ByteRecord::new();
        loop {
            let more = reader.read_byte_record(&mut record).map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(source) => failed(self.path, "read")(source),
                other => self.refuse(
                    0,
                    format!("it cannot be read ({other:?})"),
                    "Check that it is a table of text",
                ),
            })?;
            if !more {
                return Ok(());
            }
            let line = first_line(&record, reader.position().line(), self.ends);
            let cells: Vec<&str> = record
                .iter()
                .map(|cell| std::str::from_utf8(cell).map(str::trim))
                .collect::<std::result::Result<_, _>>()
                .map_err(|_| self.refuse(line, "a cell is not UTF-8", "Save the file as UTF-8"))?;
            if !take(line, &cells)? {
                return Ok(());
            }
        }
    }

    pub(super) fn refuse(&self, line: u64, problem: impl Into<String>, advice: &str) -> Error {
        Error::Line {
            path: self.path.to_path_buf(),
            line,
            problem: problem.into(),
            advice: advice.to_owned(),
        }
    }

    /// The error of a line that has not as many cells as the first.
    pub(super) fn ragged(&self, line: u64, found: usize, width: usize) -> Error {
        let problem = format!("{found} cells stand here, but {width} in the first line");
        self.refuse(
            line,
            problem,
            "Add or remove cells, or close a quotation mark; a cell that holds the separator is quoted",
        )
    }

    /// The name of each column: from the first line, or `column_1`, ….
    pub(super) fn names(&self, first: &[&str], header: bool) -> Result<Vec<String>> {
        let numbered = |place: usize| format!("column_{}", place + 1);
        let name = |(place, name): (usize, &&str)| match *name {
            name if header && !name.is_empty() => name.to_owned(),
            _ => numbered(place),
        };
        let names: Vec<String> = first.iter().enumerate().map(name).collect();
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let problem = format!("two columns are called `{}`", pair[0]);
            return Err(self.refuse(
                1,
                problem,
                "Give each a name of its own, or say that there is no header (in a recipe data.header = \"no\")",
            ));
        }
        Ok(names)
    }

    /// Reads the cells of the columns that are not ignored; `names` and `kinds` are for all.
    pub(super) fn table(
        &self,
        format: &TableFormat,
        names: Vec<String>,
        kinds: &[ColumnKind],
    ) -> Result<Raw> {
        let mut columns: Vec<Option<Cells>> = kinds
            .iter()
            .map(|kind| match kind {
                ColumnKind::Number => Some(Cells::Numbers(Vec::new())),
                ColumnKind::Text => Some(Cells::Text(Words::default())),
                ColumnKind::Ignore => None,
            })
            .collect();
        let (mut lines, mut header) = (Vec::new(), format.header);
        self.each(|line, cells| {
            if std::mem::take(&mut header) {
                return Ok(true);
            }
            if cells.len() != names.len() {
                return Err(self.ragged(line, cells.len(), names.len()));
            }
            for (place, (cell, column)) in cells.iter().zip(&mut columns).enumerate() {
                let missing = is_missing(cell, &format.missing);
                match column {
                    None => {}
                    Some(Cells::Text(words)) => words.push((!missing).then_some(*cell)),
                    Some(Cells::Numbers(values)) if missing => values.push(f64::NAN),
                    Some(Cells::Numbers(values)) => match number(cell) {
                        Some(value) if value.is_finite() => values.push(value),
                        _ => return Err(self.no_number(line, place, &names[place], cell)),
                    },
                }
            }
            lines.push(line);
            Ok(true)
        })?;
        if lines.is_empty() {
            return Err(self.refuse(1, "a header stands here, but no row follows", "Give at least one row"));
        }
        let columns = names
            .iter()
            .zip(columns)
            .filter_map(|(name, cells)| Some(Column { name: name.clone(), cells: cells? }));
        let table = Table::new(columns.collect())?;
        Ok(Raw { path: self.path.to_path_buf(), table, names, lines })
    }

    fn no_number(&self, line: u64, place: usize, name: &str, cell: &str) -> Error {
        let problem = match number(cell) {
            Some(_) => format!("`{cell}` is too large for a number"),
            None => format!("`{cell}` stands where numbers should be"),
        };
        self.cell(line, place, name, problem, NO_NUMBER)
    }

    pub(super) fn cell(&self, line: u64, place: usize, name: &str, problem: String, advice: &str) -> Error {
        let (path, name, advice) = (self.path.to_path_buf(), name.to_owned(), advice.to_owned());
        Error::Cell { path, line, column: place + 1, name, problem, advice }
    }
}

impl Raw {
    /// Where in the file the steps found something.
    pub(super) fn locate(&self, error: warploom_transform::Error) -> Error {
        match error {
            warploom_transform::Error::Cell { row, column, problem, advice } => Error::Cell {
                path: self.path.clone(),
                line: self.lines.get(row).copied().unwrap_or_default(),
                column: self.names.iter().position(|name| *name == column).map_or(0, |place| place + 1),
                name: column,
                problem,
                advice,
            },
            warploom_transform::Error::Invalid { problem, advice } => {
                Error::invalid(format!("{}: {problem}", self.path.display()), advice)
            }
        }
    }

    /// The line in which each row begins.
    pub(super) fn lines(&self) -> &[u64] {
        &self.lines
    }
}

/// The number that a cell is. Words such as `inf`, which the standard library takes for numbers, are none.
pub(super) fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|_| cell.bytes().any(|byte| byte.is_ascii_digit()))
}

pub(super) fn is_missing(cell: &str, marks: &[String]) -> bool {
    marks.iter().any(|mark| cell.eq_ignore_ascii_case(mark))
}

/// A proposal for a name that is not there, to stand after what is wrong.
pub(super) fn proposal(found: &str, names: &[String]) -> String {
    let near = nearest(found, names.iter().map(String::as_str));
    near.map_or(String::new(), |near| format!("; the nearest is `{near}`"))
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io { doing, path, source }
}

/// The line in which a record begins, when the reader stands at line `next` after it. The record's own position counts
/// empty lines before it.
fn first_line(record: &ByteRecord, next: u64, ends: Ends) -> u64 {
    let breaks = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
    let before = record.position().map_or(1, csv::Position::line);
    // The last line may lack its end.
    before.max(next.saturating_sub(breaks + u64::from(ends == Ends::One)))
}

/// The byte before the first `\n`.
fn first_end(start: &[u8]) -> Option<u8> {
    let end = start.iter().position(|byte| *byte == b'\n')?;
    start.get(end.checked_sub(1)?).copied()
}

fn frequent_separator(start: &[u8]) -> Option<char> {
    let mut counts = [0_usize; SEPARATORS.len()];
    let (mut quoted, mut any) = (false, false);
    for byte in start {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted && any => break,
            _ if quoted => {}
            byte => {
                any |= !byte.is_ascii_whitespace();
                if let Some(place) = SEPARATORS.iter().position(|separator| separator == byte) {
                    counts[place] += 1;
                }
            }
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let place = counts.iter().position(|count| *count == most && most > 0)?;
    Some(char::from(SEPARATORS[place]))
}
