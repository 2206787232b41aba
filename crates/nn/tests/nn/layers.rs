//! Layers: names, shapes, first values, dropout.

use crate::common::{cpu, distance, null, numbers};
use warploom_nn::initialise::seed_scope;
use warploom_nn::{
    Activation, Dense, Dropout, Flatten, Initialiser, Linear, Mode, Model, Module, Parameters, Sequential,
    layers,
};
use warploom_tensor::{DType, Device, ElementwiseMethods, Error, Tensor, Variable, gradients};

fn names(model: &Model) -> Vec<String> {
    model.named_variables().into_iter().map(|v| v.name).collect()
}

#[test]
fn the_face_compiles_and_names_are_pytorchs() -> Result<(), Error> {
    let device = null();
    let model = Sequential::new([Dense::new(64).relu(), Dense::new(1)]).build([10], Ok(device.clone()))?;
    assert_eq!(names(&model), ["0.weight", "0.bias", "2.weight", "2.bias"]);
    assert_eq!(model.parameter_count()?, 10 * 64 + 64 + 64 + 1);
    assert_eq!((model.input_shape(), model.output_shape()), (&[10][..], &[1][..]));

    // torch.nn.Sequential(Linear, ReLU, Linear, ReLU, Linear)
    let mlp = Sequential::new([Dense::new(512).relu(), Dense::new(512).relu(), Dense::new(10)])
        .build([784], &device)?;
    assert_eq!(names(&mlp), ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]);
    assert_eq!(mlp.parameters()[0].shape()?[..], [512, 784]);

    let nested =
        Sequential::new(layers![Flatten::new(), Sequential::new([Dense::new(4).gelu()]), Dropout::new(0.5)])
            .then(Dense::new(2).softmax())
            .then(Activation::Tanh)
            .build([2, 3, 5], &device)?;
    assert_eq!(names(&nested), ["1.0.weight", "1.0.bias", "3.weight", "3.bias"]);
    assert_eq!(nested.output_shape(), [2]);
    Ok(())
}

#[test]
fn linear_is_x_times_weight_transposed_plus_bias() -> Result<(), Error> {
    cpu().scope(|| {
        let layer = Linear {
            weight: Variable::new([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]),
            bias: Some(Variable::new([0.5f32, -0.5])),
        };
        let x = Tensor::from([[[1.0f32, 0.0, 0.0], [0.0, 1.0, 1.0]]]);
        let y = layer.forward(&x, Mode::Train);
        assert_eq!(y.shape()?[..], [1, 2, 2]);
        assert_eq!(y.to_vec::<f32>()?, [1.5, 3.5, 5.5, 10.5]);
        Ok(())
    })
}

#[test]
fn sixty_four_bits_stay_sixty_four() -> Result<(), Error> {
    let model = Sequential::new([Dense::new(3).dtype(DType::F64).sigmoid()]).build([2], cpu())?;
    let x = model.device().scope(|| Tensor::from([[0.1f64, 0.2]]));
    assert_eq!(model.forward(&x, Mode::Train).dtype()?, DType::F64);
    Ok(())
}

#[test]
fn first_values_depend_on_the_seed_and_the_position_alone() -> Result<(), Error> {
    let device = cpu();
    let build = |seed: u64, layers: usize| -> Result<Vec<Vec<f64>>, Error> {
        let layers = (0..layers).map(|_| Dense::new(6).relu());
        let model = Sequential::new(layers).seed(seed).build([6], &device)?;
        Ok(model.parameters().iter().map(|v| numbers(&v.value())).collect())
    };
    let (short, long) = (build(3, 2)?, build(3, 3)?);
    assert_eq!(short, long[..4]);
    assert_ne!(short[0], short[2], "two positions draw otherwise");
    assert_ne!(short, build(4, 2)?);
    let bound = 1.0 / 6f64.sqrt();
    assert!(short.iter().flatten().all(|x| x.abs() <= bound));
    assert!(short[0].iter().any(|x| x.abs() > 0.5 * bound));

    // Outside of a Sequential, layers of one struct are told apart by their order.
    let pair = || device.scope(|| seed_scope(1, || [(); 2].map(|()| Linear::new(4, 4))));
    let [first, second] = pair();
    let (first, second) = (numbers(&first?.weight.value()), numbers(&second?.weight.value()));
    assert_ne!(first, second);
    let [again, _] = pair();
    assert_eq!(first, numbers(&again?.weight.value()));

    let own = Dense::new(2).weight(Initialiser::Ones).bias(Initialiser::Constant(0.25));
    let model = Sequential::new([own]).build([3], &device)?;
    let ones = device.scope(|| Tensor::ones(&[1, 3], DType::F32));
    assert_eq!(numbers(&model.forward(&ones, Mode::Train)), [3.25, 3.25]);
    Ok(())
}

