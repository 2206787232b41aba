//! The report of a run: one HTML file that needs no other, and no network.
//!
//! [`Report`] is plain data. Whoever ran the training fills it, and [`Report::to_html`] makes the page: charts are SVG
//! inside it, pictures are data addresses, light and dark follow the reader's system. A script adds values under the
//! pointer, sorted tables and a switch between light and dark; without it everything can still be read, and printed.
//! Equal data gives equal bytes.
//!
//! ```
//! use warploom_report::{Curve, Report};
//!
//! let loss = Curve { name: "loss".into(), training: vec![0.9, 0.4], ..Curve::default() };
//! let report = Report { name: "digits".into(), curves: vec![loss], ..Report::default() };
//! assert!(report.to_html().starts_with("<!DOCTYPE html>"));
//! ```

mod chart;
mod confusion;
mod data;
mod errors;
mod format;
mod markup;
mod page;
mod picture;
mod results;
mod section;
mod sheet;

pub use data::{
    BestEpoch, Curve, Data, Decision, Device, Energy, EnergyPart, Layer, Memory, Report, Score, Stage, Unit,
};
pub use picture::Picture;
pub use results::{Classification, Deviation, Example, Mistake, Regression};
pub use sheet::{Part, Sheet};
