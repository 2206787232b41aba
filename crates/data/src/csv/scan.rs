//! A first look at a file: what its columns are.

use super::options::{ColumnKind, CsvOptions, TargetColumn, Task};
use super::read::{Lines, NO_NUMBER, is_missing, number, proposal};
use crate::error::{Error, Result};

/// Most different whole numbers that are taken for classes.
const MAX_WHOLE_CLASSES: usize = 20;
/// A column in which more than one value in so many is text is text.
const TEXT_SHARE: usize = 5;

/// What was found.
pub(super) struct Scan {
    pub(super) header: bool,
    pub(super) names: Vec<String>,
    pub(super) kinds: Vec<ColumnKind>,
    /// The place of the target.
    pub(super) target: usize,
    pub(super) task: Task,
}

/// What a column's cells are.
#[derive(Default)]
struct Count {
    numbers: usize,
    texts: usize,
    /// Those among the texts that are numbers with a comma for the point.
    commas: usize,
    /// The first text, with its line.
    text: Option<(u64, String)>,
    /// Different numbers, while they are whole and few.
    whole: Vec<f64>,
    not_classes: bool,
}

impl Count {
    fn add(&mut self, line: u64, cell: &str) {
        let Some(value) = number(cell) else {
            self.texts += 1;
            self.commas += usize::from(has_decimal_comma(cell));
            self.text.get_or_insert_with(|| (line, cell.to_owned()));
            return;
        };
        self.numbers += 1;
        if self.not_classes || self.whole.contains(&value) {
            return;
        }
        self.whole.push(value);
        self.not_classes = value.fract() != 0.0 || self.whole.len() > MAX_WHOLE_CLASSES;
    }

    fn task(&self) -> Task {
        if self.texts > 0 || !self.not_classes && 2 * self.whole.len() <= self.numbers {
            Task::Classification
        } else {
            Task::Regression
        }
    }

    /// The kind by the rule, or the text that is more likely wrong than meant.
    fn kind(&self) -> std::result::Result<ColumnKind, &(u64, String)> {
        match &self.text {
            None => Ok(ColumnKind::Number),
            Some(_) if self.texts * TEXT_SHARE > self.numbers + self.texts => Ok(ColumnKind::Text),
            Some(text) => Err(text),
        }
    }
}

pub(super) fn scan(lines: &Lines<'_>, options: &CsvOptions) -> Result<Scan> {
    let mut first: Option<(bool, Vec<String>)> = None;
    let mut counts: Vec<Count> = Vec::new();
    lines.each(|line, cells| {
        let header = first.is_none() && options.header.unwrap_or_else(|| is_header(cells));
        let (_, names) = match &first {
            Some(first) => first,
            None => {
                counts.resize_with(cells.len(), Count::default);
                first.insert((header, lines.names(cells, header)?))
            }
        };
        if cells.len() != names.len() {
            return Err(lines.ragged(line, cells.len(), names.len()));
        }
        if !header {
            let present =
                counts.iter_mut().zip(cells).filter(|(_, cell)| !is_missing(cell, &options.missing));
            present.for_each(|(count, cell)| count.add(line, cell));
        }
        Ok(true)
    })?;
    let Some((header, names)) = first else {
        return Err(lines.refuse(1, "the file has no line of cells", "Give a file with rows"));
    };
    let target = place(lines, &names, &options.target)?;
    if names.len() < 2 {
        let problem = format!("the file has one column, `{}`, cut at {:?}", names[0], lines.separator);
        return Err(lines.refuse(
            1,
            problem,
            "Give columns to learn from beside the target, or name the separator (in a recipe data.separator)",
        ));
    }
    refuse_decimal_commas(lines, options, &names, &counts)?;
    let task = options.task.unwrap_or_else(|| counts[target].task());
    let mut kinds = Vec::with_capacity(names.len());
    for (column, count) in counts.iter().enumerate() {
        let said = options.kinds.iter().find(|(name, _)| *name == names[column]).map(|(_, kind)| *kind);
        let regression = column == target && task == Task::Regression;
        kinds.push(match (said, count.kind()) {
            _ if regression => ColumnKind::Number,
            (Some(ColumnKind::Ignore) | None, Err(_)) if column == target && options.task.is_some() => {
                ColumnKind::Text
            }
            (Some(ColumnKind::Ignore), Ok(kind)) if column == target => kind,
            (Some(kind), _) => kind,
            (None, Ok(kind)) => kind,
            (None, Err((line, text))) => {
                let problem = format!(
                    "`{text}` stands where numbers should be, as {} of the column's values are",
                    count.numbers
                );
                return Err(lines.cell(*line, column, &names[column], problem, NO_NUMBER));
            }
        });
    }
    for (name, _) in &options.kinds {
        named(lines, &names, name)?;
    }
    Ok(Scan { header, names, kinds, target, task })
}

/// Refuses columns that are numbers but for a comma: taken for text, each number would be a category.
fn refuse_decimal_commas(
    lines: &Lines<'_>,
    options: &CsvOptions,
    names: &[String],
    counts: &[Count],
) -> Result<()> {
    for (place, (name, count)) in names.iter().zip(counts).enumerate() {
        let is_said = options.kinds.iter().any(|(said, _)| said == name);
        let Some((line, text)) = count.text.as_ref().filter(|_| count.commas == count.texts && !is_said)
        else {
            continue;
        };
        let problem = format!(
            "`{text}` is a number written with a comma, as {} of the column's {} values are",
            count.commas,
            count.numbers + count.texts
        );
        let advice = "Save the table with decimal points and without separators of thousands; or, if the column is text, \
                      say so (in a recipe data.categories)";
        return Err(lines.cell(*line, place, name, problem, advice));
    }
    Ok(())
}

/// Whether a cell is a number once its only comma is a point.
fn has_decimal_comma(cell: &str) -> bool {
    cell.matches(',').count() == 1 && number(&cell.replace(',', ".")).is_some()
}

fn is_header(cells: &[&str]) -> bool {
    cells.iter().all(|cell| number(cell).is_none()) && cells.iter().any(|cell| !cell.is_empty())
}

fn place(lines: &Lines<'_>, names: &[String], target: &TargetColumn) -> Result<usize> {
    match target {
        TargetColumn::Last => Ok(names.len() - 1),
        TargetColumn::Position(place) if *place < names.len() => Ok(*place),
        TargetColumn::Position(place) => {
            let problem =
                format!("column {place} (counted from 0) is the target, but there are {}", names.len());
            Err(lines.refuse(1, problem, "Give the place of a column, or its name"))
        }
        TargetColumn::Named(name) => named(lines, names, name),
    }
}

fn named(lines: &Lines<'_>, names: &[String], name: &str) -> Result<usize> {
    names.iter().position(|found| found == name).ok_or_else(|| {
        let there: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        Error::invalid(
            format!(
                "{} has no column `{name}`{}; it has {}",
                lines.path.display(),
                proposal(name, names),
                there.join(", ")
            ),
            "Correct the name",
        )
    })
}
