//! Axes: which numbers stand at them, and where.

use crate::data::Unit;
use crate::format::{grouped, minus};

/// Values beyond this are drawn at it, so that no difference of two overflows.
const LARGEST: f64 = 1e300;

/// A scale from values to places, 0 (low end) to 1 (high end), and the numbers that are written at it.
#[derive(Debug)]
pub struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Numbers to write: place and text.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis for all values, from one round number to another, with about `wanted` of them.
    pub fn linear(values: impl Iterator<Item = f64>, wanted: usize, unit: &Unit) -> Axis {
        let found = range(values).unwrap_or((0.0, 1.0));
        let (mut low, mut high) = widened(found);
        if *unit == Unit::Share && found.0 >= 0.0 && found.1 <= 1.0 {
            (low, high) = (low.max(0.0), high.min(1.0));
        }
        let step = nice_step(high - low, wanted);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let mut axis = Axis { low, high, logarithmic: false, ticks: Vec::new() };
        let numbers = multiples(low, high, step).into_iter();
        let largest = low.abs().max(high.abs());
        axis.ticks = numbers.map(|at| (axis.place(at), label(at, step, largest, unit))).collect();
        axis
    }

    /// A linear axis that ends close to the values, with about `wanted` round numbers between its ends.
    pub fn close(values: impl Iterator<Item = f64>, wanted: usize, unit: &Unit) -> Axis {
        let (low, high) = widened(range(values).unwrap_or((0.0, 1.0)));
        let margin = (high - low) * 0.02;
        let (low, high) = (low - margin, high + margin);
        let step = nice_step(high - low, wanted);
        let mut axis = Axis { low, high, logarithmic: false, ticks: Vec::new() };
        let numbers = multiples(low, high, step).into_iter().filter(|number| (low..=high).contains(number));
        let largest = low.abs().max(high.abs());
        axis.ticks = numbers.map(|at| (axis.place(at), label(at, step, largest, unit))).collect();
        axis
    }

    /// A logarithmic axis for positive values, from one number of 1, 2 or 5 times a power of ten to another. Where
    /// these are too many to write, only powers of ten are.
    pub fn logarithmic(values: impl Iterator<Item = f64>, unit: &Unit) -> Axis {
        let positive = values.filter(|value| *value > 0.0).map(|value| value.max(1.0 / LARGEST));
        let (low, high) = range(positive).unwrap_or((0.1, 1.0));
        let (first, last) = (low.log10().floor() as i32 - 1, high.log10().ceil() as i32 + 1);
        let of_power = |power: i32| [1.0, 2.0, 5.0].map(|multiple| multiple * 10f64.powi(power));
        let round = || (first..=last).flat_map(of_power);
        let from = round().filter(|number| *number < low * (1.0 + 1e-9)).fold(0.0, f64::max);
        let to = round().find(|number| *number > high * (1.0 - 1e-9) && *number > from).unwrap_or(high);
        // Six powers are as many as can be read beside a small chart.
        let stride = ((to / from).log10().ceil() as i32).div_euclid(7) + 1;
        let numbers: Vec<f64> = if to / from < 1001.0 {
            round().collect()
        } else {
            (first..=last)
                .filter(|power| power.rem_euclid(stride) == 0)
                .map(|power| 10f64.powi(power))
                .collect()
        };
        let mut axis = Axis { low: from.log10(), high: to.log10(), logarithmic: true, ticks: Vec::new() };
        let written = numbers.into_iter().filter(|number| (from..=to).contains(number));
        axis.ticks =
            written.map(|number| (axis.place(number), label(number, number, number, unit))).collect();
        axis
    }

    /// An axis from 0 for numbers of things.
    pub fn counts(most: usize) -> Axis {
        let most = most.max(1) as f64;
        let step = nice_step(most, 4).max(1.0);
        let high = (most / step).ceil() * step;
        let mut axis = Axis { low: 0.0, high, logarithmic: false, ticks: Vec::new() };
        let numbers = multiples(0.0, high, step).into_iter();
        axis.ticks = numbers.map(|at| (axis.place(at), label(at, step, high, &Unit::None))).collect();
        axis
    }

    /// An axis of whole numbers, such as epochs: both ends are written, nothing between two of them.
    pub fn whole(first: usize, last: usize, wanted: usize) -> Axis {
        if first >= last {
            let (low, high) = (first as f64 - 1.0, first as f64 + 1.0);
            return Axis { low, high, logarithmic: false, ticks: vec![(0.5, grouped(first as u64))] };
        }
        let (low, high) = (first as f64, last as f64);
        let step = nice_step(high - low, wanted).max(1.0);
        let mut axis = Axis { low, high, logarithmic: false, ticks: Vec::new() };
        let between = multiples(low, high, step).into_iter();
        // A number too near an end would touch the end's own.
        let clear = |value: &f64| value - low > 0.6 * step && high - value > 0.6 * step;
        let values = std::iter::once(low).chain(between.filter(clear)).chain([high]);
        axis.ticks = values.map(|value| (axis.place(value), grouped(value as u64))).collect();
        axis
    }

    /// Where a value stands: 0 to 1 for those between the ends; at the end if beyond.
    pub fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { held(value) };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The values at both ends.
    pub fn ends(&self) -> (f64, f64) {
        if self.logarithmic { (10f64.powf(self.low), 10f64.powf(self.high)) } else { (self.low, self.high) }
    }

    /// Whether equal steps are equal ratios.
    pub fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// Characters of the longest number.
    pub fn widest(&self) -> usize {
        self.ticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0)
    }
}

