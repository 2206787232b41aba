//! The layers of a recipe as descriptions of `warploom-nn`.

use crate::schema::{Activation, Extent, Initial, Join, Layer, NamedPadding, Padding};
use warploom_nn as nn;
use warploom_nn::{Branches, Convolution, Dense, Initialiser, Residual, Sequential, TransposedConvolution};
use warploom_tensor::{DType, Tensor};
use warploom_train::{Error, Result};

/// Layers one after another; a dense layer without units has `outputs`. Messages call the list `above`.
pub(crate) fn sequential(layers: &[Layer], outputs: usize, above: &str) -> Result<Sequential> {
    let mut all = Sequential::default();
    for (position, layer) in layers.iter().enumerate() {
        if matches!(layer, Layer::Embedding { .. }) {
            // Columns of a table are numbers in single precision.
            all = all.then(nn::Lambda::new(|x: &Tensor| x.cast(DType::I32)));
        }
        all = all.then(described(layer, outputs, &format!("{above}.{position}"))?);
    }
    Ok(all)
}

fn described(layer: &Layer, outputs: usize, key: &str) -> Result<Box<dyn nn::Layer>> {
    Ok(match layer {
        Layer::Flatten => Box::new(nn::Flatten::new()),
        Layer::Dense { units, activation, weight, bias } => {
            let mut dense = Dense::new(units.unwrap_or(outputs));
            if let Some(kind) = activation {
                dense = dense.activation(function(*kind));
            }
            if let Some(initial) = weight.and_then(initialiser) {
                dense = dense.weight(initial);
            }
            Box::new(match bias {
                None => dense,
                Some(initial) => match initialiser(*initial) {
                    Some(initial) => dense.bias(initial),
                    None => dense.no_bias(),
                },
            })
        }
        Layer::Conv1d { filters, kernel, stride, padding, dilation, groups, bias, activation } => {
            let every = |number: &usize| Extent::Every(*number);
            convolution(
                *filters,
                &every(kernel),
                &every(stride),
                padding,
                &every(dilation),
                *groups,
                *bias,
                *activation,
                key,
            )?
        }
        Layer::Conv2d { filters, kernel, stride, padding, dilation, groups, bias, activation } => {
            convolution(*filters, kernel, stride, padding, dilation, *groups, *bias, *activation, key)?
        }
        Layer::ConvTranspose2d { filters, kernel, stride, padding, bias, activation } => {
            let padding = pad(padding, kernel, &Extent::Every(1), key)?;
            let mut layer = TransposedConvolution::new(*filters, numbers(kernel))
                .stride(numbers(stride))
                .padding(padding);
            if !bias {
                layer = layer.no_bias();
            }
            match activation {
                Some(kind) => Box::new(layer.activation(function(*kind))),
                None => Box::new(layer),
            }
        }
        Layer::MaxPool { size, stride, padding } => {
            let layer = nn::MaxPool::new(numbers(size)).padding(pad(padding, size, &Extent::Every(1), key)?);
            Box::new(stride.as_ref().map_or(layer.clone(), |stride| layer.stride(numbers(stride))))
        }
        Layer::AveragePool { size, stride, padding } => {
            let layer =
                nn::AveragePool::new(numbers(size)).padding(pad(padding, size, &Extent::Every(1), key)?);
            Box::new(stride.as_ref().map_or(layer.clone(), |stride| layer.stride(numbers(stride))))
        }
        Layer::GlobalAveragePool => Box::new(nn::GlobalAveragePool::new()),
        Layer::GlobalMaxPool => Box::new(nn::GlobalMaxPool::new()),
        Layer::BatchNorm => Box::new(nn::BatchNormalization::new()),
        Layer::LayerNorm => Box::new(nn::LayerNormalization::new()),
        Layer::GroupNorm { groups } => Box::new(nn::GroupNormalization::new(*groups)),
        Layer::Embedding { count, features } => {
            let (count, features) = (*count, *features);
            Box::new(nn::Deferred::new(move |_| nn::Embedding::new(count, features)))
        }
        Layer::Reshape { shape } => {
            let shape = shape.clone();
            Box::new(nn::Lambda::new(move |x: &Tensor| reshaped(x, &shape)))
        }
        Layer::Activation { function: kind } => Box::new(function(*kind)),
        Layer::Dropout { rate } => Box::new(nn::Dropout::new(*rate)),
        Layer::Residual { layers, shortcut } => {
            let body = Residual::new(sequential(layers, outputs, &format!("{key}.layers"))?);
            if shortcut.is_empty() {
                return Ok(Box::new(body));
            }
            Box::new(body.shortcut(sequential(shortcut, outputs, &format!("{key}.shortcut"))?))
        }
        Layer::Branches { branches, join } => {
            let branch = |(at, layers): (usize, &Vec<Layer>)| {
                sequential(layers, outputs, &format!("{key}.branches.{at}"))
            };
            let branches: Vec<Sequential> = branches.iter().enumerate().map(branch).collect::<Result<_>>()?;
            Box::new(match join {
                Join::Concat => Branches::concat(1, branches),
                Join::Add => Branches::add(branches),
            })
        }
    })
}

