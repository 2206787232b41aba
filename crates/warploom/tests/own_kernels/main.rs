//! Kernels of the user's own, on the CPU and on a GPU or its software driver.

mod common;
mod expressions;
mod faults;
mod gradients;
mod running_sum;
mod sources;

#[path = "../../examples/own_kernels.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod example;

#[test]
fn the_example_holds_on_every_device() {
    for device in common::devices() {
        device.scope(example::run).unwrap();
    }
}
