//! What is wrong is said, with the kernel's name.

use crate::common::{both, gpu, waves};
use crate::running_sum::{differentiable_sum, running_sum};
use std::sync::Arc;
use warploom::device::Verifying;
use warploom::prelude::*;

#[test]
fn what_a_body_or_gradient_must_not_do_is_said() {
    Device::named("cpu").unwrap().scope(|| {
        let w = Variable::new([1.0f32, 2.0]);
        let outside = Tensor::from([3.0f32, 4.0]);
        let uses = UserKernel::new("uses_outside", move |x| vec![&x[0] * &outside]);
        let error = uses.apply(&[&w.value()]).remove(0).to_vec::<f32>().unwrap_err().to_string();
        assert!(error.contains("uses_outside") && error.contains("hand it in as an input"), "{error}");
        let short = UserKernel::new("short_gradient", |x| vec![&x[0] * 2.0])
            .with_gradient(|_, _, dy| vec![dy[0].sum_all()]);
        let error = short.apply(&[&w.value()]).remove(0).to_vec::<f32>().unwrap_err().to_string();
        assert!(
            error.contains("short_gradient") && error.contains("must return f32[2], found f32[]"),
            "{error}"
        );
    });
}

#[test]
fn what_is_wrong_with_a_source_is_said_with_its_name_and_line() {
    let Some(gpu) = gpu() else { return };
    let broken = |text: &str, workgroup: [u32; 3], groups: [u32; 3]| {
        let kernel = UserKernel::new("broken", |x| vec![x[0].clone() * 1.0]).with_wgsl(
            text,
            workgroup,
            move |_, _| groups,
        );
        let value = gpu.scope(|| kernel.apply(&[&Tensor::from([1.0f32])]).remove(0).to_vec::<f32>());
        let error = value.unwrap_err().to_string();
        assert!(error.contains("broken"), "{error}");
        error
    };
    let error = broken("fn kernel_main() {\n    let x = 1.0;\n    output0(0u, x + true);\n}", [1; 3], [1; 3]);
    assert!(error.contains("line 3") && error.contains("> "), "{error}");
    let error = broken("const x = 1;\nfn kernel_main() {}", [1; 3], [1; 3]);
    assert!(error.contains("does not begin with `fn kernel_main(`"), "{error}");
    let fine = "fn kernel_main() { output0(0u, input0(0u)); }";
    let error = broken(fine, [0, 1, 1], [1; 3]);
    assert!(error.contains("workgroups [0, 1, 1]"), "{error}");
    let error = broken(fine, [1; 3], [1, 0, 1]);
    assert!(error.contains("[1, 0, 1] workgroups, so nothing is computed"), "{error}");
    let error = broken(fine, [1 << 12, 1 << 12, 1], [1; 3]);
    assert!(error.contains("invocations of a workgroup") && error.contains("at most"), "{error}");
    let error = broken(fine, [1; 3], [1 << 20, 1, 1]);
    assert!(error.contains("workgroups along an axis"), "{error}");
}

#[test]
fn verification_holds_a_source_against_its_body() {
    let Some(gpu) = gpu() else { return };
    let verified = gpu.verified();
    let input = [(&[4, 3, 5][..], waves(60))];
    both(&verified, &input, |x| {
        let (_, stacked) = warploom::tensor::scan(4, &[], &[&x[0]], |_, _, part| {
            (vec![], vec![differentiable_sum().apply(&[&part[0]]).remove(0)])
        });
        vec![running_sum("within", false).apply(&[&(&stacked[0].sum(0).cast(DType::BF16) * 2.0)]).remove(0)]
    });
    let counts = verified.verification().unwrap();
    assert!(counts.calls == 0 && counts.kernels > 4 && counts.elements >= 60 + 15, "{counts:?}");

    let text = "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) { output0(id.x, input0(id.x) * 1.01); }";
    let wrong =
        UserKernel::new("off_by_little", |x| vec![x[0].clone() * 1.0])
            .with_wgsl(text, [3, 1, 1], |_, _| [1; 3]);
    let x = verified.scope(|| Tensor::from([1.0f32, -2.0, 3.0]));
    let error = wrong.apply(&[&x]).remove(0).to_vec::<f32>().unwrap_err().to_string();
    assert!(error.contains("off_by_little") && error.contains("within"), "{error}");
    let short = UserKernel::new("short", |x| vec![x[0].clone() * 1.0]).with_wgsl(
        "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) { output0(id.x, input0(id.x)); }",
        [1, 1, 1],
        |_, _| [2, 1, 1],
    );
    let error = short.apply(&[&x]).remove(0).to_vec::<f32>().unwrap_err().to_string();
    assert!(error.contains("short") && error.contains("element 2"), "{error}");

    let hasty = Arc::new(Verifying::new(gpu.executor().clone()).with_operations(1));
    Device::from_executor(hasty.clone()).scope(|| {
        wrong.apply(&[&Tensor::from([1.0f32, -2.0, 3.0])]).remove(0).to_vec::<f32>().unwrap();
    });
    assert_eq!(hasty.verification().calls, 1);
}
