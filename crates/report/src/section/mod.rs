//! The parts of the page, in their order, and what they have in common.

pub mod classes;
pub mod cost;
pub mod curves;
pub mod details;
pub mod examples;
pub mod header;
pub mod matrix;
pub mod numbers;
pub mod table;

use crate::markup::Markup;

/// A part of the page with its heading.
pub fn section(page: &mut Markup, heading: &str, content: impl FnOnce(&mut Markup)) {
    page.verbatim("\n");
    page.element("section", &[], |section| {
        section.labelled("h2", &[], heading);
        content(section);
    });
}

/// A figure with its heading.
pub fn figure(page: &mut Markup, class: &str, heading: &str, content: impl FnOnce(&mut Markup)) {
    page.element("figure", &[("class", &class)], |figure| {
        figure.labelled("h3", &[], heading);
        content(figure);
    });
}

/// A remark in small type.
pub fn note(page: &mut Markup, text: impl std::fmt::Display) {
    page.labelled("p", &[("class", &"note")], text);
}

/// Results side by side: value and name.
pub fn tiles(page: &mut Markup, tiles: &[(String, String)]) {
    page.element("dl", &[("class", &"tiles")], |list| {
        for (name, value) in tiles {
            list.element("div", &[], |tile| {
                tile.labelled("dt", &[], name);
                tile.labelled("dd", &[], value);
            });
        }
    });
}
