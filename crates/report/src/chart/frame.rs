//! The frame of a chart: grid, numbers at the axes, and the field that marks are drawn into.
//!
//! A chart is as wide as the page lets it be, while its type and its lines keep their size: the outer SVG has no view
//! box, places are percentages, and the numbers at the axes stand in margins around it. Marks are drawn in an inner
//! SVG of 1000 × 1000 units that is stretched over the field; strokes do not stretch with it.

use super::axis::Axis;
use crate::markup::{Attribute, Markup};
use std::fmt::{self, Display};

/// Units of the field, in both directions.
pub const FIELD: f64 = 1000.0;

/// A length in the field or in percent, written with one digit after the point.
#[derive(Clone, Copy)]
pub struct Length(pub f64);

impl Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() as i64;
        let sign = if tenths < 0 { "-" } else { "" };
        match (tenths.abs() / 10, tenths.abs() % 10) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

/// A share of a length, as percent.
pub fn percent(share: f64) -> String {
    format!("{}%", (share * 1e4).round() / 100.0)
}

/// The two axes of a chart, and what it is called by those who cannot see it.
pub struct Frame<'a> {
    /// Left to right.
    pub x: &'a Axis,
    /// Bottom to top; none for charts without a scale there.
    pub y: &'a Axis,
    /// What the horizontal axis counts.
    pub x_name: &'a str,
    /// A description of the chart.
    pub description: &'a str,
    /// `small`, `square` or nothing.
    pub class: &'a str,
}

impl Frame<'_> {
    /// Writes the chart. `marks` are drawn into the field, `notes` over it in percentages.
    pub fn write(&self, page: &mut Markup, marks: impl FnOnce(&mut Markup), notes: impl FnOnce(&mut Markup)) {
        let class = format!("plot {}", self.class);
        let style = format!("--label:{}ch", self.y.widest());
        page.element("div", &[("class", &"frame"), ("style", &style)], |page| {
            let attributes: [Attribute<'_>; 3] =
                [("class", &class.trim_end()), ("role", &"img"), ("aria-label", &self.description)];
            page.element("svg", &attributes, |svg| {
                self.grid(svg);
                let field = format!("0 0 {FIELD} {FIELD}");
                let attributes: [Attribute<'_>; 3] =
                    [("class", &"field"), ("viewBox", &field), ("preserveAspectRatio", &"none")];
                svg.element("svg", &attributes, marks);
                notes(svg);
            });
        });
    }

    fn grid(&self, svg: &mut Markup) {
        for (place, text) in &self.y.ticks {
            let y = percent(1.0 - place);
            svg.empty("line", &[("class", &"grid"), ("x2", &"100%"), ("y1", &y), ("y2", &y)]);
            svg.labelled("text", &[("class", &"tick y"), ("x", &-8), ("y", &y), ("dy", &"0.35em")], text);
        }
        svg.empty("line", &[("class", &"base"), ("x2", &"100%"), ("y1", &"100%"), ("y2", &"100%")]);
        for (place, text) in &self.x.ticks {
            let x = percent(*place);
            svg.empty(
                "line",
                &[("class", &"base"), ("x1", &x), ("x2", &x), ("y1", &"100%"), ("y2", &"102%")],
            );
            svg.labelled("text", &[("class", &"tick x"), ("x", &x), ("y", &"100%"), ("dy", &"1.5em")], text);
        }
        svg.labelled(
            "text",
            &[("class", &"tick x"), ("x", &"50%"), ("y", &"100%"), ("dy", &"2.9em")],
            self.x_name,
        );
    }
}
