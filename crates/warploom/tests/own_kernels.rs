//! Kernels of the user's own, on the CPU and on a GPU or its software driver. Skipped on the GPU without any adapter, unless
//! `WARPLOOM_REQUIRE_GPU` is set.

use std::sync::Arc;
use warploom::device::{Program, Step, Verifying};
use warploom::elementwise::{Row, TypeRule};
use warploom::graph::Elementwise;
use warploom::graph::interpret::{Array, Rounding, interpret};
use warploom::prelude::*;

#[path = "../examples/own_kernels.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod example;

use example::soft_clip;

/// The CPU, and the first adapter where there is one.
fn devices() -> Vec<Device> {
    let mut devices = vec![Device::named("cpu").unwrap()];
    #[cfg(feature = "wgpu")]
    match Device::named("wgpu:0") {
        Ok(device) => devices.push(device),
        Err(error) => {
            assert!(std::env::var_os("WARPLOOM_REQUIRE_GPU").is_none(), "{error}");
            println!("skipped: {error}");
        }
    }
    devices
}

fn gpu() -> Option<Device> {
    devices().into_iter().find(|device| device.id() != "cpu")
}

fn waves(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin() * 2.0).collect()
}

fn close(found: &[f32], wanted: &[f32], tolerance: f32) {
    assert_eq!(found.len(), wanted.len());
    for (i, (found, want)) in found.iter().zip(wanted).enumerate() {
        assert!((found - want).abs() <= tolerance * (1.0 + want.abs()), "{i}: {found} for {want}");
    }
}

/// Results of a recorded body over f32 inputs with the interpreter's of the same graph, and the program.
fn both(
    device: &Device,
    inputs: &[(&[usize], Vec<f32>)],
    body: impl FnOnce(&[Tensor]) -> Vec<Tensor>,
) -> (Vec<Vec<f32>>, Vec<Vec<f32>>, Program) {
    let specs: Vec<InputSpec> = inputs.iter().map(|(shape, _)| InputSpec::new(DType::F32, shape)).collect();
    let recorded = device.record(&specs, body).unwrap();
    let tensors: Vec<Tensor> =
        device.scope(|| inputs.iter().map(|(shape, v)| Tensor::from_slice(v, shape)).collect());
    let outputs = recorded.run(&tensors.iter().collect::<Vec<_>>()).unwrap();
    let found = outputs.iter().map(|t| t.cast(DType::F32).to_vec::<f32>().unwrap()).collect();
    let graph = &recorded.recording().graph;
    let arguments = graph.parameters().iter().zip(inputs);
    let arguments: Vec<Array> = arguments
        .map(|(v, (_, numbers))| Array::new(graph.ty(*v).clone(), numbers.iter().map(|x| *x as f64)))
        .collect();
    let wanted = interpret(graph, &arguments, Rounding::Exact).unwrap();
    let wanted = wanted.iter().map(|a| a.to_f64().into_iter().map(|x| x as f32).collect()).collect();
    (found, wanted, recorded.program().clone())
}

fn claimed(program: &Program) -> Vec<&str> {
    fn collect<'a>(steps: &'a [Step], names: &mut Vec<&'a str>) {
        for step in steps {
            match step {
                Step::Claimed { name, .. } => names.push(name),
                Step::Loop(body) => collect(&body.body, names),
                _ => {}
            }
        }
    }
    let mut names = Vec::new();
    collect(&program.steps, &mut names);
    names
}

