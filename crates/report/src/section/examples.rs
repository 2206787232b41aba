//! Examples that went wrong: as pictures, or as rows.

use super::table::{self, Column, numbers, texts};
use super::{figure, note};
use crate::format::{grouped, shortened};
use crate::markup::{Attribute, Markup};
use crate::results::Example;

/// Most examples that are shown.
const SHOWN: usize = 100;

/// An example with what is said of it: name and value of each answer.
pub struct Case<'a> {
    /// The example.
    pub example: &'a Example,
    /// What is true, what was predicted, and how wrong that is.
    pub answers: [String; 3],
}

/// The answers by name: truth and prediction, which are both of one kind, and how wrong that is, a number.
pub struct Answers {
    pub names: [&'static str; 3],
    pub numeric: bool,
}

/// Writes examples below a heading; pictures if the first has one. Nothing if there are none.
pub fn write(page: &mut Markup, heading: &str, answers: &Answers, columns: &[String], cases: &[Case<'_>]) {
    let Some(first) = cases.first() else { return };
    let shown = &cases[..cases.len().min(SHOWN)];
    figure(page, "wide", heading, |page| {
        if first.example.picture.is_some() {
            gallery(page, answers.names, shown);
        } else {
            rows(page, answers, columns, shown);
        }
        if shown.len() < cases.len() {
            let (few, all) = (grouped(shown.len() as u64), grouped(cases.len() as u64));
            note(page, format_args!("The first {few} of {all}."));
        }
    });
}

fn gallery(page: &mut Markup, names: [&str; 3], cases: &[Case<'_>]) {
    page.element("ul", &[("class", &"gallery")], |list| {
        for case in cases {
            let source = case.example.source.as_deref().unwrap_or_default();
            list.element("li", &[("title", &shortened(source, 200))], |item| {
                picture(item, case);
                item.element("dl", &[], |answers| {
                    for (i, (name, answer)) in names.iter().zip(&case.answers).enumerate() {
                        answers.labelled("dt", &[], name);
                        let class = ["true", "predicted", "extent"][i];
                        answers.labelled(
                            "dd",
                            &[("class", &class), ("title", answer)],
                            shortened(answer, 40),
                        );
                    }
                });
            });
        }
    });
}

fn picture(page: &mut Markup, case: &Case<'_>) {
    match case.example.picture.as_ref().and_then(|picture| picture.address()) {
        Some(address) => {
            let [truth, predicted, _] = &case.answers;
            let description = format!("{}, taken for {}", shortened(truth, 60), shortened(predicted, 60));
            let attributes: [Attribute<'_>; 3] =
                [("src", &address), ("alt", &description), ("loading", &"lazy")];
            page.empty("img", &attributes);
        }
        None => page.labelled("div", &[("class", &"missing")], "no picture"),
    }
}

fn rows(page: &mut Markup, answers: &Answers, columns: &[String], cases: &[Case<'_>]) {
    let has_source = cases.iter().any(|case| case.example.source.is_some());
    let cells = cases.iter().map(|case| case.example.cells.len()).max().unwrap_or(0);
    let [truth, predicted, extent] = answers.names;
    let answer = if answers.numeric { numbers } else { texts };
    let mut heads: Vec<Column> = vec![answer(truth), answer(predicted), numbers(extent)];
    if has_source {
        heads.insert(0, texts("example"));
    }
    let name = |i: usize| {
        columns.get(i).map_or_else(|| (i + 1).to_string(), |name| shortened(name, 40).into_owned())
    };
    heads.extend((0..cells).map(|i| numbers(&name(i))));
    let body = cases.iter().map(|case| {
        let source = has_source.then(|| case.example.source.clone().unwrap_or_default());
        let cells = source.into_iter().chain(case.answers.clone()).chain(case.example.cells.clone());
        cells.map(|cell| shortened(&cell, 60).into_owned()).collect()
    });
    table::write(page, &heads, body, None);
}