/// Whether positive values span so much that a linear axis would show the large ones alone.
pub fn spans_decades(values: impl Iterator<Item = f64>) -> bool {
    range(values).is_some_and(|(low, high)| low > 0.0 && high / low > 20.0)
}

/// The step of 1, 2 or 5 times a power of ten that divides `span` into at most `wanted` parts.
pub fn nice_step(span: f64, wanted: usize) -> f64 {
    let rough = span / wanted.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    // A hair less than 1, so that a step that is round already stays.
    let multiple = [1.0, 2.0, 5.0].into_iter().find(|multiple| multiple * power >= rough * (1.0 - 1e-9));
    multiple.unwrap_or(10.0) * power
}

/// The multiples of a step between two values, both included. There are never more than a chart can show.
pub fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let count = (last - first + 1.0).clamp(0.0, 100.0) as usize;
    (0..count).map(|i| (first + i as f64) * step).collect()
}

fn held(value: f64) -> f64 {
    value.clamp(-LARGEST, LARGEST)
}

/// The least and the greatest finite value.
pub fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).map(held).fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// A range that has a length, even where all values are nearly the same.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-6 && high - low > 1e-290 {
        return (low, high);
    }
    // Around 0, or by a tenth of the value to each side.
    let around = if size > 1e-280 { size * 0.1 } else { 1.0 };
    if size > 1e-280 { (low - around, high + around) } else { (0.0, 1.0) }
}

