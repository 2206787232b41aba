//! Steps as a document that outlives the program that wrote it.

use crate::error::{Error, Result};
use crate::picture::ImageTransform;
use crate::tabular::TableTransform;
use crate::target::TargetTransform;
use serde::{Deserialize, Serialize};

/// The version of the document that is written. Documents of an earlier version are read as well.
pub const VERSION: u32 = 1;

/// Everything between raw values and a network, and back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    version: u32,
    /// From raw values to features.
    pub input: Input,
    /// From predictions to classes or units.
    pub target: TargetTransform,
}

/// What raw values are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Rows of a table.
    Table(TableTransform),
    /// Pictures.
    Image(ImageTransform),
}

/// What is read before the rest.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

impl Transform {
    /// The steps of `input` and `target`.
    pub fn new(input: Input, target: TargetTransform) -> Transform {
        Transform { version: VERSION, input, target }
    }

    /// The version of the document it was read from.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The document, JSON.
    pub fn to_json(&self) -> String {
        // Names are strings and fitted numbers finite: JSON has all of it.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads what [`Transform::to_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Invalid`] for text that is no such document, one of a later version, and values that no fit gives.
    pub fn from_json(text: &str) -> Result<Transform> {
        let damaged = |error: serde_json::Error| {
            Error::invalid(
                format!("The stored transform cannot be read: {error}"),
                "Use the file as it was written",
            )
        };
        let head: Head = serde_json::from_str(text).map_err(damaged)?;
        if head.version == 0 || head.version > VERSION {
            return Err(Error::invalid(
                format!(
                    "The stored transform has version {}, this program reads 1 to {VERSION}",
                    head.version
                ),
                "Use the Warploom that wrote it, or a later one",
            ));
        }
        let transform: Transform = serde_json::from_str(text).map_err(damaged)?;
        match &transform.input {
            Input::Table(table) => table.check()?,
            Input::Image(image) => image.check()?,
        }
        transform.target.check()?;
        Ok(transform)
    }
}
