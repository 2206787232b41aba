//! Layers against values that PyTorch gave: outputs, gradients, statistics; see golden/layers.py.

use crate::common::{Golden, cpu, distance, numbers};
use warploom_nn::{
    AveragePool, BatchNorm, Convolution, Embedding, GlobalAveragePool, GlobalMaxPool, GroupNorm, Kind,
    LayerNorm, Linear, MaxPool, Mode, Module, NamedVariable, Parameters, Prelu, TransposedConvolution,
};
use warploom_tensor::{DType, Error, Operand, Tensor, Variable, gradients};

const TOLERANCE: f64 = 1e-5;

fn golden() -> Golden {
    Golden::new(include_str!("../golden/layers.txt"))
}

/// Gives the variables the values that a case begins with, by PyTorch's names.
fn load(golden: &Golden, case: &str, module: &dyn Module) {
    for NamedVariable { name, variable, .. } in module.named_variables() {
        let value = golden.shaped(&format!("{case} start {name}"));
        let dtype = variable.dtype().expect("a dtype");
        variable.assign(&value.cast(dtype)).unwrap_or_else(|error| panic!("{case} {name}: {error}"));
    }
}

#[track_caller]
fn near(golden: &Golden, name: &str, found: &Tensor) {
    let wanted = golden.shaped(name);
    assert_eq!(found.shape().expect(name), wanted.shape().expect("a shape"), "{name}");
    let worst = distance(&numbers(&found.cast(DType::F32)), golden.get(name));
    assert!(worst < TOLERANCE, "{name}: {worst:e}");
}

/// Output, gradients of input and parameters, and states after it.
fn check<M: Module>(case: &str, mode: Mode, module: Result<M, Error>) {
    let golden = golden();
    let module = module.expect("a module");
    load(&golden, case, &module);
    let parameters = module.parameters();
    let x = golden.shaped(&format!("{case} x"));
    let whole = module.input_dtype().is_some();
    let x = Variable::new(x.cast(module.input_dtype().unwrap_or(DType::F32)));
    let y = module.forward(&x.value(), mode);
    let upstream = golden.shaped(&format!("{case} upstream"));
    let inputs: Vec<&dyn Operand> =
        (!whole).then_some(&x as &dyn Operand).into_iter().chain(parameters.iter().map(|p| p as _)).collect();
    let found = gradients(&(&y * upstream).sum_all(), &inputs).expect("gradients");
    let names = (!whole).then_some("x").into_iter().chain(parameters.iter().filter_map(Variable::name));
    near(&golden, &format!("{case} y"), &y);
    for (name, gradient) in names.zip(&found) {
        near(&golden, &format!("{case} gradient {name}"), gradient);
    }
    for state in module.named_variables().iter().filter(|v| v.kind == Kind::State) {
        near(&golden, &format!("{case} end {}", state.name), &state.variable.value());
    }
}

#[test]
fn batch_norm_agrees_with_pytorch() {
    cpu().scope(|| {
        check("batch_norm_1d", Mode::Train, BatchNorm::new(3));
        check("batch_norm_2d", Mode::Train, BatchNorm::new(2));
        check("batch_norm_evaluated", Mode::Evaluate, BatchNorm::new(2));
    });
}

#[test]
fn running_statistics_follow_pytorchs_over_several_batches() -> Result<(), Error> {
    for recorded in [false, true] {
        let device = cpu();
        device.scope(|| {
            let (golden, case) = (golden(), "batch_norm_running");
            let norm = BatchNorm::new(3)?.momentum(0.3).epsilon(1e-3);
            load(&golden, case, &norm);
            let first = golden.shaped(&format!("{case} x 0"));
            let program = device.record(&[(&first).into()], |x| vec![norm.forward(&x[0], Mode::Train)])?;
            for step in 0..3 {
                let x = golden.shaped(&format!("{case} x {step}"));
                let y = match recorded {
                    true => program.run(&[&x])?[0].clone(),
                    false => norm.forward(&x, Mode::Train),
                };
                near(&golden, &format!("{case} y {step}"), &y);
            }
            for state in norm.named_variables().iter().filter(|v| v.kind == Kind::State) {
                near(&golden, &format!("{case} end {}", state.name), &state.variable.value());
            }
            Ok::<(), Error>(())
        })?;
    }
    Ok(())
}

#[test]
fn other_normalisations_agree_with_pytorch() {
    cpu().scope(|| {
        check("layer_norm", Mode::Train, LayerNorm::new(5));
        check("layer_norm_two_axes", Mode::Train, LayerNorm::new([3, 5]));
        check("group_norm", Mode::Train, GroupNorm::new(2, 4));
        check("group_norm_2d", Mode::Train, GroupNorm::new(4, 4));
    });
}

#[test]
fn layers_with_weights_agree_with_pytorch() {
    cpu().scope(|| {
        check("embedding", Mode::Train, Embedding::new(5, 3));
        check("prelu", Mode::Train, Prelu::new(1));
        check("prelu_channels", Mode::Train, Prelu::new(3));
        check("linear", Mode::Train, Linear::new(4, 3));
    });
}

#[test]
fn convolutions_agree_with_pytorch() {
    cpu().scope(|| {
        let conv1d = Convolution::new(3, 3).stride(2).padding(2).dilation(2);
        check("conv1d", Mode::Train, conv1d.conv1d(2));
        check("conv1d_groups", Mode::Train, Convolution::new(6, 2).groups(2).no_bias().conv1d(4));
        let conv2d = Convolution::new(3, [3, 2]).stride([2, 1]).padding([1, 2]).dilation([1, 2]);
        check("conv2d", Mode::Train, conv2d.conv2d(2));
        check("conv2d_depthwise", Mode::Train, Convolution::new(6, 3).padding(1).groups(3).conv2d(3));
    });
}

#[test]
fn transposed_convolutions_agree_with_pytorch() {
    cpu().scope(|| {
        let conv1d = TransposedConvolution::new(2, 3).stride(2).padding(1).output_padding(1).groups(2);
        check("conv_transpose1d", Mode::Train, conv1d.conv1d(4));
        let conv2d = TransposedConvolution::new(2, 4).stride(2).padding(1).no_bias();
        check("conv_transpose2d", Mode::Train, conv2d.conv2d(3));
        let cropped = TransposedConvolution::new(4, [2, 3]).stride([1, 3]).padding([2, 1]);
        let cropped = cropped.output_padding([0, 2]).dilation([1, 2]).groups(2);
        check("conv_transpose2d_cropped", Mode::Train, cropped.conv2d(2));
    });
}

#[test]
fn pooling_agrees_with_pytorch() {
    cpu().scope(|| {
        check("max_pool1d", Mode::Train, Ok(MaxPool::new(3).stride(1).padding(1).dilation(2)));
        check("max_pool2d", Mode::Train, Ok(MaxPool::new(3).stride(2).padding(1)));
        check("max_pool2d_plain", Mode::Train, Ok(MaxPool::new(2)));
        check("avg_pool1d", Mode::Train, Ok(AveragePool::new(2)));
        check("avg_pool2d", Mode::Train, Ok(AveragePool::new(3).stride(2).padding(1)));
        let within = AveragePool::new([2, 3]).stride([1, 2]).padding([1, 1]).padding_does_not_count();
        check("avg_pool2d_within", Mode::Train, Ok(within));
        check("global_average", Mode::Train, Ok(GlobalAveragePool::new()));
        check("global_max", Mode::Train, Ok(GlobalMaxPool::new()));
    });
}
