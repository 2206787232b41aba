//! Bars along a line: parts of a whole, one beside the other.

use super::frame::percent;
use crate::format::shortened;
use crate::markup::{Attribute, Markup};

/// A part of a bar.
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its length, in the unit of the scale.
    pub value: f64,
    /// Its length for people.
    pub text: String,
    /// Which colour: `c0`, `c1`, …
    pub colour: usize,
}

/// Colours that the style sheet has.
const COLOURS: usize = 7;

impl Part {
    fn class(&self) -> String {
        format!("c{}", self.colour % COLOURS)
    }
}

/// A bar whose full width stands for `scale`.
pub fn stacked(page: &mut Markup, parts: &[Part], scale: f64, description: &str) {
    let share = |value: f64| {
        let share = value / scale;
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    };
    page.element("svg", &[("class", &"bar"), ("role", &"img"), ("aria-label", &description)], |svg| {
        svg.empty("rect", &[("class", &"track"), ("width", &"100%"), ("height", &"100%")]);
        let mut begin = 0.0;
        for part in parts {
            let width = share(part.value).min(1.0 - begin);
            let (x, shown) = (percent(begin), percent(width));
            if width > 0.0 {
                let attributes: [Attribute<'_>; 4] =
                    [("class", &part.class()), ("x", &x), ("width", &shown), ("height", &"100%")];
                svg.element("rect", &attributes, |rect| {
                    rect.labelled("title", &[], format_args!("{}: {}", shortened(&part.name, 40), part.text));
                });
            }
            begin += width;
        }
    });
}

/// The key to the colours, with each part's length.
pub fn key(page: &mut Markup, parts: &[Part]) {
    page.element("ul", &[("class", &"key")], |list| {
        for part in parts {
            list.element("li", &[], |item| {
                item.labelled("i", &[("class", &part.class())], "");
                item.labelled("span", &[], shortened(&part.name, 40));
                item.text(" ");
                item.labelled("b", &[], &part.text);
            });
        }
    });
}
