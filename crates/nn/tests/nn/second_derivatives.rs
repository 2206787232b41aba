//! Gradients of gradients, in f64 against finite differences.

use crate::common::cpu;
use warploom_nn::{
    Activation, AveragePool, BatchNorm, Convolution, GroupNorm, LayerNorm, MaxPool, Mode, Module,
    TransposedConvolution, VisitorMut,
};
use warploom_tensor::{DType, ElementwiseMethods, Error, Tensor, Variable, gradients};

/// Smooth numbers that repeat nowhere.
fn wave(count: usize, speed: f64) -> Vec<f64> {
    (1..=count).map(|i| (i as f64 * speed).sin()).collect()
}

/// Half the squared length of the gradient of a loss through the module, by the input.
fn gradient_penalty(module: &dyn Module, x: &Variable) -> Result<Tensor, Error> {
    let y = module.forward(&x.value(), Mode::Train);
    let weights = Tensor::from_slice(&wave(y.elements()?, 0.7), &y.shape()?);
    let gradient = gradients(&(y.square() * weights).sum_all(), &[x])?.swap_remove(0);
    Ok(gradient.square().sum_all() * 0.5)
}

fn check<M: Module>(name: &str, module: Result<M, Error>, shape: &[usize]) -> Result<(), Error> {
    let mut module = module?;
    let mut salt = 0.0;
    module.visit_mut(&mut VisitorMut::new(&mut |name, variable, _| {
        let shape = variable.shape().expect("a shape");
        salt += 0.1;
        if !name.contains("tracked") {
            let values = wave(shape.iter().product(), 1.3 + salt);
            *variable = Variable::new(Tensor::from_slice(&values, &shape).cast(DType::F64));
        }
    }));
    let count = shape.iter().product();
    let (start, direction) = (wave(count, 0.37), wave(count, 1.9));
    let at = |step: f64| -> Vec<f64> { start.iter().zip(&direction).map(|(x, d)| x + step * d).collect() };
    let penalty = |step: f64| {
        gradient_penalty(&module, &Variable::new(Tensor::from_slice(&at(step), shape)))?.item::<f64>()
    };
    let x = Variable::new(Tensor::from_slice(&start, shape));
    let slope = gradients(&gradient_penalty(&module, &x)?, &[&x])?.swap_remove(0).to_vec::<f64>()?;
    let found: f64 = slope.iter().zip(&direction).map(|(s, d)| s * d).sum();
    let h = 1e-5;
    let wanted = (penalty(h)? - penalty(-h)?) / (2.0 * h);
    assert!((found - wanted).abs() < 1e-6 * wanted.abs().max(1.0), "{name}: {found} for {wanted}");
    assert!(wanted.abs() > 1e-3, "{name} has a second derivative to speak of, {wanted}");
    Ok(())
}

#[test]
fn gradients_of_gradients_agree_with_finite_differences() -> Result<(), Error> {
    cpu().scope(|| {
        check("batch_norm", BatchNorm::new(3), &[2, 3, 4])?;
        check("layer_norm", LayerNorm::new(4), &[2, 3, 4])?;
        check("group_norm", GroupNorm::new(2, 4), &[2, 4, 3])?;
        check("convolution", Convolution::new(3, 3).stride(2).padding(1).conv2d(2), &[2, 2, 5, 4])?;
        check("transposed", TransposedConvolution::new(3, 3).stride(2).conv1d(2), &[2, 2, 4])?;
        check("max_pool", Ok(MaxPool::new(3).stride(2).padding(1)), &[1, 2, 6, 5])?;
        check("average_pool", Ok(AveragePool::new(2)), &[1, 2, 6, 5])?;
        for activation in
            [Activation::Gelu, Activation::GeluTanh, Activation::Mish, Activation::Elu { alpha: 1.3 }]
        {
            check("activation", Ok(activation), &[3, 5])?;
        }
        Ok(())
    })
}
