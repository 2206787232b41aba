//! The confusion matrix: as a table of numbers, or, of many classes, as a map.

use super::{figure, note};
use crate::chart::map::{self, Cell};
use crate::confusion::Confusion;
use crate::format::{grouped, shortened};
use crate::markup::{Attribute, Markup};

/// Most classes whose matrix stands beside the table of classes, has numbers, is drawn at all.
const BESIDE: usize = 10;
pub const WITH_NUMBERS: usize = 20;
const DRAWN: usize = 250;

/// Writes the matrix, if it has not too many classes to be seen.
pub fn write(page: &mut Markup, confusion: &Confusion, name: &impl Fn(usize) -> String) {
    if confusion.classes > DRAWN {
        let classes = grouped(confusion.classes as u64);
        return note(
            page,
            format_args!("The confusion matrix of {classes} classes is too large to be drawn."),
        );
    }
    let beside = confusion.classes <= BESIDE || confusion.classes > WITH_NUMBERS;
    let class = if beside { "confusion" } else { "confusion whole" };
    figure(page, class, "Confusion matrix", |page| {
        page.labelled("p", &[("class", &"across")], "↓ true class, → predicted class");
        if confusion.classes <= WITH_NUMBERS {
            with_numbers(page, confusion, name);
        } else {
            without_numbers(page, confusion, name);
        }
        note(
            page,
            "Blue is right, orange wrong: the stronger, the larger the share of the row, orange by its square root, so \
             that rare mistakes show.",
        );
    });
}

fn without_numbers(page: &mut Markup, confusion: &Confusion, name: &impl Fn(usize) -> String) {
    let counts = confusion.cells.iter().map(|(row, column, count)| format!("{row} {column} {count}"));
    let counts = counts.collect::<Vec<_>>().join(",");
    let cells: Vec<Cell> = confusion
        .cells
        .iter()
        .map(|&(row, column, count)| Cell { row, column, strength: strength(confusion, row, column, count) })
        .collect();
    let description = format!("Confusion matrix of {} classes: rows are true classes", confusion.classes);
    let names = (0..confusion.classes)
        .map(|class| name(class).replace(char::is_control, " "))
        .collect::<Vec<_>>()
        .join("\n");
    let data: [Attribute<'_>; 2] = [("data-counts", &counts), ("data-names", &names)];
    map::square(page, confusion.classes, &cells, &data, &description);
    page.labelled("p", &[("class", &"readout"), ("data-empty", &"Point at a cell.")], "");
}

/// How strong a cell's colour is.
fn strength(confusion: &Confusion, row: usize, column: usize, count: u64) -> f64 {
    let share = count as f64 / confusion.support[row].max(1) as f64;
    if row == column { share } else { share.sqrt() }
}

fn with_numbers(page: &mut Markup, confusion: &Confusion, name: &impl Fn(usize) -> String) {
    let mut counts = vec![0; confusion.classes * confusion.classes];
    for (row, column, count) in &confusion.cells {
        counts[row * confusion.classes + column] = *count;
    }
    // In pixels: as wide as the page, or a phone, has room for, but few classes do not become planks.
    let room = if confusion.classes <= BESIDE { 470 } else { 900 };
    let [width, narrow] = [room, 300].map(|room| (room / confusion.classes).clamp(24, 72));
    let longest = (0..confusion.classes).map(|class| name(class).chars().count()).max().unwrap_or(0);
    // A character takes about 7 pixels.
    let class = if longest * 7 <= width { "matrix" } else { "matrix turned" };
    page.element("div", &[("class", &"scroll"), ("tabindex", &0)], |page| {
        let style = format!("--cell:{width}px;--narrow:{narrow}px");
        page.element("table", &[("class", &class), ("style", &style)], |table| {
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    row.labelled("td", &[], "");
                    for class in 0..confusion.classes {
                        let name = name(class);
                        row.element("th", &[("scope", &"col"), ("title", &name)], |head| {
                            head.labelled("span", &[], shortened(&name, 18))
                        });
                    }
                })
            });
            table.element("tbody", &[], |body| {
                for (truth, counts) in counts.chunks(confusion.classes).enumerate() {
                    body.element("tr", &[], |row| {
                        let name = name(truth);
                        row.labelled("th", &[("scope", &"row"), ("title", &name)], shortened(&name, 18));
                        for (predicted, count) in counts.iter().enumerate() {
                            cell(
                                row,
                                *count,
                                truth == predicted,
                                strength(confusion, truth, predicted, *count),
                            );
                        }
                    });
                }
            });
        });
    });
}

fn cell(row: &mut Markup, count: u64, right: bool, strength: f64) {
    if count == 0 {
        return row.labelled("td", &[], "");
    }
    let style = format!("--s:{:.2}", strength.max(0.01));
    let class = if right { "right" } else { "wrong" };
    row.labelled("td", &[("class", &class), ("style", &style)], count);
}
