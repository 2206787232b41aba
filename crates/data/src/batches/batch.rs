//! A batch and the buffer behind it.

use super::ring::Ring;
use crate::array::{Targets, Values};
use crate::dataset::Dataset;
use std::sync::Arc;

/// The features of a batch, `[len, ...example_shape]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FeatureView<'a> {
    /// Bytes, to be converted and scaled on the device.
    U8(&'a [u8]),
    /// Single-precision numbers.
    F32(&'a [f32]),
}

/// The targets of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TargetView<'a> {
    /// Class numbers, `[len]`.
    Classes(&'a [i32]),
    /// Numbers, `[len, width]`.
    Values(&'a [f32]),
}

/// Some examples with their targets. Its buffer goes back to the loader when it is dropped.
#[derive(Debug)]
pub struct Batch {
    slot: Slot,
    ring: Arc<Ring>,
    epoch: u64,
    index: usize,
}

impl Batch {
    pub(super) fn new(slot: Slot, ring: Arc<Ring>, epoch: u64, index: usize) -> Self {
        Self { slot, ring, epoch, index }
    }

    /// The features, `[len, ...example_shape]`.
    pub fn features(&self) -> FeatureView<'_> {
        match &self.slot.features {
            Values::U8(values) => FeatureView::U8(values),
            Values::F32(values) => FeatureView::F32(values),
        }
    }

    /// The targets, `[len]` or `[len, width]`.
    pub fn targets(&self) -> TargetView<'_> {
        match &self.slot.targets {
            TargetBuffer::Classes(values) => TargetView::Classes(values),
            TargetBuffer::Values(values) => TargetView::Values(values),
        }
    }

    /// The weight of each example, `[len]`, where the data set has weights.
    pub fn weights(&self) -> Option<&[f32]> {
        self.slot.weights.as_deref()
    }

    /// Which examples of the data set these are, `[len]`.
    pub fn rows(&self) -> &[u32] {
        &self.slot.rows
    }

    /// How many examples there are: the batch size, or fewer in the last batch.
    pub fn len(&self) -> usize {
        self.slot.rows.len()
    }

    /// Never: a batch has at least one example.
    pub fn is_empty(&self) -> bool {
        self.slot.rows.is_empty()
    }

    /// The number of its epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its number in the epoch, from 0.
    pub fn index(&self) -> usize {
        self.index
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.ring.give_back(std::mem::take(&mut self.slot));
    }
}

/// A buffer of the ring.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) rows: Vec<u32>,
    pub(super) features: Values,
    pub(super) targets: TargetBuffer,
    pub(super) weights: Option<Vec<f32>>,
}

#[derive(Debug)]
pub(super) enum TargetBuffer {
    Classes(Vec<i32>),
    Values(Vec<f32>),
}

impl Default for Slot {
    /// An empty buffer, which allocates nothing.
    fn default() -> Self {
        let (features, targets) = (Values::U8(Vec::new()), TargetBuffer::Classes(Vec::new()));
        Self { rows: Vec::new(), features, targets, weights: None }
    }
}

impl Slot {
    /// Room for `examples` of `dataset`; `None` when memory does not suffice.
    pub(super) fn with_capacity(dataset: &Dataset, examples: usize) -> Option<Self> {
        let features = examples.checked_mul(dataset.features().example_len())?;
        let targets = examples.checked_mul(dataset.targets().width())?;
        Some(Self {
            rows: reserve(examples)?,
            features: if dataset.is_bytes() {
                Values::U8(reserve(features)?)
            } else {
                Values::F32(reserve(features)?)
            },
            targets: match dataset.targets() {
                Targets::Classes { .. } => TargetBuffer::Classes(reserve(targets)?),
                Targets::Values { .. } => TargetBuffer::Values(reserve(targets)?),
            },
            weights: match dataset.weights() {
                Some(_) => Some(reserve(examples)?),
                None => None,
            },
        })
    }
}

/// An empty vector with room for `count`; `None` when memory does not suffice.
pub(super) fn reserve<T>(count: usize) -> Option<Vec<T>> {
    let mut vector = Vec::new();
    vector.try_reserve_exact(count).ok()?;
    Some(vector)
}
