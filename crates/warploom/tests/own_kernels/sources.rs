//! Sources beside their bodies.

use crate::common::{both, claimed, close, devices, gpu, waves};
use crate::running_sum::differentiable_sum;
use warploom::prelude::*;

#[test]
fn a_source_and_its_body_agree() {
    for device in devices() {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let input = [(&[5, 7][..], waves(35))];
            // A view before it and a chain behind it: operands are dense all the same.
            let (found, wanted, program) = both(&device, &input, |x| {
                let turned = x[0].t().cast(dtype) * 0.5;
                vec![differentiable_sum().apply(&[&turned]).remove(0).cast(DType::F32) + 1.0]
            });
            let by_source: &[&str] = if device.id() == "cpu" { &[] } else { &["running_sum"] };
            assert_eq!(claimed(&program), by_source, "{program}");
            close(&found[0], &wanted[0], if dtype == DType::F32 { 1e-5 } else { 0.05 });
        }
    }
}

#[test]
fn a_workgroup_shares_memory_and_calls_helpers() {
    let text = "fn kernel_main(
        @builtin(workgroup_id) group: vec3<u32>,
        @builtin(local_invocation_index) thread: u32,
    ) {
        let columns = input0_shape[1];
        var sum = 0.0;
        for (var c = thread; c < columns; c += LANES) { sum += squared(input0(group.x * columns + c)); }
        parts[thread] = sum;
        workgroupBarrier();
        if (thread == 0u) {
            var all = 0.0;
            for (var i = 0u; i < LANES; i += 1u) { all += parts[i]; }
            output0(group.x, all);
        }
    }
    const LANES = 16u;
    var<workgroup> parts: array<f32, LANES>;
    fn squared(x: f32) -> f32 { return x * x; }";
    let kernel = UserKernel::new("row_norms", |x| vec![x[0].square().sum(1)]).with_wgsl(
        text,
        [16, 1, 1],
        |inputs, _| [inputs[0].shape[0] as u32, 1, 1],
    );
    for device in devices() {
        let (found, wanted, _) = both(&device, &[(&[6, 37], waves(222))], |x| kernel.apply(&[&x[0]]));
        close(&found[0], &wanted[0], 1e-5);
    }
}

#[test]
fn several_results_of_several_types() {
    let text = "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) {
        let i = id.x;
        if (i >= output0_length) { return; }
        let larger = input0(i) > f32(input1(i));
        output0(i, larger);
        output1(i, select(input1(i), -input1(i), larger) + i32(input2(0u)));
    }";
    let kernel = UserKernel::new("compared", |x| {
        let larger = x[0].greater(&x[1].cast(DType::F32));
        let chosen = larger.select(&-&x[1], &x[1]) + x[2].cast(DType::I32);
        vec![larger, chosen]
    })
    .with_wgsl(text, [8, 1, 1], |_, results| [results[0].elements().div_ceil(8) as u32, 1, 1]);
    for device in devices() {
        let inputs = [(&[21][..], waves(21)), (&[21][..], waves(21)), (&[][..], vec![200.0])];
        let (found, wanted, _) = both(&device, &inputs, |x| {
            let whole = (&x[1] * 2.0).cast(DType::I32);
            kernel.apply(&[&x[0], &whole, &x[2].cast(DType::U8)])
        });
        assert_eq!(found, wanted, "{}", device.id());
    }
}

#[test]
fn within_a_scan_operands_move_with_the_rounds() {
    for device in devices() {
        let inputs = [(&[4, 3, 5][..], waves(60))];
        let (found, wanted, program) = both(&device, &inputs, |x| {
            let start = Tensor::zeros(&[3, 5], DType::F32);
            let (last, stacked) = warploom::tensor::scan(4, &[&start], &[&x[0]], |_, carry, part| {
                let next = differentiable_sum().apply(&[&part[0]]).remove(0);
                (vec![&carry[0] * 0.5 + &next], vec![next])
            });
            vec![last[0].clone(), stacked[0].clone()]
        });
        assert_eq!(claimed(&program).len(), usize::from(device.id() != "cpu"), "{program}");
        close(&found[0], &wanted[0], 1e-5);
        close(&found[1], &wanted[1], 1e-5);
    }
}

