//! Recipes: a TOML file that says data, model and training, and the recipes that are built in.
//!
//! `parse` makes a [`Recipe`] of text and `key=value` overrides, `check` says what in it cannot work, `source` gets its
//! data, `model` builds its network, `run` trains it into a `folder`, `inputs` reads what is to be predicted.

mod builtin;
mod check;
pub mod energy;
mod folder;
mod inputs;
mod model;
mod parse;
mod run;
mod schema;
mod signature;
mod source;
mod suggest;

pub use builtin::{BuiltIn, built_in};
pub use folder::RunFolder;
pub use inputs::{Prediction, Predictor};
pub use parse::{find, parse};
pub use run::{Options, Outcome, evaluate, plan, scores_object, train};
pub use schema::{
    ActivationKind, Data, DataKind, Initial, Layer, LayerKind, Loss, Metric, ModelRecipe, OptimizerKind,
    Recipe, ScheduleKind, Task, Train,
};
pub use signature::{Outputs, Signature};
pub use source::Splits;
pub use suggest::nearest;
