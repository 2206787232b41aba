//! Numbers to the range or the spread that networks learn well from, and back.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The kinds of [`Scale`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleKind {
    /// As they are.
    Identity,
    /// From the smallest to the largest: 0 to 1.
    Unit,
    /// From the smallest to the largest: -1 to 1.
    Symmetric,
    /// Mean 0, standard deviation 1.
    #[default]
    Standard,
}

/// A fitted scale. Values beyond those it was fitted on go beyond its range; nothing is cut off.
///
/// Where all values were equal, that value becomes 0 under each kind, and the divisor is 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scale {
    /// `x`.
    Identity,
    /// `(x - minimum) / (maximum - minimum)`.
    Unit {
        /// The smallest value.
        minimum: f64,
        /// The largest value.
        maximum: f64,
    },
    /// `2 (x - minimum) / (maximum - minimum) - 1`.
    Symmetric {
        /// The smallest value.
        minimum: f64,
        /// The largest value.
        maximum: f64,
    },
    /// `(x - mean) / deviation`.
    Standard {
        /// The arithmetic mean.
        mean: f64,
        /// The standard deviation of the values themselves: divided by their number, not by one less.
        deviation: f64,
    },
}

impl Scale {
    /// Fits a scale to `values`, all finite.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are none, or when they are so large that their range or spread overflows f64.
    pub fn fit(kind: ScaleKind, values: impl Iterator<Item = f64> + Clone) -> Result<Scale> {
        let count = values.clone().count();
        if count == 0 {
            return Err(Error::invalid("A scale cannot be fitted to no values", "Give at least one"));
        }
        let scale = match kind {
            ScaleKind::Identity => Scale::Identity,
            ScaleKind::Unit | ScaleKind::Symmetric => {
                let minimum = values.clone().fold(f64::INFINITY, f64::min);
                let maximum = values.fold(f64::NEG_INFINITY, f64::max);
                if kind == ScaleKind::Unit {
                    Scale::Unit { minimum, maximum }
                } else {
                    Scale::Symmetric { minimum, maximum }
                }
            }
            ScaleKind::Standard => standard(count as f64, values),
        };
        scale.check()?;
        Ok(scale)
    }

    /// Whether it was fitted to values that are all equal.
    pub fn is_constant(&self) -> bool {
        match *self {
            Scale::Identity => false,
            Scale::Unit { minimum, maximum } | Scale::Symmetric { minimum, maximum } => minimum == maximum,
            Scale::Standard { deviation, .. } => deviation == 0.0,
        }
    }

    /// The scaled value.
    pub fn apply(&self, value: f64) -> f64 {
        let (offset, divisor, shift) = self.parts();
        (value - offset) / divisor - shift
    }

    /// The value that is scaled to `scaled`.
    pub fn restore(&self, scaled: f64) -> f64 {
        let (offset, divisor, shift) = self.parts();
        (scaled + shift) * divisor + offset
    }

    /// Offset, divisor and shift of `(x - offset) / divisor - shift`.
    fn parts(&self) -> (f64, f64, f64) {
        match *self {
            Scale::Identity => (0.0, 1.0, 0.0),
            Scale::Unit { minimum: offset, .. }
            | Scale::Symmetric { minimum: offset, .. }
            | Scale::Standard { mean: offset, .. }
                if self.is_constant() =>
            {
                (offset, 1.0, 0.0)
            }
            Scale::Unit { minimum, maximum } => (minimum, maximum - minimum, 0.0),
            Scale::Symmetric { minimum, maximum } => (minimum, (maximum - minimum) / 2.0, 1.0),
            Scale::Standard { mean, deviation } => (mean, deviation, 0.0),
        }
    }

    /// Refuses what no fit gives.
    pub(crate) fn check(&self) -> Result<()> {
        let (offset, divisor, _) = self.parts();
        if offset.is_finite() && divisor.is_finite() && divisor > 0.0 {
            return Ok(());
        }
        Err(Error::invalid(
            format!("{self:?} is no scale: its range or spread is not a positive finite number"),
            "Give smaller numbers, or a scale that was fitted",
        ))
    }
}

/// Two passes, because the sum of squares alone loses the spread of values far from 0.
fn standard(count: f64, values: impl Iterator<Item = f64> + Clone) -> Scale {
    let mut range = values.clone();
    let first = range.next().unwrap_or(0.0);
    if range.all(|value| value == first) {
        // A rounded mean would give equal values a deviation.
        return Scale::Standard { mean: first, deviation: 0.0 };
    }
    let mean = mean(count, values.clone());
    let variance = values.map(|value| (value - mean) * (value - mean) / count).sum::<f64>();
    Scale::Standard { mean, deviation: variance.sqrt() }
}

/// The mean of `count` values, also where their sum overflows.
pub(crate) fn mean(count: f64, values: impl Iterator<Item = f64> + Clone) -> f64 {
    let sum: f64 = values.clone().sum();
    if sum.is_finite() { sum / count } else { values.map(|value| value / count).sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [ScaleKind; 4] =
        [ScaleKind::Identity, ScaleKind::Unit, ScaleKind::Symmetric, ScaleKind::Standard];

    fn fit(kind: ScaleKind, values: &[f64]) -> Result<Scale> {
        Scale::fit(kind, values.iter().copied())
    }

    #[test]
    fn values_by_hand() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let standard = fit(ScaleKind::Standard, &values).unwrap();
        assert_eq!(standard, Scale::Standard { mean: 5.0, deviation: 2.0 });
        assert_eq!((standard.apply(9.0), standard.restore(-1.0)), (2.0, 3.0));
        let unit = fit(ScaleKind::Unit, &values).unwrap();
        assert_eq!((unit.apply(2.0), unit.apply(9.0), unit.apply(16.0)), (0.0, 1.0, 2.0));
        let symmetric = fit(ScaleKind::Symmetric, &values).unwrap();
        assert_eq!((symmetric.apply(2.0), symmetric.apply(9.0), symmetric.apply(5.5)), (-1.0, 1.0, 0.0));
        assert_eq!(fit(ScaleKind::Identity, &values).unwrap().apply(3.5), 3.5);
    }

    #[test]
    fn what_is_restored_is_what_was_scaled() {
        for kind in KINDS {
            for values in
                [&[1.0, 2.0, 10.0][..], &[-1e6, 1e6], &[3.25], &[0.1, 0.1, 0.1], &[1e12, 1e12 + 1.0]]
            {
                let scale = fit(kind, values).unwrap();
                for value in values {
                    let back = scale.restore(scale.apply(*value));
                    assert!((back - value).abs() <= 1e-15 * value.abs(), "{kind:?} {value} {back}");
                }
            }
        }
    }

    #[test]
    fn equal_values_become_zero() {
        for kind in [ScaleKind::Unit, ScaleKind::Symmetric, ScaleKind::Standard] {
            let scale = fit(kind, &[0.1; 7]).unwrap();
            assert!(scale.is_constant());
            assert_eq!((scale.apply(0.1), scale.apply(1.1)), (0.0, 1.0));
        }
    }

    #[test]
    fn no_values_and_too_large_values_are_refused() {
        for kind in KINDS {
            assert!(fit(kind, &[]).unwrap_err().to_string().contains("no values"));
        }
        for kind in [ScaleKind::Unit, ScaleKind::Symmetric, ScaleKind::Standard] {
            let error = fit(kind, &[-1.7e308, 1.7e308]).unwrap_err().to_string();
            assert!(error.contains("smaller numbers"), "{error}");
        }
    }
}
