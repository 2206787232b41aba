//! What is fitted on data and travels with the model: from raw tables and pictures to the numbers a network takes, and
//! from its numbers back to classes and units.
//!
//! Fitted on the training split alone, written as JSON, applied unchanged to what is predicted:
//!
//! ```
//! use warploom_transform::*;
//!
//! let age = Column::numbers("age", vec![20.0, 40.0, 60.0, 99.0]);
//! let port = Column::text("port", ["Cork", "Kiel", "Cork", "Kiel"].map(Some));
//! let table = Table::new(vec![age, port])?;
//! let training = [0, 1, 2];
//! let fit = FitOptions { scale: ScaleKind::Symmetric, ..FitOptions::default() };
//! let (columns, _notes) = TableTransform::fit(&table, &training, TableFormat::default(), &fit)?;
//!
//! let text = Transform::new(Input::Table(columns), TargetTransform::Numbers { scale: Scale::Identity }).to_json();
//! let Input::Table(columns) = Transform::from_json(&text)?.input else { unreachable!("it was a table") };
//! let features = columns.apply(&table)?;
//! assert_eq!(features.names, ["age", "port=Cork", "port=Kiel"]);
//! assert_eq!(features.values[..6], [-1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
//! # Ok::<(), warploom_transform::Error>(())
//! ```

mod column;
mod document;
mod error;
mod names;
mod picture;
mod resize;
mod scale;
mod table;
mod tabular;
mod target;

pub use column::{ColumnStep, ColumnTransform, Encoding, Unseen};
pub use document::{Input, Transform, VERSION};
pub use error::{Error, Result};
pub use names::{natural_order, nearest};
pub use picture::{ImageTransform, Picture, PixelScale};
pub use scale::{Scale, ScaleKind};
pub use table::{Cells, Column, Table, Words};
pub use tabular::{Features, FitOptions, Missing, TableFormat, TableTransform};
pub use target::{Coded, TargetTransform};
