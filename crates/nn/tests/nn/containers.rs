//! Branches, residuals, functions as layers, and what is said of shapes that do not fit.

use crate::common::{cpu, distance, null, numbers};
use crate::errors::says;
use warploom_nn::{
    Activation, AveragePool, BatchNorm, BatchNormalization, Branches, Convolution, Deferred, Dense,
    Embedding, Flatten, GlobalAveragePool, GroupNorm, GroupNormalization, Identity, Initialiser, Kind,
    Lambda, LayerNorm, LayerNormalization, MaxPool, Mode, Model, Module, Parameters, Prelu, Residual,
    Sequential, Sgd, TrainingStep, TransposedConvolution, layers, losses,
};
use warploom_tensor::{DType, Error, Tensor};

fn names(model: &Model) -> Vec<String> {
    model.named_variables().into_iter().map(|v| v.name).collect()
}

fn constant(units: usize, value: f64) -> Dense {
    Dense::new(units).no_bias().weight(Initialiser::Constant(value))
}

#[test]
fn residuals_and_branches_compute_what_they_say() -> Result<(), Error> {
    let device = cpu();
    let x = device.scope(|| Tensor::from([[1.0f32, 2.0]]));
    let of = |layer: Box<dyn warploom_nn::Layer>| -> Result<Vec<f64>, Error> {
        let model = Sequential::new([layer]).build([2], &device)?;
        Ok(numbers(&model.forward(&x, Mode::Evaluate)))
    };
    let body = || Sequential::new([constant(2, 1.0)]);
    assert_eq!(of(Box::new(Residual::new(body())))?, [4.0, 5.0]);
    let shortcut = Sequential::new([constant(2, -1.0)]);
    assert_eq!(of(Box::new(Residual::new(body()).shortcut(shortcut)))?, [0.0, 0.0]);
    let three = || [body(), Sequential::default(), Sequential::new([constant(2, 2.0)])];
    assert_eq!(of(Box::new(Branches::add(three())))?, [10.0, 11.0]);
    assert_eq!(of(Box::new(Branches::concat(1, three())))?, [3.0, 3.0, 1.0, 2.0, 6.0, 6.0]);
    assert_eq!(of(Box::new(Lambda::new(|x: &Tensor| x * 3.0)))?, [3.0, 6.0]);
    assert_eq!(of(Box::new(Identity::new()))?, [1.0, 2.0]);
    Ok(())
}

#[test]
fn names_are_paths_through_the_containers() -> Result<(), Error> {
    let body = Sequential::new(layers![Dense::new(6), BatchNormalization::new(), Activation::Relu]);
    let deep = layers![
        Deferred::new(|_| Embedding::new(10, 3)),
        LayerNormalization::new(),
        Flatten::new(),
        Residual::new(body).shortcut(Sequential::new([Dense::new(6).no_bias()])),
        Branches::concat(1, [Sequential::new([Dense::new(2)]), Sequential::default()]),
        GroupNormalization::new(2),
    ];
    let model = Sequential::new(deep).seed(4).build([5], null())?;
    let wanted = "0.weight 1.weight 1.bias 3.body.0.weight 3.body.0.bias 3.body.1.weight 3.body.1.bias \
                  3.body.1.running_mean 3.body.1.running_var 3.body.1.num_batches_tracked 3.shortcut.0.weight \
                  4.0.0.weight 4.0.0.bias 5.weight 5.bias";
    assert_eq!(names(&model), wanted.split_whitespace().collect::<Vec<_>>());
    assert_eq!(model.output_shape(), [8]);
    assert_eq!(model.parameter_count()?, 30 + 6 + (15 * 6 + 6 + 12) + 90 + 14 + 16);
    assert_eq!(model.input_dtype(), Some(DType::I32));
    Ok(())
}

#[test]
fn shapes_that_do_not_fit_are_named_with_what_would() {
    let build = |layer: Box<dyn warploom_nn::Layer>, example: &[usize]| {
        Sequential::new([layer]).build(example.to_vec(), null())
    };
    let uneven = Residual::new(Sequential::new([Dense::new(3)]));
    says(
        build(Box::new(uneven), &[2]),
        &["branches", "[1, 3] from `body`", "[1, 2] from `shortcut`", "(in 0)"],
    );
    says(build(Box::new(Branches::add([])), &[2]), &["at least one branch"]);
    let scalars: &[usize] = &[];
    says(build(Box::new(BatchNormalization::new()), scalars), &["BatchNormalization", "[channels, …]"]);
    says(build(Box::new(LayerNormalization::new()), scalars), &["LayerNormalization", "[…, features]"]);
    says(build(Box::new(GroupNormalization::new(4)), &[6, 2]), &["6 channels", "4 groups"]);
    null().scope(|| {
        let x = Tensor::zeros(&[4, 3, 5], DType::F32);
        let run = |module: Box<dyn Module>, x: &Tensor| module.forward(x, Mode::Train).shape();
        let norm = |channels| Box::new(BatchNorm::new(channels).expect("a layer"));
        says(run(norm(7), &x), &["batch_norm", "[batch, 7, …]", "[4, 3, 5]", "containers.rs"]);
        says(run(norm(3), &Tensor::zeros(&[1, 3], DType::F32)), &["batch_norm", "two values", "[1, 3]"]);
        let layer_norm = LayerNorm::new([3, 4]).expect("a layer");
        says(run(Box::new(layer_norm), &x), &["layer_norm", "[batch, …, 3, 4]", "[4, 3, 5]"]);
        let group_norm = GroupNorm::new(2, 4).expect("a layer");
        says(run(Box::new(group_norm), &x), &["group_norm", "[batch, 4, …]", "[4, 3, 5]"]);
        says(run(Box::new(Prelu::new(4).expect("a layer")), &x), &["prelu", "[batch, 4, …]"]);
        let embedding = Embedding::new(4, 2).expect("a layer");
        says(run(Box::new(embedding), &x), &["embedding", "whole numbers", "f32"]);
        says(LayerNorm::new([0]).map(|_| ()), &["[0]"]);
    });
}

