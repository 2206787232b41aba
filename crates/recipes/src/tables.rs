//! Tables as data of a recipe.

use crate::check::check_task;
use crate::schema::{Categories, Data, Header, Missing, Numbers, Recipe, SplitRule, Task};
use crate::source::{Source, rule};
use warploom_data::csv::{self, ColumnKind, CsvFile, CsvFit, CsvOptions, TargetColumn, read_labelled};
use warploom_data::transform::{Cells, Column, Encoding, FitOptions, ScaleKind, Table, Unseen};
use warploom_train::{Error, Result};

/// Reads, shares out and fits.
pub(crate) fn read(recipe: &Recipe) -> Result<Source> {
    let Data::Csv { path, target, test_path, header, separator, leave_out, categories } = &recipe.data else {
        return Err(Error::invalid("`data.kind` is not csv"));
    };
    let kinds = leave_out.iter().map(|name| (name.clone(), ColumnKind::Ignore));
    let text = categories.iter().map(|name| (name.clone(), ColumnKind::Text));
    let options = CsvOptions {
        separator: *separator,
        header: match header {
            Header::Auto => None,
            Header::Yes => Some(true),
            Header::No => Some(false),
        },
        target: target.clone().map_or(TargetColumn::Last, TargetColumn::Named),
        task: match recipe.task {
            Task::Auto => None,
            Task::Classification => Some(csv::Task::Classification),
            Task::BinaryClassification | Task::Regression => Some(csv::Task::Regression),
        },
        kinds: kinds.chain(text).collect(),
        ..CsvOptions::default()
    };
    let file = CsvFile::open(path, &options)?;
    let task = match (recipe.task, file.task()) {
        (Task::BinaryClassification, _) => Task::BinaryClassification,
        (_, csv::Task::Classification) => Task::Classification,
        (_, csv::Task::Regression) => Task::Regression,
    };
    let decided = Recipe { task, ..recipe.clone() };
    let problems = check_task(&decided, task == Task::Classification);
    if !problems.is_empty() {
        let messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        return Err(Error::invalid(messages.join("\n")));
    }
    let random = recipe.split.rule == SplitRule::Random;
    let parts = match random && !recipe.split.stratified {
        true => rule(recipe).parts(file.table().rows(), None)?,
        false => file.parts(&rule(recipe))?,
    };
    let transform = &recipe.transform;
    let fitted = file.fit(
        &parts.train,
        &CsvFit {
            columns: FitOptions {
                scale: scale(transform.numbers),
                encoding: match transform.categories {
                    Categories::OneHot => Encoding::OneHot,
                    Categories::Code => Encoding::Code,
                },
                missing: match transform.missing {
                    Missing::Impute => warploom_data::transform::Missing::Impute,
                    Missing::Refuse => warploom_data::transform::Missing::Refuse,
                },
                unseen: Unseen::Ignore,
                max_categories: transform.max_categories,
                leave_out: Vec::new(),
            },
            // Yes and no are 0 and 1 as they are.
            target: if task == Task::BinaryClassification {
                ScaleKind::Identity
            } else {
                scale(transform.target)
            },
        },
    )?;
    let all = file.dataset(&fitted.transform)?;
    let mut notes = fitted.notes;
    for note in all.notes {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let column = file.format().target.clone().unwrap_or_default();
    notes.insert(0, format!("column `{column}` is predicted: {}", task.name()));
    let test = match test_path {
        Some(path) => {
            let test = read_labelled(path, &fitted.transform)?;
            notes.extend(test.notes.into_iter().map(|note| format!("test: {note}")));
            Some(test.dataset)
        }
        None => None,
    };
    let cells = rows(file.table(), &parts.test, &column)?;
    Ok(Source {
        all: all.dataset,
        parts,
        test,
        transform: Some(fitted.transform),
        task,
        notes,
        cells: Some(cells),
        places: file.lines().iter().map(|line| format!("line {line}")).collect(),
    })
}

/// Rows of a table, as they stand in the file, without the column that is predicted.
fn rows(table: &Table, chosen: &[usize], target: &str) -> Result<Table> {
    let columns = table.columns().iter().filter(|column| column.name != target);
    let column = |column: &Column| match &column.cells {
        Cells::Numbers(values) => {
            Column::numbers(&column.name, chosen.iter().map(|row| values[*row]).collect())
        }
        Cells::Text(words) => Column::text(&column.name, chosen.iter().map(|row| words.get(*row))),
    };
    Ok(Table::new(columns.map(column).collect()).map_err(warploom_data::Error::from)?)
}

/// A row as people read it; nothing where a cell is missing.
pub(crate) fn cells(table: &Table, row: usize) -> Vec<String> {
    let cell = |column: &Column| match &column.cells {
        Cells::Numbers(values) => {
            values.get(row).filter(|value| !value.is_nan()).map(f64::to_string).unwrap_or_default()
        }
        Cells::Text(words) => words.get(row).unwrap_or_default().to_owned(),
    };
    table.columns().iter().map(cell).collect()
}

fn scale(numbers: Numbers) -> ScaleKind {
    match numbers {
        Numbers::Identity => ScaleKind::Identity,
        Numbers::Unit => ScaleKind::Unit,
        Numbers::Symmetric => ScaleKind::Symmetric,
        Numbers::Standard => ScaleKind::Standard,
    }
}
