//! The network of a recipe, built and compiled.

use crate::schema::{ActivationKind, Initial, LayerKind, Loss, Metric, OptimizerKind, Recipe, ScheduleKind};
use crate::signature::{Outputs, Signature};
use warploom_device::DeviceError;
use warploom_nn::schedules::Cosine;
use warploom_nn::{
    Activation, Adam, AdamW, Dense, Dropout, Flatten, Initialiser, Layer, Model, Optimizer, Schedule,
    Sequential, Sgd, losses,
};
use warploom_tensor::{Device, Tensor};
use warploom_train::{Error, Result, Training, metrics};

/// Builds the network for examples and targets of this signature, on `device`. `train` says how many examples are learned
/// from, for the schedule.
pub(crate) fn build(recipe: &Recipe, signature: &Signature, train: usize, device: &Device) -> Result<Model> {
    check_memory(recipe, signature, device)?;
    let mut model = Sequential::new(layers(recipe))
        .seed(recipe.train.seed)
        .build(signature.example.as_slice(), device)?;
    check_output(recipe, signature, &model)?;
    let (loss, metrics) = (loss(recipe.loss()), metrics_of(recipe));
    let steps = train.div_ceil(recipe.train.batch).saturating_mul(recipe.train.epochs);
    model.compile(optimizer(recipe, steps), loss, metrics)?;
    Ok(model)
}

fn layers(recipe: &Recipe) -> Vec<Box<dyn Layer>> {
    let mut layers: Vec<Box<dyn Layer>> = Vec::new();
    for layer in &recipe.model.layers {
        layers.push(match layer.kind {
            LayerKind::Flatten => Box::new(Flatten::new()),
            LayerKind::Dropout => Box::new(Dropout::new(layer.rate.unwrap_or(0.0))),
            LayerKind::Dense => {
                let mut dense = Dense::new(layer.units.unwrap_or(1));
                if let Some(kind) = layer.activation {
                    dense = dense.activation(activation(kind));
                }
                if let Some(initial) = layer.weight.and_then(initialiser) {
                    dense = dense.weight(initial);
                }
                match layer.bias {
                    None => {}
                    Some(Initial::None) => dense = dense.no_bias(),
                    Some(initial) => dense = dense.bias(initialiser(initial).unwrap_or(Initialiser::Zeros)),
                }
                Box::new(dense)
            }
        });
    }
    layers
}

