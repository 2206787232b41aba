//! Layers, losses and optimizers on the CPU and null devices.

mod common;
mod derive;
mod errors;
mod golden;
mod layers;
mod training;