#[test]
fn operands_may_be_one_tensor_or_empty_or_none() {
    let text = "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) {
        if (id.x < output0_length) { output0(id.x, input0(id.x) * input1(id.x)); }
    }";
    let product = UserKernel::new("product", |x| vec![&x[0] * &x[1]])
        .with_wgsl(text, [4, 1, 1], |_, results| [results[0].elements().div_ceil(4) as u32, 1, 1])
        .with_gradient(|x, _, dy| vec![&dy[0] * &x[1], &dy[0] * &x[0]]);
    let filled = UserKernel::new("filled", |_| vec![Tensor::ones(&[3], DType::F32)]).with_wgsl(
        "fn kernel_main() { for (var i = 0u; i < 3u; i++) { output0(i, 1.0); } }",
        [1; 3],
        |_, _| [1; 3],
    );
    for device in devices() {
        device.scope(|| {
            let w = Variable::new([2.0f32, -3.0]);
            let squared = product.apply(&[&w.value(), &w.value()]).remove(0);
            let gradient = gradients(&squared.sum_all(), &[&w]).unwrap().remove(0);
            assert_eq!(squared.to_vec::<f32>().unwrap(), [4.0, 9.0]);
            assert_eq!(gradient.to_vec::<f32>().unwrap(), [4.0, -6.0]);
            let none = Tensor::zeros(&[0, 4], DType::F32);
            let kept = product.apply(&[&none, &none]).remove(0);
            assert_eq!(
                (kept.shape().unwrap()[..].to_vec(), kept.to_vec::<f32>().unwrap()),
                (vec![0, 4], vec![])
            );
            assert_eq!(filled.apply(&[]).remove(0).to_vec::<f32>().unwrap(), [1.0; 3]);
        });
    }
}

#[test]
fn kernels_of_one_name_are_told_apart_by_their_source() {
    let Some(gpu) = gpu() else { return };
    let times = |factor: u32| {
        let text = format!(
            "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) {{ output0(id.x, input0(id.x) * {factor}.0); }}"
        );
        UserKernel::new("times", |x| vec![x[0].clone() * 1.0]).with_wgsl(text, [1, 1, 1], |_, _| [3, 1, 1])
    };
    gpu.scope(|| {
        let x = Tensor::from([1.0f32, 2.0, 3.0]);
        for factor in [2, 5] {
            let y = times(factor).apply(&[&x]).remove(0).to_vec::<f32>().unwrap();
            assert_eq!(y, [1.0, 2.0, 3.0].map(|x| x * factor as f32));
        }
    });
}

#[test]
fn it_is_printed_with_its_geometry() {
    for device in devices() {
        let input = [(&[5, 7][..], waves(35))];
        let (.., program) =
            both(&device, &input, |x| vec![differentiable_sum().apply(&[&x[0]]).remove(0) * 2.0]);
        let text = program.to_string();
        let written = device.executor().target().written(&program).unwrap();
        let own = written.iter().find(|kernel| kernel.name == "running_sum");
        if device.id() == "cpu" {
            assert!(own.is_none());
            assert!(
                program.notes.contains(&"running_sum runs by its body: cpu takes none of its sources".into())
            );
        } else {
            assert!(text.contains("call running_sum b0 wgsl of [1, 1, 1] by [32, 1, 1]"), "{text}");
            let own = own.unwrap();
            assert!(own.source.contains("fn input0(i: u32) -> f32") && own.workgroup == 32);
        }
    }
}

#[test]
fn it_is_recomputed_under_a_memory_limit() {
    let Some(gpu) = gpu() else { return };
    let body = |x: &[Tensor]| {
        // Ten sums wait for the end, each larger than what comes out.
        let sums: Vec<Tensor> =
            (0..10).map(|i| differentiable_sum().apply(&[&(&x[0] * f64::from(i + 1))]).remove(0)).collect();
        let narrow: Vec<Tensor> = sums.iter().map(|sum| sum.sum(1)).collect();
        let last = narrow.iter().fold(narrow[0].clone(), |all, one| all.maximum(one)).mean_all();
        sums.iter().map(|sum| differentiable_sum().apply(&[&(sum * &last)]).remove(0).sum_all()).collect()
    };
    let input = [(&[64, 65][..], waves(64 * 65))];
    let (free, _, program) = both(&gpu, &input, body);
    let limit = program.plan(1).total() * 6 / 10;
    let (limited, _, smaller) = gpu.with_memory_limit(Some(limit), || both(&gpu, &input, body));
    assert!(smaller.plan(1).total() <= limit);
    assert!(claimed(&smaller).len() > claimed(&program).len(), "{:?}", smaller.notes);
    assert_eq!(free, limited);
}