#[test]
fn convolutions_and_pooling_say_what_they_take() {
    let build = |layer: Box<dyn warploom_nn::Layer>, example: &[usize]| {
        Sequential::new([layer]).build(example.to_vec(), null())
    };
    let convolution = || Convolution::new(4, 3);
    says(build(Box::new(convolution()), &[3, 2, 2]), &["convol", "kernel", "(in 0)"]);
    says(build(Box::new(convolution().groups(2)), &[3, 8, 8]), &["2 groups", "3 channels", "4 filters"]);
    says(build(Box::new(convolution().stride(0)), &[3, 8, 8]), &["stride of 1 and more", "[0]"]);
    says(
        build(Box::new(convolution().padding([1, 1, 1])), &[3, 8, 8]),
        &["padding", "2 spatial axes", "[1, 1, 1]"],
    );
    says(build(Box::new(convolution().padding(-1)), &[3, 8, 8]), &["padding", "[-1]"]);
    let transposed = || TransposedConvolution::new(4, 3).stride(2);
    says(build(Box::new(transposed().output_padding(2)), &[3, 8]), &["output padding", "2, found 2"]);
    says(build(Box::new(MaxPool::new(2)), &[8]), &["max_pool", "[batch, channels, spatial…]", "[1, 8]"]);
    says(
        build(Box::new(MaxPool::new(2).padding(2)), &[3, 8]),
        &["max_pool", "half a window", "found 2 for 2"],
    );
    says(build(Box::new(AveragePool::new(5)), &[3, 4, 8]), &["average_pool", "windows of 5", "[1, 3, 4, 8]"]);
    says(build(Box::new(GlobalAveragePool::new()), &[3]), &["global_average_pool", "[1, 3]"]);
    null().scope(|| {
        let x = Tensor::zeros(&[2, 3, 8], DType::F32);
        let conv = convolution().conv2d(3).expect("a layer");
        conv.parameters();
        says(
            conv.forward(&x, Mode::Train).shape(),
            &["[batch, 3, height, width]", "[2, 3, 8]", "containers.rs"],
        );
        let conv = transposed().conv1d(4).expect("a layer");
        says(conv.forward(&x, Mode::Train).shape(), &["[batch, 4, length]", "[2, 3, 8]"]);
    });
}

#[test]
fn convolutions_are_drawn_within_pytorchs_bounds() -> Result<(), Error> {
    cpu().scope(|| {
        // PyTorch: 1 / √(channels of a group · elements of the kernel), for a transposed one of the outputs of a group.
        let conv = Convolution::new(64, 3).groups(2).conv2d(8)?;
        let transposed = TransposedConvolution::new(16, 3).conv2d(64)?;
        let drawn = [(conv.weight, conv.bias, 4.0 * 9.0), (transposed.weight, transposed.bias, 16.0 * 9.0)];
        for (weight, bias, inputs) in drawn {
            let bound = 1.0 / f64::sqrt(inputs);
            let largest = |v: &warploom_tensor::Variable| {
                numbers(&v.value()).into_iter().fold(0.0f64, |m, x| m.max(x.abs()))
            };
            assert!((0.98 * bound..=bound).contains(&largest(&weight)));
            assert!((0.5 * bound..=bound).contains(&largest(&bias.expect("a bias"))));
        }
        Ok(())
    })
}

#[test]
fn a_number_beyond_the_embedding_is_an_error_when_it_runs() {
    cpu().scope(|| {
        let embedding = Embedding::new(3, 2).expect("a layer");
        let y = embedding.forward(&Tensor::from([0i32, 3]), Mode::Evaluate);
        says(y.to_vec::<f32>(), &["3"]);
    });
}

#[test]
fn a_batch_that_is_not_finite_moves_no_statistics() -> Result<(), Error> {
    let device = cpu();
    let model = device.scope(|| Model::new(BatchNorm::new(2)?, [2], &device))?;
    let step = TrainingStep::new(&model, losses::mean_squared_error, Sgd::new(0.0))?;
    let target = device.scope(|| Tensor::zeros(&[2, 2], DType::F32));
    let program = device.try_record(&[(&target).into(), (&target).into()], |inputs| {
        Ok(vec![step.record(&model, &inputs[0], &inputs[1])?.0])
    })?;
    let statistics = |bad: f32| -> Result<Vec<f64>, Error> {
        let x = device.scope(|| Tensor::from([[1.0f32, 2.0], [3.0, bad]]));
        program.run(&[&x, &target])?;
        let states = model.named_variables().into_iter().filter(|v| v.kind == Kind::State);
        Ok(states.flat_map(|v| numbers(&v.variable.value().cast(DType::F32))).collect())
    };
    assert_eq!(statistics(f32::NAN)?, [0.0, 0.0, 1.0, 1.0, 0.0]);
    // 0.9·0 + 0.1·mean, and 0.9·1 + 0.1·2, the variance of two numbers 2 apart without bias.
    let moved = statistics(4.0)?;
    assert!(distance(&moved, &[0.2, 0.3, 1.1, 1.1, 1.0]) < 1e-6, "{moved:?}");
    Ok(())
}