#[test]
fn dropout_drops_its_share_and_keeps_the_mean() -> Result<(), Error> {
    let device = cpu();
    let count = 100_000;
    device.scope(|| {
        let x = Variable::new(Tensor::from(vec![2.0f32; count]));
        let dropout = Dropout::new(0.3);
        assert_eq!(numbers(&dropout.forward(&x.value(), Mode::Evaluate)), vec![2.0; count]);
        let y = dropout.forward(&x.value(), Mode::Train);
        let gradient = gradients(&y.sum_all(), &[&x])?.swap_remove(0);
        // One program draws both: a second look is another draw.
        let both = Tensor::concat(&[&y, &gradient], 0);
        let both = numbers(&both);
        let (y, gradient) = both.split_at(count);
        let dropped = y.iter().filter(|v| **v == 0.0).count() as f64 / count as f64;
        assert!((dropped - 0.3).abs() < 5.0 * (0.21 / count as f64).sqrt(), "{dropped}");
        assert!(y.iter().all(|v| *v == 0.0 || (*v - 2.0 / 0.7).abs() < 1e-6));
        assert!(
            y.iter().zip(gradient).all(|(y, g)| (*y - 2.0 * g).abs() < 1e-6),
            "the gradient drops the same elements"
        );
        Ok::<(), Error>(())
    })?;
    let twice = Sequential::new(layers![Dropout::new(0.5), Dropout::new(0.5)]).build([1000], &device)?;
    let x = device.scope(|| Tensor::ones(&[1, 1000], DType::F32));
    let kept = numbers(&twice.forward(&x, Mode::Train)).iter().filter(|v| **v == 4.0).count();
    assert!((150..350).contains(&kept), "two layers draw from two streams, both keep {kept} of 1000");
    assert_eq!(distance(&numbers(&twice.forward(&x, Mode::Evaluate)), &vec![1.0; 1000]), 0.0);
    Ok(())
}

#[test]
fn a_recorded_dropout_draws_anew_each_run() -> Result<(), Error> {
    let device = cpu();
    let run = |device: &Device| -> Result<[Vec<f64>; 2], Error> {
        device.seed(5)?;
        let x = device.scope(|| Tensor::ones(&[64], DType::F32));
        let program =
            device.record(&[(&x).into()], |x| vec![Dropout::new(0.5).forward(&x[0], Mode::Train)])?;
        Ok([numbers(&program.run(&[&x])?[0]), numbers(&program.run(&[&x])?[0])])
    };
    let [first, second] = run(&device)?;
    assert_ne!(first, second);
    assert_eq!(run(&device)?, [first, second]);
    Ok(())
}

#[test]
fn a_model_moves_with_its_values() -> Result<(), Error> {
    let (here, there) = (cpu(), cpu());
    let mut model = Sequential::new([Dense::new(4).tanh(), Dense::new(2)]).build([3], &here)?;
    let x = [[0.5f32, -1.0, 2.0]];
    let before = numbers(&model.forward(&here.scope(|| Tensor::from(x)), Mode::Evaluate));
    model.to(&there)?;
    assert_eq!(model.device(), &there);
    assert_eq!(numbers(&model.forward(&there.scope(|| Tensor::from(x)), Mode::Evaluate)), before);
    Ok(())
}

#[test]
fn something_of_any_type_stays_attached() -> Result<(), Error> {
    let mut model = Sequential::new([Dense::new(1)]).build([1], null())?;
    model.attach(7u32);
    if let Some(kept) = model.attached_mut::<u32>() {
        *kept += 1;
    }
    assert_eq!((model.attached::<u32>(), model.attached::<i64>()), (Some(&8), None));
    assert_eq!(
        model
            .module()
            .forward(&model.device().scope(|| Tensor::from([[1.0f32]])), Mode::Train)
            .relu()
            .rank()?,
        2
    );
    Ok(())
}
