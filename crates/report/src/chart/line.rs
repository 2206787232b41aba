//! Lines over epochs.

use super::axis::Axis;
use super::frame::{FIELD, Length};
use std::fmt::Write;

/// A point of a line: epoch, counted from 1, and value.
pub type Point = (usize, f64);

/// At most `most` points of a curve, none of them made up: each stretch of epochs keeps its lowest and its highest, so
/// that a spike stays visible. What is not finite counts as a gap and is kept where a stretch has nothing else.
pub fn thinned(values: &[f64], most: usize) -> Vec<Point> {
    let points = || values.iter().enumerate().map(|(i, value)| (i + 1, *value));
    if values.len() <= most {
        return points().collect();
    }
    // The ends are always kept.
    let stretch = (2 * values.len()).div_ceil(most.saturating_sub(2).max(2));
    let mut kept = vec![(1, values[0])];
    for (i, part) in values.chunks(stretch).enumerate() {
        let finite = || part.iter().copied().enumerate().filter(|(_, value)| value.is_finite());
        let low = finite().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = finite().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut found: Vec<Point> = match (low, high) {
            (Some(low), Some(high)) => vec![low, high],
            _ => vec![(0, f64::NAN)],
        };
        found.sort_by_key(|(at, _)| *at);
        kept.extend(found.into_iter().map(|(at, value)| (i * stretch + at + 1, value)));
    }
    kept.push((values.len(), values[values.len() - 1]));
    kept.dedup_by_key(|(epoch, _)| *epoch);
    kept
}

/// The path of a line, with a gap where a value is not finite, and the path of its dots: all points of a short line,
/// those without a neighbour of a long one.
pub fn paths(points: &[Point], x: &Axis, y: &Axis) -> (String, String) {
    const FEW: usize = 40;
    let (mut line, mut dots) = (String::new(), String::new());
    let finite = |i: usize| points.get(i).is_some_and(|(_, value)| value.is_finite());
    for (i, (epoch, value)) in points.iter().enumerate() {
        if !value.is_finite() {
            continue;
        }
        let (across, down) = place(x.place(*epoch as f64), y.place(*value));
        let before = i > 0 && finite(i - 1);
        let after = finite(i + 1);
        if before || after {
            let command = if before { 'L' } else { 'M' };
            let _ = write!(line, "{command}{across} {down}");
        }
        if points.len() <= FEW || !(before || after) {
            dot(&mut dots, across, down);
        }
    }
    (line, dots)
}

/// Adds a round dot to a path: a line without length, whose round ends do not stretch with the field.
pub fn dot(path: &mut String, across: Length, down: Length) {
    let _ = write!(path, "M{across} {down}h0");
}

/// A place in the field.
pub fn place(across: f64, up: f64) -> (Length, Length) {
    (Length(across * FIELD), Length((1.0 - up) * FIELD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Unit;

    #[test]
    fn thinning_keeps_ends_and_spikes() {
        let mut values: Vec<f64> = (0..10_000).map(|i| 1.0 / (1.0 + f64::from(i))).collect();
        values[5_432] = 7.0;
        values[6_789] = f64::NAN;
        let kept = thinned(&values, 2000);
        assert!((1500..=2000).contains(&kept.len()), "{}", kept.len());
        assert_eq!((kept[0], kept[kept.len() - 1]), ((1, 1.0), (10_000, values[9_999])));
        assert!(kept.contains(&(5_433, 7.0)));
        assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(kept.iter().all(|(epoch, value)| values[epoch - 1] == *value));
        assert_eq!(thinned(&values[..2000], 2000).len(), 2000);
        assert!(thinned(&vec![f64::NAN; 5000], 100).iter().all(|(_, value)| value.is_nan()));
    }

    #[test]
    fn lines_break_where_values_are_not_finite() {
        let x = Axis::whole(1, 5, 5);
        let y = Axis::linear([0.0, 1.0].into_iter(), 2, &Unit::None);
        let points = thinned(&[0.0, 1.0, f64::NAN, f64::INFINITY, 0.5], 10);
        let (line, dots) = paths(&points, &x, &y);
        assert_eq!(line, "M0 1000L250 0");
        assert_eq!(dots, "M0 1000h0M250 0h0M1000 500h0");
        assert_eq!(paths(&[(1, 0.5)], &Axis::whole(1, 1, 5), &y), (String::new(), "M500 500h0".into()));
    }
}
