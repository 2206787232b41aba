//! How a number was predicted.

use super::examples::{self, Answers, Case};
use super::{figure, note, section, tiles};
use crate::chart::axis::{Axis, multiples, nice_step};
use crate::chart::frame::{FIELD, Frame, Length};
use crate::chart::line::{dot, place};
use crate::errors::{Errors, finite};
use crate::format::{NOTHING, grouped, number, quantity, shortened};
use crate::markup::Markup;
use crate::results::Regression;
use std::fmt::Write;

/// Most points of a scatter.
const POINTS: usize = 2000;

/// Up to so many, points are drawn larger.
const SPARSE: usize = 200;

const ANSWERS: Answers = Answers { names: ["true", "predicted", "error"], numeric: true };

/// Writes the part.
pub fn write(of: &Regression, page: &mut Markup) {
    let heading = format!(
        "Predictions of {}",
        if of.target.is_empty() { "the test data".into() } else { shortened(&of.target, 60) }
    );
    section(page, &heading, |page| {
        match Errors::new(&of.pairs) {
            None => note(page, "No test example has both a true and a predicted number that is finite."),
            Some(errors) => {
                results(page, of, &errors);
                page.element("div", &[("class", &"charts")], |page| {
                    scatter(page, of);
                    histogram(page, &errors);
                });
            }
        }
        let cases: Vec<Case<'_>> = of
            .worst
            .iter()
            .map(|worst| Case {
                example: &worst.example,
                answers: [worst.truth, worst.predicted, worst.predicted - worst.truth].map(number),
            })
            .collect();
        examples::write(page, "Worst predictions", &ANSWERS, &of.columns, &cases);
    });
}

fn results(page: &mut Markup, of: &Regression, errors: &Errors) {
    let named = |name: &str, value: f64| (name.to_owned(), quantity(value, &of.unit));
    let shown = [
        named("RMSE", errors.root_mean_square),
        named("MAE", errors.mean_absolute),
        named("mean error", errors.mean),
        ("R²".to_owned(), errors.r_squared.map_or(NOTHING.into(), number)),
    ];
    tiles(page, &shown);
    let left_out = of.pairs.len() - errors.sorted.len();
    if left_out > 0 {
        let (left_out, all) = (grouped(left_out as u64), grouped(of.pairs.len() as u64));
        note(page, format_args!("{left_out} of {all} pairs are not finite and not counted."));
    }
}

fn scatter(page: &mut Markup, of: &Regression) {
    let pairs: Vec<(f64, f64)> = finite(&of.pairs).collect();
    // Both axes are the same, so that right predictions are on the diagonal.
    let both = || pairs.iter().flat_map(|(truth, predicted)| [*truth, *predicted]);
    let axis = Axis::close(both(), 6, &of.unit);
    let drawn = pairs.len().min(POINTS);
    let mut dots = String::new();
    for i in 0..drawn {
        let (truth, predicted) = pairs[i * pairs.len() / drawn];
        let (across, down) = place(axis.place(truth), axis.place(predicted));
        dot(&mut dots, across, down);
    }
    figure(page, "scatter", "Predicted against true", |page| {
        let frame = Frame {
            x: &axis,
            y: &axis,
            x_name: "true value",
            description: "Predicted against true values; right predictions are on the diagonal",
            class: "square",
        };
        frame.write(
            page,
            |field| {
                field.empty("path", &[("class", &"diagonal"), ("d", &format_args!("M0 {FIELD}L{FIELD} 0"))]);
                let class = if drawn <= SPARSE { "points sparse" } else { "points" };
                field.empty("path", &[("class", &class), ("d", &dots)]);
            },
            |_| {},
        );
        let (few, all) = (grouped(drawn as u64), grouped(pairs.len() as u64));
        let thinned =
            if drawn < pairs.len() { format!(" {few} of {all} examples are drawn.") } else { String::new() };
        note(page, format_args!("Above the line: predicted too high.{thinned}"));
    });
}

fn histogram(page: &mut Markup, errors: &Errors) {
    /// From here on, the outermost hundredth is not drawn, so that a few outliers do not press the others together.
    const MANY: usize = 200;
    let (low, high) = if errors.sorted.len() >= MANY {
        (errors.quantile(0.005), errors.quantile(0.995))
    } else {
        (errors.quantile(0.0), errors.quantile(1.0))
    };
    let x = Axis::linear([low, high, 0.0].into_iter(), 6, &crate::data::Unit::None);
    let bins = Bins::new(&errors.sorted, &x);
    let most = bins.counts.iter().copied().max().unwrap_or(0);
    let y = Axis::counts(most);
    figure(page, "histogram", "Errors", |page| {
        let frame = Frame {
            x: &x,
            y: &y,
            x_name: "predicted − true",
            description: "Histogram of the errors",
            class: "tall",
        };
        frame.write(
            page,
            |field| {
                field.empty("path", &[("class", &"bins"), ("d", &bins.path(&x, &y))]);
                let zero = Length(x.place(0.0) * FIELD);
                field.empty("path", &[("class", &"diagonal"), ("d", &format_args!("M{zero} 0V{FIELD}"))]);
            },
            |_| {},
        );
        let (width, beyond) = (number(bins.width), grouped(bins.beyond as u64));
        let rest =
            if bins.beyond > 0 { format!(" {beyond} lie outside and are not drawn.") } else { String::new() };
        note(page, format_args!("Test examples by error; a bar is {width} wide.{rest}"));
    });
}

/// How many errors lie in each of equal stretches.
struct Bins {
    from: f64,
    width: f64,
    counts: Vec<usize>,
    beyond: usize,
}

impl Bins {
    fn new(values: &[f64], axis: &Axis) -> Bins {
        let (low, high) = axis.ends();
        // Rice's rule: twice the cube root of the number of values.
        let wanted = (2.0 * (values.len() as f64).cbrt()).clamp(6.0, 40.0) as usize;
        let width = nice_step(high - low, wanted);
        let edges = multiples((low / width).floor() * width, (high / width).ceil() * width, width);
        let from = edges.first().copied().unwrap_or(low);
        let mut counts = vec![0; edges.len().saturating_sub(1).max(1)];
        let mut beyond = 0;
        for value in values {
            let bin = ((value - from) / width).floor();
            // The last bin has its upper edge too.
            let bin = if *value == high { bin.min(counts.len() as f64 - 1.0) } else { bin };
            match counts.get_mut(bin as usize) {
                Some(count) if bin >= 0.0 => *count += 1,
                _ => beyond += 1,
            }
        }
        Bins { from, width, counts, beyond }
    }

    fn path(&self, x: &Axis, y: &Axis) -> String {
        let mut path = String::new();
        for (i, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let edge = |i: usize| Length(x.place(self.from + i as f64 * self.width) * FIELD);
            let top = Length((1.0 - y.place(*count as f64)) * FIELD);
            let (left, right) = (edge(i), edge(i + 1));
            let _ = write!(path, "M{left} {FIELD}V{top}H{right}V{FIELD}z");
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Unit;

    #[test]
    fn every_value_is_in_one_bin() {
        let values = [-1.0, -0.5, 0.0, 0.25, 0.5, 0.99, 1.0, 7.0];
        let axis = Axis::linear([-1.0, 1.0].into_iter(), 4, &Unit::None);
        let bins = Bins::new(&values, &axis);
        assert_eq!((bins.from, bins.width, bins.beyond), (-1.0, 0.5, 1));
        assert_eq!(bins.counts, [1, 1, 2, 3]);
    }
}
