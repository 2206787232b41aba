//! The step of one column: raw cells to one number each, or to one for each category.

use crate::error::{Error, Result};
use crate::names::{list, natural_order};
use crate::scale::{Scale, ScaleKind, mean};
use crate::table::{Cells, Column, Words};
use crate::tabular::{FitOptions, Missing};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A column's name and its step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnTransform {
    /// The column's name.
    pub name: String,
    /// What is done with its cells.
    pub step: ColumnStep,
}

/// What is done with the cells of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ColumnStep {
    /// Numbers are scaled: one feature.
    Number {
        /// The scale.
        scale: Scale,
        /// What stands in for a missing number, before scaling; without it a missing number is an error.
        fill: Option<f64>,
    },
    /// Text of several categories.
    Category {
        /// How categories become numbers.
        encoding: Encoding,
        /// The categories, in natural order: see [`natural_order`].
        categories: Vec<String>,
        /// What is done with another text.
        unseen: Unseen,
        /// What stands in for missing text; without it missing text is an error.
        fill: Option<String>,
    },
}

/// How categories become numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// A feature for each category: 1 for the one that is there, 0 for the others.
    #[default]
    OneHot,
    /// One feature: the category's number, from 0.
    Code,
}

/// What is done with a category that the fit never saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// It is none of the categories: zeros as one-hot, the number after the last as code. Counted in the notes.
    #[default]
    Ignore,
    /// It is an error.
    Refuse,
}

impl ColumnTransform {
    /// Fits the step of `column` to the cells in `rows`. `None`, with a note, for a column that says nothing: one without
    /// any value, or with more than `options.max_categories` texts.
    pub(crate) fn fit(
        column: &Column,
        rows: &[usize],
        options: &FitOptions,
        notes: &mut Vec<String>,
    ) -> Result<Option<ColumnTransform>> {
        let name = &column.name;
        let missing = rows.iter().filter(|row| column.cells.is_missing(**row)).count();
        if missing > 0 && options.missing == Missing::Refuse {
            let first = rows.iter().copied().find(|row| column.cells.is_missing(*row)).unwrap_or(0);
            let problem =
                format!("the value is missing, as in {missing} of {} rows of the column", rows.len());
            return Err(refuse(first, name, problem, FILL_WHEN_FITTING));
        }
        if missing == rows.len() {
            notes.push(format!("column `{name}` has no value in the training rows and is left out"));
            return Ok(None);
        }
        let impute = options.missing == Missing::Impute;
        let step = match &column.cells {
            Cells::Numbers(values) => Some(number(name, values, rows, options.scale, impute, notes)?),
            Cells::Text(words) => category(name, words, rows, options, impute, notes),
        };
        if let Some(fill) = step.as_ref().filter(|_| missing > 0).and_then(ColumnStep::fill_text) {
            notes.push(format!("column `{name}` lacks {missing} of {} values; {fill} stands in", rows.len()));
        }
        Ok(step.map(|step| ColumnTransform { name: name.clone(), step }))
    }

    /// How many features it gives.
    pub fn width(&self) -> usize {
        match &self.step {
            ColumnStep::Category { encoding: Encoding::OneHot, categories, .. } => categories.len(),
            ColumnStep::Category { encoding: Encoding::Code, .. } | ColumnStep::Number { .. } => 1,
        }
    }

    /// The names of its features: the column's, or `column=category`.
    pub fn feature_names(&self) -> Vec<String> {
        match &self.step {
            ColumnStep::Category { encoding: Encoding::OneHot, categories, .. } => {
                categories.iter().map(|category| format!("{}={category}", self.name)).collect()
            }
            ColumnStep::Category { .. } | ColumnStep::Number { .. } => vec![self.name.clone()],
        }
    }

