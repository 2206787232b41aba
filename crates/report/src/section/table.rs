//! Tables. The script lets a reader sort them by a column.

use crate::markup::Markup;

/// A column: its name, and whether it holds numbers.
pub struct Column {
    name: String,
    numeric: bool,
}

/// A column of numbers.
pub fn numbers(name: &str) -> Column {
    Column { name: name.into(), numeric: true }
}

/// A column of texts.
pub fn texts(name: &str) -> Column {
    Column { name: name.into(), numeric: false }
}

/// Writes a table. A row has a cell for each column; `last` stands below and is not sorted.
pub fn write(
    page: &mut Markup,
    columns: &[Column],
    rows: impl Iterator<Item = Vec<String>>,
    last: Option<Vec<String>>,
) {
    page.element("div", &[("class", &"scroll"), ("tabindex", &0)], |page| {
        page.element("table", &[("class", &"sortable")], |table| {
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    for column in columns {
                        row.labelled("th", &[("scope", &"col"), ("class", &column.class())], &column.name);
                    }
                });
            });
            table.element("tbody", &[], |body| rows.for_each(|cells| row_of(body, columns, &cells)));
            if let Some(cells) = last {
                table.element("tfoot", &[], |foot| row_of(foot, columns, &cells));
            }
        });
    });
}

fn row_of(body: &mut Markup, columns: &[Column], cells: &[String]) {
    body.element("tr", &[], |row| {
        for (i, column) in columns.iter().enumerate() {
            let cell = cells.get(i).map_or("", String::as_str);
            row.labelled("td", &[("class", &column.class())], cell);
        }
    });
}

impl Column {
    fn class(&self) -> &'static str {
        if self.numeric { "number" } else { "text" }
    }
}
