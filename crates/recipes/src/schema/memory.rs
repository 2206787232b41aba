//! How much memory a run may take, and its batch size.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much memory a run may take: bytes, or text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MemoryLimit {
    /// Bytes.
    Bytes(#[schemars(range(min = 1))] u64),
    /// A number with its unit, `"64MiB"`, or a share of the device's memory, `"50%"`. Units are `B`, `KiB`, `MiB`, `GiB`,
    /// `TiB` of 1024 each and `kB`, `MB`, `GB`, `TB` of 1000.
    Text(String),
}

/// How much that is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Amount {
    Bytes(u64),
    /// Of the device's memory, above 0 and up to 1.
    Share(f64),
}

const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
];

impl MemoryLimit {
    /// What it says, or what is wrong with it.
    pub(crate) fn amount(&self) -> Result<Amount, String> {
        let text = match self {
            MemoryLimit::Bytes(bytes) => return Ok(Amount::Bytes(*bytes)),
            MemoryLimit::Text(text) => text.trim(),
        };
        let wrong = || {
            format!(
                "`memory_limit` is `{text}`; a number with its unit is wanted, such as 64MiB, 1.5GiB or 50%"
            )
        };
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..digits], text[digits..].trim().to_ascii_lowercase());
        let number: f64 = number.parse().map_err(|_| wrong())?;
        if unit == "%" {
            return match number > 0.0 && number <= 100.0 {
                true => Ok(Amount::Share(number / 100.0)),
                false => {
                    Err(format!("`memory_limit` is `{text}`; a share above 0% and up to 100% is wanted"))
                }
            };
        }
        let size = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size).ok_or_else(wrong)?;
        let bytes = number * size as f64;
        // Beyond 2^53 bytes a number is no longer exact, and no device has as many.
        match (1.0..=9_007_199_254_740_992.0).contains(&bytes) {
            true => Ok(Amount::Bytes(bytes as u64)),
            false => Err(wrong()),
        }
    }
}

/// Examples in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Batch {
    /// So many.
    Examples(#[schemars(range(min = 1))] usize),
    /// `"auto"`: as many as fit.
    Auto(Auto),
}

/// The one word for batch sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    /// As many as fit.
    Auto,
}

impl Batch {
    /// How many they are, where that is known.
    pub fn examples(self) -> Option<usize> {
        match self {
            Batch::Examples(examples) => Some(examples),
            Batch::Auto(Auto::Auto) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_in_every_unit() {
        for (text, wanted) in [
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("512KiB", 512 << 10),
            ("64MB", 64_000_000),
            ("2kB", 2_000),
            ("1TiB", 1 << 40),
            ("1000", 1000),
            ("7B", 7),
        ] {
            let found = MemoryLimit::Text(text.into()).amount();
            assert_eq!(found, Ok(Amount::Bytes(wanted)), "{text}");
        }
        assert_eq!(MemoryLimit::Bytes(5).amount(), Ok(Amount::Bytes(5)));
        assert_eq!(MemoryLimit::Text("50%".into()).amount(), Ok(Amount::Share(0.5)));
        assert_eq!(MemoryLimit::Text("12.5 %".into()).amount(), Ok(Amount::Share(0.125)));
        for text in ["", "MiB", "64Mi", "-1MiB", "1e3", "0", "0%", "101%", "1.2.3KiB", "nan", "99999999TiB"] {
            let message = MemoryLimit::Text(text.into()).amount().unwrap_err();
            assert!(message.contains(&format!("`memory_limit` is `{text}`")), "{message}");
        }
    }
}
