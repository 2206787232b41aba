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
/// Most characters of a class's name beside the numbers.
const LONGEST: usize = 18;

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
    let longest = (0..confusion.classes).map(|class| shortened(&name(class), LONGEST).chars().count()).max();
    let layout =
        Layout::new(confusion.classes, longest.unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    page.element("div", &[("class", &"scroll"), ("tabindex", &0)], |page| {
        let (class, style) = (layout.class(), layout.style());
        page.element("table", &[("class", &class), ("style", &style)], |table| {
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    row.labelled("td", &[], "");
                    for class in 0..confusion.classes {
                        let name = name(class);
                        row.element("th", &[("scope", &"col"), ("title", &name)], |head| {
                            head.labelled("span", &[], shortened(&name, LONGEST))
                        });
                    }
                })
            });
            table.element("tbody", &[], |body| {
                for (truth, counts) in counts.chunks(confusion.classes).enumerate() {
                    body.element("tr", &[], |row| {
                        let name = name(truth);
                        row.labelled("th", &[("scope", &"row"), ("title", &name)], shortened(&name, LONGEST));
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

/// Measures of a matrix with numbers, in pixels. It takes the width that there is, within bounds, and is scrolled below.
struct Layout {
    /// Of the names of rows.
    head: usize,
    /// Of all, at most and at least.
    widest: usize,
    least: usize,
    /// Whether the names of columns are turned, and numbers small.
    turned: bool,
    small: bool,
}

impl Layout {
    /// For names of so many characters at most and counts up to `largest`.
    fn new(classes: usize, longest: usize, largest: u64) -> Layout {
        // A character takes about 7 pixels, a small digit 6.5.
        let head = (longest * 7 + 12).clamp(24, 150);
        let digits = largest.to_string().len();
        // As wide as the page has room for, but few classes do not become planks.
        let room = if classes <= BESIDE { 560 } else { 1032 };
        let least = (digits * 13 / 2 + 4).max(24);
        let cell = ((room - head) / classes.max(1)).clamp(least, 72);
        let phone = (300usize.saturating_sub(head) / classes.max(1)).clamp(least, cell);
        Layout {
            head,
            widest: head + classes * cell,
            least: head + classes * least,
            turned: longest * 7 > phone,
            small: digits * 8 + 6 > cell,
        }
    }

    fn class(&self) -> String {
        let named = [("matrix", true), ("turned", self.turned), ("small", self.small)];
        named.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    }

    fn style(&self) -> String {
        format!("--head:{}px;--widest:{}px;--least:{}px", self.head, self.widest, self.least)
    }
}

fn cell(row: &mut Markup, count: u64, right: bool, strength: f64) {
    if count == 0 {
        return row.labelled("td", &[], "");
    }
    let style = format!("--s:{:.2}", strength.max(0.01));
    let class = if right { "right" } else { "wrong" };
    row.labelled("td", &[("class", &class), ("style", &style)], count);
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn a_matrix_with_numbers_fits_the_page() {
        for classes in 1..=super::WITH_NUMBERS {
            for (longest, largest) in [(1, 9), (18, 999), (18, 99_999), (18, 999_999)] {
                let layout = Layout::new(classes, longest, largest);
                assert!(
                    layout.least <= layout.widest && layout.widest <= 1032,
                    "{classes} {longest} {largest}"
                );
            }
        }
        let (few, many) = (Layout::new(3, 10, 99), Layout::new(20, 18, 999_999));
        assert_eq!((few.class(), many.class()), ("matrix".into(), "matrix turned small".into()));
        assert!(few.widest < 400, "no planks");
    }
}
