//! Warploom: a training step is one program, recorded, compiled and replayed.
//!
//! This crate is the library's face: it re-exports the parts and registers the executors that its features ask for, so
//! that `Device::best()` and `Device::named("cpu")` find them.
//!
//! ```
//! use warploom::prelude::*;
//!
//! # fn main() -> warploom::Result<()> {
//! let data = data::logistic()?;
//! let mut model = Sequential::new([Dense::new(8).relu(), Dense::new(1)]).seed(0).build([10], Device::best())?;
//! model.compile(Adam::new(1e-2), losses::mean_squared_error, [metrics::mean_absolute_error()])?;
//! let history = model.fit_data(&data, Fit::epochs(20).batch(10).seed(0).quiet())?;
//! assert!(history["loss"][19] < history["loss"][0]);
//! println!("{:?}", model.evaluate_data(&data)?);
//! # Ok(()) }
//! ```

// The module and its types are named by users of the derive, here as elsewhere.
extern crate self as warploom;

mod devices;
#[cfg(doctest)]
mod readme;

pub use devices::register_devices;
pub use warploom_compile as compiler;
#[cfg(feature = "cpu")]
pub use warploom_cpu as cpu;
#[cfg(feature = "cuda")]
pub use warploom_cuda as cuda;
pub use warploom_data as data;
pub use warploom_device as device;
pub use warploom_graph as graph;
pub use warploom_graph::elementwise;
pub use warploom_nn as nn;
#[cfg(feature = "recipes")]
pub use warploom_recipes as recipes;
pub use warploom_tensor as tensor;
pub use warploom_train as train;
pub use warploom_train::{Error, Result};
#[cfg(feature = "wgpu")]
pub use warploom_wgpu as wgpu;

/// What most programs use.
pub mod prelude {
    pub use warploom_data as data;
    pub use warploom_data::Dataset;
    pub use warploom_nn::{
        Activation, Adam, AdamW, Dense, Dropout, Flatten, Initialiser, Layer, Linear, Mode, Model, Module,
        Optimizer, Sequential, Sgd, TrainingStep, Updater, layers, losses, schedules,
    };
    pub use warploom_nn_derive::ParametersOfWarploom as Parameters;
    pub use warploom_tensor::{
        DType, Device, ElementwiseMethods, InputSpec, Tensor, UserKernel, Variable, gradients,
        gradients_or_zeros,
    };
    pub use warploom_train::{Fit, History, Metric, Scores, Training, metrics};
}
