//! The network of a recipe, built and compiled.

use crate::layers::sequential;
use crate::place::placed;
use crate::schema::{Clip, Layer, Loss, Metric, Named, Optimizer, Recipe, Schedule as Chosen};
use crate::signature::{Outputs, Signature};
use warploom_device::DeviceError;
use warploom_nn::initialise::seed_scope;
use warploom_nn::schedules::{Constant, Cosine, Exponential, MultiStep, OneCycle, Polynomial, Step};
use warploom_nn::{
    Adam, AdamW, Clipping, Model, Optimizer as Described, RmsProp, Schedule, Sgd, losses, models,
};
use warploom_tensor::{Device, Tensor};
use warploom_train::{Average, Error, History, Result, Training, metrics};

/// Builds the network for examples and targets of this signature, on `device`.
pub(crate) fn build(recipe: &Recipe, signature: &Signature, device: &Device) -> Result<Model> {
    check_memory(recipe, signature, device)?;
    let (example, outputs) = (signature.example.as_slice(), signature.outputs.width());
    let seed = recipe.train.seed;
    let model = match recipe.model.name {
        Some(Named::LeNet) => models::lenet(outputs).seed(seed).build(example, device)?,
        Some(Named::ResNet18) => {
            let &[channels, _, _] = example else {
                let message = format!(
                    "resnet18 takes pictures [channels, height, width], found examples of {example:?}"
                );
                return Err(Error::invalid(message));
            };
            let network = seed_scope(seed, || device.scope(|| models::resnet18(channels, outputs)))?;
            Model::new(network, example, device)?
        }
        None => {
            let layers = sequential(&recipe.model.layers, outputs, "model.layers")?;
            layers.seed(seed).build(example, device).map_err(|error| placed(error.into(), &recipe.model))?
        }
    };
    check_output(recipe, signature, &model)?;
    Ok(model)
}

