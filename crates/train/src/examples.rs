//! Where batches come from: a data set through its loader, or tensors that are on the device already.

use crate::error::{Error, Result};
use std::ops::Range;
use warploom_data::{Dataset, FeatureView, Loader, LoaderOptions, TargetView, Targets};
use warploom_graph::philox;
use warploom_tensor::{Bound, DType, Device, InputSpec, Tensor};

/// Features as a model takes them: bytes become f32 from 0 to 1, other numbers stay.
#[track_caller]
pub fn scaled(features: &Tensor) -> Tensor {
    match features.dtype() {
        Ok(DType::U8) => features.cast(DType::F32) * (1.0 / 255.0),
        _ => features.clone(),
    }
}

/// Examples with their targets, and with weights where they have some.
#[derive(Clone)]
pub(crate) enum Examples {
    /// Uploaded batch by batch.
    Data(Dataset),
    /// Picked from by row on the device; `rows` of the others.
    Tensors { x: Tensor, y: Tensor, weights: Option<Tensor>, rows: Range<usize> },
}

impl Examples {
    pub fn data(data: &Dataset) -> Examples {
        Examples::Data(data.clone())
    }

    /// Checks that `x` and `y` belong together and to `device`.
    pub fn tensors(x: &Tensor, y: &Tensor, device: &Device) -> Result<Examples> {
        let (shape, targets) = (x.shape()?, y.shape()?);
        let count = match (shape.first(), targets.first()) {
            (Some(count), Some(other)) if count == other && *count > 0 => *count,
            _ => {
                let message = format!(
                    "x is {:?} and y is {:?}; both begin with the number of examples, 1 and more",
                    &shape[..],
                    &targets[..]
                );
                return Err(Error::invalid(message));
            }
        };
        for (name, tensor) in [("x", x), ("y", y)] {
            let found = tensor.device()?;
            if found != *device {
                let message = format!(
                    "{name} is on {}, the model on {}; hand in {name}.to(model.device())",
                    found.id(),
                    device.id()
                );
                return Err(Error::invalid(message));
            }
        }
        Ok(Examples::Tensors { x: x.clone(), y: y.clone(), weights: None, rows: 0..count })
    }

    /// With a weight for each example.
    pub fn weighted(self, weights: Option<&[f32]>) -> Result<Examples> {
        let Some(weights) = weights else { return Ok(self) };
        if weights.len() != self.len() {
            let message =
                format!("{} sample weights for {} examples; give one for each", weights.len(), self.len());
            return Err(Error::invalid(message));
        }
        if let Some(at) = weights.iter().position(|weight| !weight.is_finite()) {
            return Err(Error::invalid(format!(
                "the weight of example {at} is {}; give a number",
                weights[at]
            )));
        }
        Ok(match self {
            Examples::Data(data) => Examples::Data(data.with_sample_weights(weights.to_vec())?),
            Examples::Tensors { x, y, rows, .. } => {
                let weights = Some(x.device()?.scope(|| Tensor::from(weights)));
                Examples::Tensors { x, y, weights, rows }
            }
        })
    }

    pub fn len(&self) -> usize {
        match self {
            Examples::Data(data) => data.len(),
            Examples::Tensors { rows, .. } => rows.len(),
        }
    }

    /// The shape of one example.
    pub fn shape(&self) -> Result<Vec<usize>> {
        Ok(match self {
            Examples::Data(data) => data.example_shape().to_vec(),
            Examples::Tensors { x, .. } => x.shape()?[1..].to_vec(),
        })
    }

    /// `(rest, last)`, where `last` is this fraction of the examples, rounded, at the end.
    pub fn split_last(self, fraction: f64) -> Result<(Examples, Option<Examples>)> {
        let count = self.len();
        let last = (fraction * count as f64).round() as usize;
        if last == 0 {
            return Ok((self, None));
        }
        if last >= count {
            let message =
                format!("a validation split of {fraction} leaves none of {count} examples to learn from");
            return Err(Error::invalid(message));
        }
        let cut = count - last;
        Ok((self.part(0..cut)?, Some(self.part(cut..count)?)))
    }

    fn part(&self, part: Range<usize>) -> Result<Examples> {
        Ok(match self {
            Examples::Data(data) => Examples::Data(data.subset(&part.collect::<Vec<_>>())?),
            Examples::Tensors { x, y, weights, rows } => Examples::Tensors {
                x: x.clone(),
                y: y.clone(),
                weights: weights.clone(),
                rows: rows.start + part.start..rows.start + part.end,
            },
        })
    }

    /// Tensors that were on the device before.
    pub fn given(&self) -> impl Iterator<Item = &Tensor> {
        let all = match self {
            Examples::Tensors { x, y, weights, .. } => [Some(x), Some(y), weights.as_ref()],
            Examples::Data(_) => [None; 3],
        };
        all.into_iter().flatten()
    }

    /// Inputs of a program for a batch of `rows`.
    pub fn specs(&self, rows: usize) -> Vec<InputSpec> {
        let data = match self {
            Examples::Tensors { .. } => return vec![InputSpec::new(DType::I32, &[rows])],
            Examples::Data(data) => data,
        };
        let shape: Vec<usize> = [rows].iter().chain(data.example_shape()).copied().collect();
        let dtype = if data.is_bytes() { DType::U8 } else { DType::F32 };
        let targets = match data.targets() {
            Targets::Classes { .. } => InputSpec::new(DType::I32, &[rows]),
            Targets::Values { width, .. } => InputSpec::new(DType::F32, &[rows, *width]),
        };
        let weights = data.weights().map(|_| InputSpec::new(DType::F32, &[rows]));
        [InputSpec::new(dtype, &shape), targets].into_iter().chain(weights).collect()
    }

