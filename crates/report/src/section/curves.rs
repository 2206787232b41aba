//! Loss, metrics and learning rate, by epoch.

use super::{note, section};
use crate::chart::axis::{Axis, spans_decades};
use crate::chart::frame::{Frame, percent};
use crate::chart::line::{Point, paths, thinned};
use crate::data::{Curve, Report, Unit};
use crate::format::{grouped, quantity, shortened};
use crate::markup::{Attribute, Markup};
use std::fmt::Display;

/// Most points of a line.
const POINTS: usize = 2000;

/// Beyond so many points, strokes of full width run into each other.
const CROWDED: usize = 400;

/// A line of a chart.
struct Series<'a> {
    /// `training` or `validation`: its name and its style.
    name: &'static str,
    values: &'a [f64],
    points: Vec<Point>,
}

struct Chart<'a> {
    title: String,
    unit: &'a Unit,
    series: Vec<Series<'a>>,
    class: &'static str,
    best: Option<usize>,
}

/// Writes the charts, if there is anything to draw.
pub fn write(report: &Report, page: &mut Markup) {
    let drawn: Vec<&Curve> = report
        .curves
        .iter()
        .filter(|curve| !curve.training.is_empty() || !curve.validation.is_empty())
        .collect();
    if drawn.is_empty() && report.learning_rate.is_empty() {
        return;
    }
    section(page, "Learning curves", |page| {
        let best = report.best_epoch.as_ref();
        if let Some(best) = best {
            let by = shortened(&best.by, 40);
            note(
                page,
                format_args!(
                    "Best epoch: {}, by {by}. Values above a chart are of that epoch.",
                    grouped(best.epoch as u64)
                ),
            );
        }
        page.element("div", &[("class", &"charts")], |page| {
            for curve in &drawn {
                let series = [("training", &curve.training), ("validation", &curve.validation)];
                chart(page, &curve.name, &curve.unit, &series, "", best.map(|best| best.epoch));
            }
            if !report.learning_rate.is_empty() {
                let series = [("training", &report.learning_rate)];
                chart(page, "learning rate", &Unit::None, &series, "small", best.map(|best| best.epoch));
            }
        });
    });
}

