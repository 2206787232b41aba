//! Modules, layers, losses and optimizers.
//!
//! Three kinds of things come in pairs, a description and what it becomes:
//!
//! | description | becomes | by |
//! |---|---|---|
//! | [`Layer`]s such as [`Dense`], put together by [`Sequential`] | [`Module`]s such as [`Linear`], in a [`Model`] | [`Sequential::build`] |
//! | [`Optimizer`]s such as [`Adam`] | an [`Updater`] with its state | [`Updater::new`] |
//! | a module, a loss and an updater | a [`TrainingStep`], recorded once | [`TrainingStep::record`] |
//!
//! Descriptions know no device and no input size; modules without variables, such as [`Activation`] and [`MaxPool`],
//! describe themselves, and [`Deferred`] describes any other module. Structs of one's own hold modules as fields:
//!
//! ```
//! use warploom_nn::{Linear, Mode, Module, Parameters};
//! use warploom_tensor::{ElementwiseMethods, Tensor};
//!
//! #[derive(Parameters)]
//! struct Classifier {
//!     hidden: Linear,
//!     output: Linear,
//! }
//!
//! impl Module for Classifier {
//!     fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
//!         self.output.forward(&self.hidden.forward(x, mode).relu(), mode)
//!     }
//! }
//! ```
//!
//! Names of variables follow PyTorch's `state_dict`: here `hidden.weight`, `hidden.bias`, `output.weight`, `output.bias`.

// The derive writes `::warploom_nn`, here as elsewhere.
extern crate self as warploom_nn;

mod accumulation;
pub mod clipping;
mod gate;
pub mod initialise;
mod layers;
mod loss_scale;
pub mod losses;
mod model;
pub mod models;
mod module;
mod optimizers;
mod parameters;
pub mod schedules;
mod scope;
mod step;

pub use clipping::Clipping;
pub use gate::Gate;
pub use initialise::Initialiser;
pub use layers::{
    Activation, Assembly, AveragePool, BatchNorm, BatchNormalization, Branches, Conv, ConvTranspose,
    Convolution, Deferred, Dense, Dropout, Embedding, Flatten, GlobalAveragePool, GlobalMaxPool, GroupNorm,
    GroupNormalization, Identity, Joined, Lambda, Layer, LayerNorm, LayerNormalization, Linear, MaxPool,
    Prelu, Residual, Sequential, Stack, TransposedConvolution,
};
pub use loss_scale::{LossScale, LossScaling};
pub use model::{Model, OnDevice};
pub use module::{Mode, Module};
pub use optimizers::{Adam, AdamW, Adaptive, Moment, Optimizer, RmsProp, Sgd, Update, Updater};
pub use parameters::{Kind, NamedVariable, Parameters, Visitor, VisitorMut};
pub use schedules::Schedule;
pub use scope::in_module;
pub use step::{Loss, TrainingStep};
pub use warploom_nn_derive::Parameters;
