//! Recipes: a TOML file that says data, network and training, and the recipes that are built in.
//!
//! `schema` has the keys with their documentation; `reference` makes the JSON Schema and the page for people of it. `parse`
//! makes a [`Recipe`] of text and `key=value` overrides: `validate` holds it against the schema, `check` says what else in
//! it cannot work, `proposals` what was meant, `document` shows where. `source` and `tables` get its data, `model` and
//! `layers` build its network, of which `place` knows which layer of the recipe a module is. `run` trains it into a
//! `folder`, unless the run there is `over`; of one that diverged `failure` keeps what is left; `inputs` reads
//! what is to be predicted. `precision` gives all of them the device.

mod builtin;
mod check;
mod document;
pub mod energy;
mod failure;
mod fitting;
mod folder;
mod inputs;
mod judge;
mod layers;
mod memory;
mod model;
mod network;
mod over;
mod overrides;
mod parse;
mod place;
mod precision;
mod proposals;
mod reference;
mod report;
mod run;
pub mod schema;
mod signature;
mod source;
mod starter;
mod summary;
mod tables;
mod validate;

pub use builtin::{BuiltIn, built_in};
pub use folder::RunFolder;
pub use inputs::{Prediction, Predictor, Said};
pub use memory::Planned;
pub use over::Over;
pub use parse::{find, open_keys, parse};
pub use precision::effective_precision;
pub use reference::{reference, schema};
pub use run::{Evaluated, Kept, Options, Outcome, Trained, evaluate, plan, train};
pub use schema::{Recipe, Task};
pub use signature::{Outputs, Signature};
pub use source::Splits;
pub use starter::{Starter, starter};
pub use summary::{recomputed, scores_object};