/// The text of a number at an axis whose numbers are `step` apart and at most `largest`.
fn label(value: f64, step: f64, largest: f64, unit: &Unit) -> String {
    if *unit == Unit::Share {
        return format!("{}\u{a0}%", label(value * 100.0, step * 100.0, largest * 100.0, &Unit::None));
    }
    // The power of ten of the first digit; a hair more, for what should be a power and is a little less.
    let power = |number: f64| (number.abs().log10() + 1e-9).floor();
    if value.abs() < step * 1e-6 {
        return "0".into();
    }
    if !(0.99e-3..1e15).contains(&largest) {
        let digits = (power(value) - power(step)).clamp(0.0, 6.0) as usize;
        let text = format!("{value:.digits$e}");
        return minus(&text.replacen(".0e", "e", 1));
    }
    let (divisor, letter) = match largest {
        1e12.. => (1e12, "T"),
        1e9.. => (1e9, "G"),
        1e6.. => (1e6, "M"),
        1e4.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    let decimals = (-power(step / divisor)).clamp(0.0, 20.0) as usize;
    minus(&format!("{:.decimals$}{letter}", value / divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn linear(values: &[f64]) -> Axis {
        Axis::linear(values.iter().copied(), 5, &Unit::None)
    }

    #[test]
    fn steps_are_round() {
        let cases =
            [(1.0, 5, 0.2), (0.93, 5, 0.2), (7.0, 5, 2.0), (10.0, 5, 2.0), (11.0, 5, 5.0), (30.0, 5, 10.0)];
        for (span, wanted, expected) in cases {
            assert!((nice_step(span, wanted) / expected - 1.0).abs() < 1e-12, "{span} in {wanted}");
        }
        assert!((nice_step(4e-7, 4) / 1e-7 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn linear_numbers() {
        assert_eq!(texts(&linear(&[0.02, 0.83])), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&linear(&[-3.0, 12.0])), ["−5", "0", "5", "10", "15"]);
        assert_eq!(
            texts(&linear(&[15_000.0, 500_001.0])),
            ["0", "100k", "200k", "300k", "400k", "500k", "600k"]
        );
        assert_eq!(texts(&linear(&[1e-6, 3e-6])), ["1e-6", "1.5e-6", "2e-6", "2.5e-6", "3e-6"]);
        let shares = Axis::linear([0.913, 0.989].into_iter(), 5, &Unit::Share);
        assert_eq!(texts(&shares).join(" ").replace('\u{a0}', ""), "90% 92% 94% 96% 98% 100%");
    }

    #[test]
    fn ends_are_at_the_ends() {
        let axis = linear(&[0.02, 0.83]);
        assert_eq!((axis.place(0.0), axis.place(1.0), axis.place(9.0)), (0.0, 1.0, 1.0));
        assert!((axis.place(0.25) - 0.25).abs() < 1e-12);
        let axis = Axis::logarithmic([0.003, 2000.0].into_iter(), &Unit::None);
        assert_eq!(texts(&axis), ["0.01", "0.1", "1", "10", "100", "1000"]);
        assert!((axis.place(2.0) - 0.5).abs() < 1e-12, "0.002 to 2000: six decades");
        let axis = Axis::logarithmic([0.03, 4.0].into_iter(), &Unit::None);
        assert_eq!(texts(&axis), ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5"]);
    }

    #[test]
    fn whole_numbers_have_both_ends() {
        assert_eq!(texts(&Axis::whole(1, 20, 5)), ["1", "5", "10", "15", "20"]);
        assert_eq!(texts(&Axis::whole(1, 3, 5)), ["1", "2", "3"]);
        assert_eq!(texts(&Axis::whole(1, 1, 5)), ["1"]);
        assert_eq!(texts(&Axis::whole(1, 1000, 5)), ["1", "200", "400", "600", "800", "1,000"]);
        assert_eq!(texts(&Axis::whole(1, 23, 5)), ["1", "5", "10", "15", "23"]);
    }

    #[test]
    fn any_numbers_give_an_axis() {
        let hard: [&[f64]; 9] = [
            &[],
            &[f64::NAN],
            &[f64::INFINITY, 3.0],
            &[0.0],
            &[f64::MAX, f64::MIN],
            &[5e-324, 1e-323],
            &[1.0, 1.0 + f64::EPSILON],
            &[1e300],
            &[-2.5],
        ];
        for values in hard {
            let all = || values.iter().copied();
            let (close, logarithmic) =
                (Axis::close(all(), 6, &Unit::None), Axis::logarithmic(all(), &Unit::None));
            for axis in [linear(values), close, logarithmic] {
                assert!((2..=20).contains(&axis.ticks.len()), "{values:?}: {axis:?}");
                assert!(axis.ticks.iter().all(|(place, _)| (0.0..=1.0).contains(place)), "{axis:?}");
                assert!(values.iter().all(|value| value.is_nan() || axis.place(*value).is_finite()));
            }
        }
    }
}
