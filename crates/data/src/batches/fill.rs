//! How a buffer is filled: copied, or read, augmented and scaled example by example.

use super::batch::{Slot, TargetBuffer};
use crate::array::{Targets, Values};
use crate::augment::Pixel;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::random::{Purpose, Random};

/// What a thread works in; it grows to the largest example.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    bytes: Vec<u8>,
    moved_bytes: Vec<u8>,
    moved_numbers: Vec<f32>,
}

/// Whether examples only have to be copied.
pub(super) fn is_copy(dataset: &Dataset) -> bool {
    let bytes = matches!(dataset.features().values(), Values::U8(_));
    dataset.pictures().is_none() && dataset.augmentation().is_none() && dataset.is_bytes() == bytes
}

/// Writes the examples `slot.rows` of `dataset` as they are in `epoch`. The slot was made for the data set and has room.
pub(super) fn fill(
    dataset: &Dataset,
    seed: u64,
    epoch: u64,
    slot: &mut Slot,
    scratch: &mut Scratch,
) -> Result<()> {
    let storage = |row: u32| dataset.storage_row(row as usize).unwrap_or_default();
    let rows = || slot.rows.iter().copied();
    match (&mut slot.targets, dataset.targets()) {
        (TargetBuffer::Classes(to), Targets::Classes { values, .. }) => {
            to.clear();
            to.extend(rows().map(|row| values[storage(row)]));
        }
        (TargetBuffer::Values(to), Targets::Values { values, width }) => {
            to.clear();
            rows().for_each(|row| to.extend_from_slice(&values[storage(row) * width..][..*width]));
        }
        (TargetBuffer::Classes(_), Targets::Values { .. })
        | (TargetBuffer::Values(_), Targets::Classes { .. }) => {
            unreachable!("the slot was made for this data set")
        }
    }
    if let (Some(to), Some(weights)) = (&mut slot.weights, dataset.weights()) {
        to.clear();
        to.extend(rows().map(|row| weights[row as usize]));
    }
    let augment = Augment { dataset, seed, epoch };
    match (&mut slot.features, dataset.features().values()) {
        (Values::F32(to), Values::F32(from)) => {
            to.clear();
            for &row in &slot.rows {
                let start = to.len();
                to.extend_from_slice(stored(dataset, from, storage(row)));
                augment.apply(row, &mut to[start..], &mut scratch.moved_numbers);
            }
        }
        (Values::U8(to), Values::U8(from)) => {
            to.clear();
            for &row in &slot.rows {
                let start = to.len();
                bytes_of(dataset, from, storage(row), to)?;
                augment.apply(row, &mut to[start..], &mut scratch.moved_bytes);
            }
        }
        (Values::F32(to), Values::U8(from)) => {
            to.clear();
            for &row in &slot.rows {
                scratch.bytes.clear();
                bytes_of(dataset, from, storage(row), &mut scratch.bytes)?;
                augment.apply(row, &mut scratch.bytes, &mut scratch.moved_bytes);
                dataset.pixel_scale().apply(&scratch.bytes, dataset.example_shape()[0], to);
            }
        }
        (Values::U8(_), Values::F32(_)) => unreachable!("the slot was made for this data set"),
    }
    Ok(())
}

fn stored<'a, T>(dataset: &Dataset, values: &'a [T], row: usize) -> &'a [T] {
    let len = dataset.features().example_len();
    &values[row * len..][..len]
}

/// Appends the bytes of an example that is stored or is read from its file.
fn bytes_of(dataset: &Dataset, values: &[u8], row: usize, to: &mut Vec<u8>) -> Result<()> {
    match dataset.pictures() {
        Some(pictures) => pictures.read(row, to),
        None => {
            to.extend_from_slice(stored(dataset, values, row));
            Ok(())
        }
    }
}

struct Augment<'a> {
    dataset: &'a Dataset,
    seed: u64,
    epoch: u64,
}

impl Augment<'_> {
    fn apply<T: Pixel>(&self, row: u32, picture: &mut [T], scratch: &mut Vec<T>) {
        let (Some(augmentation), &[channels, height, width]) =
            (self.dataset.augmentation(), self.dataset.example_shape())
        else {
            return;
        };
        let mut random = Random::of_pair(self.seed, Purpose::Augment, self.epoch, u64::from(row));
        augmentation.apply(picture, [channels, height, width], &mut random, scratch);
    }
}