fn activation(kind: ActivationKind) -> Activation {
    match kind {
        ActivationKind::Relu => Activation::Relu,
        ActivationKind::Sigmoid => Activation::Sigmoid,
        ActivationKind::Tanh => Activation::Tanh,
        ActivationKind::Gelu => Activation::Gelu,
        ActivationKind::Softmax => Activation::Softmax,
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

fn optimizer(recipe: &Recipe, steps: usize) -> Box<dyn Optimizer> {
    let train = &recipe.train;
    let total = u32::try_from(steps).unwrap_or(u32::MAX);
    let cosine = Cosine { total, warmup: train.warmup.unwrap_or(0), minimum: 0.0 };
    let schedule: Box<dyn Schedule> = match train.schedule {
        ScheduleKind::Constant => Box::new(warploom_nn::schedules::Constant),
        ScheduleKind::Cosine => Box::new(cosine),
    };
    let (rate, decay) = (train.learning_rate, train.weight_decay);
    match train.optimizer {
        OptimizerKind::Sgd => {
            let sgd =
                Sgd::new(rate).momentum(train.momentum.unwrap_or(0.0)).weight_decay(decay.unwrap_or(0.0));
            Box::new(sgd.schedule(Boxed(schedule)))
        }
        OptimizerKind::Adam => {
            Box::new(Adam::new(rate).weight_decay(decay.unwrap_or(0.0)).schedule(Boxed(schedule)))
        }
        OptimizerKind::AdamW => {
            Box::new(AdamW::new(rate).weight_decay(decay.unwrap_or(0.01)).schedule(Boxed(schedule)))
        }
    }
}

/// A schedule that was chosen while running.
struct Boxed(Box<dyn Schedule>);

impl Schedule for Boxed {
    fn learning_rate(&self, base: &Tensor, step: &Tensor) -> Tensor {
        self.0.learning_rate(base, step)
    }
}

fn loss(loss: Loss) -> fn(&Tensor, &Tensor) -> Tensor {
    match loss {
        Loss::CrossEntropy => losses::cross_entropy,
        Loss::BinaryCrossEntropyWithLogits => losses::binary_cross_entropy_with_logits,
        Loss::MeanSquaredError => losses::mean_squared_error,
        Loss::MeanAbsoluteError => losses::mean_absolute_error,
    }
}

fn metrics_of(recipe: &Recipe) -> Vec<warploom_train::Metric> {
    let threshold = if recipe.loss() == Loss::BinaryCrossEntropyWithLogits { 0.0 } else { 0.5 };
    let one = |metric: Metric| match metric {
        Metric::Accuracy => metrics::accuracy(),
        Metric::BinaryAccuracy => metrics::binary_accuracy(threshold),
        Metric::MeanSquaredError => metrics::mean_squared_error(),
        Metric::MeanAbsoluteError => metrics::mean_absolute_error(),
    };
    recipe.metrics().into_iter().map(one).collect()
}

/// The last layer gives one number a class, or one a target.
fn check_output(recipe: &Recipe, signature: &Signature, model: &Model) -> Result<()> {
    let (wanted, what) = match &signature.outputs {
        Outputs::Classes(names) => (names.len(), "classes"),
        Outputs::Numbers(width) => (*width, "target numbers"),
    };
    let found = model.output_shape();
    if found != [wanted] {
        let last = recipe.model.layers.len() - 1;
        let flatten = if found.len() > 1 { " after a flatten layer" } else { "" };
        let message = format!(
            "the model gives {found:?} for an example of shape {:?}, but there are {wanted} {what}; end with a dense layer \
             of {wanted} units{flatten}, such as model.layers.{last}.units={wanted}",
            signature.example
        );
        return Err(Error::invalid(message));
    }
    Ok(())
}

/// A lower bound of what training takes — weights with optimizer state, one copy of each layer's output — held against
/// the device's memory before any of it is made.
fn check_memory(recipe: &Recipe, signature: &Signature, device: &Device) -> Result<()> {
    let Some(memory) = device.capabilities().memory_bytes else { return Ok(()) };
    let (mut inputs, mut parameters, mut outputs) =
        (signature.example.iter().product::<usize>() as u128, 0u128, 0u128);
    let mut last = signature.example.last().copied().unwrap_or(1) as u128;
    for layer in &recipe.model.layers {
        match (layer.kind, layer.units) {
            (LayerKind::Flatten, _) => last = inputs,
            (LayerKind::Dense, Some(units)) => {
                let units = units as u128;
                parameters = parameters.saturating_add(last.saturating_mul(units));
                inputs = (inputs / last.max(1)).saturating_mul(units);
                outputs = outputs.saturating_add(inputs);
                last = units;
            }
            (LayerKind::Dense | LayerKind::Dropout, _) => {}
        }
    }
    let copies = if recipe.train.optimizer == OptimizerKind::Sgd { 2 } else { 3 };
    let floats =
        parameters.saturating_mul(copies).saturating_add(outputs.saturating_mul(recipe.train.batch as u128));
    let bytes = floats.saturating_mul(4);
    if bytes > memory as u128 {
        let reason = format!(
            "{} has {memory} bytes in all; training {parameters} parameters in batches of {} takes at least {bytes}",
            device.id(),
            recipe.train.batch
        );
        let asked = usize::try_from(bytes).unwrap_or(usize::MAX);
        let held = device.statistics().live_bytes;
        return Err(DeviceError::OutOfMemory { asked, held, reason }.into());
    }
    Ok(())
}
