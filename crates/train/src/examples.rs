//! Where batches come from: a data set through its loader, or tensors that are on the device already.

use crate::error::{Error, Result};
use std::ops::Range;
use warploom_data::{Dataset, FeatureView, Loader, LoaderOptions, TargetView, Targets, Values};
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

/// Examples with their targets.
#[derive(Clone)]
pub(crate) enum Examples {
    /// Uploaded batch by batch.
    Data(Dataset),
    /// Picked from by row on the device; `rows` of `x` and `y`.
    Tensors { x: Tensor, y: Tensor, rows: Range<usize> },
}

impl Examples {
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
        Ok(Examples::Tensors { x: x.clone(), y: y.clone(), rows: 0..count })
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
        let first = count - last;
        Ok(match self {
            Examples::Data(data) => {
                let part = |range: Range<usize>| data.subset(&range.collect::<Vec<_>>());
                (Examples::Data(part(0..first)?), Some(Examples::Data(part(first..count)?)))
            }
            Examples::Tensors { x, y, rows } => {
                let middle = rows.start + first;
                let part = |rows: Range<usize>| Examples::Tensors { x: x.clone(), y: y.clone(), rows };
                (part(rows.start..middle), Some(part(middle..rows.end)))
            }
        })
    }

    /// Inputs of a program for a batch of `rows`.
    pub fn specs(&self, rows: usize) -> Vec<InputSpec> {
        match self {
            Examples::Tensors { .. } => vec![InputSpec::new(DType::I32, &[rows])],
            Examples::Data(data) => {
                let shape: Vec<usize> = [rows].iter().chain(data.example_shape()).copied().collect();
                let dtype = match data.features().values() {
                    Values::U8(_) => DType::U8,
                    Values::F32(_) => DType::F32,
                };
                let targets = match data.targets() {
                    Targets::Classes { .. } => InputSpec::new(DType::I32, &[rows]),
                    Targets::Values { width, .. } => InputSpec::new(DType::F32, &[rows, *width]),
                };
                vec![InputSpec::new(dtype, &shape), targets]
            }
        }
    }

    /// Records how a batch becomes features and targets.
    pub fn record(&self, inputs: &[Tensor]) -> (Tensor, Tensor) {
        match self {
            Examples::Tensors { x, y, .. } => (scaled(&x.gather(0, &inputs[0])), y.gather(0, &inputs[0])),
            Examples::Data(_) => (scaled(&inputs[0]), inputs[1].clone()),
        }
    }

    /// What sends batches.
    pub fn feed(&self, batch: usize, shuffle: bool, seed: u64) -> Result<Feed> {
        Ok(match self {
            Examples::Data(data) => {
                let options = LoaderOptions { batch, shuffle, seed, ..LoaderOptions::default() };
                Feed::Loader(Loader::new(data, options)?)
            }
            Examples::Tensors { rows, .. } => {
                Feed::Rows { all: rows.clone(), order: Vec::new(), batch, shuffle, seed }
            }
        })
    }

    /// Where a number that is not finite stands, in words. Data sets have none: they were checked when they were made.
    pub fn find_not_finite(&self) -> Result<Option<String>> {
        let Examples::Tensors { x, y, .. } = self else { return Ok(None) };
        for (name, tensor) in [("x", x), ("y", y)] {
            if !tensor.dtype()?.is_float() {
                continue;
            }
            let width = tensor.shape()?[1..].iter().product::<usize>().max(1);
            let values = tensor.cast(DType::F64).to_vec::<f64>()?;
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                let (row, column) = (at / width, at % width);
                return Ok(Some(format!("{name} holds {} in row {row}, column {column}", values[at])));
            }
        }
        Ok(None)
    }
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
    pub fn epoch(&mut self, epoch: u64) -> Result<Batches<'_>> {
        Ok(match self {
            Feed::Loader(loader) => Batches::Loader(loader.epoch(epoch, 0)?),
            Feed::Rows { all, order, batch, shuffle, seed } => {
                order.clear();
                order.extend(all.clone().map(|row| row as i32));
                if *shuffle {
                    mix(order, *seed, epoch);
                }
                Batches::Rows { rest: order, batch: *batch }
            }
        })
    }

    /// Bytes of host memory it holds to prepare batches.
    pub fn host_bytes(&self) -> u64 {
        match self {
            Feed::Loader(loader) => loader.planned_bytes(),
            Feed::Rows { .. } => 0,
        }
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
                    TargetView::Classes(values) => upload(1, bytemuck::cast_slice(values)),
                    TargetView::Values(values) => upload(1, bytemuck::cast_slice(values)),
                }
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