fn convolution(
    filters: usize,
    kernel: &Extent,
    stride: &Extent,
    padding: &Padding,
    dilation: &Extent,
    groups: usize,
    bias: bool,
    activation: Option<Activation>,
    key: &str,
) -> Result<Box<dyn nn::Layer>> {
    let padding = pad(padding, kernel, dilation, key)?;
    let mut layer = Convolution::new(filters, numbers(kernel))
        .stride(numbers(stride))
        .padding(padding)
        .dilation(numbers(dilation))
        .groups(groups);
    if !bias {
        layer = layer.no_bias();
    }
    Ok(match activation {
        Some(kind) => Box::new(layer.activation(function(kind))),
        None => Box::new(layer),
    })
}

fn reshaped(x: &Tensor, example: &[usize]) -> Tensor {
    match x.shape() {
        Ok(found) => x.reshape(found.iter().take(1).chain(example).copied().collect::<Vec<usize>>()),
        Err(error) => Tensor::failed(error),
    }
}

fn whole(number: usize) -> isize {
    isize::try_from(number).unwrap_or(isize::MAX)
}

fn numbers(extent: &Extent) -> Vec<isize> {
    match extent {
        Extent::Every(number) => vec![whole(*number)],
        Extent::Each(numbers) => numbers.iter().map(|number| whole(*number)).collect(),
    }
}

/// What is wrong with the padding of a layer, if it has any.
pub(crate) fn padding_fault(layer: &Layer, key: &str) -> Option<String> {
    let (padding, window, dilation) = match layer {
        Layer::Conv1d { padding, kernel, dilation, .. } => {
            (padding, Extent::Every(*kernel), Extent::Every(*dilation))
        }
        Layer::Conv2d { padding, kernel, dilation, .. } => (padding, kernel.clone(), dilation.clone()),
        Layer::ConvTranspose2d { padding, kernel: window, .. }
        | Layer::MaxPool { padding, size: window, .. }
        | Layer::AveragePool { padding, size: window, .. } => (padding, window.clone(), Extent::Every(1)),
        _ => return None,
    };
    pad(padding, &window, &dilation, key).err().map(|error| error.to_string())
}

/// Zeros on both sides of each axis.
fn pad(padding: &Padding, kernel: &Extent, dilation: &Extent, key: &str) -> Result<Vec<isize>> {
    match padding {
        Padding::Named(NamedPadding::Valid) => Ok(vec![0]),
        Padding::Every(number) => Ok(vec![whole(*number)]),
        Padding::Each(numbers) => Ok(numbers.iter().map(|number| whole(*number)).collect()),
        Padding::Named(NamedPadding::Same) => {
            let (kernel, dilation) = (numbers(kernel), numbers(dilation));
            let span = |(at, extent): (usize, &isize)| {
                let spread = dilation.get(at).or(dilation.first()).copied().unwrap_or(1);
                extent.saturating_sub(1).saturating_mul(spread)
            };
            let spans: Vec<isize> = kernel.iter().enumerate().map(span).collect();
            if spans.iter().any(|span| span % 2 != 0) {
                let message = format!(
                    "`{key}` has padding = \"same\" with a window of {kernel:?}, which has no middle; give odd extents, or \
                     numbers as padding"
                );
                return Err(Error::invalid(message));
            }
            Ok(spans.into_iter().map(|span| span / 2).collect())
        }
    }
}

fn function(kind: Activation) -> nn::Activation {
    match kind {
        Activation::Relu => nn::Activation::Relu,
        Activation::LeakyRelu => nn::Activation::LeakyRelu { slope: 0.01 },
        Activation::Elu => nn::Activation::Elu { alpha: 1.0 },
        Activation::Selu => nn::Activation::Selu,
        Activation::Relu6 => nn::Activation::Relu6,
        Activation::Gelu => nn::Activation::Gelu,
        Activation::Silu => nn::Activation::Silu,
        Activation::Mish => nn::Activation::Mish,
        Activation::Softplus => nn::Activation::Softplus,
        Activation::Sigmoid => nn::Activation::Sigmoid,
        Activation::Tanh => nn::Activation::Tanh,
        Activation::Softmax => nn::Activation::Softmax,
    }
}

fn initialiser(initial: Initial) -> Option<Initialiser> {
    match initial {
        Initial::FanIn => Some(Initialiser::FanInUniform),
        Initial::Glorot => Some(Initialiser::GlorotUniform),
        Initial::He => Some(Initialiser::HeNormal),
        Initial::Lecun => Some(Initialiser::LecunNormal),
        Initial::Zeros => Some(Initialiser::Zeros),
        Initial::None => None,
    }
}
