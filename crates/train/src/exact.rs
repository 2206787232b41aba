//! Numbers in JSON that read back as the same bits: as text, since JSON has no NaN and its readers may round.

use crate::history::Scores;
use serde_json::{Value, json};

pub(crate) fn number(number: f64) -> Value {
    // Rust writes the shortest digits that read back exactly.
    Value::String(format!("{number:?}"))
}

pub(crate) fn parse(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok()
}

pub(crate) fn scores(scores: &Scores) -> Value {
    Value::Array(scores.iter().map(|(name, value)| json!([name, number(value)])).collect())
}

pub(crate) fn parse_scores(value: &Value) -> Option<Scores> {
    let mut scores = Scores::default();
    for pair in value.as_array()? {
        scores.set(pair.get(0)?.as_str()?, parse(pair.get(1)?)?);
    }
    Some(scores)
}

#[cfg(test)]
mod tests {
    use super::{number, parse};

    #[test]
    fn numbers_keep_their_bits() {
        for x in
            [0.1, -0.0, 1.0 / 3.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, 0.0476201f32 as f64]
        {
            assert_eq!(parse(&number(x)).unwrap().to_bits(), x.to_bits(), "{x}");
        }
        assert!(parse(&number(f64::NAN)).unwrap().is_nan());
    }
}
