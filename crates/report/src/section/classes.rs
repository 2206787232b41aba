//! How classes were told apart.

use super::examples::{self, Answers, Case};
use super::table::{self, numbers, texts};
use super::{figure, matrix, note, section};
use crate::confusion::{ClassScores, Confusion};
use crate::format::{NOTHING, grouped, percent, rough_percent, shortened};
use crate::markup::Markup;
use crate::results::Classification;
use std::fmt::Display;

/// Most classes that are listed.
const LISTED: usize = 1000;

/// Beyond so many classes, more pairs are listed, because the matrix has no numbers to read.
const FEW: usize = matrix::WITH_NUMBERS;

const ANSWERS: Answers = Answers { names: ["true", "predicted", "confidence"], numeric: false };

/// Writes the part, if there are classes or mistakes.
pub fn write(of: &Classification, page: &mut Markup) {
    let confusion = Confusion::new(of);
    if confusion.classes == 0 && of.mistakes.is_empty() {
        return;
    }
    let name = |class: usize| {
        of.classes
            .get(class)
            .map_or_else(|| format!("class {class}"), |name| shortened(name, 60).into_owned())
    };
    section(page, "Classes of the test data", |page| {
        if confusion.examples == 0 {
            note(page, "No test example was counted.");
        } else {
            baseline(page, &confusion, &name);
            page.element("div", &[("class", &"beside")], |page| {
                matrix::write(page, &confusion, &name);
                by_class(page, &confusion, &name);
            });
            confused(page, &confusion, &name);
        }
        let cases: Vec<Case<'_>> = of
            .mistakes
            .iter()
            .map(|mistake| Case {
                example: &mistake.example,
                answers: [
                    mistake.truth.clone(),
                    mistake.predicted.clone(),
                    mistake.confidence.map_or(NOTHING.into(), rough_percent),
                ],
            })
            .collect();
        examples::write(page, "Worst mistakes", &ANSWERS, &of.columns, &cases);
    });
}

fn baseline(page: &mut Markup, confusion: &Confusion, name: &impl Fn(usize) -> String) {
    let (Some(accuracy), Some((class, share))) = (confusion.accuracy(), confusion.most_frequent()) else {
        return;
    };
    let (accuracy, share, class) = (percent(accuracy), percent(share), name(class));
    let examples = grouped(confusion.examples);
    note(
        page,
        format_args!(
            "{accuracy} of {examples} examples are right. Always to say {class}, the most frequent class, would \
             be right in {share}."
        ),
    );
}

fn by_class(page: &mut Markup, confusion: &Confusion, name: &impl Fn(usize) -> String) {
    let cells = |scores: &ClassScores| {
        [scores.precision, scores.recall, scores.f1].map(|score| score.map_or(NOTHING.into(), percent))
    };
    let mut listed: Vec<usize> = (0..confusion.classes).collect();
    let heading = if confusion.classes > LISTED { "The 1,000 classes of lowest F1" } else { "By class" };
    if confusion.classes > LISTED {
        let f1: Vec<f64> = listed.iter().map(|class| confusion.scores(*class).f1.unwrap_or(2.0)).collect();
        listed.sort_by(|a, b| f1[*a].total_cmp(&f1[*b]));
        listed.truncate(LISTED);
    }
    let columns =
        [texts("class"), numbers("precision"), numbers("recall"), numbers("F1"), numbers("support")];
    let row = |name: String, scores: &ClassScores, support: u64| {
        [name].into_iter().chain(cells(scores)).chain([grouped(support)]).collect::<Vec<_>>()
    };
    figure(page, "classes", heading, |page| {
        let rows = listed.iter().map(|class| {
            row(shortened(&name(*class), 32).into(), &confusion.scores(*class), confusion.support[*class])
        });
        let mean = row("mean".into(), &confusion.mean(), confusion.examples);
        table::write(page, &columns, rows, Some(mean));
    });
}

fn confused(page: &mut Markup, confusion: &Confusion, name: &impl Fn(usize) -> String) {
    let pairs = confusion.most_confused(if confusion.classes > FEW { 20 } else { 5 });
    if pairs.is_empty() || confusion.classes <= 2 {
        return;
    }
    figure(page, "wide", "Most confused", |page| {
        page.element("ol", &[("class", &"pairs")], |list| {
            for (truth, predicted, count) in pairs {
                list.element("li", &[], |item| {
                    item.labelled("b", &[], name(truth));
                    item.text(" taken for ");
                    item.labelled("b", &[], name(predicted));
                    let of: &dyn Display = &grouped(confusion.support[truth]);
                    item.text(format_args!(": {} of {of}", grouped(count)));
                });
            }
        });
    });
}
