//! Tables in files of text: one row a line, one column to be predicted.
//!
//! What the file does not say is decided by rules, each of which [`CsvOptions`] overrules:
//!
//! - the **separator** is the one of comma, semicolon, tab and bar that is most frequent in the first line;
//! - the first line is a **header** when no cell in it is a number;
//! - a column is **numbers** when all its values are, **text** when more than a fifth are not. In between, the first text
//!   is an error: it is more likely wrong than meant;
//! - the **target** is the last column; it is classes when it is text, or at most 20 different whole numbers, each two
//!   times or more on average. Else numbers are predicted (regression).
//!
//! Cells may be quoted with `"`; space around them is dropped. Files are UTF-8.
//!
//! ```no_run
//! use warploom_data::SplitRule;
//! use warploom_data::csv::{CsvFile, CsvFit, CsvOptions, TargetColumn, read_features};
//!
//! let options = CsvOptions { target: TargetColumn::Named("price".into()), ..CsvOptions::default() };
//! let file = CsvFile::open("houses.csv", &options)?;
//! let parts = file.parts(&SplitRule::Random { validation: 0.1, test: 0.2, seed: 0 })?;
//! let fitted = file.fit(&parts.train, &CsvFit::default())?;
//! let data = file.dataset(&fitted.transform)?.dataset;
//! let (train, test) = (data.subset(&parts.train)?, data.subset(&parts.test)?);
//!
//! let new = read_features("new-houses.csv", &fitted.transform)?;
//! # Ok::<(), warploom_data::Error>(())
//! ```

mod file;
mod options;
mod read;
mod reuse;
mod scan;

pub use file::{CsvData, CsvFile, CsvFit, Fitted};
pub use options::{ColumnKind, CsvOptions, TargetColumn, Task};
pub use reuse::{RawRows, read_features, read_labelled};

#[cfg(test)]
mod tests;
