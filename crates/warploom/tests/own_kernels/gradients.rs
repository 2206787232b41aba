//! Gradients of kernels with sources.

use crate::common::{claimed, devices, gpu, slopes, waves};
use crate::running_sum::{differentiable_sum, running_sum};
use warploom::prelude::*;

#[test]
fn gradients_go_through_sources() {
    for device in devices() {
        device.scope(|| {
            let values = [(&[3, 4][..], waves(12))];
            let square = |t: Vec<Tensor>| t[0].square().sum_all() * 0.5;
            slopes(&values, |v| square(differentiable_sum().apply(&[&v[0].value()])));
            let by_body = || running_sum("by_body", false).with_body_gradient();
            slopes(&values, |v| square(by_body().apply(&[&v[0].value()])));
        });
    }
    let Some(gpu) = gpu() else { return };
    let x = InputSpec::new(DType::F32, &[3, 4]);
    let recorded = gpu.scope(|| {
        let w = Variable::new(Tensor::ones(&[3, 4], DType::F32));
        let step = |x: &[Tensor]| {
            let y = differentiable_sum().apply(&[&(&x[0] * &w)]).remove(0);
            gradients(&y.square().sum_all(), &[&w])
        };
        gpu.try_plan(&[x], step).unwrap()
    });
    assert_eq!(claimed(recorded.program()), ["running_sum", "running_sum_gradient"]);
}

#[test]
fn a_missing_gradient_is_an_error_that_names_the_kernel() {
    for device in devices() {
        device.scope(|| {
            let w = Variable::new(Tensor::ones(&[2, 2], DType::F32));
            let y = running_sum("no_way_back", false).apply(&[&w.value()]).remove(0);
            let error = gradients(&y.sum_all(), &[&w]).err().unwrap().to_string();
            assert!(error.contains("no_way_back") && error.contains("has no gradient"), "{error}");
        });
    }
}