/// Chooses optimizer, loss and metrics. `steps` are the updates of an epoch, for the schedule.
pub(crate) fn compile(recipe: &Recipe, signature: &Signature, steps: usize, model: &mut Model) -> Result<()> {
    let metrics = recipe.metrics().into_iter().map(|metric| metric_of(metric, recipe, signature));
    let metrics: Vec<warploom_train::Metric> = metrics.collect();
    let clipping = recipe.train.clip.map(|clip| match clip {
        Clip::Norm { bound } => Clipping::Norm(bound),
        Clip::Value { bound } => Clipping::Value(bound),
    });
    let batches = recipe.train.accumulate;
    model.compile_with(optimizer(recipe, steps), loss(recipe.loss()), metrics, |step| {
        let step = if let Some(clipping) = clipping { step.clip(clipping) } else { step };
        Ok(if batches > 1 { step.accumulate(batches)? } else { step })
    })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn schedule(recipe: &Recipe, steps: usize) -> Box<dyn Schedule> {
    let total = count(steps.saturating_mul(recipe.train.epochs));
    let epochs = |epochs: u32| count(steps).saturating_mul(epochs);
    match &recipe.train.schedule {
        Chosen::Constant => Box::new(Constant),
        Chosen::Cosine { warmup, minimum } => Box::new(Cosine { total, warmup: *warmup, minimum: *minimum }),
        Chosen::OneCycle { rise } => Box::new(OneCycle { rise: *rise, ..OneCycle::new(total) }),
        Chosen::Step { every, factor } => Box::new(Step { every: epochs(*every), factor: *factor }),
        Chosen::MultiStep { milestones, factor } => Box::new(MultiStep {
            milestones: milestones.iter().map(|epoch| epochs(*epoch)).collect(),
            factor: *factor,
        }),
        Chosen::Exponential { factor } => {
            Box::new(Exponential { factor: factor.powf(1.0 / steps.max(1) as f64) })
        }
        Chosen::Polynomial { power, minimum } => {
            Box::new(Polynomial { total, power: *power, minimum: *minimum })
        }
    }
}

/// The learning rate at the end of each epoch: that of its last update, from the rate that the epoch had as its base.
pub(crate) fn learning_rates(
    recipe: &Recipe,
    steps: usize,
    history: &History,
    model: &Model,
) -> Result<Vec<f64>> {
    let epochs = history.epochs().len();
    let based = history.get("learning_rate");
    let base = |epoch: usize| {
        based.and_then(|rates| rates.get(epoch)).map_or(recipe.train.learning_rate, |rate| *rate) as f32
    };
    if epochs == 0 {
        return Ok(Vec::new());
    }
    let bases: Vec<f32> = (0..epochs).map(base).collect();
    let last: Vec<f32> = (1..=epochs).map(|done| (done * steps).saturating_sub(1) as f32).collect();
    let schedule = schedule(recipe, steps);
    let rates = model
        .device()
        .scope(|| schedule.learning_rate(&Tensor::from(bases), &Tensor::from(last)).to_vec::<f32>())?;
    // Of single precision: the shortest decimals that give it.
    Ok(rates.into_iter().map(|rate| rate.to_string().parse().unwrap_or(f64::from(rate))).collect())
}

fn optimizer(recipe: &Recipe, steps: usize) -> Box<dyn Described> {
    let train = &recipe.train;
    let (rate, decay) = (train.learning_rate, train.weight_decay);
    let schedule = Boxed(schedule(recipe, steps));
    match train.optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            let sgd = Sgd::new(rate).momentum(momentum).weight_decay(decay.unwrap_or(0.0)).schedule(schedule);
            Box::new(if nesterov { sgd.nesterov() } else { sgd })
        }
        Optimizer::Adam { beta1, beta2, epsilon } => {
            let adam = Adam::new(rate).betas(beta1, beta2).epsilon(epsilon);
            Box::new(adam.weight_decay(decay.unwrap_or(0.0)).schedule(schedule))
        }
        Optimizer::AdamW { beta1, beta2, epsilon } => {
            let adam = AdamW::new(rate).betas(beta1, beta2).epsilon(epsilon);
            Box::new(adam.weight_decay(decay.unwrap_or(0.01)).schedule(schedule))
        }
        Optimizer::RmsProp { smoothing, momentum, centred, epsilon } => {
            let rmsprop = RmsProp::new(rate).smoothing(smoothing).momentum(momentum).epsilon(epsilon);
            let rmsprop = rmsprop.weight_decay(decay.unwrap_or(0.0)).schedule(schedule);
            Box::new(if centred { rmsprop.centred() } else { rmsprop })
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

fn loss(loss: Loss) -> Box<dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync> {
    match loss {
        Loss::CrossEntropy { smoothing: 0.0 } => Box::new(losses::cross_entropy),
        Loss::CrossEntropy { smoothing } => {
            Box::new(move |logits, labels| losses::cross_entropy_with(logits, labels, smoothing, None))
        }
        Loss::BinaryCrossEntropyWithLogits => Box::new(losses::binary_cross_entropy_with_logits),
        Loss::MeanSquaredError => Box::new(losses::mean_squared_error),
        Loss::MeanAbsoluteError => Box::new(losses::mean_absolute_error),
        Loss::Huber { delta } => Box::new(move |prediction, target| losses::huber(prediction, target, delta)),
    }
}

/// Errors of numbers are in the target's own unit.
fn metric_of(metric: Metric, recipe: &Recipe, signature: &Signature) -> warploom_train::Metric {
    use warploom_train::Metric as Counted;
    let unit = signature.unit;
    let squared = move |prediction: &Tensor, target: &Tensor| {
        losses::mean_squared_error(prediction, target) * (unit * unit)
    };
    let absolute =
        move |prediction: &Tensor, target: &Tensor| losses::mean_absolute_error(prediction, target) * unit;
    match metric {
        Metric::Accuracy => metrics::accuracy(),
        Metric::Top5Accuracy => metrics::top_k_accuracy(5),
        Metric::Precision => metrics::precision(Average::Macro),
        Metric::Recall => metrics::recall(Average::Macro),
        Metric::F1 => metrics::f1(Average::Macro),
        Metric::BinaryAccuracy => {
            metrics::binary_accuracy(if recipe.loss() == Loss::BinaryCrossEntropyWithLogits {
                0.0
            } else {
                0.5
            })
        }
        Metric::MeanSquaredError => Counted::mean(metric.name(), squared),
        Metric::RootMeanSquaredError => Counted::mean(metric.name(), squared).root(),
        Metric::MeanAbsoluteError => Counted::mean(metric.name(), absolute),
    }
}

/// The last layer gives one number a class, or one a target.
fn check_output(recipe: &Recipe, signature: &Signature, model: &Model) -> Result<()> {
    let wanted = signature.outputs.width();
    let what = match &signature.outputs {
        Outputs::Classes(_) => "classes",
        Outputs::Numbers(_) => "target numbers",
    };
    let found = model.output_shape();
    if found != [wanted] {
        let flatten = if found.len() > 1 { " after a flatten layer" } else { "" };
        let last = recipe.model.layers.len().saturating_sub(1);
        let message = format!(
            "the model gives {found:?} for an example of shape {:?}, but there are {wanted} {what}; end with a dense layer \
             of {wanted} units{flatten}, such as model.layers.{last}.units={wanted}",
            signature.example
        );
        return Err(Error::invalid(message));
    }
    Ok(())
}

/// A lower bound of what training takes — weights with optimizer state, outputs of dense layers — held against the device's
/// memory before any of it is made. What follows convolutions counts by its units alone.
fn check_memory(recipe: &Recipe, signature: &Signature, device: &Device) -> Result<()> {
    let Some(memory) = device.capabilities().memory_bytes else { return Ok(()) };
    let (mut parameters, mut outputs) = (0u128, 0u128);
    let mut shape = Some(signature.example.clone());
    for layer in &recipe.model.layers {
        match layer {
            Layer::Flatten => shape = shape.map(|shape| vec![shape.iter().product()]),
            Layer::Dense { units, .. } => {
                let units = units.unwrap_or(signature.outputs.width());
                let inputs = shape.as_ref().and_then(|shape| shape.last()).copied().unwrap_or(1);
                parameters = parameters.saturating_add(inputs as u128 * units as u128);
                if let Some(last) = shape.as_mut().and_then(|shape| shape.last_mut()) {
                    *last = units;
                }
                let elements =
                    shape.iter().flatten().fold(1u128, |all, extent| all.saturating_mul(*extent as u128));
                outputs = outputs.saturating_add(elements.max(units as u128));
            }
            Layer::Conv1d { filters, .. }
            | Layer::Conv2d { filters, .. }
            | Layer::ConvTranspose2d { filters, .. } => {
                parameters = parameters.saturating_add(*filters as u128);
                shape = None;
            }
            Layer::Embedding { count, features } => {
                parameters = parameters.saturating_add(*count as u128 * *features as u128);
                shape = None;
            }
            Layer::Dropout { .. } | Layer::Activation { .. } | Layer::LayerNorm => {}
            _ => shape = None,
        }
    }
    let batch = recipe.train.batch.examples().unwrap_or(1);
    let copies = if matches!(recipe.train.optimizer, Optimizer::Sgd { .. }) { 2 } else { 3 };
    let floats = parameters.saturating_mul(copies).saturating_add(outputs.saturating_mul(batch as u128));
    let bytes = floats.saturating_mul(4);
    if bytes > memory as u128 {
        let reason = format!(
            "{} has {memory} bytes in all; training {parameters} parameters in batches of {batch} takes at least {bytes}",
            device.id()
        );
        let asked = usize::try_from(bytes).unwrap_or(usize::MAX);
        let held = device.statistics().live_bytes;
        return Err(DeviceError::OutOfMemory { asked, held, reason }.into());
    }
    Ok(())
}