    /// Writes the features of every cell to `to`, rows of `stride`, from `offset` on in each row.
    pub(crate) fn apply(
        &self,
        cells: &Cells,
        to: &mut [f32],
        stride: usize,
        offset: usize,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        let out = to.chunks_mut(stride).map(|row| &mut row[offset..]);
        match (&self.step, cells) {
            (ColumnStep::Number { scale, fill }, Cells::Numbers(values)) => {
                self.numbers(values, scale, *fill, out, notes)
            }
            (ColumnStep::Category { .. }, Cells::Text(words)) => self.categories(words, out, notes),
            (ColumnStep::Number { .. }, Cells::Text(_)) => Err(self.wrong_kind("numbers", "text")),
            (ColumnStep::Category { .. }, Cells::Numbers(_)) => Err(self.wrong_kind("text", "numbers")),
        }
    }

    fn numbers<'a>(
        &self,
        values: &[f64],
        scale: &Scale,
        fill: Option<f64>,
        out: impl Iterator<Item = &'a mut [f32]>,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        let mut filled = 0;
        for (row, (value, out)) in values.iter().zip(out).enumerate() {
            let value = match (value.is_nan(), fill) {
                (false, _) => *value,
                (true, Some(fill)) => {
                    filled += 1;
                    fill
                }
                (true, None) => return Err(refuse(row, &self.name, MISSING, FILL_WHEN_APPLYING)),
            };
            out[0] = scale.apply(value) as f32;
            if !out[0].is_finite() {
                let problem =
                    format!("{value} is too large: scaled, it is no finite single-precision number");
                return Err(refuse(row, &self.name, problem, "Correct the value"));
            }
        }
        self.note_filled(filled, notes);
        Ok(())
    }

    fn categories<'a>(
        &self,
        words: &Words,
        out: impl Iterator<Item = &'a mut [f32]>,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        let ColumnStep::Category { encoding, categories, unseen, fill } = &self.step else { return Ok(()) };
        let numbers: HashMap<&str, usize> =
            categories.iter().enumerate().map(|(number, category)| (category.as_str(), number)).collect();
        let codes: Vec<Option<usize>> =
            words.words().iter().map(|word| numbers.get(word.as_str()).copied()).collect();
        let fill = fill.as_ref().map(|fill| numbers.get(fill.as_str()).copied());
        let (mut filled, mut strange) = (0, Strange::default());
        for (row, out) in (0..words.len()).zip(out) {
            let code = match (words.code(row), fill) {
                (Some(word), _) => {
                    if codes[word].is_none() {
                        let text = &words.words()[word];
                        if *unseen == Unseen::Refuse {
                            let problem = format!("`{text}` is no category that was there in training");
                            return Err(refuse(
                                row,
                                &self.name,
                                problem,
                                "Correct the text, or train with it",
                            ));
                        }
                        strange.count(text);
                    }
                    codes[word]
                }
                (None, Some(fill)) => {
                    filled += 1;
                    fill
                }
                (None, None) => return Err(refuse(row, &self.name, MISSING, FILL_WHEN_APPLYING)),
            };
            match encoding {
                Encoding::OneHot => {
                    out[..categories.len()].fill(0.0);
                    if let Some(code) = code {
                        out[code] = 1.0;
                    }
                }
                Encoding::Code => out[0] = code.unwrap_or(categories.len()) as f32,
            }
        }
        self.note_filled(filled, notes);
        strange.note(&self.name, notes);
        Ok(())
    }

    fn note_filled(&self, filled: usize, notes: &mut Vec<String>) {
        if let Some(fill) = self.step.fill_text().filter(|_| filled > 0) {
            notes.push(format!("column `{}`: {filled} missing values were filled with {fill}", self.name));
        }
    }

    fn wrong_kind(&self, wanted: &str, found: &str) -> Error {
        let problem = format!("Column `{}` holds {found}, but {wanted} were learned from", self.name);
        Error::invalid(problem, format!("Give a column of {wanted}"))
    }

    /// Refuses what no fit gives.
    pub(crate) fn check(&self) -> Result<()> {
        let sound = match &self.step {
            ColumnStep::Number { scale, fill } => {
                scale.check()?;
                fill.is_none_or(f64::is_finite)
            }
            ColumnStep::Category { categories, fill, .. } => {
                let ordered = categories.is_sorted_by(|a, b| natural_order(a, b).is_lt());
                ordered
                    && !categories.is_empty()
                    && fill.as_ref().is_none_or(|fill| categories.contains(fill))
            }
        };
        if sound {
            return Ok(());
        }
        Err(Error::invalid(
            format!("The stored step of column `{}` is not one that was fitted", self.name),
            "Use the file as it was written",
        ))
    }
}