/// Gradients of a loss of f32 variables, each against central differences of the loss.
fn slopes(values: &[(&[usize], Vec<f32>)], loss: impl Fn(&[Variable]) -> Tensor) {
    let variables = |values: &[(&[usize], Vec<f32>)]| -> Vec<Variable> {
        values.iter().map(|(shape, v)| Variable::new(Tensor::from_slice(v, shape))).collect()
    };
    let own = variables(values);
    let wrt: Vec<&dyn warploom::tensor::Operand> = own.iter().map(|v| v as _).collect();
    let found = gradients(&loss(&own), &wrt).unwrap();
    let step = 1e-2;
    for (which, gradient) in found.iter().enumerate() {
        let gradient = gradient.to_vec::<f32>().unwrap();
        for place in 0..gradient.len() {
            let at = |by: f32| {
                let mut moved = values.to_vec();
                moved[which].1[place] += by;
                loss(&variables(&moved)).item::<f32>().unwrap()
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            let found = gradient[place];
            assert!((found - slope).abs() < 2e-3 * (1.0 + slope.abs()), "{which}[{place}]: {found}, {slope}");
        }
    }
}

#[test]
fn the_example_holds_on_every_device() {
    for device in devices() {
        device.scope(example::run).unwrap();
    }
}

#[test]
fn an_expression_fuses_with_its_neighbours() {
    for device in devices() {
        let inputs = [(&[6, 9][..], waves(54)), (&[9][..], vec![0.5; 9])];
        let (found, wanted, program) =
            both(&device, &inputs, |x| vec![(soft_clip(&(&x[0] * 3.0 + 1.0), &x[1]) - 0.25).sum(1)]);
        assert_eq!(program.kernel_count(), 1, "{program}");
        close(&found[0], &wanted[0], 1e-5);
        let by_hand: Vec<f32> = inputs[0]
            .1
            .chunks(9)
            .map(|row| row.iter().map(|x| x * 3.0 + 1.0).map(|x| x / (0.5 + x.abs()) - 0.25).sum())
            .collect();
        close(&found[0], &by_hand, 1e-5);
    }
}

#[test]
fn an_expression_takes_every_float() {
    for device in devices() {
        for dtype in device.capabilities().dtypes.iter().copied().filter(|dtype| dtype.is_float()) {
            let (found, wanted, _) = both(&device, &[(&[50], waves(50)), (&[1], vec![0.5])], |x| {
                let y = soft_clip(&x[0].cast(dtype), &x[1].cast(dtype));
                assert_eq!(y.dtype().unwrap(), dtype);
                vec![y.cast(DType::F32)]
            });
            // Half a unit in the last place of a half is 2^-9 of bf16, 2^-12 of f16.
            close(&found[0], &wanted[0], if dtype.bytes() < 4 { 2f32.powi(-9) } else { 1e-6 });
        }
    }
}

#[test]
fn an_expression_differentiates_twice() {
    for device in devices() {
        device.scope(|| {
            let values =
                [(&[2, 3][..], vec![-1.5, -0.7, 0.4, 0.9, 1.6, 2.5]), (&[3][..], vec![0.5, 1.0, 2.0])];
            slopes(&values, |v| soft_clip(&v[0].value(), &v[1].value()).square().sum_all());
            slopes(&values[..1], |v| {
                let limit = Tensor::from([0.8f32]);
                let once = gradients(&soft_clip(&v[0].value(), &limit).sum_all(), &[&v[0]]).unwrap();
                once[0].square().sum_all()
            });
        });
    }
}

/// A row by hand, for whole numbers: each differs from the next in one bit.
static GRAY_CODE: Row = Row {
    name: "gray_code",
    doc: "x ^ (x >> 1).",
    arity: 1,
    types: TypeRule::Words,
    reference: |_| f64::NAN,
    whole: Some(|x| x[0] ^ (x[0] as u32 >> 1) as i64),
    gradient: |_, _, _| [None; 3],
    expression: |x| x[0].xor(x[0].shift_right(x[0].like(1.0))),
    simplify: |_| None,
    samples: &[],
    onnx: None,
};

#[test]
fn a_row_by_hand_takes_whole_numbers() {
    for device in devices() {
        let (found, wanted, program) = both(&device, &[(&[8], (0..8).map(|i| i as f32).collect())], |x| {
            vec![Tensor::elementwise(Elementwise::new(&GRAY_CODE), &[&x[0].cast(DType::U32)])]
        });
        assert_eq!(found[0], [0.0, 1.0, 3.0, 2.0, 6.0, 7.0, 5.0, 4.0]);
        assert_eq!(found, wanted);
        assert_eq!(program.kernel_count(), 1);
    }
}

mod other {
    warploom::elementwise! {
        /// The same name as another, and as that of a built-in op.
        pub fn relu(x) {
            expression: x * x,
            gradient(_, dy): [2.0 * dy * x],
        }
        /// Also.
        pub fn soft_clip(x, limit) {
            expression: x + limit,
            gradient(_, dy): [dy, dy],
        }
    }
}

#[test]
fn ops_of_one_name_are_told_apart() {
    for device in devices() {
        device.scope(|| {
            let x = Variable::new([3.0f32, -2.0]);
            let limit = Tensor::from([1.0f32]);
            // One program after another of the same names, then both in one.
            let [a, b] = [soft_clip(&x.value(), &limit), other::soft_clip(&x.value(), &limit)];
            close(&a.to_vec::<f32>().unwrap(), &[0.75, -2.0 / 3.0], 1e-6);
            close(&b.to_vec::<f32>().unwrap(), &[4.0, -1.0], 1e-6);
            let sum = x.value().relu() + other::relu(&x.value()) + soft_clip(&x.value(), &limit)
                - other::soft_clip(&x.value(), &limit);
            let gradient = gradients(&sum.sum_all(), &[&x]).unwrap().remove(0);
            close(&sum.to_vec::<f32>().unwrap(), &[3.0 + 9.0 + 0.75 - 4.0, 4.0 - 2.0 / 3.0 + 1.0], 1e-6);
            close(&gradient.to_vec::<f32>().unwrap(), &[6.0 + 1.0 / 16.0, -5.0 + 1.0 / 9.0], 1e-5);
        });
    }
}

mod ill {
    warploom::elementwise! {
        /// Gives a bool.
        pub fn sign(x) {
            expression: x.less(x.like(0.0)),
            gradient(_, dy): [dy],
        }
        /// Adds a bool to a number.
        pub fn mixed(x) {
            expression: x + x.less(x.like(0.0)),
            gradient(_, dy): [dy],
        }
    }
}

#[test]
fn an_ill_typed_expression_is_an_error_that_names_the_op() {
    let cpu = Device::named("cpu").unwrap();
    cpu.scope(|| {
        let x = Tensor::from([1.0f32]);
        let error = ill::sign(&x).to_vec::<f32>().unwrap_err().to_string();
        assert!(error.contains("sign") && error.contains("gives bool; it must give f32"), "{error}");
        let error = ill::mixed(&x).to_vec::<f32>().unwrap_err().to_string();
        assert!(error.contains("mixed") && error.contains("add of f32, bool"), "{error}");
        let error = soft_clip(&x, &Tensor::from([1i32])).to_vec::<f32>().unwrap_err().to_string();
        assert!(error.contains("soft_clip") && error.contains("cast one"), "{error}");
    });
}

/// x[r, c] to the sum of x[r, 0..=c], one invocation for each row; or from the end of the row.
fn running_sum(name: &'static str, from_end: bool) -> UserKernel {
    let order = if from_end { "columns - 1u - i" } else { "i" };
    let text = format!(
        "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) {{
            if (id.x >= input0_shape[0]) {{ return; }}
            let columns = input0_shape[1];
            var sum = 0.0;
            for (var i = 0u; i < columns; i += 1u) {{
                let at = id.x * columns + {order};
                sum += input0(at);
                output0(at, sum);
            }}
        }}"
    );
    let rows = |results: &[warploom::graph::Type]| results[0].shape[0] as u32;
    UserKernel::new(name, move |x| vec![sums(&x[0], from_end)]).with_wgsl(
        text,
        [32, 1, 1],
        move |_, results| [rows(results).div_ceil(32), 1, 1],
    )
}

/// By a product with a triangle of ones.
fn sums(x: &Tensor, from_end: bool) -> Tensor {
    let columns = x.shape().unwrap()[1];
    let [from, to] = [0, 1].map(|axis| Tensor::iota(&[columns, columns], axis, DType::I32));
    let counts = if from_end { to.less_equal(&from) } else { from.less_equal(&to) };
    x.matmul(&counts.cast(x.dtype().unwrap()))
}

fn differentiable_sum() -> UserKernel {
    running_sum("running_sum", false)
        .with_gradient(|_, _, dy| running_sum("running_sum_gradient", true).apply(&[&dy[0]]))
}

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