fn chart(
    page: &mut Markup,
    title: &str,
    unit: &Unit,
    series: &[(&'static str, &Vec<f64>)],
    class: &'static str,
    best: Option<usize>,
) {
    let series = series.iter().filter(|(_, values)| !values.is_empty());
    let series: Vec<Series<'_>> =
        series.map(|(name, values)| Series { name, values, points: thinned(values, POINTS) }).collect();
    let epochs = series.iter().map(|series| series.values.len()).max().unwrap_or(0);
    let best = best.filter(|best| (1..=epochs).contains(best));
    Chart { title: shortened(title, 60).into_owned(), unit, series, class, best }.write(page, epochs);
}

impl Chart<'_> {
    fn write(&self, page: &mut Markup, epochs: usize) {
        let values = || self.series.iter().flat_map(|series| series.points.iter().map(|(_, value)| *value));
        let wanted = if self.class == "small" { 3 } else { 5 };
        let x = Axis::whole(1, epochs, 5);
        // Schedules are known by their shape on a linear scale.
        let y = if self.class != "small" && *self.unit != Unit::Share && spans_decades(values()) {
            Axis::logarithmic(values(), self.unit)
        } else {
            Axis::linear(values(), wanted, self.unit)
        };
        let sequences: Vec<(String, String)> = self.series.iter().flat_map(sequences).collect();
        let last = epochs.to_string();
        let (class, unit) = match self.unit {
            Unit::None => ("curve", "".into()),
            Unit::Share => ("curve share", "".into()),
            Unit::Of(name) => ("curve", shortened(name, 24)),
        };
        let mut attributes: Vec<Attribute<'_>> =
            vec![("class", &class), ("data-epochs", &last), ("data-unit", &unit)];
        attributes.extend(sequences.iter().map(|(name, values)| (name.as_str(), values as &dyn Display)));
        page.element("figure", &attributes, |page| {
            let scale = if y.is_logarithmic() { ", logarithmic scale" } else { "" };
            page.element("h3", &[], |heading| {
                heading.text(&self.title);
                heading.labelled("small", &[], scale);
            });
            self.readout(page, self.best.unwrap_or(epochs));
            let description = format!("{}{scale} by epoch, 1 to {epochs}", self.title);
            let frame = Frame { x: &x, y: &y, x_name: "epoch", description: &description, class: self.class };
            frame.write(page, |field| self.lines(field, &x, &y), |svg| self.best_epoch(svg, &x));
            self.remarks(page);
        });
    }

    /// The values of an epoch. The script writes those under the pointer here.
    fn readout(&self, page: &mut Markup, epoch: usize) {
        page.element("p", &[("class", &"readout")], |page| {
            let best = if self.best == Some(epoch) { " (best)" } else { "" };
            page.labelled("span", &[("class", &"at")], format_args!("epoch {}{best}", grouped(epoch as u64)));
            for series in &self.series {
                page.element("span", &[("class", &series.name)], |page| {
                    if self.class != "small" {
                        page.labelled("span", &[("class", &"name")], series.name);
                    }
                    let value = series.values.get(epoch - 1);
                    page.labelled("b", &[], value.map_or("–".into(), |value| quantity(*value, self.unit)));
                });
            }
        });
    }

    fn lines(&self, field: &mut Markup, x: &Axis, y: &Axis) {
        for series in &self.series {
            let (line, dots) = paths(&series.points, x, y);
            let (strokes, points) = match series.points.len() {
                1 => ("line", "dots lone"),
                ..=CROWDED => ("line", "dots"),
                _ => ("line thin", "dots"),
            };
            for (kind, path) in [(strokes, line), (points, dots)] {
                if !path.is_empty() {
                    let class = format!("{kind} {}", series.name);
                    field.empty("path", &[("class", &class), ("d", &path)]);
                }
            }
        }
    }

    fn best_epoch(&self, svg: &mut Markup, x: &Axis) {
        let Some(best) = self.best else { return };
        let place = x.place(best as f64);
        let (x, anchor, shift) =
            (percent(place), if place > 0.6 { "end" } else { "start" }, if place > 0.6 { -6 } else { 6 });
        svg.empty("line", &[("class", &"best"), ("x1", &x), ("x2", &x), ("y2", &"100%")]);
        if self.class != "small" {
            let attributes: [Attribute<'_>; 5] =
                [("class", &"tick"), ("x", &x), ("y", &-4), ("dx", &shift), ("text-anchor", &anchor)];
            svg.labelled("text", &attributes, "best");
        }
    }

    fn remarks(&self, page: &mut Markup) {
        for series in &self.series {
            let lost: Vec<usize> =
                (1..=series.values.len()).filter(|epoch| !series.values[epoch - 1].is_finite()).collect();
            if !lost.is_empty() {
                let shown: Vec<String> = lost.iter().take(6).map(|epoch| grouped(*epoch as u64)).collect();
                let more = if lost.len() > 6 { ", …" } else { "" };
                let (count, shown) = (grouped(lost.len() as u64), shown.join(", "));
                let name = series.name;
                note(
                    page,
                    format_args!(
                        "Not finite in {count} of the {name} values, in epochs {shown}{more}: gaps in the line."
                    ),
                );
            }
        }
        if let Some(series) = self.series.iter().find(|series| series.points.len() < series.values.len()) {
            let (all, drawn) = (grouped(series.values.len() as u64), grouped(series.points.len() as u64));
            note(
                page,
                format_args!(
                    "{all} epochs drawn as {drawn} points: the lowest and the highest of each stretch."
                ),
            );
        }
    }
}

/// A series for the script: its values, and where it was thinned, their epochs.
fn sequences(series: &Series<'_>) -> Vec<(String, String)> {
    let short = |value: f64| if value.is_finite() { format!("{value:.4e}") } else { value.to_string() };
    let values: Vec<String> = series.points.iter().map(|(_, value)| short(*value)).collect();
    let mut found = vec![(format!("data-{}", series.name), values.join(" "))];
    if series.points.len() < series.values.len() {
        let epochs: Vec<String> = series.points.iter().map(|(epoch, _)| epoch.to_string()).collect();
        found.push((format!("data-{}-at", series.name), epochs.join(" ")));
    }
    found
}
