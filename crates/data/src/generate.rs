//! Small data made by formula, for benchmarks and examples.

use crate::array::{Array, Targets, Values};
use crate::dataset::Dataset;
use crate::error::Result;

/// Rows of [`logistic`].
const EXAMPLES: usize = 100;
/// Columns of [`logistic`].
const COLUMNS: usize = 10;

/// The fixed data of the logistic benchmark: features `[100, 10]` with `x[i, j] = sin(10 i + j)`
/// (radians, computed in f64 and rounded to f32), targets `[100, 1]` with `y[i] = 1` where the f64
/// sum of row `i` is positive and 0 elsewhere.
///
/// # Errors
/// None in practice; the type is that of every source of data.
pub fn logistic() -> Result<Dataset> {
    let mut features = Vec::with_capacity(EXAMPLES * COLUMNS);
    let mut targets = Vec::with_capacity(EXAMPLES);
    for row in 0..EXAMPLES {
        let values = (0..COLUMNS).map(|column| ((COLUMNS * row + column) as f64).sin());
        let sum: f64 = values.clone().sum();
        features.extend(values.map(|value| value as f32));
        targets.push(if sum > 0.0 { 1.0 } else { 0.0 });
    }
    let features = Array::new(Values::F32(features), &[COLUMNS])?;
    Dataset::new(features, Targets::Values { values: targets, width: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_those_of_the_benchmark() {
        let data = logistic().unwrap();
        assert_eq!((data.len(), data.example_shape()), (100, &[10][..]));
        let (Values::F32(x), Targets::Values { values: y, width: 1 }) =
            (data.features().values(), data.targets())
        else {
            panic!("the data are numbers");
        };
        // From CPython: struct.unpack('I', struct.pack('f', math.sin(k)))[0]
        for (k, bits) in [
            (0, 0),
            (1, 0x3f57_6aa4),
            (10, 0xbf0b_44f8),
            (22, 0xbc11_0515),
            (500, 0xbeef_7fc9),
            (999, 0xbcd8_c438),
        ] {
            assert_eq!(x[k].to_bits(), bits, "sin({k})");
        }
        assert_eq!(y.iter().sum::<f32>(), 51.0);
        assert_eq!(&y[..6], [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        for row in x.chunks(10) {
            let sum: f64 = row.iter().map(|&v| f64::from(v)).sum();
            assert!(sum.abs() > 1e-3, "a sign that rounding decides would differ between platforms");
        }
    }
}