    /// Records how a batch becomes features, targets and, where there are some, weights.
    pub fn record(&self, inputs: &[Tensor]) -> (Tensor, Tensor, Option<Tensor>) {
        match self {
            Examples::Tensors { x, y, weights, .. } => {
                let picked = |all: &Tensor| all.gather(0, &inputs[0]);
                (scaled(&picked(x)), picked(y), weights.as_ref().map(picked))
            }
            Examples::Data(_) => (scaled(&inputs[0]), inputs[1].clone(), inputs.get(2).cloned()),
        }
    }

    /// What sends batches.
    pub fn feed(&self, batch: usize, shuffle: bool, seed: u64) -> Result<Feed> {
        Ok(match self {
            Examples::Data(data) => Feed::Loader(Loader::new(data, options(batch, shuffle, seed))?),
            Examples::Tensors { rows, .. } => {
                Feed::Rows { all: rows.clone(), order: Vec::new(), batch, shuffle, seed }
            }
        })
    }

    /// Bytes of host memory that [`Examples::feed`] takes to prepare batches.
    pub fn host_bytes(&self, batch: usize, shuffle: bool) -> u64 {
        match self {
            Examples::Data(data) => options(batch, shuffle, 0).planned_bytes(data),
            Examples::Tensors { .. } => 0,
        }
    }

    /// Where a number that is not finite stands, in words. Data sets have none: they were checked when they were made.
    pub fn find_not_finite(&self) -> Result<Option<String>> {
        let Examples::Tensors { x, y, .. } = self else { return Ok(None) };
        for (name, tensor) in [("x", x), ("y", y)] {
            if !tensor.dtype()?.is_float() {
                continue;
            }
            let width = tensor.shape()?[1..].iter().product::<usize>().max(1);
            let values: Vec<f64> = match tensor.dtype()? {
                DType::F64 => tensor.to_vec()?,
                // Not every device has f64.
                _ => tensor.cast(DType::F32).to_vec::<f32>()?.into_iter().map(f64::from).collect(),
            };
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                let (row, column) = (at / width, at % width);
                return Ok(Some(format!("{name} holds {} in row {row}, column {column}", values[at])));
            }
        }
        Ok(None)
    }
}

fn options(batch: usize, shuffle: bool, seed: u64) -> LoaderOptions {
    LoaderOptions { batch, shuffle, seed, ..LoaderOptions::default() }
}

/// Sends batches into a program's input memories.
pub(crate) enum Feed {
    Loader(Loader),
    Rows { all: Range<usize>, order: Vec<i32>, batch: usize, shuffle: bool, seed: u64 },
}

/// The batches of one epoch.
pub(crate) enum Batches<'a> {
    Loader(warploom_data::Epoch<'a>),
    Rows { rest: &'a [i32], batch: usize },
}

impl Feed {
    /// The batches of an epoch from number `start` on.
    pub fn epoch(&mut self, epoch: u64, start: usize) -> Result<Batches<'_>> {
        Ok(match self {
            Feed::Loader(loader) => Batches::Loader(loader.epoch(epoch, start)?),
            Feed::Rows { all, order, batch, shuffle, seed } => {
                order.clear();
                order.extend(all.clone().map(|row| row as i32));
                if *shuffle {
                    mix(order, *seed, epoch);
                }
                Batches::Rows { rest: &order[(start * *batch).min(order.len())..], batch: *batch }
            }
        })
    }
}

impl Batches<'_> {
    /// Copies the next batch to step number `step` of an input set.
    pub fn send(&mut self, bound: &Bound, slot: usize, step: usize) -> Result<()> {
        let executor = bound.recorded().device().executor().clone();
        let upload = |index: usize, bytes: &[u8]| -> Result<()> {
            executor.upload(bound.input(slot, index), step * bytes.len(), bytes)?;
            Ok(())
        };
        match self {
            Batches::Rows { rest, batch } => {
                let (now, later) = rest.split_at((*batch).min(rest.len()));
                *rest = later;
                upload(0, bytemuck::cast_slice(now))
            }
            Batches::Loader(epoch) => {
                let Some(batch) = epoch.next() else {
                    return Err(Error::invalid("the loader has fewer batches than the epoch"));
                };
                let batch = batch?;
                match batch.features() {
                    FeatureView::U8(bytes) => upload(0, bytes)?,
                    FeatureView::F32(values) => upload(0, bytemuck::cast_slice(values))?,
                }
                match batch.targets() {
                    TargetView::Classes(values) => upload(1, bytemuck::cast_slice(values))?,
                    TargetView::Values(values) => upload(1, bytemuck::cast_slice(values))?,
                }
                batch.weights().map_or(Ok(()), |weights| upload(2, bytemuck::cast_slice(weights)))
            }
        }
    }
}

/// Fisher and Yates' shuffle, fixed by seed and epoch.
fn mix(order: &mut [i32], seed: u64, epoch: u64) {
    let key = [seed as u32, (seed >> 32) as u32];
    for last in (1..order.len()).rev() {
        let word = philox::quad(key, 0x6f72_6465, epoch as u32, (epoch >> 32) as u32, last as u32)[0];
        // The product's high half is uniform below `last + 1` to within 2^-32 of its size.
        let other = ((u64::from(word) * (last as u64 + 1)) >> 32) as usize;
        order.swap(last, other);
    }
}