impl ColumnStep {
    fn fill_text(&self) -> Option<String> {
        match self {
            ColumnStep::Number { fill, .. } => fill.map(|fill| fill.to_string()),
            ColumnStep::Category { fill, .. } => fill.as_ref().map(|fill| format!("`{fill}`")),
        }
    }
}

/// Texts that are no category.
#[derive(Default)]
struct Strange {
    count: usize,
    shown: Vec<String>,
}

impl Strange {
    fn count(&mut self, text: &str) {
        const SHOWN: usize = 3;
        self.count += 1;
        if self.shown.len() < SHOWN && !self.shown.iter().any(|shown| shown == text) {
            self.shown.push(text.to_owned());
        }
    }

    fn note(&self, column: &str, notes: &mut Vec<String>) {
        if self.count > 0 {
            let shown: Vec<&str> = self.shown.iter().map(String::as_str).collect();
            let (count, shown) = (self.count, list(&shown));
            notes.push(format!(
                "column `{column}`: {count} rows hold a category that training never saw ({shown}); it counts as none"
            ));
        }
    }
}

const MISSING: &str = "the value is missing";
const FILL_WHEN_FITTING: &str = "Fill in or remove such rows, leave the column out (in a recipe data.leave_out), or have \
     missing values imputed (transform.missing = \"impute\")";
const FILL_WHEN_APPLYING: &str =
    "Fill it in, or train with missing values imputed (in a recipe transform.missing = \"impute\")";

fn refuse(row: usize, column: &str, problem: impl Into<String>, advice: &str) -> Error {
    Error::Cell { row, column: column.to_owned(), problem: problem.into(), advice: advice.to_owned() }
}

fn number(
    name: &str,
    values: &[f64],
    rows: &[usize],
    kind: ScaleKind,
    impute: bool,
    notes: &mut Vec<String>,
) -> Result<ColumnStep> {
    if let Some(row) = rows.iter().copied().find(|row| values[*row].is_infinite()) {
        return Err(refuse(row, name, format!("{} is not finite", values[row]), "Correct the value"));
    }
    let present = rows.iter().map(|row| values[*row]).filter(|value| !value.is_nan());
    let scale = Scale::fit(kind, present.clone()).map_err(|error| {
        Error::invalid(format!("Column `{name}`: {error}"), "Correct the column or leave it out")
    })?;
    if scale.is_constant() {
        let value = present.clone().next().unwrap_or(0.0);
        notes.push(format!("column `{name}` is {value} in every training row and becomes 0"));
    }
    let count = present.clone().count() as f64;
    let fill = impute.then(|| mean(count, present));
    Ok(ColumnStep::Number { scale, fill })
}

fn category(
    name: &str,
    words: &Words,
    rows: &[usize],
    options: &FitOptions,
    impute: bool,
    notes: &mut Vec<String>,
) -> Option<ColumnStep> {
    let mut counts = vec![0_usize; words.words().len()];
    rows.iter().filter_map(|row| words.code(*row)).for_each(|code| counts[code] += 1);
    let mut seen: Vec<(&String, usize)> =
        words.words().iter().zip(counts).filter(|(_, count)| *count > 0).collect();
    if seen.len() > options.max_categories {
        let (found, most) = (seen.len(), options.max_categories);
        notes.push(format!(
            "column `{name}` has {found} different texts in {} rows, more than {most}, and is left out",
            rows.len()
        ));
        return None;
    }
    seen.sort_by(|a, b| natural_order(a.0, b.0));
    // The first of several that are equally frequent.
    let frequent = seen.iter().rev().max_by_key(|(_, count)| *count).map(|(word, _)| (*word).clone());
    Some(ColumnStep::Category {
        encoding: options.encoding,
        categories: seen.into_iter().map(|(word, _)| word.clone()).collect(),
        unseen: options.unseen,
        fill: frequent.filter(|_| impute),
    })
}
