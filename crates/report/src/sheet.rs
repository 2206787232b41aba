//! A page of tables: what a check or a comparison found.

use crate::markup::Markup;
use crate::page::{page, top};
use crate::section::table::{self, Column};
use crate::section::{note, section, tiles};

/// A page of tables, as plain data.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// What kind of page it is, in small type above the title.
    pub kind: String,
    /// The title.
    pub name: String,
    /// A line below the title.
    pub subtitle: Option<String>,
    /// The results that matter most: name and value.
    pub results: Vec<(String, String)>,
    /// What follows, in order.
    pub parts: Vec<Part>,
}

/// A part of a [`Sheet`]: remarks, and a table where it has columns.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Its heading.
    pub heading: String,
    /// Remarks above the table.
    pub notes: Vec<String>,
    /// Names of columns, and whether they hold numbers.
    pub columns: Vec<(String, bool)>,
    /// A cell for each column.
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// The page: HTML that is well-formed XML too, and needs no other file.
    pub fn to_html(&self) -> String {
        page(&self.name, |body| {
            body.element("header", &[], |header| {
                top(&self.kind, header);
                header.labelled("h1", &[], &self.name);
                if let Some(line) = &self.subtitle {
                    header.labelled("p", &[("class", &"subtitle")], line);
                }
            });
            body.element("main", &[], |main| {
                if !self.results.is_empty() {
                    section(main, "Results", |page| tiles(page, &self.results));
                }
                self.parts.iter().for_each(|part| part.write(main));
            });
        })
    }
}

impl Part {
    fn write(&self, main: &mut Markup) {
        section(main, &self.heading, |page| {
            self.notes.iter().for_each(|text| note(page, text));
            if !self.columns.is_empty() {
                let column = |(name, is_number): &(String, bool)| match is_number {
                    true => table::numbers(name),
                    false => table::texts(name),
                };
                let columns: Vec<Column> = self.columns.iter().map(column).collect();
                table::write(page, &columns, self.rows.iter().cloned(), None);
            }
        });
    }
}
