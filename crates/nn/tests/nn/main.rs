//! Layers, losses and optimizers on the CPU and null devices.

mod autocast;
mod common;
mod containers;
mod derive;
mod errors;
mod golden;
mod golden_layers;
mod golden_models;
mod layers;
mod loss_scale;
mod second_derivatives;
mod training;
mod updates;
