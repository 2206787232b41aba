//! Networks known by name.

mod lenet;
mod resnet;

pub use lenet::lenet;
pub use resnet::{BasicBlock, ResNet, resnet18};
